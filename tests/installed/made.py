"""Installations as installers leave them on the disk: packages, their metadata, and the environment around them."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mcpobs.installed.distribution import NAME
from mcpobs.installed.environment import Environment

REQUIRES = (
    "duckdb<3,>=1.5",
    "aiohttp<4,>=3.11; extra == 'http'",
    "pyjwt[crypto]<3,>=2.10; extra == 'http'",
    "mcp<3,>=2.0; (python_version >= '3.11') and extra == 'demo'",
)
NEEDED = "'aiohttp<4,>=3.11' 'pyjwt[crypto]<3,>=2.10'"
OUR_SCRIPT = "[console_scripts]\nmcpobs = mcpobs.__main__:main\n"


def package(folder: Path, text: str = '__version__ = "0.1.0"\n') -> Path:
    """An import package `mcpobs` below a folder."""
    made = folder / "mcpobs"
    made.mkdir(parents=True, exist_ok=True)
    (made / "__init__.py").write_text(text)
    return made


def project(folder: Path, name: str = NAME) -> Path:
    """A checkout."""
    package(folder)
    (folder / "pyproject.toml").write_text(f'[project]\nname = "{name}"\n')
    return folder


def distribution(
    site: Path,
    name: str = NAME,
    version: str = "0.1.0",
    *,
    direct_url: Mapping[str, Any] | str | None = None,
    files: Sequence[str] | None = ("mcpobs/__init__.py",),
    entry_points: str = OUR_SCRIPT,
    summary: str = "",
    more: Mapping[str, str] | None = None,
) -> Path:
    """The metadata of a distribution; `files` are those of its RECORD, with the hashes that they have now."""
    info = site / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    lines = ["Metadata-Version: 2.4", f"Name: {name}", f"Version: {version}", f"Summary: {summary}"]
    lines += [f"Requires-Dist: {each}" for each in REQUIRES]
    (info / "METADATA").write_text("\n".join([*lines, "", ""]))
    (info / "entry_points.txt").write_text(entry_points)
    if files is not None:
        (info / "RECORD").write_text("".join(f"{_quoted(each)},sha256={_digest(site / each)},1\n" for each in files))
    if direct_url is not None:
        text = direct_url if isinstance(direct_url, str) else json.dumps(direct_url)
        (info / "direct_url.json").write_text(text)
    for file, content in (more or {}).items():
        (info / file).write_text(content)
    return info


def editable(site: Path, checkout: Path, name: str = NAME, version: str = "0.1.0") -> None:
    """A checkout as `pip install -e` leaves it."""
    site.mkdir(parents=True, exist_ok=True)
    pth = f"_editable_impl_{name.replace('-', '_')}.pth"
    (site / pth).write_text(f"{checkout}\n")
    url = {"url": checkout.as_uri(), "dir_info": {"editable": True}}
    distribution(site, name, version, direct_url=url, files=[pth])


def environment(
    prefix: Path, package: Path, *search: Path, pip: bool = True, isolated: bool = True, **variables: str
) -> Environment:
    """One with its site-packages at `prefix`/site, and what else is on the search path before it."""
    return Environment(
        package=package,
        search=tuple(str(entry) for entry in (*search, prefix / "site")),
        prefix=prefix,
        isolated=isolated,
        python=str(prefix / "bin/python"),
        has_pip=pip,
        user_site=None if isolated else prefix / "user",
        sites=(prefix / "site",),
        stdlib=prefix / "stdlib",
        variables={"PATH": "/nowhere", **variables},
    )


def program(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def _digest(path: Path) -> str:
    content = path.read_bytes() if path.is_file() else b""
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def _quoted(path: str) -> str:
    return f'"{path}"' if "," in path else path
