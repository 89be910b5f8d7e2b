"""Runs the traffic, counts what the lake has, and writes the section of bench/RESULTS.md."""

from __future__ import annotations

import json
import sys
import tempfile
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Iterator, Sequence
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
SHARES: Final = {"filesystem": 0.7, "everything": 0.2, "git": 0.07, "fetch": 0.03}


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
    with tempfile.TemporaryDirectory() as folder:
        for server, its_texts in _servers(given.cache, Path(folder), found, given.calls):
            findings = _observed(server, its_texts, Path(folder), counts)
            counted(counts, server.name, its_texts, findings)
            print(f"{server.name}: {len(its_texts)} calls", file=sys.stderr, flush=True)
    if given.scanners:
        with Worker(given.scanners) as worker:
            counts.glassport = [each for each in counts.asked.values() if worker.ask("glassport", each.text).default]
    if given.seen:
        given.seen.write_text("".join(json.dumps(line) + "\n" for line in located(counts)))
    text = section(counts)
    print(text)
    if given.write:
        write(text)


def _servers(cache: Path, folder: Path, found: Sequence[Text], calls: int) -> Iterator[tuple[Server, Sequence[Text]]]:
    """Yields each server with the texts that its calls return. server-filesystem gets every text, the others a part."""
    packages = install(cache)
    wanted = {
        server: _stretched(found, round(calls * share), number) for number, (server, share) in enumerate(SHARES.items())
    }
    yield filesystem(packages, folder, wanted["filesystem"]), wanted["filesystem"]
    yield everything(packages, wanted["everything"]), wanted["everything"]
    yield git(packages, folder, wanted["git"]), wanted["git"]
    with fetch(fetch_python(cache), wanted["fetch"]) as server:
        yield server, wanted["fetch"]


def _stretched(found: Sequence[Text], calls: int, number: int) -> list[Text]:
    """Returns as many texts as calls: all of them again if they are too few, an even part if they are too many."""
    if calls >= len(found):
        return [found[place % len(found)] for place in range(calls)]
    return [found[(place * len(found) + number) // calls] for place in range(calls)]


def _observed(server: Server, its_texts: Sequence[Text], folder: Path, counts: Counts) -> list[list[Finding]]:
    """Makes the calls and returns the findings of each, from the lake."""
    home = folder / server.name
    home.mkdir()
    policy, lake = home / "policy.yaml", home / "lake"
    policy.write_text(POLICY)
    wrapper = [sys.executable, "-m", "mcpobs", "instrument", "--lake", str(lake), "--name", server.name]
    for number, answer in answers([*wrapper, "--policy", str(policy), "--", *server.command], server.calls, home):
        if "error" in answer or answer["result"].get("isError"):
            counts.failed.append((server.name, its_texts[number].source))
    with open_reading(lake) as reading:
        rows = reading.connection.execute(
            "select request_id, findings from spans where method = 'tools/call'"
        ).fetchall()
    findings: list[list[Finding]] = [[] for _ in server.calls]
    for request_id, listed in rows:
        findings[int(request_id)] = json.loads(listed) if listed else []
    assert len(rows) == len(server.calls), f"{len(rows)} rows for {len(server.calls)} calls"
    return findings


if __name__ == "__main__":
    main()
