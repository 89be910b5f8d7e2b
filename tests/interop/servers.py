"""The real servers in Python, Node and Go, and what can be asked of each."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from tests.interop.packages import GO_TIME, Packages
from tests.interop.plan import Server, Step

NAMES = ("git", "time", "filesystem", "everything", "go-time")
MODERN_SERVERS = ("git", "time")  # those that speak 2026-07-28
_ZONES = ("UTC", "Europe/Berlin", "Asia/Kathmandu", "America/New_York", "Australia/Lord_Howe")


def server_named(name: str, packages: Packages, folder: Path) -> Server:
    match name:
        case "git":
            return _git(packages, folder)
        case "time":
            return _time(packages)
        case "filesystem":
            return _filesystem(packages, folder)
        case "everything":
            return _everything(packages)
        case "go-time":
            return _go_time(packages)
    raise AssertionError(name)


def _git(packages: Packages, folder: Path) -> Server:
    repository = str(folder / "repository")
    author = ["-c", "user.name=A", "-c", "user.email=a@example.invalid"]
    subprocess.run(["git", "init", "-q", "-b", "main", repository], check=True)
    subprocess.run(["git", *author, "commit", "-q", "--allow-empty", "-m", "first"], cwd=repository, check=True)

    def good(number: int) -> tuple[str, dict[str, Any]]:
        match number % 4:
            case 0:
                return "git_log", {"repo_path": repository, "max_count": number + 1}
            case 1:
                return "git_branch", {"repo_path": repository, "branch_type": "local"}
            case 2:
                return "git_show", {"repo_path": repository, "revision": "main"}
            case _:
                return "git_status", {"repo_path": repository}

    return Server(
        name="git",
        command=[str(packages.python / "bin" / "mcp-server-git"), "--repository", repository],
        good=good,
        failing=("git_show", {"repo_path": repository, "revision": "nowhere"}),
        incomplete=("git_show", {"repo_path": repository}),
    )


def _time(packages: Packages) -> Server:
    def good(number: int) -> tuple[str, dict[str, Any]]:
        zone = _ZONES[number % len(_ZONES)]
        if number % 2:
            return "get_current_time", {"timezone": zone}
        at = f"{number % 24:02}:{number % 60:02}"
        return "convert_time", {"source_timezone": "UTC", "time": at, "target_timezone": zone}

    return Server(
        name="time",
        command=[str(packages.python / "bin" / "mcp-server-time"), "--local-timezone", "UTC"],
        good=good,
        failing=("get_current_time", {"timezone": "Nowhere/At_All"}),
        incomplete=("convert_time", {"time": "10:00"}),
    )


def _go_time(packages: Packages) -> Server:
    def good(number: int) -> tuple[str, dict[str, Any]]:
        if number % 2:
            return "current_time", {"timezone": _ZONES[number % len(_ZONES)]}
        return "add_time", {"time": "2026-01-01T00:00:00Z", "duration": f"{number}m"}

    return Server(
        name="go-time",
        command=[str(packages.module(GO_TIME) / "bin" / "mcp-time")],
        good=good,
        failing=("current_time", {"timezone": "Nowhere/At_All"}),
        incomplete=("add_time", {"time": "2026-01-01T00:00:00Z"}),
    )


def _filesystem(packages: Packages, folder: Path) -> Server:
    files = (folder / "files").resolve()
    files.mkdir()
    (files / "words.txt").write_text("några ord, 一些词\n" * 200)

    def good(number: int) -> tuple[str, dict[str, Any]]:
        match number % 4:
            case 0:
                return "write_file", {"path": str(files / f"{number}.txt"), "content": "line\n" * (number + 1)}
            case 1:
                return "read_text_file", {"path": str(files / "words.txt"), "head": number + 1}
            case 2:
                return "get_file_info", {"path": str(files / "words.txt")}
            case _:
                return "list_directory", {"path": str(files)}

    return Server(
        name="filesystem",
        command=["node", str(packages.module("@modelcontextprotocol/server-filesystem") / "dist/index.js"), str(files)],
        good=good,
        failing=("read_text_file", {"path": "/etc/hostname"}),
        incomplete=("write_file", {"path": str(files / "never.txt")}),
    )


def _everything(packages: Packages) -> Server:
    def good(number: int) -> tuple[str, dict[str, Any]]:
        match number % 4:
            case 0:
                return "get-sum", {"a": number, "b": 0.5}
            case 1:
                return "get-structured-content", {"location": "New York"}
            case 2:
                return "get-tiny-image", {}
            case _:
                return "echo", {"message": f"words {number}"}

    slow = "trigger-long-running-operation"
    extras: list[Step] = [
        {"call": slow, "arguments": {"duration": 0.3, "steps": 3}, "progress": True, "at_least_ms": 250},
        # The server does not stop at a cancellation: its progress goes on while the next calls are made.
        {"call": slow, "arguments": {"duration": 1, "steps": 10}, "progress": True, "cancel_ms": 350},
        {"call": slow, "arguments": {"duration": 0.7, "steps": 1}, "timeout_ms": 300},
        {"call": slow, "arguments": {"duration": 0.4, "steps": 1}, "cancel_ms": 150},
        {"call": "trigger-sampling-request", "arguments": {"prompt": "say something", "maxTokens": 10}},
        {"call": "trigger-elicitation-request", "arguments": {}},
        {"request": "prompts/list"},
        {"request": "prompts/get", "params": {"name": "args-prompt", "arguments": {"city": "Uppsala"}}},
        {"request": "prompts/get", "params": {"name": "no-such-prompt"}},
        {"request": "resources/list"},
        {"request": "resources/read", "params": {"uri": "demo://resource/dynamic/text/1"}},
        {"request": "resources/read", "params": {"uri": "demo://resource/nowhere"}},
        {
            "together": [
                {"call": slow, "arguments": {"duration": 0.6, "steps": 2}, "progress": True, "at_least_ms": 500},
                {"call": slow, "arguments": {"duration": 0.2, "steps": 1}, "progress": True, "at_least_ms": 150},
                {"call": slow, "arguments": {"duration": 30, "steps": 1}, "cancel_ms": 200},
                *({"call": "echo", "arguments": {"message": f"meanwhile {place}"}} for place in range(6)),
                {"call": "trigger-sampling-request", "arguments": {"prompt": "meanwhile", "maxTokens": 10}},
            ]
        },
    ]
    return Server(
        name="everything",
        command=["node", str(packages.module("@modelcontextprotocol/server-everything") / "dist/index.js"), "stdio"],
        good=good,
        failing=("get-structured-content", {"location": "Atlantis"}),
        incomplete=("get-sum", {"a": 1}),
        # The server asks for the roots a while after the handshake, and a client that has left by then answers no
        # more; asked for at once, they are not asked for again.
        opening=[{"call": "get-roots-list", "arguments": {}}],
        extras=extras,
    )
