"""The whole page: what it holds, and its HTML. It opens from disk, and its own policy forbids it to load anything."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from mcpobs.output.page.charts import drawn, over_time
from mcpobs.output.page.grid import grid
from mcpobs.output.page.links import Links
from mcpobs.output.page.markup import element, opening, safe
from mcpobs.output.page.script import SCRIPT
from mcpobs.output.page.style import STYLE
from mcpobs.output.page.timelines import add_links, kept
from mcpobs.output.page.timelines import drawn as timelines_drawn
from mcpobs.queries.run import Result
from mcpobs.reports.activity import Activity
from mcpobs.reports.chart import Chart
from mcpobs.reports.session import Timeline


def _hashed(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


POLICY = (
    f"default-src 'none'; script-src {_hashed(SCRIPT)}; style-src {_hashed(STYLE)}; base-uri 'none'; form-action 'none'"
)
"""Forbids to load anything, and every script and style but ours."""


@dataclass(frozen=True, slots=True)
class Section:
    """One report. `short` is its question as the list of answers asks it; `more` is the command that shows all rows;
    `answers` are the columns that come first."""

    name: str
    short: str
    question: str
    answer: str | None
    result: Result
    chart: Chart | None
    more: str
    answers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """`facts` stand below the title: window and filters. `made` stands at the foot: the version and the time."""

    title: str
    answer: str | None
    facts: tuple[str, ...]
    sections: tuple[Section, ...]
    made: str
    activity: Activity | None = None
    warnings: Sequence[str] = ()
    timelines: Sequence[Timeline] = ()


def render(page: Page, limit: int | None) -> str:
    """The file, with at most `limit` rows of each table."""
    alone = len(page.sections) == 1
    title = element("title", safe(f"mcpobs: {page.title}"))
    head = element(
        "head",
        opening("meta", charset="utf-8")
        + opening("meta", http_equiv="Content-Security-Policy", content=POLICY)
        + opening("meta", name="viewport", content="width=device-width, initial-scale=1")
        + opening("meta", name="referrer", content="no-referrer")
        + title
        + element("style", STYLE),
    )
    body = _header(page)
    if not alone:
        body += _answers(page.sections)
    if page.activity is not None:
        body += over_time(page.activity)
    timelines = kept(page.timelines)
    links = _links(page, limit, timelines)
    body += "".join(_section(section, limit, alone, links) for section in page.sections)
    body += timelines_drawn(timelines, links)
    body += element("footer", element("p", safe(page.made))) + element("script", SCRIPT)
    return f"<!doctype html>\n{element('html', head + element('body', body), lang='en')}\n"


def _links(page: Page, limit: int | None, timelines: Sequence[Timeline]) -> Links:
    """The places of the page's names; a session's is its timeline, else its row among the sessions."""
    links = Links()
    add_links(links, timelines)
    for section in sorted(page.sections, key=lambda section: section.name != "sessions"):
        links.add_rows(section.name, section.result.columns, section.result.rows[:limit])
    return links


def _header(page: Page) -> str:
    parts = element("h1", safe(page.title))
    if page.answer:
        parts += element("p", safe(page.answer), class_="answer")
    parts += "".join(element("p", safe(fact), class_="soft") for fact in page.facts)
    parts += "".join(element("p", safe(f"warning: {warning}"), role="alert") for warning in page.warnings)
    return element("header", parts)


def _answers(sections: Sequence[Section]) -> str:
    return element(
        "dl",
        "".join(
            element("dt", element("a", safe(section.short), href=f"#{section.name}"))
            + element("dd", safe(section.answer or ""))
            for section in sections
        ),
    )


def _section(section: Section, limit: int | None, alone: bool, links: Links) -> str:
    rows = section.result.rows[:limit]
    parts = "" if alone else element("h2", safe(section.question)) + element("p", safe(section.answer or ""))
    if section.chart is not None:
        parts += drawn(section.chart, section.result.columns, section.result.rows)
    if rows:
        parts += grid(section.result.columns, rows, section.name, section.answers, links)
    elif alone:
        parts += element("p", "No matching calls.")
    if len(rows) < section.result.total:
        shown = f"{len(rows):,} of {section.result.total:,} rows; more: "
        parts += element("p", safe(shown) + element("code", safe(section.more)), class_="soft")
    return element("section", parts, id=section.name)
