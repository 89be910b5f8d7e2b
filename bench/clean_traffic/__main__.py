"""Runs the traffic, counts what the lake has, and writes the section of bench/RESULTS.md."""

from __future__ import annotations

import json
import sys
import tempfile
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import bench.clean_traffic
from bench.clean_traffic.client import answers
from bench.clean_traffic.counting import Counts, Finding, counted, located
from bench.clean_traffic.servers import Server, everything, fetch, fetch_python, filesystem, git
from bench.clean_traffic.table import section, write
from bench.clean_traffic.texts import Text, texts
from bench.injection.rivals import Worker
from mcpobs.lake.reader import open_reading
from tests.interop.packages import install

POLICY: Final = """version: 1
halt_after_denials: off
inspect:
- {id: injection, find: injection, rate: 0.01, action: flag}
- {id: injection-strict, find: injection, rate: 0.001, action: pass}
- {id: personal, find: personal, action: flag}
- {id: secrets, find: secrets, action: flag}
"""
SHARES: Final = {"filesystem": 0.72, "everything": 0.25, "git": 0.02, "fetch": 0.01}
FILESYSTEMS: Final = 4


def main() -> None:
    parser = ArgumentParser(description=bench.clean_traffic.__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("cache", type=Path)
    parser.add_argument("--calls", type=int, default=100_000)
    parser.add_argument("--texts", type=Path, nargs="*", default=[], metavar="FOLDER")
    parser.add_argument("--scanners", metavar="PYTHON")
    parser.add_argument("--seen", type=Path, metavar="FILE")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    found = texts(given.cache, given.texts)
    counts = Counts(dict.fromkeys(SHARES, 0))
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        servers = list(_servers(given.cache, Path(folder), found, given.calls, stack))
        workers = stack.enter_context(ProcessPoolExecutor(len(servers)))
        homes = [Path(folder, f"home {number}") for number in range(len(servers))]
        observed = workers.map(_observed, [server for server, _ in servers], homes)
        for (server, its_texts), (failed, findings) in zip(servers, observed, strict=True):
            counts.failed += [(server.name, its_texts[number].source) for number in failed]
            counted(counts, server.name, its_texts, findings)
            print(f"{server.name}: {len(its_texts)} calls, {len(failed)} failed", file=sys.stderr, flush=True)
    if given.scanners:
        with Worker(given.scanners) as worker:
            counts.glassport = [each for each in counts.asked.values() if worker.ask("glassport", each.text).default]
    if given.seen:
        given.seen.write_text("".join(json.dumps(line) + "\n" for line in located(counts)))
    text = section(counts)
    print(text)
    if given.write:
        write(text)


def _servers(
    cache: Path, folder: Path, found: Sequence[Text], calls: int, stack: ExitStack
) -> Iterator[tuple[Server, Sequence[Text]]]:
    """Yields each server with the texts that its calls return. server-filesystem, in several processes, gets every
    text; the others get a part."""
    packages = install(cache)
    wanted = {server: _stretched(found, round(calls * share)) for server, share in SHARES.items()}
    for number in range(FILESYSTEMS):
        part = wanted["filesystem"][number::FILESYSTEMS]
        yield filesystem(packages, folder / f"part {number}", part), part
    yield everything(packages, wanted["everything"]), wanted["everything"]
    yield git(packages, folder, wanted["git"]), wanted["git"]
    yield stack.enter_context(fetch(fetch_python(cache), wanted["fetch"])), wanted["fetch"]


def _stretched(found: Sequence[Text], calls: int) -> list[Text]:
    """Returns as many texts as calls: an even part if there are more texts; if fewer, all, then the shortest again."""
    if calls < len(found):
        return [found[place * len(found) // calls] for place in range(calls)]
    shortest = sorted(found, key=lambda text: len(text.text))
    return [*found, *(shortest[place % len(found)] for place in range(calls - len(found)))]


def _observed(server: Server, home: Path) -> tuple[list[int], list[list[Finding]]]:
    """Makes the calls through the wrapper. Returns the numbers of those that failed, and from the lake the findings of
    each."""
    home.mkdir()
    policy, lake = home / "policy.yaml", home / "lake"
    policy.write_text(POLICY)
    wrapper = [sys.executable, "-m", "mcpobs", "instrument", "--lake", str(lake), "--name", server.name]
    command = [*wrapper, "--policy", str(policy), "--", *server.command]
    failed = [
        number
        for number, answer in answers(command, server.calls, home, server.path)
        if "error" in answer or answer["result"].get("isError")
    ]
    return failed, _findings(lake, len(server.calls))


def _findings(lake: Path, calls: int) -> list[list[Finding]]:
    with open_reading(lake) as reading:
        asked = reading.connection.execute("select request_id, findings from spans where method = 'tools/call'")
        rows = asked.fetchall()
    findings: list[list[Finding]] = [[] for _ in range(calls)]
    for request_id, listed in rows:
        findings[int(request_id)] = json.loads(listed) if listed else []
    assert len(rows) == calls, f"{len(rows)} rows for {calls} calls"
    return findings


if __name__ == "__main__":
    main()
