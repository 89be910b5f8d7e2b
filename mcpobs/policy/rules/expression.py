"""`when`: an expression in CEL over the arguments, the caller, the session and the time.

What it does: evaluates e.g. `args.amount <= 50.0 && 'billing' in principal.roles`. Names are `args`; `principal.id`,
`.tenant`, `.role`, `.roles`, `.scopes`; `session.ok.TOOL` and `session.calls.TOOL`, the calls that succeeded and that
came back; `session.last_ok.TOOL.ARGUMENT` of the last one that succeeded; `call.tool`, `call.time`, and
`call.local.hour`, `.minute`, `.weekday` (Monday is 1, Sunday 7) in `zone`.
Why it matters: some conditions tie several things together, which no single key does.
What to do: prefer `require` to `deny`: a missing argument, or one of another type, is an error, and a `require` that
errs refuses. `1 == "1"` is false, not an error. Parallel calls see one count of `session.calls`; use `limits` for what
must not be exceeded. For another zone than UTC write `when: {expression: "…", zone: Europe/Berlin}`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from mcpobs.errors import nearest
from mcpobs.installed.extras import needing
from mcpobs.limits.document import Place
from mcpobs.policy.codes import Code
from mcpobs.policy.conditions import UNKNOWN, CallFacts, Reads, RuleError, UndecidableError, calls_of
from mcpobs.policy.fields import zone
from mcpobs.policy.rules import cel_tree

if TYPE_CHECKING:
    from cel_expr_python import cel

MAX_TEXT: Final = 4_096
MAX_ARGUMENTS: Final = 64 << 10
"""Size of arguments that an expression may look at, about in bytes."""
MAX_DEPTH: Final = 64
LONGEST_LOOPS: Final = 1

_PRINCIPAL: Final[Mapping[str, Callable[[CallFacts], object]]] = {
    "principal.id": lambda facts: facts.identity.principal,
    "principal.tenant": lambda facts: facts.identity.tenant,
    "principal.role": lambda facts: facts.identity.role,
    "principal.roles": lambda facts: [] if facts.identity.role is None else [facts.identity.role],
    "principal.scopes": lambda facts: list(facts.identity.scopes),
}
_CALL: Final = ("call.tool", "call.time", "call.local.hour", "call.local.minute", "call.local.weekday")
_SESSION: Final = ("session.ok", "session.calls", "session.last_ok")
NAMES: Final = ("args", *_PRINCIPAL, *_CALL, *_SESSION)
_MEMBER = re.compile(r"[^.\x00-\x1f]{1,200}")


@dataclass(frozen=True)
class Expression:
    """A CEL expression that is checked already. Only the value `true` of type bool holds."""

    text: str
    zone: ZoneInfo | None
    program: cel.Expression = field(compare=False, repr=False)
    names: frozenset[str] = field(compare=False, repr=False)
    """The variables that it reads."""
    ok: frozenset[str] = field(compare=False, repr=False)
    """The tools of which it reads whether they succeeded."""
    calls: frozenset[str] = field(compare=False, repr=False)
    remembers: Mapping[str, tuple[tuple[str, ...], ...]] = field(compare=False, repr=False)
    compares: bool = field(compare=False, repr=False)
    code: Code = Code.REQUIREMENT

    @property
    def reads(self) -> frozenset[Reads]:
        kinds: dict[str, Reads] = {"args": "arguments", "session": "session", "call": "time"}
        first = {name.partition(".")[0] for name in self.names - {"call.tool"}}
        return frozenset(kinds[one] for one in first if one in kinds)

    def holds(self, facts: CallFacts) -> bool:
        replayed = facts.arguments is UNKNOWN
        try:
            value = self.program.eval(data=self._data(facts, replayed))
            kind, found = value.type().name(), value.value()
        except Exception as error:  # RuntimeError and others: a loop that is too long, a text that is no Unicode
            raise RuleError("a condition of it could not be checked") from error
        if kind == "BOOL":
            return found is True
        if replayed and self.names & {"args", "session.last_ok"}:
            raise UndecidableError
        raise RuleError("a condition of it could not be checked: an argument is missing, or of another type")

    def _data(self, facts: CallFacts, replayed: bool) -> dict[str, Any]:
        """The variables that the expression reads. One without a value is left out, so that reading it is an error."""
        data = {name: read(facts) for name, read in _PRINCIPAL.items() if name in self.names}
        if "args" in self.names and not replayed:
            _check(facts.arguments)
            data["args"] = facts.arguments
        data |= self._session(facts, replayed) if not self.names.isdisjoint(_SESSION) else {}
        data |= self._call(facts) if not self.names.isdisjoint(_CALL) else {}
        return {name: value for name, value in data.items() if value is not None}

    def _session(self, facts: CallFacts, replayed: bool) -> dict[str, Any]:
        done = facts.done.done
        data: dict[str, Any] = {
            "session.ok": {tool: done[tool].ok if tool in done else 0 for tool in self.ok},
            "session.calls": {tool: done[calls_of(tool)].ok if calls_of(tool) in done else 0 for tool in self.calls},
        }
        if not replayed:
            data["session.last_ok"] = {tool: _nested(done[tool].arguments) for tool in self.remembers if tool in done}
        return data

    def _call(self, facts: CallFacts) -> dict[str, Any]:
        at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=facts.at_unix_nano // 1_000)
        local = at.astimezone(self.zone or UTC)
        return {
            "call.tool": facts.target if isinstance(facts.target, str) else None,
            "call.time": at,
            "call.local.hour": local.hour,
            "call.local.minute": local.minute,
            "call.local.weekday": local.isoweekday(),
        }

    def needs(self, facts: CallFacts) -> str:
        return "it does not meet a condition for such calls"


def read(place: Place) -> Expression:
    fields = place.fields(("expression", "zone")) if place.is_mapping else {"expression": place}
    if "expression" not in fields:
        place.refuse("no `expression`", 'write {expression: "call.local.hour < 18", zone: Europe/Berlin}')
    at = fields["expression"]
    text = at.text()
    if len(text) > MAX_TEXT:
        at.refuse(f"is longer than {MAX_TEXT} characters", "make several rules of it")
    program = _compiled(text, at)
    tree = cel_tree.read(program.serialize())
    if tree.loops > LONGEST_LOOPS:
        at.refuse("has a loop inside a loop", "use one `all`, `exists`, `map` or `filter` at a time")
    ok, calls, last = _tools(tree, at)
    return Expression(
        text=text,
        zone=zone(fields["zone"]) if "zone" in fields else None,
        program=program,
        names=frozenset(name for chain in tree.chains for name in NAMES if _starts(chain, name)),
        ok=frozenset(ok),
        calls=frozenset(calls),
        remembers={
            **dict.fromkeys(ok, ()),
            **{calls_of(tool): () for tool in calls},
            **{tool: tuple(sorted(paths)) for tool, paths in last.items()},
        },
        compares=tree.compares,
    )


def _tools(tree: cel_tree.Tree, at: Place) -> tuple[set[str], set[str], dict[str, set[tuple[str, ...]]]]:
    """The tools of which an expression reads `session.ok`, `session.calls`, and arguments of `session.last_ok`."""
    ok, calls, last = set[str](), set[str](), dict[str, set[tuple[str, ...]]]()
    for chain in tree.chains:
        match chain:
            case ("session", "ok", tool):
                ok.add(tool)
            case ("session", "calls", tool):
                calls.add(tool)
            case ("session", "last_ok", tool, *path) if path and all(_MEMBER.fullmatch(name) for name in path):
                last.setdefault(tool, set()).add(tuple(path))
            case ("session", "last_ok", *_):
                at.refuse("session.last_ok without an argument", "write e.g. session.last_ok.lookup_order.order_id")
            case ("session", *_):
                at.refuse(f"{'.'.join(chain)} names no tool", 'write e.g. session.ok.search, or session.ok["get-row"]')
    return ok, calls, last


def _starts(chain: cel_tree.Chain, name: str) -> bool:
    names = tuple(name.split("."))
    return chain[: len(names)] == names


def _compiled(text: str, at: Place) -> cel.Expression:
    try:
        program = _environment().compile(text)
    except (RuntimeError, TypeError, ValueError) as error:
        at.refuse(*_explained(str(error)))
    kind = program.return_type().name()
    if kind not in ("BOOL", "DYN"):
        at.refuse(f"is not true or false, but of the type {kind}", "compare it with a value")
    return program


@cache
def _environment() -> cel.Env:
    with needing("`when`", "policy"):
        from cel_expr_python import cel
    kinds = cel.Type
    return cel.NewEnv(
        variables={
            "args": kinds.DYN,
            **dict.fromkeys(("principal.id", "principal.tenant", "principal.role", "call.tool"), kinds.STRING),
            **dict.fromkeys(("principal.roles", "principal.scopes"), kinds.List(kinds.STRING)),
            "call.time": kinds.TIMESTAMP,
            **dict.fromkeys(("call.local.hour", "call.local.minute", "call.local.weekday"), kinds.INT),
            **dict.fromkeys(("session.ok", "session.calls"), kinds.Map(kinds.STRING, kinds.INT)),
            "session.last_ok": kinds.Map(kinds.STRING, kinds.DYN),
        }
    )


_EXAMPLE = "write an expression that is true or false, e.g. args.amount <= 50.0"
_WHERE = re.compile(r"<input>:(\d+):(\d+): (.*)")
_UNDECLARED = re.compile(r"undeclared reference to '([^']*)'")


def _explained(message: str) -> tuple[str, str]:
    """What CEL says of a text that it refuses, and the nearest name that it knows."""
    where = _WHERE.search(message)
    if where is None:
        return f"not valid CEL: {message.splitlines()[0][:200] if message else 'no text'}", _EXAMPLE
    line, column, problem = where.groups()
    at = f"at character {column}" if line == "1" else f"in its line {line}, at character {column}"
    unknown = _UNDECLARED.search(problem)
    if unknown is None:
        said = problem.removesuffix(" [INVALID_ARGUMENT]").partition(" expecting ")[0]  # what follows lists its grammar
        return f"not valid CEL {at}: {said[:200]}", _EXAMPLE
    names = unknown[1].split(".")
    like = next((one for end in range(len(names), 0, -1) if (one := nearest(".".join(names[:end]), NAMES))), None)
    hint = f"did you mean `{like}`?" if like else f"known here: {', '.join(NAMES)}"
    return f"{at}: {unknown[1]} is not known", hint


def _nested(arguments: Mapping[str, object]) -> dict[str, object]:
    """Remembered arguments as the members of objects: `order.id` below `order`."""
    found: dict[str, object] = {}
    for path, value in sorted(arguments.items()):
        *above, name = path.split(".")
        at: object = found
        for step in above:
            at = at.setdefault(step, {}) if isinstance(at, dict) else None
        if isinstance(at, dict):
            at.setdefault(name, value)
    return found


def _check(arguments: object) -> None:
    """Raises RuleError for arguments that are too large, or hold what compares with nothing: NaN and infinity."""
    left = MAX_ARGUMENTS
    waiting = [(arguments, 0)]
    while waiting:
        value, depth = waiting.pop()
        left -= 2
        if isinstance(value, str):
            left -= len(value)
        elif isinstance(value, float):
            if not math.isfinite(value):
                raise RuleError("an argument is no number that can be compared")
        elif isinstance(value, dict):
            left -= sum(len(name) if isinstance(name, str) else MAX_ARGUMENTS for name in value)
            waiting += [(item, depth + 1) for item in value.values()]
        elif isinstance(value, list):
            waiting += [(item, depth + 1) for item in value]
        if left < 0 or depth > MAX_DEPTH:
            raise RuleError("its arguments are too large to be checked")
