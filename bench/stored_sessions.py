"""How well the lake finds the sessions of received calls that bring none, by the rule that it found them by.

    python -m bench.stored_sessions [--seed 1]

A simulated fleet, whose true sessions are known, is settled in batches of ten minutes, committed one after the other.
Pairs of calls are what is counted: precision is the share of pairs in one found session that are of one true session,
recall the share of pairs of one true session that are in one found session.
"""

from __future__ import annotations

import argparse
import json
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mcpobs.lake import delta, parquet, snapshot
from mcpobs.lake.engine import Connection, connect
from mcpobs.lake.schema import PARTITION, TYPES
from mcpobs.lake.sessions import settle
from mcpobs.settings import IDLE_GAP_S

SECOND = 10**9
START = 1_790_000_000 * SECOND
CALLERS, CONVERSATIONS, CALLS = 12, 4, 10
BATCH_S = 600
Row = dict[str, Any]


def calls(
    rng: random.Random,
    *,
    caller: Callable[[int], Row],
    pause_s: tuple[float, float],
    parallel: int = 1,
    traced: bool = False,
) -> Iterator[Row]:
    """Calls of a fleet; `true` is the session that each is of. `parallel` conversations of a caller go on at once."""
    for who in range(CALLERS):
        for line in range(parallel):
            at = rng.uniform(0, 600)
            for conversation in range(CONVERSATIONS):
                trace = f"{rng.getrandbits(128):032x}"
                for _ in range(CALLS):
                    yield {
                        **caller(who),
                        "true": f"{who}/{line}/{conversation}",
                        "trace_id": trace if traced else f"{rng.getrandbits(128):032x}",
                        "span_id": f"{rng.getrandbits(64):016x}",
                        "start_unix_nano": START + int(at * SECOND),
                        "duration_ns": 20_000_000,
                        "method": "tools/call",
                        "kind": "server",
                        "service_name": "files",
                        "client_name": "agent",
                        "session_source": "trace",
                    }
                    at += rng.uniform(1, 60)
                at += rng.uniform(*pause_s)


def _principal(who: int) -> Row:
    return {"principal": f"user-{who}"}


def _peer(who: int) -> Row:
    return {"attributes": json.dumps({"client.address": f"10.0.0.{who}"}, separators=(",", ":"))}


def _nat(who: int) -> Row:
    return _peer(who % 4)


LONG, SHORT = (1200.0, 7200.0), (60.0, 600.0)
FLEETS: dict[str, Callable[[random.Random], Iterator[Row]]] = {
    "a principal, pauses longer than the gap": lambda rng: calls(rng, caller=_principal, pause_s=LONG),
    "a principal, pauses shorter than the gap": lambda rng: calls(rng, caller=_principal, pause_s=SHORT),
    "a principal, short pauses, a trace a conversation": lambda rng: calls(
        rng, caller=_principal, pause_s=SHORT, traced=True
    ),
    "a principal with three clients at once": lambda rng: calls(rng, caller=_principal, pause_s=LONG, parallel=3),
    "the same, a trace a conversation": lambda rng: calls(
        rng, caller=_principal, pause_s=LONG, parallel=3, traced=True
    ),
    "no principal, an address each, long pauses": lambda rng: calls(rng, caller=_peer, pause_s=LONG),
    "no principal, five callers an address": lambda rng: calls(rng, caller=_nat, pause_s=LONG),
    "no identity at all": lambda rng: calls(rng, caller=lambda _: {}, pause_s=LONG),
    "no identity, a trace a conversation": lambda rng: calls(rng, caller=lambda _: {}, pause_s=LONG, traced=True),
}


def settled(rows: list[Row], folder: Path) -> list[tuple[str, str, str]]:
    """The true session, the found one and its rule, of each call, after all batches were committed to a table."""
    batches: dict[int, list[Row]] = defaultdict(list)
    for row in rows:
        batches[row["start_unix_nano"] // (BATCH_S * SECOND)].append(row)
    found: list[tuple[str, str, str]] = []
    with connect(threads=2) as connection:
        for number in sorted(batches):
            found += _commit(connection, folder, batches[number])
    return found


def _commit(connection: Connection, table: Path, rows: list[Row]) -> list[tuple[str, str, str]]:
    columns = ", ".join(f"{name} {type_}" for name, type_ in TYPES.items())
    connection.execute(f"create or replace table batch ({columns})")
    text = json.dumps([{"session_id": row["trace_id"], "date": "2026-09-21", **row} for row in rows])
    form = json.dumps([TYPES])
    connection.execute("insert into batch select unnest(from_json($1, $2), recursive := true)", [text, form])
    state = snapshot.load(table, lambda: connection)
    settle(connection, "batch", table, state.files.values(), int(IDLE_GAP_S * SECOND))
    dates = connection.execute(f"select distinct {PARTITION} from batch").fetchall()
    written = [
        parquet.write(connection, f"select * from batch where {PARTITION} = '{date}'", TYPES, table, date)
        for (date,) in dates
    ]
    delta.append(table, state, adds=[file for file in written if file is not None])
    ids = {
        span: (session, source)
        for span, session, source in connection.execute(
            "select span_id, session_id, session_source from batch"
        ).fetchall()
    }
    return [(row["true"], *ids[row["span_id"]]) for row in rows]


def _pairs(counts: Counter[Any]) -> int:
    return sum(count * (count - 1) // 2 for count in counts.values())


def accuracy(found: list[tuple[str, str, str]]) -> tuple[float, float]:
    both = _pairs(Counter((true, session) for true, session, _ in found))
    together = _pairs(Counter(session for _, session, _ in found))
    truly = _pairs(Counter(true for true, _, _ in found))
    return (both / together if together else 1.0), (both / truly if truly else 1.0)


def run(seed: int) -> str:
    lines = ["| fleet | rule | sessions: true | found | precision | recall |", "|---|---|---|---|---|---|"]
    for name, fleet in FLEETS.items():
        with TemporaryDirectory() as folder:
            found = settled(list(fleet(random.Random(seed))), Path(folder) / "spans")
        precision, recall = accuracy(found)
        rules = ", ".join(sorted({rule for _, _, rule in found}))
        true, sessions = len({true for true, _, _ in found}), len({session for _, session, _ in found})
        lines.append(f"| {name} | {rules} | {true} | {sessions} | {precision:.3f} | {recall:.3f} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    print(run(parser.parse_args().seed))


if __name__ == "__main__":
    main()
