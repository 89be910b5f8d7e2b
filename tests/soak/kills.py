"""Kills wrappers, their servers and committers at random moments, under load and with readers.

Real wrappers in front of a real server; each client keeps a ledger of the responses that it has received. Such a call
is finished: it must be in the lake exactly once, at the end and in every reading that begins after the response came.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mcpobs.lake.reader import open_reading
from mcpobs.lake.writer import commit
from tests.proxy.wrapped import INSTRUMENT, SCRIPTED, call

CLIENTS = 3
IN_FLIGHT = 8
PAUSE_S = 0.05  # between two windows of calls: the machine is to be busy, the readings are to end
REPORTS = ("latency", "errors", "sessions", "failures", "loops", "shapes")


@dataclass(slots=True)
class Figures:
    """What happened. `lost` and `twice` name calls, `broken` readings and reports that failed."""

    rounds: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    finished: int = 0
    recorded: int = 0
    unfinished: int = 0
    commits: int = 0
    parquet_files: int = 0
    readings: int = 0
    reports: int = 0
    lost: set[str] = field(default_factory=set)
    twice: set[str] = field(default_factory=set)
    broken: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        kills = ", ".join(f"{count} {name}" for name, count in sorted(self.kills.items()))
        return (
            f"{self.rounds} rounds (killed: {kills}); {self.finished} finished calls, {self.recorded} recorded of "
            f"which {self.unfinished} unfinished; {self.commits} committers, {self.parquet_files} Parquet files; "
            f"{self.readings} readings, {self.reports} reports; "
            f"{len(self.lost)} lost, {len(self.twice)} twice, {len(self.broken)} broken"
        )


class Client:
    """Calls a wrapped server in windows until the pipe breaks. `ledger` is what it has an answer to."""

    def __init__(self, lake: Path, number: int) -> None:
        self.number = number
        self.ledger: set[str] = set()
        self.server = 0
        self._announced = threading.Event()
        self._leaving = False
        self.process = subprocess.Popen(
            [*INSTRUMENT, "--lake", str(lake), "--name", "soaked", "--", *SCRIPTED],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._thread = threading.Thread(target=self._talk)
        self._thread.start()

    def under_load(self) -> bool:
        """Waits for the first answer. False where the wrapper ended before it."""
        return self._announced.wait(30) and self.server != 0

    def leave(self) -> int:
        self._leaving = True
        self._thread.join()
        return self.process.wait(timeout=60)

    def _talk(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        out, into = self.process.stdout, self.process.stdin
        next_id = 0
        try:
            into.write(call(self._id(next_id), "pid"))
            into.flush()
            answer = self._answer(out.readline())
            self.server = int(answer["result"]["content"][0]["text"])
            self._announced.set()
            while not self._leaving:
                window = range(next_id + 1, next_id + 1 + IN_FLIGHT)
                into.write(b"".join(call(self._id(n), "echo" if n % 5 else "fail", a=n) for n in window))
                into.flush()
                for _ in window:
                    self._answer(out.readline())
                next_id = window[-1]
                time.sleep(PAUSE_S)
        except (OSError, ValueError):
            pass  # killed: half a line, no line, or a broken pipe
        finally:
            self._announced.set()
            with suppress(OSError):
                into.close()
            for line in out:  # what was answered before the kill counts
                if line.endswith(b"\n"):
                    self._answer(line)
            out.close()
            self.process.wait()

    def _id(self, number: int) -> str:
        return f"{self.number}-{number}"

    def _answer(self, line: bytes) -> dict[str, Any]:
        if not line.endswith(b"\n"):
            raise ValueError("half a line")
        frame = dict(json.loads(line))
        self.ledger.add(frame["id"])
        return frame


class Committer:
    """One committer after the other, as a wrapper starts them."""

    def __init__(self, lake: Path) -> None:
        self._lake = lake
        self.runs = 0
        self.codes: Counter[int] = Counter()
        self._ending = False
        self.process = self._start()
        self._thread = threading.Thread(target=self._keep)
        self._thread.start()

    def _start(self) -> subprocess.Popen[bytes]:
        self.runs += 1
        return subprocess.Popen([sys.executable, "-m", "mcpobs.lake.commit", str(self._lake)])

    def _keep(self) -> None:
        while not self._ending:
            self.codes[self.process.wait()] += 1
            if not self._ending:
                self.process = self._start()

    def end(self) -> None:
        self._ending = True
        while self._thread.is_alive():
            self.process.kill()
            self._thread.join(0.2)


def run(lake: Path, *, rounds: int, seed: int) -> Figures:
    """A round kills a wrapper, a server, both or a committer at a random moment, while a report runs, then reads."""
    rng = random.Random(seed)
    figures = Figures(rounds=rounds)
    clients = [Client(lake, number) for number in range(CLIENTS)]
    everyone = list(clients)
    assert all(client.under_load() for client in clients)
    committer = Committer(lake)
    try:
        for turn in range(rounds):
            report = _start_report(lake, turn)
            time.sleep(rng.uniform(0.0, 0.4))
            victim = rng.choice(clients)
            what = rng.choice(("wrapper", "server", "wrapper and server", "committer", "wrapper and committer"))
            _kill(what, victim, committer, figures)
            if victim.process.poll() is not None or what != "committer":
                clients.remove(victim)
                clients.append(Client(lake, len(everyone)))
                everyone.append(clients[-1])
            _read(lake, everyone, figures)
            _end_report(report, figures)
            if turn % 50 == 49:
                print(f"round {turn + 1}: {figures.readings} readings, {len(figures.lost)} lost", flush=True)
        for client in clients:
            if client.leave() != 0:
                figures.broken.append(f"a wrapper that was left alone ended with {client.process.returncode}")
    finally:
        for client in clients:
            client.process.kill()
        committer.end()
    for client in everyone:
        client.leave()
    figures.commits = committer.runs
    figures.broken += [f"a committer ended with {code}" for code in committer.codes if code not in (0, -signal.SIGKILL)]
    _read(lake, everyone, figures)
    commit(lake, wait=True)
    _read(lake, everyone, figures, last=True)
    return figures


def _kill(what: str, victim: Client, committer: Committer, figures: Figures) -> None:
    figures.kills[what] += 1
    if "server" in what and victim.server:
        with suppress(ProcessLookupError):
            os.kill(victim.server, signal.SIGKILL)  # our grandchild: the wrapper reaps it, and so ends
    if "wrapper" in what:
        victim.process.kill()
    if "committer" in what:
        committer.process.kill()


def _start_report(lake: Path, turn: int) -> subprocess.Popen[bytes]:
    name = REPORTS[turn % len(REPORTS)]
    command = [sys.executable, "-m", "mcpobs", "report", name, "--lake", str(lake), "--format", "json"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def _end_report(process: subprocess.Popen[bytes], figures: Figures) -> None:
    out, err = process.communicate(timeout=60)
    figures.reports += 1
    try:
        json.loads(out)
    except ValueError:
        figures.broken.append(f"report: no JSON: {err.decode(errors='replace')[-500:]}")
    if process.returncode != 0:
        figures.broken.append(f"report: exit {process.returncode}: {err.decode(errors='replace')[-500:]}")


def _read(lake: Path, clients: list[Client], figures: Figures, *, last: bool = False) -> None:
    finished = set().union(*(client.ledger.copy() for client in clients))
    figures.readings += 1
    try:
        with open_reading(lake) as reading:
            found = reading.connection.execute(
                "select request_id, outcome, count(*) from spans group by all"
            ).fetchall()
            spans = reading.connection.execute("select count(*), count(distinct span_id) from spans").fetchall()[0]
            damaged = reading.damaged_files
            figures.parquet_files = len(reading.files)
    except Exception as error:
        figures.broken.append(f"reading: {type(error).__name__}: {error}")
        return
    counts: Counter[str] = Counter()
    unfinished = set()
    for request_id, outcome, count in found:
        counts[request_id] += count
        if outcome == "unfinished":
            unfinished.add(request_id)
    figures.lost |= finished - set(counts)
    figures.lost |= finished & unfinished
    figures.twice |= {request_id for request_id, count in counts.items() if count > 1}
    if spans[0] != spans[1]:
        figures.broken.append(f"reading: {spans[0]} spans, {spans[1]} different")
    if damaged:
        figures.broken.append(f"reading: damaged files {damaged}")
    if last:
        figures.finished = len(finished)
        figures.recorded = spans[0]
        figures.unfinished = len(unfinished)
