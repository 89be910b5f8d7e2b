"""What a wrapped server is called, where nobody says: the telling part of its command."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePath

_RUNNERS = re.compile(
    r"(python[\d.]*|pypy[\d.]*|node|bun|deno|uv|uvx|pipx|npx|npm|pnpm|yarn|bunx|tsx|ts-node|sh|bash|env|java|ruby|go|dotnet)"
)
_WORDS = frozenset({"run", "exec", "x", "dlx", "tool", "start"})
_NAMES_IT = frozenset({"-m", "--from", "--package"})
_TAKES_VALUE = frozenset({"--with", "-p", "--python", "--directory", "--project", "-C"})
_VERSION = re.compile(r"(?<=.)(@[^/@]+|==.+|\[.*\])$")


def service_name(command: Sequence[str], given: str | None, env: Mapping[str, str]) -> str:
    """`--name`, else OTEL_SERVICE_NAME, else service.name of OTEL_RESOURCE_ATTRIBUTES, else from the command.

    `npx -y @modelcontextprotocol/server-filesystem /data` is server-filesystem, `python -m mcp_server_git` is
    mcp_server_git, `node dist/index.js` is index.
    """
    # An argument that is not UTF-8 comes in with surrogates, which JSON cannot hold.
    return _chosen(command, given, env).encode(errors="replace").decode()


def _chosen(command: Sequence[str], given: str | None, env: Mapping[str, str]) -> str:
    if given:
        return given
    if env.get("OTEL_SERVICE_NAME"):
        return env["OTEL_SERVICE_NAME"]
    for pair in env.get("OTEL_RESOURCE_ATTRIBUTES", "").split(","):
        key, _, value = pair.partition("=")
        if key.strip() == "service.name" and value.strip():
            from urllib.parse import unquote  # 7 ms

            return unquote(value.strip())
    return _telling_part(command)


def _telling_part(command: Sequence[str]) -> str:
    program = _stem(command[0])
    if not _RUNNERS.fullmatch(program):
        return program
    rest = iter(command[1:])
    for word in rest:
        if word in _NAMES_IT:
            return _stem(next(rest, program))
        if word in _TAKES_VALUE:
            next(rest, None)
        elif word in ("-c", "-e", "--eval"):
            return program
        elif not (word.startswith("-") or "=" in word or word in _WORDS or _RUNNERS.fullmatch(_stem(word))):
            return _stem(word)
    return program


def _stem(word: str) -> str:
    """The last part of a path or package name, without its version and its suffix."""
    name = PurePath(_VERSION.sub("", word)).name
    return re.sub(r"\.(py|m?js|c?js|ts|sh|jar|rb|exe)$", "", name) or word
