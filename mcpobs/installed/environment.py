"""Describes the Python environment that runs mcpobs. The commands in hints are computed only from these facts."""

from __future__ import annotations

import os
import site
import sys
import sysconfig
from collections.abc import Mapping
from importlib import util
from pathlib import Path
from typing import Final, Literal, NamedTuple

_UV_CACHES: Final = frozenset({"archive-v0", "environments-v2", "builds-v0"})


class Environment(NamedTuple):
    """Python's search path and the tools in its environment."""

    package: Path
    """The folder of the `mcpobs` that is imported."""
    search: tuple[str, ...]
    """sys.path without empty entries."""
    prefix: Path
    isolated: bool
    """Whether this is a virtual environment."""
    python: str
    has_pip: bool
    user_site: Path | None
    sites: tuple[Path, ...]
    """The folders into which this Python's own installers write, except the user's."""
    stdlib: Path
    variables: Mapping[str, str]


def current() -> Environment:
    """Returns the environment of this process."""
    return Environment(
        package=Path(__file__).parents[1],
        search=tuple(entry for entry in sys.path if entry),
        prefix=Path(sys.prefix),
        isolated=sys.prefix != sys.base_prefix,
        python=sys.executable or "python3",
        has_pip=util.find_spec("pip") is not None,
        user_site=Path(site.getusersitepackages()) if site.ENABLE_USER_SITE else None,
        sites=tuple(Path(entry) for entry in (sysconfig.get_path("purelib"), *site.getsitepackages())),
        stdlib=Path(sysconfig.get_path("stdlib")),
        variables=os.environ,
    )


def same(one: str | os.PathLike[str], other: str | os.PathLike[str]) -> bool:
    """Returns whether two paths lead to the same file or folder. A path that leads nowhere equals no other."""
    try:
        return os.path.samefile(one, other)
    except (OSError, ValueError):
        return False


def passing(path: str | os.PathLike[str]) -> Literal["uvx", "pipx run"] | None:
    """Returns the command that put a program or an environment into its cache, which the command may empty at any
    time."""
    given = Path(path)
    parts = given.resolve().parent.parts + given.parts
    cache = os.environ.get("UV_CACHE_DIR")
    if (cache and given.is_relative_to(Path(cache).absolute())) or _UV_CACHES.intersection(parts):
        return "uvx"
    return "pipx run" if ".cache" in parts and "pipx" in parts else None
