"""Holds what the clients know against what the lake says. Knows nothing of how the wrapper came to its rows."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from mcpobs.protocol.floods import FIRST_ROWS

Row = dict[str, Any]
Message = tuple[str, str | None]  # method, id as text; None for a notification
PROGRESS: Message = ("notifications/progress", None)

CALLERS_FAULTS = {-32700, -32600, -32601, -32602, -32002}
OUTCOMES = {"ok": "ok", "is_error": "tool_error", "cancelled": "cancelled", "timeout": "timeout"}
MODERN = "2026-07-28"
Over = Literal["stdio", "http", "sse"]
_HTTP_RULES = {
    "http": ("protocol_session", "high"),
    "sse": ("sse_endpoint", "high"),
    "modern": ("connection", "low"),
}
COLUMNS = (
    "trace_id, span_id, kind, sequence, start_unix_nano, duration_ns, method, tool, request_id, protocol_version, "
    "client_name, session_id, session_source, session_confidence, enforcement_key, outcome, attributes"
)


@dataclass
class Wire:
    """One server process, as its client saw it."""

    client: str
    version: str | None = None
    sent: list[Message] = field(default_factory=list)
    got: list[Message] = field(default_factory=list)
    calls: list[dict[str, Any]] = field(default_factory=list)
    progress: Counter[str | None] = field(default_factory=Counter)


@dataclass
class Figures:
    """One line of the table. All but the first four must be zero, and calls equal matched."""

    processes: int = 0
    sessions: int = 0
    messages: int = 0
    calls: int = 0
    matched: int = 0
    lost: int = 0
    doubled: int = 0
    wrong_order: int = 0
    wrong_session: int = 0
    wrong_status: int = 0
    wrong_facts: int = 0
    longer: int = 0
    problems: list[str] = field(default_factory=list)

    def as_json(self) -> str:
        return json.dumps(asdict(self))


def read_ledger(path: Path) -> list[Wire]:
    wires: dict[int, Wire] = {}
    for line in path.read_text().splitlines():
        entry = json.loads(line)
        wire = wires.setdefault(entry["wire"], Wire(entry["client"]))
        match entry["kind"]:
            case "connected":
                wire.version = entry["version"]
            case "call":
                wire.calls.append({**entry, "progress": wire.progress[_text(entry["id"])]})
            case way:
                (wire.sent if way == "sent" else wire.got).append((entry["method"], _text(entry["id"])))
                if entry["method"] == "notifications/progress" and way == "got":
                    wire.progress[_text(entry.get("token"))] += 1
    return list(wires.values())


def compare(wires: list[Wire], rows: list[Row], over: Over = "stdio") -> Figures:
    """`rows` must be in the order in which the lake gives the operations of a session.

    Over stdio a wire is a process. Over HTTP its rows are those of its client's name, which a plan gives to one
    connection alone; messages go there in requests of their own, so only what was not sent at once has an order.
    """
    figures = Figures(processes=len(wires), sessions=len({row["session_id"] for row in rows if row["tool"]}))
    processes: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        processes[row["enforcement_key" if over == "stdio" else "client_name"]].append(row)
    for wire in wires:
        key = _process_of(wire, processes) if over == "stdio" else wire.client
        _compare_wire(wire, _Place(over, key), processes.pop(key, []), figures)
    for key, left in processes.items():
        figures.doubled += len(left)
        figures.problems.append(f"{key}: {len(left)} operations of no client")
    return figures


def _process_of(wire: Wire, processes: dict[str, list[Row]]) -> str:
    """The process with most of the wire's messages: a client that asks for the era may start one just for that."""
    wanted = Counter(wire.sent)

    def common(key: str) -> int:
        rows = processes[key]
        if all(row["client_name"] != wire.client for row in rows):
            return -1_000_000
        return (Counter(_messages(rows, "server")) & wanted).total() - abs(len(rows) - len(wire.sent))

    return max(processes, key=common, default="")


@dataclass
class _Place:
    """What the lake has to say of the operations of one wire: their session and who is held to account."""

    over: Over
    key: str
    session: str | None = None  # over HTTP: as the first of them says, and the others have to say the same

    def expected(self, wire: Wire, row: Row, conversation: str | None) -> tuple[tuple[str, str, str], str]:
        """Session with its source and confidence, and the enforcement key."""
        modern = (wire.version or "") >= MODERN
        if self.over == "stdio":
            key = self.key
            own = (key.removeprefix("process:"), "stdio_process", "medium" if modern else "high")
        else:
            source, confidence = _HTTP_RULES[self.over if self.over == "sse" or not modern else "modern"]
            if conversation is None or self.over == "sse" or not modern:
                self.session = self.session or row["session_id"]
            own = (self.session or "", source, confidence)
            key = f"connection:127.0.0.1/{self.session}" if source == "protocol_session" else "connection:127.0.0.1"
            if source != "connection":
                return own, key
        return ((conversation, "conversation", "medium") if conversation else own), key


def _compare_wire(wire: Wire, place: _Place, rows: list[Row], figures: Figures) -> None:
    def problem(words: str) -> None:
        figures.problems.append(f"{wire.client}: {words}")

    for kind, expected in (("server", wire.sent), ("client", wire.got)):
        found = _messages(rows, kind)
        counted = _counted_progress(rows) if kind == "client" else 0
        wanted = Counter(expected)
        wanted[PROGRESS] -= counted
        lost, doubled = wanted - Counter(found), Counter(found) - wanted
        figures.messages += len(expected)
        figures.lost += lost.total()
        figures.doubled += doubled.total()
        if lost or doubled:
            problem(f"lost {dict(lost)}, doubled {dict(doubled)}")
        elif place.over == "stdio" and _without(found, counted) != _without(expected, counted):
            figures.wrong_order += 1
            problem(f"order {found} instead of {expected}")
    if place.over != "stdio":
        figures.wrong_order += _out_of_order(wire, rows, problem)
    by_id = defaultdict(list)
    for row in rows:
        if row["kind"] == "server":
            by_id[row["request_id"]].append(row)
    reported = set()
    for call in wire.calls:
        id_ = _text(call["id"])
        reported.add(id_)
        figures.calls += call["method"] == "tools/call"
        if len(by_id[id_]) == 1 and _compare_call(call, by_id[id_][0], wire, place, figures, problem):
            figures.matched += call["method"] == "tools/call"
    for row in rows:  # the handshake, what a client asks on its own account, and what the server asks
        if row["request_id"] not in reported or row["kind"] == "client":
            refused = row["method"] == "server/discover" and row["outcome"] == "protocol_error"
            if row["outcome"] != "ok" and not refused:
                figures.wrong_status += 1
                problem(f"{row['method']} is {row['outcome']}")


def _counted_progress(rows: list[Row]) -> int:
    """Notifications without a row: a request has FIRST_ROWS of them as rows, and counts all. One more row stands for
    the rest of those that came for no request, in one burst."""
    without = 0
    for row in rows:
        count = json.loads(row["attributes"]).get("mcpobs.progress.notifications", 0)
        without += max(0, count - (1 if row["method"] == PROGRESS[0] else FIRST_ROWS))
    return without


def _without(messages: list[Message], counted: int) -> list[Message]:
    """The messages whose order is known: which notifications are counted only, the client cannot know."""
    return [message for message in messages if message != PROGRESS] if counted else messages


def _out_of_order(wire: Wire, rows: list[Row], problem: Any) -> int:
    """Calls that the lake puts before others which had ended when they began."""
    places = {row["request_id"]: place for place, row in enumerate(rows) if row["kind"] == "server"}
    calls = [call for call in wire.calls if _text(call["id"]) in places]
    wrong = 0
    for call in calls:
        for later in calls:
            if call["began_ns"] + call["settled_ns"] < later["began_ns"]:
                wrong += places[_text(call["id"])] > places[_text(later["id"])]
    if wrong:
        problem(f"{wrong} pairs of calls in the wrong order")
    return wrong


def _compare_call(call: dict[str, Any], row: Row, wire: Wire, place: _Place, figures: Figures, problem: Any) -> bool:
    what = f"{call['method']} {call['tool'] or ''} id {call['id']}"
    session, key = place.expected(wire, row, call["conversation"])
    if place.over == "http" and (wire.version or "") >= MODERN and call["status"] == "timeout":
        call = {**call, "status": "cancelled"}  # the stream is closed, which does not say why
    outcome = OUTCOMES.get(call["status"]) or ("protocol_error" if call["code"] in CALLERS_FAULTS else "server_error")
    facts = (call["method"], call["tool"], wire.version, wire.client, key)
    found = (row["method"], row["tool"], row["protocol_version"], row["client_name"], row["enforcement_key"])
    progress = json.loads(row["attributes"]).get("mcpobs.progress.notifications", 0)
    good = True
    if (row["session_id"], row["session_source"], row["session_confidence"]) != session:
        figures.wrong_session += 1
        problem(f"{what}: session {row['session_id']} by {row['session_source']} instead of {session}")
        good = False
    if row["outcome"] != outcome:
        figures.wrong_status += 1
        problem(f"{what}: {row['outcome']} where the client saw {call['status']} {call['code']}")
        good = False
    reported = call["progress"]
    if found != facts or (outcome == "ok" and progress != reported):
        figures.wrong_facts += 1
        problem(f"{what}: {found} with progress {progress} instead of {facts} with {reported}")
        good = False
    if not call["at_least_ms"] * 1_000_000 <= row["duration_ns"] <= call["settled_ns"]:
        figures.longer += 1
        problem(f"{what}: {row['duration_ns']} ns, and the client measured {call['settled_ns']}")
        good = False
    return good


def _messages(rows: Iterable[Row], kind: str) -> list[Message]:
    return [(row["method"], row["request_id"]) for row in rows if row["kind"] == kind]


def _text(id_: int | str | None) -> str | None:
    return None if id_ is None else str(id_)
