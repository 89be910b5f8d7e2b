"""What a reservation costs: in the shared file beside a bare transaction, and in memory beside a dict and a lock.

    python -m bench.policy_store [--rounds 301] [--steps 20] [--counters 1 5]

Wall-clock, median of all reservations, and CPU time, median of interleaved rounds. A bare transaction is the least that
counts in SQLite: begin immediate, select, upsert, commit, on the same settings; with more counters it selects and
upserts each. By hand is the least for the same job, without its bounds, clock, refunds and faults.
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import statistics
import struct
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

from mcpobs.policy.memory import MemoryStore
from mcpobs.policy.sqlite import SqliteStore
from mcpobs.policy.state import Correction, Count, SessionKey, Store

LIMIT = 1 << 40
PAIR = struct.Struct("<qq")
HOUR_NS = 3_600_000_000_000
SESSION = SessionKey("principal:bench", "session")


def counts(number: int) -> tuple[Count, ...]:
    """Limits as a policy has them: of the session for ever, of the principal within an hour."""
    return tuple(
        Count(f"limit {one}", 1, LIMIT, HOUR_NS * (one % 2), "principal:bench" if one % 2 else None)
        for one in range(number)
    )


def bare(path: Path, number: int) -> Callable[[], object]:
    connection = sqlite3.connect(path, isolation_level=None)
    for statement in (
        "pragma journal_mode = wal",
        "pragma synchronous = normal",
        "create table counters (name text primary key, n integer not null) without rowid",
    ):
        connection.execute(statement)
    names = [f"limit {one}:principal:bench:session" for one in range(number)]
    execute = connection.execute

    def reserve() -> None:
        execute("begin immediate")
        for name in names:
            row = execute("select n from counters where name = ?", (name,)).fetchone()
            if row is not None and row[0] >= LIMIT:
                execute("rollback")
                return
            sql = "insert into counters values (?, 1) on conflict (name) do update set n = n + 1"
            execute(sql, (name,))
        execute("commit")

    return reserve


def by_hand(path: Path, number: int) -> Callable[[], object]:
    """The least for the same job: is it halted, is the session known, do all amounts fit; then count."""
    connection = sqlite3.connect(path, isolation_level=None)
    for statement in (
        "pragma journal_mode = wal",
        "pragma synchronous = normal",
        "create table sessions (key text, session text, seen integer, primary key (key, session)) without rowid",
        "create table halts (key text primary key, until integer) without rowid",
        "create table counters (name text primary key, slices blob not null) without rowid",
        "insert into sessions values ('principal:bench', 'session', 0)",
    ):
        connection.execute(statement)
    names = tuple(f"limit {one}:principal:bench:session" for one in range(number))
    select = f"select name, slices from counters where name in ({', '.join('?' * number)})"
    execute = connection.execute

    def reserve() -> bool:
        execute("begin immediate")
        execute("select exists (select 1 from halts)").fetchone()
        execute("select seen from sessions where key = ? and session = ?", ("principal:bench", "session")).fetchone()
        known = dict(execute(select, names).fetchall())
        for name in names:
            now = time.monotonic_ns() // (HOUR_NS // 60)
            slices = dict(PAIR.iter_unpack(known.get(name, b"")))
            slices[now] = slices.get(now, 0) + 1
            if sum(amount for number, amount in slices.items() if number >= now - 60) > LIMIT:
                execute("rollback")
                return False
            packed = b"".join([PAIR.pack(*pair) for pair in slices.items()])
            execute(
                "insert into counters values (?, ?) on conflict (name) do update set slices = ?", (name, packed, packed)
            )
        execute("commit")
        return True

    return reserve


def dict_and_lock(number: int) -> Callable[[], object]:
    lock, counted = Lock(), {f"limit {one}": 0 for one in range(number)}

    def reserve() -> bool:
        with lock:
            for name in counted:
                if counted[name] + 1 > LIMIT:
                    return False
            for name in counted:
                counted[name] += 1
        return True

    return reserve


def reserving(store: Store, number: int) -> Callable[[], object]:
    asked = counts(number)
    return lambda: store.reserve(SESSION, asked, (("tool", "search"), ("principal", "principal:bench")))


def settling(store: Store, number: int) -> Callable[[], object]:
    asked = counts(number)
    taken = store.reserve(SESSION, asked)
    corrections = [Correction(asked[0], 0)]
    return lambda: store.settle(SESSION, taken, corrections)


def looking(store: Store) -> Callable[[], object]:
    return lambda: store.halted(SESSION, (("tool", "search"),))


@dataclass
class Took:
    wall_us: list[float] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)


def measure(ways: dict[str, Callable[[], object]], rounds: int, steps: int) -> dict[str, Took]:
    took: dict[str, Took] = {name: Took() for name in ways}
    for number in range(rounds):
        order = list(ways.items())
        for name, way in order if number % 2 else reversed(order):
            cpu = time.thread_time_ns()
            for _ in range(steps):
                begun = time.perf_counter_ns()
                way()
                took[name].wall_us.append((time.perf_counter_ns() - begun) / 1_000)
            took[name].cpu_us.append((time.thread_time_ns() - cpu) / steps / 1_000)
    return took


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=301)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--counters", type=int, nargs="+", default=[1, 5])
    given = parser.parse_args()
    print(f"Median of {given.rounds} interleaved rounds of {given.steps}; load {os.getloadavg()[0]:.1f}.\n")
    print("| one reservation | counters | µs, p50 | CPU µs | beside its control |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for number in given.counters:
            shared = SqliteStore(Path(folder) / f"store {number}" / "policy.db")
            memory = MemoryStore()
            ways = {
                "bare SQLite transaction (control)": bare(Path(folder) / f"bare {number}", number),
                "the same job by hand": by_hand(Path(folder) / f"hand {number}", number),
                "SQLite store": reserving(shared, number),
                "SQLite store, settle": settling(shared, number),
                "SQLite store, halted": looking(shared),
                "bare SQLite transaction again (A/A)": bare(Path(folder) / f"again {number}", number),
                "dict and lock (control)": dict_and_lock(number),
                "memory store": reserving(memory, number),
            }
            took = measure(ways, given.rounds, given.steps)
            control = ""
            for name, one in took.items():
                control = name if "control" in name else control
                wall_us, cpu_us = statistics.median(one.wall_us), statistics.median(one.cpu_us)
                beside = wall_us / statistics.median(took[control].wall_us)
                print(f"| {name} | {number} | {wall_us:.1f} | {cpu_us:.1f} | {beside:.2f} |")
            shared.close()


if __name__ == "__main__":
    main()
