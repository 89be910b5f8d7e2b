"""The real servers and clients, installed once, and the table of figures at the end of the run."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.interop.packages import Packages, install

CACHE_VARIABLE = "MCPOBS_INTEROP_CACHE"
PROPERTY = "interop figures"
CONFORMANCE = "conformance figures"
_HEADINGS = {
    "processes": "processes", "sessions": "sessions", "messages": "messages", "calls": "tool calls",
    "matched": "matched", "lost": "lost", "doubled": "doubled", "wrong_order": "order", "wrong_session": "session",
    "wrong_status": "status", "wrong_facts": "facts", "longer": "longer",
}  # fmt: skip


@pytest.fixture(scope="session")
def packages(request: pytest.FixtureRequest, worker_id: str) -> Packages:
    """Installed in MCPOBS_INTEROP_CACHE, else in pytest's cache. With xdist each worker has its own."""
    chosen = os.environ.get(CACHE_VARIABLE)
    cache = Path(chosen) if chosen else Path(request.config.cache.mkdir("interop"))
    return install(cache if worker_id == "master" else cache / worker_id)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    found: dict[str, dict[str, Any]] = {PROPERTY: {}, CONFORMANCE: {}}
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, value in getattr(report, "user_properties", ()):
                if name in found:
                    entry = json.loads(value)
                    found[name][entry["what"]] = entry
    if found[PROPERTY]:
        _tell_ledgers(terminalreporter, {what: entry["figures"] for what, entry in found[PROPERTY].items()})
    if found[CONFORMANCE]:
        _tell_conformance(terminalreporter, found[CONFORMANCE])


def _tell_conformance(terminalreporter: pytest.TerminalReporter, found: dict[str, dict[str, Any]]) -> None:
    terminalreporter.section("the conformance suite through the HTTP front, against directly")
    for what, entry in sorted(found.items()):
        figures = ", ".join(f"{count} {name}" for name, count in entry["figures"].items())
        terminalreporter.write_line(f"{what}: {figures} {' '.join(entry['flaky'])}".rstrip())


def _tell_ledgers(terminalreporter: pytest.TerminalReporter, found: dict[str, dict[str, int]]) -> None:
    width = max(map(len, found))
    terminalreporter.section("the lake against the clients' ledgers")
    terminalreporter.write_line("  ".join([" " * width, *_HEADINGS.values()]))
    for what, figures in [*sorted(found.items()), ("all", _sum(found.values()))]:
        cells = [f"{figures[key]:>{len(heading)}}" for key, heading in _HEADINGS.items()]
        terminalreporter.write_line("  ".join([what.ljust(width), *cells]))


def _sum(found) -> dict[str, int]:
    return {key: sum(figures[key] for figures in found) for key in _HEADINGS}
