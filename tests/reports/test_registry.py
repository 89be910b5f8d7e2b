"""A report is a .sql file, a class of its own, or both; nothing else knows reports by their names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mcpobs.errors import UsageError
from mcpobs.queries import catalog
from mcpobs.reports import kinds
from mcpobs.reports.report import Report, find, listed

PACKAGE = Path(kinds.__file__).parents[2]


def test_every_class_of_a_report_is_found_by_the_reports_name() -> None:
    modules = {path.stem for path in Path(kinds.__file__).parent.glob("*.py")} - {"__init__"}
    assert modules == set(kinds.KINDS)
    for name in kinds.KINDS:
        report = find(name)
        assert (type(report).__name__, report.name) == (kinds.KINDS[name], name)


def test_a_report_without_a_class_is_asked_as_it_stands() -> None:
    plain = [query.name for query in catalog.reports() if query.name not in kinds.KINDS]
    assert all(type(find(name)) is Report for name in plain)


def test_reports_are_listed_by_the_places_of_their_topics() -> None:
    names = [report.name for report in listed()]
    assert sorted(names) == sorted(query.name for query in catalog.reports())
    places = [topic.place for report in listed() if (topic := report.query.topic) is not None]
    assert places == sorted(set(places))


def test_the_readme_and_the_help_list_every_report() -> None:
    for page, pattern in (
        ("README.md", r"^mcpobs report (\w+) +#"),
        ("mcpobs/cli/options/report.py", r"^      (\w+) +\w.*\?$"),
    ):
        found = re.findall(pattern, (PACKAGE.parent / page).read_text(), re.MULTILINE)
        assert sorted({*found} - {"all"}) == sorted(query.name for query in catalog.reports()), page


def test_no_code_asks_which_report_it_has() -> None:
    asks = re.compile(r"(query|report|view|answer|found)\.(name|report) (==|!=|in) [\"'A-Z]")
    places = [
        f"{path.relative_to(PACKAGE)}:{number}"
        for folder in ("cli", "output", "serve", "baseline", "reports")
        for path in (PACKAGE / folder).rglob("*.py")
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if asks.search(line)
    ]
    assert places == []


def test_an_unknown_report_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="no report is called 'latencies'"):
        find("latencies")
