"""Counts findings by server, kind of text and kind of finding, and locates each injection for a person to look at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from bench.clean_traffic.texts import Text
from mcpobs.detect.injection import scan

Finding = dict[str, Any]
CLASSES: Final = Path(__file__).with_name("classes.tsv")
AROUND: Final = 120


@dataclass
class Counts:
    """`hits` has texts by entry of the policy, `calls` by server; `asked` has every distinct text."""

    calls: dict[str, int]
    failed: list[tuple[str, str]] = field(default_factory=list)
    found: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Calls with a finding, by server and find: of injections at 1 %."""
    hits: dict[str, dict[str, Text]] = field(default_factory=dict)
    rules: dict[str, set[str]] = field(default_factory=dict)
    asked: dict[str, Text] = field(default_factory=dict)
    glassport: list[Text] = field(default_factory=list)


def counted(counts: Counts, server: str, its_texts: Sequence[Text], findings: Sequence[Sequence[Finding]]) -> None:
    counts.calls[server] += len(its_texts)
    for text, listed in zip(its_texts, findings, strict=True):
        counts.asked.setdefault(text.digest, text)
        counts.found.update({(server, find) for find in {_kind(one) for one in listed if "find" in one}})
        for one in listed:
            if "find" in one:
                counts.hits.setdefault(_kind(one), {})[text.digest] = text
                if one["find"] == "injection":
                    counts.rules.setdefault(text.digest, set()).add(f"{one['rule']}")


def _kind(finding: Mapping[str, Any]) -> str:
    return str(finding["id"]) if finding["find"] == "injection" else str(finding["find"])


def located(counts: Counts) -> Iterator[dict[str, Any]]:
    """Yields each text with an injection: its rules, each with the words around its first place."""
    for digest, text in counts.hits.get("injection", {}).items():
        places: dict[str, str] = {}
        for hit in scan([text.text]).hits:
            around = text.text[max(0, hit.start - AROUND) : hit.end + AROUND]
            places.setdefault(hit.rule, f"{around[: 3 * AROUND]!r}")
        low = digest in counts.hits.get("injection-strict", {})
        rules = sorted(counts.rules[digest])
        yield {"digest": digest, "kind": text.kind, "source": text.source, "low": low, "rules": rules, "places": places}


def classes() -> dict[str, str]:
    """Returns what a person made of each text: by digest, `attack text`, `about attacks`, or `false alarm`."""
    if not CLASSES.exists():
        return {}
    rows = (line.split("\t") for line in CLASSES.read_text().splitlines() if line and not line.startswith("#"))
    return {digest: judged for digest, judged, *_ in rows}
