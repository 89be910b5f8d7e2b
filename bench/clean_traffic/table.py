"""The section of bench/RESULTS.md."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import bench
from bench.clean_traffic.counting import Counts, classes

RESULTS: Final = Path(bench.__path__[0]) / "RESULTS.md"
TITLE: Final = "Clean traffic"


def section(counts: Counts) -> str:
    return "\n".join(_lines(counts))


def _lines(counts: Counts) -> Iterator[str]:
    calls, texts = sum(counts.calls.values()), len(counts.asked)
    judged = classes()
    found = counts.hits.get("injection", {})
    alarms = [text for digest, text in found.items() if "false" in judged.get(digest, "")]
    of_kinds = ", ".join(f"{kind} {number}" for kind, number in Counter(text.kind for text in alarms).most_common())
    share = f"{100 * len(alarms) / texts:.2f} %"
    yield f"Of {texts:,} distinct texts that nobody sent as an attack, {len(alarms)} ({share}) are false alarms at the"
    yield f"rate of 1 %: {of_kinds}."
    yield ""
    yield f"`python -m bench.clean_traffic`: {calls:,} calls through `mcpobs instrument` to real servers, of which"
    yield f"{len(counts.failed)} failed in the server. The policy flags injections, personal data and secrets. The"
    yield "texts are documents, docstrings and sources of the packages that are installed for tests, of Python, Node,"
    yield "git and Debian, and of tools that attack or guard models (garak, PyRIT, NeMo Guardrails, LLM Guard, Rebuff,"
    yield "AgentDojo). server-filesystem returns each text twice, as content and as structured content."
    yield ""
    kinds = sorted({kind for _, kind in counts.found})
    yield "Calls with a finding, by kind (every commit of git has its author's address):"
    yield ""
    yield "| server | calls | " + " | ".join(kinds) + " |"
    yield "|---" * (2 + len(kinds)) + "|"
    for server, made in counts.calls.items():
        yield f"| {server} | {made:,} | " + " | ".join(f"{counts.found[server, kind]:,}" for kind in kinds) + " |"
    yield ""
    yield "Distinct texts in which an injection is found:"
    yield ""
    yield "| texts | distinct | at 1 % | % | at 0.1 % | % | glassport | % |"
    yield "|---|---|---|---|---|---|---|---|"
    asked = Counter(text.kind for text in counts.asked.values())
    at_1, at_01 = (Counter(t.kind for t in counts.hits.get(i, {}).values()) for i in ("injection", "injection-strict"))
    glassport = Counter(text.kind for text in counts.glassport)
    for kind, number in asked.items():
        yield f"| {kind} | {number:,} | {_shares(number, at_1[kind], at_01[kind], glassport[kind])} |"
    yield f"| all | {texts:,} | {_shares(texts, at_1.total(), at_01.total(), glassport.total())} |"
    yield ""
    yield "Those at 1 %, as a person judged them (`bench/clean_traffic/classes.tsv`):"
    yield ""
    yield "| judged as | texts | also at 0.1 % | also glassport |"
    yield "|---|---|---|---|"
    other = {text.digest for text in counts.glassport}
    by_class: dict[str, list[str]] = {}
    for digest in found:
        by_class.setdefault(judged.get(digest, "not looked at"), []).append(digest)
    for name, digests in sorted(by_class.items()):
        low = sum(digest in counts.hits.get("injection-strict", {}) for digest in digests)
        yield f"| {name} | {len(digests)} | {low} | {len(other.intersection(digests))} |"


def _shares(of: int, *numbers: int) -> str:
    return " | ".join(f"{number:,} | {100 * number / of:.2f}" for number in numbers)


def write(text: str) -> None:
    """Replaces the section of the results, or adds it at their end."""
    head, _, rest = RESULTS.read_text().partition(f"\n## {TITLE}\n")
    _, heading, after = rest.partition("\n## ")
    RESULTS.write_text(f"{head.rstrip()}\n\n## {TITLE}\n\n{text.strip()}\n{heading}{after}")
