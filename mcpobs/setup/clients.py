"""Lists the known MCP clients: where each keeps its servers, and in which format. Reads no configuration.

The keys and files are from the clients' documentation and third-party guides of November 2026. No vendor's page was
found for Claude Desktop on Linux (guides differ; most say ~/.config/Claude), for CLAUDE_CONFIG_DIR moving .claude.json,
or for the folders of VS Code's profiles and other editions: those places follow convention.
"""

from __future__ import annotations

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
VS_CODE: Final = Client("vscode", "VS Code", "json", (("servers",), ("mcp", "servers")))  # the latter: settings.json
CODEX: Final = Client("codex", "Codex", "toml", (("mcp_servers",),))
CLIENTS: Final = (DESKTOP, CLAUDE_CODE, CURSOR, VS_CODE, CODEX)

OTHER_JSON: Final = Client(
    "json", "JSON", "json", (("mcpServers",), ("projects", "*", "mcpServers"), ("servers",), ("mcp", "servers"))
)


def places(cwd: Path, env: Mapping[str, str]) -> Iterator[Place]:
    """Yields every place where a known client looks, whether or not a file exists: the project's places first."""
    home = Path(env.get("HOME") or Path.home())
    mac = sys.platform == "darwin"
    settings = home / "Library/Application Support" if mac else _folder(env, "XDG_CONFIG_HOME", home / ".config")
    yield Place(CLAUDE_CODE, cwd / ".mcp.json", shared=True)
    yield Place(CURSOR, cwd / ".cursor/mcp.json", shared=True)
    yield Place(VS_CODE, cwd / ".vscode/mcp.json", shared=True)
    yield Place(CODEX, cwd / ".codex/config.toml", shared=True)
    yield Place(DESKTOP, settings / "Claude/claude_desktop_config.json")
    yield Place(CLAUDE_CODE, _folder(env, "CLAUDE_CONFIG_DIR", home) / ".claude.json")
    yield Place(CURSOR, home / ".cursor/mcp.json")
    for edition in ("Code", "Code - Insiders", "VSCodium"):
        user = settings / edition / "User"
        yield Place(VS_CODE, user / "mcp.json")
        for profile in sorted(user.glob("profiles/*/mcp.json")):
            yield Place(VS_CODE, profile)
    yield Place(CODEX, _folder(env, "CODEX_HOME", home / ".codex") / "config.toml")


def found(cwd: Path, env: Mapping[str, str]) -> list[Place]:
    """Returns the existing configurations, each once: in the home folder the project's places are the user's."""
    there: dict[Path, Place] = {}
    for place in places(cwd, env):
        path = place.path
        if path.is_file() or path.is_symlink():
            key = path.resolve()
            if key not in there or there[key].shared:
                there[key] = place
    return list(there.values())


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
    folders = {".cursor": CURSOR, ".vscode": VS_CODE}
    if path.name in (".mcp.json", ".claude.json"):
        return Place(CLAUDE_CODE, path, shared=path.name == ".mcp.json")
    if path.parent.name in folders:
        return Place(folders[path.parent.name], path)
    return Place(OTHER_JSON, path)


def _folder(env: Mapping[str, str], variable: str, otherwise: Path) -> Path:
    return Path(env[variable]) if env.get(variable) else otherwise
