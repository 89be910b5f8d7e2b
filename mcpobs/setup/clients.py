"""Lists the known MCP clients: where each keeps its servers, and in which format. Reads no configuration.

The keys and files are from the clients' documentation and third-party guides of November 2026. No vendor's page was
found for Claude Desktop on Linux (guides differ; most say ~/.config/Claude), for CLAUDE_CONFIG_DIR moving .claude.json,
or for the folders of VS Code's profiles and other editions: those places follow convention. opencode has its servers
in `mcp`, its second version in `mcp.servers`; both have the command and its arguments in one list.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from mcpobs.setup.document import Layout

Form = Literal["json", "toml"]


@dataclass(frozen=True, slots=True)
class Client:
    """An MCP client. `name` is its value for --client. `caution` is shown before its configuration is changed."""

    name: str
    title: str
    form: Form
    layouts: tuple[Layout, ...]
    caution: str | None = None
    elsewhere: bool = False
    """Whether its servers start in another file system, which does not have the path of this mcpobs."""


@dataclass(frozen=True, slots=True)
class Place:
    """A configuration that may exist. `shared`: it lies in a project, which others may share."""

    client: Client
    path: Path
    shared: bool = False


DESKTOP: Final = Client("claude-desktop", "Claude Desktop", "json", (("mcpServers",),))
CLAUDE_CODE: Final = Client(
    "claude-code",
    "Claude Code",
    "json",
    (("mcpServers",), ("projects", "*", "mcpServers")),
    "Claude Code writes this file itself while it runs, so quit it first",
)
CURSOR: Final = Client("cursor", "Cursor", "json", (("mcpServers",),))
_IN_VS_CODE: Final[tuple[Layout, ...]] = (
    ("servers",),
    ("mcp", "servers"),  # settings.json
    ("settings", "mcp", "servers"),  # NAME.code-workspace
)
VS_CODE: Final = Client("vscode", "VS Code", "json", _IN_VS_CODE)
DEVCONTAINER: Final = Client(
    "devcontainer",
    "Dev container",
    "json",
    (("customizations", "vscode", "mcp", "servers"), ("customizations", "vscode", "settings", "mcp", "servers")),
    "these servers start in the container, so mcpobs has to be there too",
    elsewhere=True,
)
CODEX: Final = Client("codex", "Codex", "toml", (("mcp_servers",),))
OPENCODE: Final = Client("opencode", "opencode", "json", (("mcp",), ("mcp", "servers")))
ZED: Final = Client("zed", "Zed", "json", (("context_servers",),))
GEMINI: Final = Client("gemini", "Gemini CLI", "json", (("mcpServers",),))
WINDSURF: Final = Client("windsurf", "Windsurf", "json", (("mcpServers",),))
CLIENTS: Final = (DESKTOP, CLAUDE_CODE, CURSOR, VS_CODE, DEVCONTAINER, CODEX, OPENCODE, ZED, GEMINI, WINDSURF)

OTHER_JSON: Final = Client(
    "json", "JSON", "json", tuple(dict.fromkeys(lay for c in CLIENTS if c.form == "json" for lay in c.layouts))
)


def places(cwd: Path, env: Mapping[str, str]) -> Iterator[Place]:
    """Yields every place where a known client looks, whether or not a file exists: the project's places first."""
    yield from _of_project(cwd)
    home = Path(env.get("HOME") or Path.home())
    mac = sys.platform == "darwin"
    own = _folder(env, "XDG_CONFIG_HOME", home / ".config")
    settings = home / "Library/Application Support" if mac else own
    yield Place(DESKTOP, settings / "Claude/claude_desktop_config.json")
    yield Place(CLAUDE_CODE, _folder(env, "CLAUDE_CONFIG_DIR", home) / ".claude.json")
    yield Place(CURSOR, home / ".cursor/mcp.json")
    for edition in ("Code", "Code - Insiders", "VSCodium"):
        user = settings / edition / "User"
        yield Place(VS_CODE, user / "mcp.json")
        for profile in _matching(user, "profiles/*/mcp.json"):
            yield Place(VS_CODE, profile)
    yield Place(CODEX, _folder(env, "CODEX_HOME", home / ".codex") / "config.toml")
    for name in _OPENCODE_FILES:
        yield Place(OPENCODE, own / "opencode" / name)  # also on macOS, as for Zed
    if env.get("OPENCODE_CONFIG"):
        yield Place(OPENCODE, Path(env["OPENCODE_CONFIG"]).expanduser())
    for name in _OPENCODE_FILES:
        if env.get("OPENCODE_CONFIG_DIR"):
            yield Place(OPENCODE, Path(env["OPENCODE_CONFIG_DIR"]).expanduser() / name)
    yield Place(ZED, own / "zed/settings.json")
    yield Place(GEMINI, home / ".gemini/settings.json")
    yield Place(WINDSURF, home / ".codeium/windsurf/mcp_config.json")


_OPENCODE_FILES: Final = ("opencode.json", "opencode.jsonc")


def _of_project(cwd: Path) -> Iterator[Place]:
    yield Place(CLAUDE_CODE, cwd / ".mcp.json", shared=True)
    yield Place(CURSOR, cwd / ".cursor/mcp.json", shared=True)
    yield Place(VS_CODE, cwd / ".vscode/mcp.json", shared=True)
    for workspace in _matching(cwd, "*.code-workspace"):
        yield Place(VS_CODE, workspace, shared=True)
    containers = (cwd / ".devcontainer.json", cwd / ".devcontainer/devcontainer.json")
    for container in (*containers, *_matching(cwd, ".devcontainer/*/devcontainer.json")):
        yield Place(DEVCONTAINER, container, shared=True)
    yield Place(CODEX, cwd / ".codex/config.toml", shared=True)
    for name in _OPENCODE_FILES:
        yield Place(OPENCODE, cwd / name, shared=True)
        yield Place(OPENCODE, cwd / ".opencode" / name, shared=True)
    yield Place(ZED, cwd / ".zed/settings.json", shared=True)
    yield Place(GEMINI, cwd / ".gemini/settings.json", shared=True)


def _matching(folder: Path, pattern: str) -> list[Path]:
    try:
        return sorted(folder.glob(pattern))
    except OSError:
        return []  # an unreadable folder: its plain file is reported


def found(cwd: Path, env: Mapping[str, str]) -> list[Place]:
    """Returns the existing configurations, each once: in the home folder the project's places are the user's.

    Of a folder that cannot be searched, the first place stands for all: reading it says so.
    """
    there: dict[Path, Place] = {}
    for place in places(cwd, env):
        try:
            key = _existing(place.path)
        except OSError:
            key = _closed(place.path)
        if key is not None and (key not in there or there[key].shared):
            there[key] = place
    return list(there.values())


def _existing(path: Path) -> Path | None:
    """Returns the file behind a path; None if there is none."""
    try:
        mode = path.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not stat.S_ISREG(mode) and not stat.S_ISLNK(mode):
        return None
    return path.resolve()


def _closed(path: Path) -> Path:
    """Returns the outermost folder of a path that cannot be searched."""
    return next((p for p in reversed(path.parents) if not os.access(p, os.X_OK)), path)


def place_of(path: Path, client: str | None) -> Place:
    """Returns the place of a configuration named by the user: of the given client, else of the client that its file
    name suggests."""
    known = {c.name: c for c in CLIENTS}
    if client is not None:
        return Place(known[client], path)
    if path.suffix == ".toml":
        return Place(CODEX, path)
    if path.name == "claude_desktop_config.json":
        return Place(DESKTOP, path)
    names = {"mcp_config.json": WINDSURF, "devcontainer.json": DEVCONTAINER, ".devcontainer.json": DEVCONTAINER}
    names |= dict.fromkeys(_OPENCODE_FILES, OPENCODE)
    if path.name in names:
        return Place(names[path.name], path)
    folders = {".cursor": CURSOR, ".vscode": VS_CODE, ".gemini": GEMINI, ".zed": ZED, "zed": ZED}
    if path.suffix == ".code-workspace":
        return Place(VS_CODE, path)
    if path.name in (".mcp.json", ".claude.json"):
        return Place(CLAUDE_CODE, path, shared=path.name == ".mcp.json")
    if path.parent.name in folders:
        return Place(folders[path.parent.name], path)
    return Place(OTHER_JSON, path)


def _folder(env: Mapping[str, str], variable: str, otherwise: Path) -> Path:
    return Path(env[variable]) if env.get(variable) else otherwise
