"""Finds the source from which this copy of mcpobs can be reinstalled, as words for an installer."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import SplitResult, urlsplit, urlunsplit

from mcpobs.installed.distribution import NAME, Distribution, checkout, is_former
from mcpobs.installed.environment import Environment

_AWKWARD: Final = re.compile(r"[;#%?@\[\]]")  # installers misread these in a path


class Source(NamedTuple):
    """A place to install from."""

    requirement: str
    """With extras, e.g. `/home/me/checkout[http]`."""
    editable: bool = False

    @property
    def words(self) -> tuple[str, ...]:
        return ("-e", self.requirement) if self.editable else (self.requirement,)


def source(
    env: Environment, own: Distribution | None, extras: Iterable[str] = (), *, pinned: bool = True
) -> Source | None:
    """Returns the origin of this copy, with the extras to add. None if the origin is gone or unknown.

    `pinned` requests exactly the installed version from an index.
    """
    chosen = ",".join(sorted(set(extras)))
    suffix = f"[{chosen}]" if chosen else ""
    if own is None:
        folder = checkout(env)
        return _editable(folder, suffix) if folder else None
    url = own.direct_url
    if not url:
        version = f"=={own.version}" if pinned else ""
        return None if is_former(own) else Source(f"{NAME}{suffix}{version}")
    path = own.source
    if path is not None and "vcs_info" not in url:
        return _local(path, suffix, url, own.editable)
    return None if is_former(own) else _remote(url, suffix)


def _local(path: Path, suffix: str, url: Mapping[str, Any], editable: bool) -> Source | None:
    if "dir_info" in url:
        if not (path / "pyproject.toml").is_file():
            return None
        if editable:
            return _editable(path, suffix)
    elif not path.is_file():
        return None
    below = url.get("subdirectory")
    if below or _AWKWARD.search(str(path)):
        return Source(f"{NAME}{suffix} @ {path.as_uri()}" + (f"#subdirectory={below}" if below else ""))
    return Source(f"{path}{suffix}")


def _editable(path: Path, suffix: str) -> Source:
    """Returns an editable source. A path that itself ends in brackets would be read as one with extras."""
    plain = suffix or not str(path).endswith("]")
    return Source(f"{path}{suffix}" if plain else path.as_uri(), editable=True)


def _remote(url: Mapping[str, Any], suffix: str) -> Source | None:
    try:
        parts = urlsplit(url["url"])
        valid = parts.scheme == "file" or (parts.hostname and (parts.port or True))
    except ValueError:
        return None
    if not valid or "@" in parts.path:
        return None  # a password with a slash in it looks like a path
    vcs = url.get("vcs_info")
    if not isinstance(vcs, dict) and parts.query:
        return None  # it may hold a key, and the URL may not work without it
    below = f"subdirectory={url['subdirectory']}" if url.get("subdirectory") else ""
    place = urlunsplit(parts._replace(netloc=_public(parts), query="", fragment=""))
    if isinstance(vcs, dict):
        revision = vcs.get("commit_id") or vcs.get("requested_revision")
        place = f"{vcs.get('vcs', 'git')}+{place}" + (f"@{revision}" if revision else "")
    return Source(f"{NAME}{suffix} @ {place}" + (f"#{below}" if below else ""))


def _public(parts: SplitResult) -> str:
    """Returns host and port, without password or token, and with a user only for ssh, which needs one and holds no
    secret."""
    user, at, host = parts.netloc.rpartition("@")
    if at and "ssh" in parts.scheme:
        return f"{user.partition(':')[0]}@{host}"
    return host
