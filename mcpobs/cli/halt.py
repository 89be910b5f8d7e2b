"""`mcpobs halt` and `mcpobs resume`: stop callers by name, list who is stopped, and let them go on."""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from mcpobs.cli.streams import emit, say
from mcpobs.errors import LakeError, UsageError
from mcpobs.folders import lake_folder
from mcpobs.gate.policing import STATE
from mcpobs.lake.reader import open_reading
from mcpobs.output import json_text
from mcpobs.output.text import printable
from mcpobs.policy.limit_counters import SEPARATOR
from mcpobs.policy.sqlite import SqliteStore
from mcpobs.policy.state import Halt, HaltScope, StoreError
from mcpobs.queries import catalog
from mcpobs.queries.run import plan_of, run
from mcpobs.reports.filters import Filters, check_known
from mcpobs.settings import duration_s, load_config

_SECOND_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class HaltOptions:
    """The options of `mcpobs halt` and `mcpobs resume`, named as they are on the command line."""

    session: str | None = None
    principal: str | None = None
    tenant: str | None = None
    tool: str | None = None
    server: str | None = None
    reason: str = ""
    by: str | None = None
    duration: str | None = None
    json: bool = False
    lake: str | None = None

    @property
    def named(self) -> list[tuple[HaltScope, str]]:
        """Raises UsageError for an empty name."""
        given: list[tuple[HaltScope, str | None]] = [
            ("session", self.session),
            ("principal", self.principal),
            ("tenant", self.tenant),
            ("tool", self.tool),
            ("server", self.server),
        ]
        for scope, name in given:
            if name == "":
                raise UsageError(f"--{scope} is empty", "name one, or leave the option out")
        return [(scope, name) for scope, name in given if name]


def run_halt(options: HaltOptions) -> None:
    """Halts what the options name; lists the halts if they name nothing."""
    named = options.named
    if not named and (options.reason or options.by or options.duration):
        raise UsageError("nothing is named to halt", "add --session, --principal, --tenant, --tool or --server")
    store = _open(options, must_exist=not named)
    try:
        if not named:
            _list(store.halts(), options)
            return
        until_ns = None
        if options.duration is not None:
            until_ns = store.now_ns() + int(duration_s(options.duration, "--for")) * _SECOND_NS
        by = options.by or getpass.getuser()
        for scope, name in named:
            for key, session in _whom(scope, name, store, options):
                store.halt(Halt(scope, key, session, until_ns=until_ns, reason=options.reason, by=by))
        say(f"halted: {_words(named)}", f"let it go on with `mcpobs resume {_flags(named)}`")
        _warn_of_unknown(named, options)
    except StoreError as error:
        raise LakeError(error.message, error.hint or None) from None
    finally:
        store.close()


def _warn_of_unknown(named: Sequence[tuple[HaltScope, str]], options: HaltOptions) -> None:
    """Warns if a halted tool or server has no recorded call: the name may be wrong. The halt holds all the same."""
    names = dict(named)
    try:
        with open_reading(lake_folder(options.lake)) as reading:
            check_known(plan_of(reading), Filters(tool=names.get("tool"), server=names.get("server")))
    except UsageError as error:
        say(f"warning: {error.message}; the halt is in force all the same", error.hint or None)
    except LakeError:
        return  # there is nothing to compare with


def run_resume(options: HaltOptions) -> None:
    """Ends the halts that the options name. Raises UsageError if one of them does not exist."""
    named = options.named
    if not named:
        raise UsageError("nothing is named to resume", "`mcpobs halt` lists what is halted")
    store = _open(options, must_exist=True)
    try:
        for scope, name in named:
            ended = [store.resume(scope, key, session) for key, session in _halted(scope, name, store)]
            if not any(ended):
                raise UsageError(f"{scope} {name} is not halted", "`mcpobs halt` lists what is halted")
        say(f"resumed: {_words(named)}")
    except StoreError as error:
        raise LakeError(error.message, error.hint or None) from None
    finally:
        store.close()


def _open(options: HaltOptions, must_exist: bool) -> SqliteStore:
    state = load_config().policy.state
    if state == "memory":
        raise UsageError(
            "[policy] state is memory: halts from outside do not reach a server",
            "leave `state` out of config.toml, or name a file",
        )
    path = Path(state) if state else lake_folder(options.lake) / STATE
    if must_exist and not path.exists():
        raise LakeError(f"no policy state at {path}", "it is made by `mcpobs instrument --policy FILE -- …`")
    try:
        return SqliteStore(path)
    except StoreError as error:
        raise LakeError(error.message, error.hint or None) from None


def _whom(scope: HaltScope, name: str, store: SqliteStore, options: HaltOptions) -> Sequence[tuple[str, str]]:
    """Pairs of name and session, as the store knows them."""
    if scope == "session":
        with open_reading(lake_folder(options.lake)) as reading:
            rows = run(plan_of(reading), catalog.load("session_callers"), {"session": name}).rows
        if not rows:
            raise UsageError(f"no session {name} in the lake", "`mcpobs report sessions` lists them")
        return [(key if tenant is None else f"{key}{SEPARATOR}{tenant}", name) for key, tenant in rows]
    if scope == "principal" and not name.startswith(("principal:", "process:", "connection:")):
        return [(f"principal:{name}", "")]
    return [(name, "")]


def _halted(scope: HaltScope, name: str, store: SqliteStore) -> Sequence[tuple[str, str]]:
    return [
        (halt.name, halt.session)
        for halt in store.halts()
        if halt.scope == scope and name in (halt.session if scope == "session" else halt.name, _who(halt))
    ]


def _who(halt: Halt) -> str:
    """The name of whom it halts, without our prefixes."""
    return halt.name.split(SEPARATOR)[0].removeprefix("principal:")


def _list(halts: Sequence[Halt], options: HaltOptions) -> None:
    if options.json:
        emit(json_text.render({"halts": [_plain(halt) for halt in halts]}))
        return
    if not halts:
        emit("nothing is halted\n")
        return
    for halt in halts:
        who = f"session {halt.session} of {_who(halt)}" if halt.scope == "session" else f"{halt.scope} {_who(halt)}"
        since = datetime.fromtimestamp(halt.at_ns // _SECOND_NS, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        parts = [who, f"since {since}", f"by {halt.by}" if halt.by else "by the policy", halt.reason]
        emit(printable("  ".join(part for part in parts if part)) + "\n")


def _plain(halt: Halt) -> dict[str, object]:
    return {
        "scope": halt.scope,
        "name": _who(halt),
        "tenant": halt.name.split(SEPARATOR)[1] if SEPARATOR in halt.name else None,
        "session_id": halt.session or None,
        "at_unix_nano": halt.at_ns,
        "until_unix_nano": halt.until_ns,
        "reason": halt.reason or None,
        "by": halt.by or None,
    }


def _words(named: Sequence[tuple[HaltScope, str]]) -> str:
    return ", ".join(f"{scope} {name}" for scope, name in named)


def _flags(named: Sequence[tuple[HaltScope, str]]) -> str:
    return " ".join(f"--{scope} {name}" for scope, name in named)
