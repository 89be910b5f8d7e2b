"""`mcpobs init`: plans every configuration, shows the plans, asks, and writes."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mcpobs.cli.streams import emit, say
from mcpobs.errors import EXIT_FINDINGS, EXIT_OK, EXIT_USAGE, McpobsError, UsageError, nearest
from mcpobs.folders import LAKE_VARIABLE, config_folder, lake_folder
from mcpobs.output import json_text
from mcpobs.output.text import printable, printable_lines
from mcpobs.settings import passed_on
from mcpobs.setup import clients, difference, executable, files, masking, plan, policy_setting
from mcpobs.setup.backups import Backups
from mcpobs.setup.clients import Place
from mcpobs.setup.executable import shown
from mcpobs.setup.plan import Plan, Server
from mcpobs.setup.wrapping import Front

WIDE = 300  # cells of a line of the difference: a file on one line would fill the screen
WORDS = {"wrap": "through mcpobs", "unwrap": "without mcpobs", "wrapped": "already so", "left": "left alone"}


@dataclass(frozen=True, slots=True)
class InitOptions:
    """The options as they were given."""

    paths: tuple[str, ...]
    client: str | None
    servers: tuple[str, ...]
    dry_run: bool
    revert: bool
    yes: bool
    command: str | None
    lake: str | None
    json: bool
    policy: tuple[str, ...] = ()


@dataclass(slots=True)
class Work:
    """One configuration on its way: its plan, or why there is none; and where its backup lies once it is written."""

    place: Place
    plan: Plan | None = None
    error: McpobsError | None = None
    written: bool = False
    backup: Path | None = None


def run_init(options: InitOptions) -> int:
    """Returns the exit code."""
    backups = Backups(config_folder())
    setting = _setting(options)
    works = _planned(options, backups)
    changing = [w for w in works if w.plan is not None and w.plan.changes]
    if not options.json:
        if setting is not None:
            _show_setting(setting, is_last=not works)
        for work in works:
            _show(work, options, is_last=work is works[-1])
        _caution(changing, options)
    code = EXIT_OK
    sets = setting is not None and setting.changes
    if (changing or sets) and options.dry_run:
        code = EXIT_FINDINGS
    elif changing or sets:
        if options.yes or _agreed(options, len(changing) + sets):
            if setting is not None and sets:
                policy_setting.write(setting)
            for work in changing:
                _write(work, options, backups)
        else:
            say("nothing was changed")
            code = EXIT_FINDINGS
    if any(work.error for work in works):
        code = EXIT_USAGE
    if options.json:
        found: dict[str, object] = {"revert": options.revert, "dry_run": options.dry_run}
        if setting is not None:
            found["policy"] = _setting_row(setting, options, written=code == EXIT_OK)
        emit(json_text.render({**found, "files": list(map(_row, works))}))
    else:
        if sets and setting is not None and code == EXIT_OK:
            say(f"{setting.path} names the policy of all servers", "restart their clients; then: mcpobs decisions")
        if works:
            _conclude(works, options)
    return code


def _setting(options: InitOptions) -> policy_setting.Setting | None:
    """The policy for config.toml, read first: a wrong one would keep every server from starting."""
    if not options.policy:
        return None
    if options.revert:
        raise UsageError("--revert and --policy exclude each other", "take [policy] files out of config.toml by hand")
    from mcpobs.policy import file

    file.load(options.policy)
    return policy_setting.planned(config_folder(), options.policy)


def _planned(options: InitOptions, backups: Backups) -> list[Work]:
    try:
        works = [Work(place) for place in _places(options)]
    except UsageError:
        if not options.policy or options.paths or options.client or options.servers:
            raise
        return []  # the policy alone is set
    front = None if options.revert else _front(options)
    for work in works:
        try:
            source = files.read(work.place.path)
            if front is None:
                known = backups.load(source.target)
                work.plan = plan.unwrap(work.place, source, options.servers, known)
            else:
                own = _front_elsewhere(options) if work.place.client.elsewhere else front
                work.plan = plan.wrap(work.place, source, own, options.servers)
            if work.plan.changes:
                files.writable(source)
        except McpobsError as error:
            work.plan, work.error = None, error
    _check_names(options.servers, works)
    return works


def _places(options: InitOptions) -> list[Place]:
    names = [c.name for c in clients.CLIENTS]
    if options.client is not None and options.client not in names:
        close = nearest(options.client, names)
        meant = f"did you mean {close}? " if close else ""
        raise UsageError(f"unknown client {options.client!r}", f"{meant}known clients: {', '.join(names)}")
    if options.paths:
        return [clients.place_of(Path(path).expanduser(), options.client) for path in options.paths]
    found = [p for p in clients.found(Path.cwd(), os.environ) if options.client in (None, p.client.name)]
    if not found:
        whose = "no MCP client's configuration" if options.client is None else f"no configuration of {options.client}"
        raise UsageError(f"found {whose}", "name one: mcpobs init PATH; `mcpobs init --help` says which are known")
    return found


def _front(options: InitOptions) -> Front:
    # A client passes on few of the shell's variables, so folders that they choose must stand in its configuration.
    env = passed_on(os.environ)
    lake, config = lake_folder(options.lake), config_folder()
    named = bool(options.lake or os.environ.get(LAKE_VARIABLE))
    return Front(
        executable.command(options.command, sys.argv[0], sys.executable),
        str(lake) if named or lake != lake_folder(env=env) else None,
        str(config) if config != config_folder(env) else None,
    )


def _front_elsewhere(options: InitOptions) -> Front:
    """Returns the front for servers that start in another file system: by name, and with a lake only if it is named."""
    command = executable.command(options.command or "mcpobs", sys.argv[0], sys.executable)
    return Front(command, options.lake)


def _check_names(wanted: Sequence[str], works: Sequence[Work]) -> None:
    """A name that is nowhere is a mistake, unless a file that could not be read may have it."""
    if any(work.error for work in works):
        return
    there = {server.name for work in works if work.plan is not None for server in work.plan.servers}
    for name in wanted:
        if name not in there:
            everything = {s.name for w in works for s in _all_servers(w)}
            close = nearest(name, everything)
            meant = f"did you mean {close}? " if close else ""
            raise UsageError(
                f"no server is called {name!r}", f"{meant}there are {', '.join(sorted(everything)) or 'none'}"
            )


def _all_servers(work: Work) -> Iterable[Server]:
    if work.plan is None:
        return ()
    return plan.unwrap(work.place, work.plan.source, (), None).servers


def _agreed(options: InitOptions, count: int) -> bool:
    if options.json or not sys.stdin or not sys.stdin.isatty():
        raise UsageError(
            "nothing was changed: nobody can be asked here" if not options.json else "--json does not ask",
            "--yes changes without asking, --dry-run only shows",
        )
    sys.stdout.flush()
    sys.stderr.write(f"Change {'this file' if count == 1 else f'these {count} files'}? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _write(work: Work, options: InitOptions, backups: Backups) -> None:
    assert work.plan is not None
    source, content = work.plan.source, work.plan.content
    try:
        known = backups.load(source.target)
        done = options.revert and (not options.servers or (known is not None and known.content == content))
        if not done and (known is not None or not options.revert):
            work.backup = backups.keep(source.target, source.content, content)
        files.replace(source, content)
        work.written = True
        if done:
            backups.forget(source.target)
    except McpobsError as error:
        work.error = error
        if not options.json:
            sys.stderr.write(f"{printable_lines(str(error))}\n")


# -- what is shown ----------------------------------------------------------------------------------------


def _show_setting(setting: policy_setting.Setting, is_last: bool) -> None:
    path = printable(str(setting.path))
    emit(f"policy: {path}\n" + ("" if setting.changes else "  already so\n"))
    emit(_lines(setting.before, setting.after, path) + ("" if is_last else "\n"))


def _setting_row(setting: policy_setting.Setting, options: InitOptions, *, written: bool) -> dict[str, object]:
    would = "would_change" if options.dry_run or not written else "changed"
    return {
        "path": str(setting.path),
        "state": would if setting.changes else "unchanged",
        "files": list(options.policy),
    }


def _show(work: Work, options: InitOptions, is_last: bool) -> None:
    path = printable(str(work.place.path))
    emit(f"{work.place.client.title}: {path}\n")
    if work.error is not None:
        emit("  cannot be used\n")
        sys.stderr.write(f"{printable_lines(str(work.error))}\n")
        emit("" if is_last else "\n")
        return
    assert work.plan is not None
    servers = [s for s in work.plan.servers if not (options.revert and s.state == "left" and s.why is None)]
    width = max((len(printable(_label(s))) for s in servers), default=0)
    for server in servers:
        why = f": {server.why}" if server.why else ""
        emit(f"  {printable(_label(server)).ljust(width)}  {WORDS[server.state]}{printable(why)}\n")
        if server.hint:
            emit(f"  {'':{width}}  {printable(server.hint)}\n")
    if not servers:
        emit("  nothing to take away\n" if options.revert else "  no servers in it\n")
    emit("\n" + (_difference(work.plan) + "\n" if work.plan.changes else ""))


def _label(server: Server) -> str:
    """The name; within a project of Claude Code with that project."""
    return f"{server.name} ({server.where[1]})" if server.where[0] == "projects" else server.name


def _difference(of: Plan) -> str:
    return _lines(of.before, of.after, str(of.source.path))


def _lines(before: str, after: str, path: str) -> str:
    lines = difference.unified(before.split("\n"), after.split("\n"), path)
    return "".join(f"{_cut(printable(line.removesuffix(chr(13)).replace(chr(9), '    ')))}\n" for line in lines)


def _cut(line: str) -> str:
    return line if len(line) <= WIDE else f"{line[:WIDE]}…"


def _conclude(works: Sequence[Work], options: InitOptions) -> None:
    written = [w for w in works if w.written]
    if not any(w.plan is not None and w.plan.changes for w in works):
        if not any(w.error for w in works):
            say("nothing to change")
        return
    if not written:
        return
    titles = sorted({work.place.client.title for work in written})
    count = "1 file" if len(written) == 1 else f"{len(written)} files"
    again = "" if options.revert else "; `mcpobs init --revert` takes it back"
    say(f"{count} changed{again}", f"restart {', '.join(titles)}" + ("" if options.revert else ", then: mcpobs doctor"))


def _caution(works: Sequence[Work], options: InitOptions) -> None:
    """Shows cautions before the question."""
    for work in works:
        path = work.place.path
        if work.place.client.caution and (work.place.client.elsewhere or path.name == ".claude.json"):
            say(f"{path}: {work.place.client.caution}")
        if _versioned(path) and not work.place.client.elsewhere and options.command is None and not options.revert:
            say(
                f"{path} lies in a git repository, and the path of mcpobs in it is this machine's",
                "for one that others share: mcpobs init PATH --command mcpobs",
            )


def _versioned(path: Path) -> bool:
    return any(os.path.exists(parent / ".git") for parent in path.absolute().parents)


def _row(work: Work) -> dict[str, object]:
    row: dict[str, object] = {"path": str(work.place.path), "client": work.place.client.name}
    if work.error is not None:
        row |= {"state": "error", "error": work.error.message, "hint": work.error.hint}
    elif work.plan is not None:
        state = "changed" if work.written else "would_change" if work.plan.changes else "unchanged"
        row |= {"state": state, "diff": _difference(work.plan) if work.plan.changes else None}
    row["backup"] = str(work.backup) if work.backup else None
    row["servers"] = [_server_row(server) for server in work.plan.servers] if work.plan else []
    return row


def _server_row(server: Server) -> dict[str, object]:
    return {
        "name": server.name,
        "where": list(server.where),
        "state": server.state,
        "command": shown(masking.words(server.words)),
        "why": server.why,
        "hint": server.hint,
    }
