"""`mcpobs approve definitions`: shows changes in the tool definitions of servers, and writes approved definitions.

The first word names the kind of approval, so that ids of waiting calls can be added later.
"""

from __future__ import annotations

import getpass
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import orjson

from mcpobs import safefile
from mcpobs.cli.streams import emit, say
from mcpobs.errors import EXIT_FINDINGS, EXIT_OK, UsageError, nearest, require_folder
from mcpobs.folders import config_folder, use_config_folder
from mcpobs.gate.policing import files_of
from mcpobs.output import json_text
from mcpobs.output.text import printable
from mcpobs.policy import file
from mcpobs.policy.applies import matches
from mcpobs.policy.definitions import record
from mcpobs.policy.definitions.definition import definitions_of
from mcpobs.policy.definitions.record import Entry, Record
from mcpobs.policy.definitions.review import Reviewed, fingerprint, remove, review
from mcpobs.policy.definitions.review import approve as approved_by
from mcpobs.policy.definitions.watch import APPROVED, SEEN, approved_file, approved_of, seen_file
from mcpobs.policy.definitions.wording import difference, lines

_SEEN_HINT = "run the server once behind a policy with `find: definitions`, or name its tools/list result with --from"


@dataclass(frozen=True, slots=True)
class ApproveOptions:
    """The options of `mcpobs approve`, named as they are on the command line; `source` is --from."""

    what: str
    servers: Sequence[str] = ()
    tools: Sequence[str] = ()
    diff: bool = False
    yes: bool = False
    by: str | None = None
    expect: str | None = None
    source: str | None = None
    file: str | None = None
    policies: Sequence[str] = ()
    remove: bool = False
    config: str | None = None
    json: bool = False


@dataclass(frozen=True, slots=True)
class _Server:
    """One server: the file of its approved definitions, and its tools."""

    name: str
    path: Path
    approved: Record | None
    tools: Sequence[Reviewed]

    @property
    def open(self) -> list[Reviewed]:
        return [one for one in self.tools if one.is_open]


def run_approve(options: ApproveOptions) -> int:
    """Returns the exit code: 1 if definitions are still open."""
    _check(options)
    if options.config is not None:
        require_folder(options.config, "--config")
        use_config_folder(options.config)
    if not options.servers:
        return _list(options)
    servers = [_read(name, options) for name in options.servers]
    if options.remove:
        return _remove(servers[0], options)
    if options.diff:
        _show(servers, options)
        return EXIT_FINDINGS if any(server.open for server in servers) else EXIT_OK
    return _approve(servers, options)


def _check(options: ApproveOptions) -> None:
    if options.what != "definitions":
        close = nearest(options.what, ["definitions"])
        hint = "did you mean `mcpobs approve definitions`?" if close else "write `mcpobs approve definitions`"
        raise UsageError(f"nothing with the id {options.what} waits for an approval", hint)
    single = {"--from": options.source, "--file": options.file, "--expect": options.expect, "--remove": options.remove}
    for name, given in single.items():
        if given and len(options.servers) != 1:
            raise UsageError(f"{name} needs the name of one server", f"mcpobs approve definitions SERVER {name} …")
    if options.tools and not options.servers:
        raise UsageError("--tool needs the name of a server", "mcpobs approve definitions SERVER --tool NAME")
    if options.remove and not options.tools:
        raise UsageError("--remove names no tool", "add --tool NAME")


def _read(name: str, options: ApproveOptions) -> _Server:
    folder = config_folder()
    path = Path(options.file).expanduser() if options.file else _path(name, folder, options.policies)
    seen = _given(name, options.source) if options.source else record.read(seen_file(folder, name), name)
    approved = record.read(path, name, whole=True)
    if seen is None and approved is None:
        known = _names(folder)
        close = nearest(name, known)
        raise UsageError(f"no definitions of {name} were seen", f"did you mean {close}?" if close else _SEEN_HINT)
    found = review(approved, seen)
    for tool in options.tools:
        if all(one.name != tool for one in found):
            close = nearest(tool, [one.name for one in found])
            raise UsageError(f"{name} has no tool {tool}", f"did you mean {close}?" if close else None)
    return _Server(name, path, approved, [one for one in found if not options.tools or one.name in options.tools])


def _path(server: str, folder: Path, policies: Sequence[str]) -> Path:
    """Returns the file of approved definitions of a server: the one that a policy names, else the default one."""
    for layer in file.load(files).layers if (files := files_of(policies)) else ():
        for entry in layer.inspect:
            servers = entry.what.servers
            is_its = layer.server in (None, server) and (servers is None or matches(servers, server))
            if entry.approved is not None and is_its:
                return approved_of(layer, entry.approved)
    return approved_file(folder, server)


def _given(server: str, source: str) -> Record:
    """Returns the definitions of a `tools/list` result in a file: the result, the whole response, or the bare list."""
    try:
        if source == "-":
            content = sys.stdin.buffer.read(record.MAX_FILE + 1)
        else:
            content = safefile.read(source, record.MAX_FILE)
        found = orjson.loads(content)
    except OSError as error:
        raise UsageError(f"cannot read {source}: {error.strerror}", "check its name and permissions") from None
    except orjson.JSONDecodeError as error:
        raise UsageError(f"{source} is not JSON: {error}", "write the result of tools/list") from None
    if isinstance(found, dict) and isinstance(found.get("result"), dict):
        found = found["result"]
    at = _now()
    tools = {one.name: Entry(one, at) for one in definitions_of(found)}
    if not tools:
        raise UsageError(f"{source} holds no tool", 'write the result of tools/list: {"tools": [{"name": …}]}')
    return Record(server, tools)


def _approve(servers: Sequence[_Server], options: ApproveOptions) -> int:
    wanted = {server.name: [one for one in server.open if one.can_be_approved] for server in servers}
    count = sum(map(len, wanted.values()))
    left = sum(len(server.open) for server in servers) - count
    if options.expect is not None and fingerprint(servers[0].tools) != options.expect:
        raise UsageError(
            f"{servers[0].name} lists other definitions than those of {options.expect}",
            f"read them: mcpobs approve definitions {servers[0].name} --diff",
        )
    if count and not options.yes and options.expect is None:
        _show(servers, options, to_terminal=True)
        if not _agreed(count, servers):
            say("nothing approved", "the tools stay as the policy says")
            return EXIT_FINDINGS
    at, by = _now(), options.by or getpass.getuser()
    for server in servers:
        if wanted[server.name]:
            _write(server, approved_by(server.name, server.approved, wanted[server.name], at, by))
    if options.json:
        emit(json_text.render({"servers": [_plain(server, wanted[server.name]) for server in servers]}))
    for server in servers:
        names = ", ".join(printable(one.name) for one in wanted[server.name])
        if names or not server.open:
            say(f"approved for {server.name}: {names}" if names else f"nothing of {server.name} is open")
    if left:
        say(f"{left} cannot be approved: too large, or not plain JSON", "see them with --diff")
    return EXIT_FINDINGS if left else EXIT_OK


def _agreed(count: int, servers: Sequence[_Server]) -> bool:
    """Asks on a terminal. Raises UsageError without one."""
    names = " ".join(server.name for server in servers)
    if not (sys.stdin is not None and sys.stdin.isatty()):
        prints = "" if len(servers) > 1 else f" or --expect {fingerprint(servers[0].tools)}"
        raise UsageError(
            f"nothing approved: {count} {'definition is' if count == 1 else 'definitions are'} open, and stdin is not "
            "a terminal",
            f"read them with `mcpobs approve definitions {names} --diff`, then add --yes{prints}",
        )
    sys.stderr.write(f"approve {'this definition' if count == 1 else f'these {count} definitions'}? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _remove(server: _Server, options: ApproveOptions) -> int:
    names = [one.name for one in server.tools if one.approved is not None]
    if server.approved is None or not names:
        raise UsageError(f"none of them is approved for {server.name}", "see what is with --diff --json")
    _write(server, remove(server.approved, names))
    say(f"no longer approved for {server.name}: {', '.join(map(printable, names))}")
    return EXIT_OK


def _write(server: _Server, found: Record) -> None:
    try:
        record.write(server.path, found)
    except OSError as error:
        raise UsageError(f"cannot write {server.path}: {error.strerror}", "name another file with --file") from None


def _list(options: ApproveOptions) -> int:
    """Lists the servers whose definitions were seen or approved, with the number of open ones."""
    folder = config_folder()
    servers = [_read(name, options) for name in _names(folder)]
    if options.json:
        emit(json_text.render({"servers": [_plain(server) for server in servers]}))
    elif not servers:
        say("no definitions were seen", _SEEN_HINT)
    else:
        emit("".join(f"{_counts(server)}\n" for server in servers))
    return EXIT_FINDINGS if any(server.open for server in servers) else EXIT_OK


def _names(folder: Path) -> list[str]:
    found = set()
    for part in (APPROVED, SEEN):
        for path in sorted((folder / part).glob("*.json")):
            known = record.read(path)
            if known is not None:
                found.add(known.server)
    return sorted(found)


def _show(servers: Sequence[_Server], options: ApproveOptions, *, to_terminal: bool = False) -> None:
    if options.json:
        if not to_terminal:
            emit(json_text.render({"servers": [_plain(server) for server in servers]}))
        return
    for server in servers:
        emit(f"{_counts(server)}\n")
        for one in server.open:
            emit("\n" + "\n".join(lines(one)) + "\n")
        if server.open:
            emit(f"\nhash {fingerprint(server.tools)}\n")


def _counts(server: _Server) -> str:
    counts = {
        standing: sum(one.standing == standing for one in server.tools)
        for standing in ("changed", "new", "approved", "unseen")
    }
    words = ", ".join(f"{count} {standing}" for standing, count in counts.items() if count) or "no tools"
    return f"{printable(server.name)}: {words} ({printable(str(server.path))})"


def _plain(server: _Server, written: Sequence[Reviewed] = ()) -> dict[str, object]:
    names = {one.name for one in written}
    return {
        "server": server.name,
        "file": str(server.path),
        "hash": fingerprint(server.tools),
        "tools": [{**_plain_tool(one), "approved_now": one.name in names} for one in server.tools],
    }


def _plain_tool(one: Reviewed) -> dict[str, object]:
    return {
        "name": one.name,
        "standing": one.standing,
        "can_be_approved": one.can_be_approved,
        "approved_sha256": None if one.approved is None else one.approved.definition.sha256,
        "approved_at": None if one.approved is None else one.approved.at,
        "approved_by": None if one.approved is None else one.approved.by,
        "seen_sha256": None if one.seen is None else one.seen.definition.sha256,
        "changes": [
            {
                **asdict(change),
                "path": list(change.path),
                "diff": [line.strip() for line in difference(change.before, change.after)]
                if isinstance(change.before, str) and isinstance(change.after, str)
                else None,
            }
            for change in one.changes()
        ],
        "hidden": one.hidden(),
    }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
