"""Planted loops, and what only looks like one: how many sessions `report loops` judges as they were meant.

    python -m bench.planted_loops [--cases 30] [--seed 1]

Each kind is planted in sessions of its own, in a lake of its own, among ordinary calls: tools, interleavings, lengths,
delays and other agents differ by the seed. Values are real arguments and results; their facts are taken by the code
that fronts take them with. A session is right if it has a finding exactly if its kind is a loop. Of an outage, and of
a call in session after session, the finding must have the kind and one row.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mcpobs.lake.reader import open_reading
from mcpobs.lake.writer import commit
from mcpobs.protocol.facts import Facts
from mcpobs.queries import catalog
from mcpobs.queries.run import plan_of
from mcpobs.queries.run import run as run_query

Row = dict[str, Any]
START = 1_790_000_000_000_000_000
SECOND = 1_000_000_000


@dataclass(slots=True)
class Step:
    """A request with its answer; `after_s` seconds after the one before it had ended, or at `at_s`."""

    method: str
    target: str | None
    asked: dict[str, Any]
    text: str
    outcome: str = "ok"
    after_s: float = 2.0
    took_s: float = 0.2
    at_s: float | None = None
    error_type: str | None = None


@dataclass(slots=True)
class Session:
    steps: list[Step] = field(default_factory=list)
    begins_s: float = 0.0


Kind = Callable[[random.Random], list[Session]]


def rows_of(sessions: list[Session], name: str, chance: random.Random) -> Iterator[Row]:
    facts = Facts(b"k" * 32)
    for number, session in enumerate(sessions):
        now = session.begins_s
        for place, step in enumerate(session.steps):
            begin = step.at_s if step.at_s is not None else now + step.after_s
            now = max(now, begin + step.took_s)
            yield _row(facts, step, f"{name}-{number:03d}", place, begin, chance)


def _row(facts: Facts, step: Step, session: str, place: int, begin_s: float, chance: random.Random) -> Row:
    if step.method in ("tools/call", "prompts/get"):
        arguments, features = facts.arguments(step.asked, None)
    else:
        arguments, features = facts.params(step.asked)
    again = facts.asks_again(step.method, step.target, arguments)
    failed = step.outcome != "ok"
    if step.outcome == "server_error":
        result, items, empty = facts.error({"code": -32603, "message": step.text}), None, None
    elif step.method == "tools/call":
        answer = {"content": [{"type": "text", "text": step.text}], "isError": failed}
        result, items, empty = facts.result(answer, again=again)
    else:
        result, items, empty = facts.result(json.loads(step.text), again=again)
    return {
        "trace_id": f"{chance.getrandbits(127) + 1:032x}",
        "span_id": f"{chance.getrandbits(63) + 1:016x}",
        "name": step.method,
        "kind": "server",
        "scope_name": "mcpobs",
        "service_name": "planted",
        "client_name": "agent",
        "sequence": place,
        "start_unix_nano": START + int(begin_s * SECOND),
        "duration_ns": int(step.took_s * SECOND),
        "method": step.method,
        "tool": step.target if step.method == "tools/call" else None,
        "prompt": step.target if step.method == "prompts/get" else None,
        "request_id": str(place),
        "session_id": session,
        "session_source": "stdio_process",
        "session_confidence": "high",
        "outcome": step.outcome,
        "error_type": step.error_type or ("tool_error" if step.outcome == "tool_error" else None),
        "status_code": "-32603" if step.outcome == "server_error" else None,
        "args_digest": arguments.digest,
        "args_stable_digest": arguments.stable,
        "args_shape": arguments.shape,
        "args_features": features,
        "args_bytes": arguments.size_bytes,
        "result_digest": result.digest,
        "result_stable_digest": result.stable,
        "result_shape": result.shape,
        "result_bytes": result.size_bytes,
        "result_items": items,
        "result_empty": empty,
    }


# -- steps ------------------------------------------------------------------------------------------------
WORDS = ["order", "invoice", "shipment", "customer", "ticket", "release", "branch", "metric", "alert", "budget"]
LOOKING = ["search", "get_order", "query_db", "fetch_page", "lookup_customer", "run_query", "listFiles", "crm.find"]
DOING = ["read_file", "edit_file", "list_dir", "create_note", "get_weather", "run_tests", "send_message"]


def word(chance: random.Random) -> str:
    return chance.choice(WORDS)


def ordinary(chance: random.Random, count: int) -> list[Step]:
    """Calls that are all different and find something."""
    return [
        Step(
            "tools/call",
            chance.choice(DOING),
            {"path": f"/{word(chance)}/{chance.randrange(10**6)}", "mode": chance.choice(["a", "b"])},
            f"{word(chance)} {chance.getrandbits(40):x}",
            after_s=chance.uniform(0.5, 8),
            took_s=chance.uniform(0.05, 1.5),
        )
        for _ in range(count)
    ]


def asking(chance: random.Random, **more: Any) -> Step:
    """A call of a tool that looks for something, and its answer."""
    text = chance.choice(
        [
            f"3 results: {word(chance)}, {word(chance)}, {word(chance)}",
            json.dumps({"items": [{"name": word(chance), "price": chance.randrange(99)} for _ in range(4)]}),
            f"no {word(chance)} matches",
        ]
    )
    step = Step(
        "tools/call",
        chance.choice(LOOKING),
        {"q": f"{word(chance)} {word(chance)}", "limit": chance.choice([5, 10, 20])},
        text,
        after_s=chance.uniform(0.3, 12),
        took_s=chance.uniform(0.02, 2),
    )
    return replace(step, **more)


def failing(chance: random.Random) -> Step:
    """A call that fails, each time with the same words."""
    outcome = chance.choice(["tool_error", "tool_error", "server_error", "timeout"])
    return asking(
        chance,
        target=chance.choice([*LOOKING, "book_room", "charge", "deploy"]),
        outcome=outcome,
        text=chance.choice(["503 Service Unavailable", "invalid date", "permission denied", "upstream timed out"]),
        error_type="timeout" if outcome == "timeout" else None,
    )


def framed(chance: random.Random, steps: list[Step]) -> list[Session]:
    return [
        Session(
            ordinary(chance, chance.randrange(5)) + steps + ordinary(chance, chance.randrange(3)),
            chance.uniform(0, 10**6),
        )
    ]


# -- loops ------------------------------------------------------------------------------------------------
def failing_with_calls_between(chance: random.Random) -> list[Session]:
    """The same call fails, with one to three other calls between, of the same agent."""
    fails, steps = failing(chance), []
    for _ in range(chance.randrange(8, 20)):
        steps += [replace(fails, after_s=chance.uniform(0.3, 12)), *ordinary(chance, chance.randrange(1, 4))]
    return framed(chance, steps)


def failing_beside_a_second_agent(chance: random.Random) -> list[Session]:
    """The same call fails, and a second agent in the session calls at times of its own."""
    fails = failing(chance)
    gap, took = chance.uniform(1, 10), chance.uniform(0.05, 1)
    count = chance.randrange(10, 20)
    ours = [replace(fails, at_s=1 + place * (gap + took), took_s=took) for place in range(count)]
    others = ordinary(chance, chance.randrange(count // 2, 3 * count))
    for step in others:
        step.at_s = chance.uniform(0, count * (gap + took))
    steps = sorted(ours + others, key=lambda step: step.at_s or 0)
    return [Session(steps)]


def equal_answers_to_a_changing_argument(chance: random.Random) -> list[Session]:
    """Only a nonce, a counter or a time changes in the arguments, and the answer is the same."""
    asked = asking(chance)
    made: Callable[[int], dict[str, Any]] = chance.choice(
        [
            lambda place: {"nonce": f"{chance.getrandbits(48):x}"},
            lambda place: {"request_id": str(uuid.UUID(int=chance.getrandbits(128)))},
            lambda place: {"attempt": place + 1},
            lambda place: {"counter": place},
            lambda place: {"n": place},
            lambda place: {"ts": 1_790_000_000 + place * 7},
            lambda place: {"timestamp": f"2026-11-30T12:{place:02d}:07Z"},
            lambda place: {"as_of": 1_790_000_000_000 + place * 7_123},
            lambda place: {"q": f"{asked.asked['q']} (attempt {place})"},
            lambda place: {"options": {"cacheBuster": chance.random()}},
            lambda place: {"tag": str(uuid.UUID(int=chance.getrandbits(128)))},
        ]
    )
    count = chance.randrange(6, 30)
    return framed(chance, [replace(asked, asked=asked.asked | made(place)) for place in range(count)])


def answers_that_differ_by_an_id(chance: random.Random) -> list[Session]:
    """The same call; its answers differ only by the id of the request, the time that they took, or the moment."""
    asked = asking(chance)
    said: Callable[[int], str] = chance.choice(
        [
            lambda place: json.dumps({"results": ["a", "b"], "request_id": f"{chance.getrandbits(48):x}"}),
            lambda place: json.dumps({"requestId": str(uuid.UUID(int=chance.getrandbits(128))), "rows": []}),
            lambda place: json.dumps({"data": [1, 2], "took": chance.randrange(1, 900)}),
            lambda place: json.dumps({"data": [1, 2], "meta": {"elapsed_ms": chance.random() * 90}}),
            lambda place: f"2 rows ({chance.randrange(1, 900)} ms)",
            lambda place: f"no match, took {chance.random():.3f}s",
            lambda place: f"no match (request {chance.getrandbits(32):08x}a1)",
            lambda place: f"[req-{chance.randrange(10**6)}] nothing changed",
            lambda place: f"as of 2026-11-30T12:{place % 60:02d}:11Z: 2 open {word(chance) and 'orders'}",
            lambda place: json.dumps({"orders": 2, "generatedAt": 1_790_000_000 + place}),
        ]
    )
    count = chance.randrange(7, 25)
    return framed(chance, [replace(asked, text=said(place)) for place in range(count)])


def a_cursor_that_is_ignored(chance: random.Random) -> list[Session]:
    """Page after page is asked for, and each is the first one."""
    rows = [{"id": number, "name": word(chance)} for number in range(chance.randrange(3, 20))]
    name = chance.choice(["cursor", "page", "offset", "page_token", "start", "pageToken", "after"])
    follows = chance.random() < 0.5 and name in ("cursor", "page_token", "pageToken")
    steps = []
    for place in range(chance.randrange(8, 40)):
        value: Any = f"{chance.getrandbits(40):x}" if "o" in name and "ff" not in name else place * 10
        answer: dict[str, Any] = {"rows": rows}
        if follows:
            answer["nextCursor"] = f"{chance.getrandbits(40):x}"
        step = asking(chance, target="list_orders", asked={"status": "open", name: value}, text=json.dumps(answer))
        steps.append(step)
    return framed(chance, steps)


def reads_and_lists(chance: random.Random) -> list[Session]:
    """A resource, a prompt or a list is asked for again and again, beside tool calls or alone."""
    method, target, asked, answer = chance.choice(
        [
            ("resources/read", None, {"uri": f"file:///{word(chance)}.md"}, {"contents": [{"text": word(chance)}]}),
            ("tools/list", None, {}, {"tools": [{"name": word(chance)}]}),
            ("prompts/get", word(chance), {}, {"messages": [{"role": "user", "content": word(chance)}]}),
            ("resources/list", None, {}, {"resources": [{"uri": f"file:///{word(chance)}"}]}),
        ]
    )
    step = Step(method, target, asked, json.dumps(answer))
    steps: list[Step] = []
    beside = chance.random() < 0.4
    for _ in range(chance.randrange(7, 30)):
        steps.append(replace(step, after_s=chance.uniform(0.2, 8)))
        steps += ordinary(chance, 1) if beside and chance.random() < 0.3 else []
    return framed(chance, steps)


def session_after_session(chance: random.Random) -> list[Session]:
    """One agent after the other makes the same call, and gets the same answer."""
    step = chance.choice([asking, failing])(chance)
    begins, made = chance.uniform(0, 10**6), []
    for _ in range(chance.randrange(8, 20)):
        steps = [replace(step, after_s=chance.uniform(0.2, 5)) for _ in range(chance.choice([1, 1, 2]))]
        steps += ordinary(chance, 1) if chance.random() < 0.3 else []
        made.append(Session(steps, begins))
        begins += sum(each.after_s + each.took_s for each in steps) + chance.uniform(0.5, 15)
    return made


# -- no loops ---------------------------------------------------------------------------------------------
def a_retry_that_works(chance: random.Random) -> list[Session]:
    """A few failures, then success; now and then with other calls between, or with pauses that grow."""
    fails = failing(chance)
    steps: list[Step] = []
    grows = chance.random() < 0.5
    for place in range(chance.randrange(2, 9)):
        steps.append(replace(fails, after_s=2**place * 0.5 if grows else chance.uniform(0.2, 10)))
        steps += ordinary(chance, 1) if chance.random() < 0.2 else []
    steps.append(replace(fails, outcome="ok", error_type=None, text=f"done {word(chance)}"))
    return framed(chance, steps)


def a_monitor(chance: random.Random) -> list[Session]:
    """Looks every few minutes or every half hour; mostly nothing is new."""
    name = chance.choice(["check_inbox", "get_status", "list_alerts", "read_queue"])
    text = chance.choice(["no new mail", "all green", "[]", '{"alerts": []}'])
    every = chance.choice([60, 120, 300, 900, 1800, 3600])
    look = Step("tools/call", name, {"box": word(chance)}, text)
    return [
        Session(
            [
                replace(look, at_s=place * every + chance.uniform(0, every / 20), took_s=0.3)
                for place in range(chance.randrange(12, 60))
            ]
        )
    ]


def steps_of_a_kind(chance: random.Random) -> list[Session]:
    """Undo, scroll, next: each takes effect, and says so in the same words."""
    name, text = chance.choice(
        [
            ("undo", "undone"), ("redo", "ok"), ("scroll_down", "scrolled"), ("next_slide", "ok"),
            ("press_key", "pressed"), ("editor.undo", "1 change undone"), ("browser_click", "clicked"),
            ("undoLastEdit", "ok"), ("step_over", "stepped"),
        ]
    )  # fmt: skip
    asked = {} if chance.random() < 0.6 else {"target": word(chance)}
    step = Step("tools/call", name, asked, text)
    return framed(chance, [replace(step, after_s=chance.uniform(0.2, 6)) for _ in range(chance.randrange(3, 10))])


def a_pool(chance: random.Random) -> list[Session]:
    """Equal calls, so many at once."""
    step = asking(chance)
    lanes = chance.choice([2, 3, 4, 8])
    ends = [chance.uniform(0, 0.3) for _ in range(lanes)]
    steps = []
    for _ in range(chance.randrange(20, 60)):
        lane = min(range(lanes), key=lambda each: ends[each])
        took = chance.uniform(0.4, 1.6)
        steps.append(replace(step, at_s=ends[lane] + 0.001, took_s=took))
        ends[lane] += took + 0.002
    return [Session(sorted(steps, key=lambda each: each.at_s or 0))]


def clean_files(chance: random.Random) -> list[Session]:
    """A linter finds nothing in file after file."""
    name = chance.choice(["lint", "eslint", "check_types", "get_diagnostics", "validate_yaml", "scan_secrets", "ruff"])
    text = chance.choice(["[]", '{"problems": []}', "", '{"errors": [], "warnings": []}'])
    return framed(
        chance,
        [
            Step("tools/call", name, {"path": f"src/{word(chance)}_{place}.py"}, text, after_s=chance.uniform(0.2, 6))
            for place in range(chance.randrange(9, 30))
        ],
    )


def pages_of_new_rows(chance: random.Random) -> list[Session]:
    """Page after page, each with rows of its own; or record after record."""
    name = chance.choice(["page", "cursor", "offset", "id", "n"])
    steps = [
        asking(
            chance,
            target="list_orders",
            asked={"status": "open", name: place if name != "cursor" else f"{chance.getrandbits(40):x}"},
            text=json.dumps({"rows": [{"id": place * 10 + row, "name": word(chance)} for row in range(5)]}),
        )
        for place in range(chance.randrange(8, 40))
    ]
    return framed(chance, steps)


def polling_with_news(chance: random.Random) -> list[Session]:
    """Asks every few seconds how far a job is; it moves on, and is done in the end."""
    status = Step("tools/call", "job_status", {"job": chance.randrange(10**4)}, "")
    steps: list[Step] = []
    for place in range(chance.randrange(4, 9)):
        steps += [replace(status, text=f"{place * 10} % done", after_s=3)] * chance.randrange(1, 4)
    steps.append(replace(status, text="finished", after_s=3))
    return framed(chance, steps)


def deletions(chance: random.Random) -> list[Session]:
    """Record after record is changed; each time the answer is the same."""
    name = chance.choice(["delete_row", "close_ticket", "approve", "mark_read", "update_row"])
    return framed(
        chance,
        [
            Step(
                "tools/call",
                name,
                {"id": chance.choice([place, str(uuid.UUID(int=chance.getrandbits(128)))])},
                chance.choice(["ok"]),
                after_s=chance.uniform(0.2, 6),
            )
            for place in range(chance.randrange(6, 30))
        ],
    )


def calm(chance: random.Random) -> list[Session]:
    """Ordinary sessions, in which now and then a call is made twice."""
    steps = ordinary(chance, chance.randrange(2, 60))
    for _ in range(len(steps) // 8):
        steps.insert(chance.randrange(len(steps)), replace(chance.choice(steps)))
    return [Session(steps)]


def an_outage(chance: random.Random) -> list[Session]:
    """Every session that calls in these minutes gets the same error, some after others."""
    fails = failing(chance)
    fails.outcome = chance.choice(["tool_error", "server_error"])
    fails.error_type = None
    made = []
    for _ in range(chance.randrange(4, 12)):
        one = replace(fails, asked={"order": chance.randrange(10**6)})
        steps = [replace(one, after_s=chance.uniform(0.5, 5)) for _ in range(chance.randrange(3, 9))]
        made.append(Session(ordinary(chance, chance.randrange(3)) + steps, chance.uniform(0, 60)))
    return made


LOOPS: tuple[Kind, ...] = (
    failing_with_calls_between,
    failing_beside_a_second_agent,
    equal_answers_to_a_changing_argument,
    answers_that_differ_by_an_id,
    a_cursor_that_is_ignored,
    reads_and_lists,
)
ACROSS: tuple[tuple[Kind, str], ...] = ((session_after_session, "sessions"), (an_outage, "outage"))
OTHERS: tuple[Kind, ...] = (
    a_retry_that_works,
    a_monitor,
    steps_of_a_kind,
    a_pool,
    clean_files,
    pages_of_new_rows,
    polling_with_news,
    deletions,
    calm,
)


def found_in(sessions: list[Session], name: str, chance: random.Random) -> list[Row]:
    """The rows of `report loops` over these sessions alone."""
    from bench.spans import fill_spool

    with tempfile.TemporaryDirectory() as folder:
        lake = Path(folder) / "lake"
        fill_spool(lake, rows_of(sessions, name, chance))
        commit(lake)
        with open_reading(lake) as reading:
            return run_query(plan_of(reading), catalog.load("loops"), {}).records()


def judged(kind: Kind, cases: int, seed: int) -> tuple[int, list[int]]:
    """How many cases are right, and the numbers of the others."""
    chance = random.Random(f"{kind.__name__}/{seed}")
    if kind in dict(ACROSS):
        meant = dict(ACROSS)[kind]
        wrong = [
            case
            for case in range(cases)
            if [row["kind"] for row in found_in(kind(chance), f"{case}", chance)] != [meant]
        ]
        return cases - len(wrong), wrong
    sessions = [session for _ in range(cases) for session in kind(chance)]
    for number, session in enumerate(sessions):
        session.begins_s += number * 10**5
        for step in session.steps:
            step.at_s = None if step.at_s is None else step.at_s + number * 10**5
    found = {int(row["session_id"].rsplit("-", 1)[1]) for row in found_in(sessions, kind.__name__, chance)}
    wrong = [number for number in range(cases) if (number in found) != (kind in LOOPS)]
    return cases - len(wrong), wrong


def run(cases: int, seed: int) -> str:
    lines = ["| planted | meant | right | of |", "|---|---|---|---|"]
    for kind in (*LOOPS, *dict(ACROSS), *OTHERS):
        right, wrong = judged(kind, cases, seed)
        meant = "loop" if kind in LOOPS else dict(ACROSS).get(kind, "none")
        lines.append(f"| {kind.__name__.replace('_', ' ')} | {meant} | {right} | {cases} |")
        if wrong:
            lines[-1] += f" {wrong[:8]}"
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    print(run(options.cases, options.seed))
