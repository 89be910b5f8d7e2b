"""What `report shapes` finds of strange texts in the arguments of recorded agent runs, and what it finds without any.

    python -m bench.shapes FOLDER [--rate 0.01] [--half 1]

FOLDER holds JSONL files, gzipped: `agent_traces_dev` (a tool call a line: source, session_id, tool, arguments),
`injection_dev` (text, label 1 = carries an injected instruction, tier) and `pii_dev` (text, spans). The calls are taken
as the front takes them, spooled, committed, and read as the report reads them. A tool declares the arguments that its
calls have.

Strange is a call in which one text argument, chosen by chance, was replaced by such a text or got it appended, half and
half: --rate of all calls. A call counts as found where it lies in a finding of the report. What of the other calls is
found stands against the precision; `found, honest` is that of the runs as they are, with nothing planted.

Sessions and texts fall into two halves by their hash: the allowances in queries/shapes.sql were tuned on half 0.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import os
import random
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.spans import fill_spool
from mcpobs.lake.reader import open_reading
from mcpobs.lake.writer import commit
from mcpobs.protocol.declared import declared_by_schema
from mcpobs.protocol.facts import Facts
from mcpobs.queries import catalog
from mcpobs.queries.run import plan_of
from mcpobs.queries.run import run as run_query

Call = dict[str, Any]
_START = 1_790_000_000_000_000_000
_SECOND = 1_000_000_000
_ENOUGH = 100  # calls from which on a tool has usual arguments to speak of


def read(path: Path) -> Iterator[Call]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def _half(key: object) -> int:
    return hashlib.sha256(str(key).encode()).digest()[0] & 1


def planted(calls: list[Call], texts: list[tuple[str, str]], rate: float, chance: random.Random) -> list[Call]:
    """The calls with texts in some of them; `planted` says of which tier, and how."""
    calls = [dict(call) for call in calls]
    able = [call for call in calls if any(isinstance(value, str) for value in (call["arguments"] or {}).values())]
    for call in chance.sample(able, round(rate * len(calls))):
        name = chance.choice([name for name, value in call["arguments"].items() if isinstance(value, str)])
        (tier, text), how = chance.choice(texts), chance.choice(["replaced", "appended"])
        value = text if how == "replaced" else f"{call['arguments'][name]} {text}"
        call["arguments"] = {**call["arguments"], name: value}
        call["planted"] = tier, how
    return calls


def rows(calls: list[Call]) -> Iterator[dict[str, object]]:
    """The calls as rows of the lake; a call's place in its session is its trace."""
    names: dict[tuple[str, str], set[str]] = defaultdict(set)
    for call in calls:
        names[call["source"], call["tool"]] |= set(call["arguments"] or {})
    schemas = {tool: declared_by_schema({"properties": {name: {} for name in of}}) for tool, of in names.items()}
    facts = Facts(b"bench" * 7)
    for place, call in enumerate(calls):
        taken, features = facts.arguments(call["arguments"], schemas[call["source"], call["tool"]])
        yield {
            "trace_id": f"{place + 1:032x}",
            "span_id": f"{place + 1:016x}",
            "name": f"tools/call {call['tool']}",
            "kind": "server",
            "scope_name": "mcpobs",
            "service_name": call["source"],
            "sequence": place,
            "start_unix_nano": _START + place * _SECOND,
            "duration_ns": 10_000_000,
            "method": "tools/call",
            "tool": call["tool"],
            "request_id": str(place),
            "session_id": f"{call['source']}/{call['session_id']}",
            "session_source": "stdio_process",
            "session_confidence": "high",
            "outcome": "ok",
            "args_digest": taken.digest,
            "args_shape": taken.shape,
            "args_bytes": taken.size_bytes,
            "args_features": features,
        }


def found(calls: list[Call]) -> tuple[set[int], int]:
    """The places of the calls that lie in a finding, and how many findings there are.

    The report counts its odd calls and does not list them: its last select is left off, and another one asks which
    kinds of call it found.
    """
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MCPOBS_CONFIG"] = folder
        lake = Path(folder) / "lake"
        fill_spool(lake, rows(calls))
        commit(lake)
        query = catalog.load("shapes")
        with open_reading(lake) as reading:
            reported = [row for row in run_query(plan_of(reading), query, {}).records() if row["odd"]]
            which = replace(query, sql=query.sql[: query.sql.rindex("\nselect\n")] + _WHICH)
            kinds = set(run_query(plan_of(reading), which, {}).rows)
    places = {place for place, row in enumerate(rows(calls)) if _kind(row) in kinds}
    return places, len(reported)


_WHICH = """
select tools.service_name, tools.tool, odd_groups.shape_key, odd_groups.parts
from odd_groups
inner join tools on tools.tool_id = odd_groups.tool_id
where $session is null
"""


def _kind(row: dict[str, object]) -> tuple[object, ...]:
    """As the query puts it together."""
    shape, values = str(row["args_shape"]), json.loads(str(row["args_features"])).get("values", {})
    parts = [f'"":"s--{"#" if "#" in shape else ""}"', *(f'"{name}":"{word}"' for name, word in values.items())]
    return row["service_name"], row["tool"], shape, ",".join(parts)


def run(folder: Path, rate: float, half: int, rounds: int) -> str:
    calls = [call for call in read(folder / "agent_traces_dev.jsonl.gz") if _half(call["session_id"]) == half]
    injected = [
        (str(text["tier"]), str(text["text"]))
        for text in read(folder / "injection_dev.jsonl.gz")
        if text["label"] and _half(text["id"]) == half
    ]
    personal = [
        ("personal", str(text["text"]))
        for text in read(folder / "pii_dev.jsonl.gz")
        if text["spans"] and _half(text["id"]) == half
    ]
    sizes = Counter((call["source"], call["tool"]) for call in calls)
    honest, findings = found(calls)
    sources: dict[str, Counter[str]] = defaultdict(Counter)
    tiers: dict[str, Counter[str]] = defaultdict(Counter)
    for place, call in enumerate(calls):
        sources[call["source"]]["calls"] += 1
        sources[call["source"]]["honest"] += place in honest
    for name, texts in (("injected", injected), ("personal", personal)):
        for round_ in range(rounds):
            strange = planted(calls, texts, rate, random.Random(round_))
            places, _ = found(strange)
            for place, call in enumerate(strange):
                source, odd = sources[call["source"]], place in places
                if "planted" in call:
                    of_enough = "100 calls or more" if sizes[call["source"], call["tool"]] >= _ENOUGH else "fewer calls"
                    for key in (call["planted"][0], f"{name}, {call['planted'][1]}", f"{name}, tools of {of_enough}"):
                        tiers[key].update(planted=1, found=odd)
                    source.update({f"{name} planted": 1, f"{name} found": odd})
                elif odd:
                    source[f"{name} other"] += 1
    return _tables(sources, tiers, findings, len(calls))


def _tables(sources: dict[str, Counter[str]], tiers: dict[str, Counter[str]], findings: int, calls: int) -> str:
    sources = {**dict(sorted(sources.items())), "all": sum(sources.values(), Counter())}
    head = "source | calls | found, honest | a thousand | injected: recall | precision | personal: recall | precision"
    lines = [f"{findings} findings in {calls:,} honest calls.", "", f"| {head} |", "|---" * 8 + "|"]
    for source, count in sources.items():
        shown = [source, f"{count['calls']:,}", count["honest"], f"{1000 * count['honest'] / count['calls']:.2f}"]
        for name in ("injected", "personal"):
            right, other = count[f"{name} found"], count[f"{name} other"]
            shown += [_ratio(right, count[f"{name} planted"]), _ratio(right, right + other)]
        lines.append("| " + " | ".join(map(str, shown)) + " |")
    lines += ["", "| planted | calls | recall |", "|---" * 3 + "|"]
    for tier, count in sorted(tiers.items()):
        lines.append(f"| {tier} | {count['planted']} | {_ratio(count['found'], count['planted'])} |")
    return "\n".join(lines)


def _ratio(part: int, whole: int) -> str:
    return f"{part / whole:.2f}" if whole else "-"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rate", type=float, default=0.01)
    parser.add_argument("--half", type=int, choices=[0, 1], default=1)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    print(run(given.folder, given.rate, given.half, given.rounds))
