"""The HTML page: whatever peers named their tools and sessions, it stays text, and nothing is loaded."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcpobs.output import units
from mcpobs.output.page.document import POLICY, Page, Section, render
from mcpobs.output.page.markup import MOST, element
from mcpobs.output.page.script import SCRIPT
from mcpobs.output.page.style import STYLE
from mcpobs.output.page.timelines import MOST_BYTES
from mcpobs.output.text import printable
from mcpobs.queries.header import Column
from mcpobs.queries.run import Result
from mcpobs.reports.activity import Activity
from mcpobs.reports.chart import Chart
from mcpobs.reports.session import Timeline, TimelineCall

COLUMNS = (
    Column("tool", "varchar", "the tool's <name>"),
    Column("session_id", "varchar", "the session"),
    Column("calls", "bigint", "calls"),
    Column("p50_ms", "double"),
    Column("p95_ms", "double"),
    Column("p99_ms", "double"),
)
BAR = Chart("bar", "tool", ("calls",))
RANGE = Chart("range", "tool", ("p50_ms", "p95_ms", "p99_ms"))
VOID = {"meta"}
OURS = {"script": SCRIPT, "style": STYLE}
KNOWN = {
    *("html", "head", "meta", "title", "style", "body", "header", "footer", "section", "h1", "h2", "p", "dl", "dt"),
    *("dd", "a", "figure", "figcaption", "div", "span", "svg", "g", "rect", "line", "circle", "text", "code"),
    *("table", "thead", "tbody", "tr", "th", "td", "button", "script", "details", "summary"),
}
KNOWN_ATTRIBUTES = {
    *("lang", "charset", "http-equiv", "content", "name", "id", "class", "href", "title", "scope", "role", "tabindex"),
    *("aria-label", "aria-hidden", "x", "y", "width", "height", "rx", "x1", "x2", "y1", "y2", "cx", "cy", "r"),
    *("text-anchor", "type", "aria-describedby", "data-n"),
}


class _Read(HTMLParser):
    """What a parser makes of the page; it complains of a tag that is not closed where it should be."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.texts: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        assert len({name for name, _ in attrs}) == len(attrs)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append((self.open[-1] if self.open else "", data))

    def handle_comment(self, data: str) -> None:
        raise AssertionError("a comment")

    def handle_pi(self, data: str) -> None:
        raise AssertionError("a processing instruction")


def _read(page: str) -> _Read:
    reader = _Read()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    return reader


def _call(place: int, text: str, **columns: object) -> TimelineCall:
    row: dict[str, object] = {
        "nth_call": place,
        "start_unix_nano": 10**9 * place,
        **dict.fromkeys(("service_name", "tool", "outcome", "error_type", "error_message", "args_shape"), text),
        **dict.fromkeys(("trace_id", "span_id", "findings", "decision_code", "status_code"), text),
        "duration_ms": 5.0,
        "same_as_call": None,
        "cost_microusd": 7,
        "failed": True,
        "unanswered": False,
    }
    return TimelineCall(row | columns, 1000.0 * place, place % 3, None)


def _timeline(text: str, calls: int = 6, **columns: object) -> Timeline:
    names = ("session_id", "session_source", "session_confidence", "service_name", "client_name", "client_version")
    numbers = {"services": 1, "start_unix_nano": 0, "duration_ms": 9e3, "cost_microusd": 3, "failed": 2}
    head = dict.fromkeys(names, text) | numbers | {"tool_calls": calls}
    return Timeline(head, tuple(_call(place, text, **columns) for place in range(1, calls + 1)), calls)


def _page(texts: list[str], *, chart: Chart = BAR, sections: int = 2, numbers: tuple[float, ...] = (1, 2, 3)) -> Page:
    rows = [(text, text, n + 1, *numbers) for n, text in enumerate(texts)]
    said = texts[0] if texts else ""
    made = tuple(
        Section(f"r{n}", said, said, said, Result(COLUMNS, rows, len(rows) + 1), chart, said) for n in range(sections)
    )
    return Page(
        said, said, (said,), made, said, Activity(0, 10**9, (1, 0, 3), (1, 0, 0)), [said], [*map(_timeline, texts)]
    )


HOSTILE = st.one_of(
    st.text(st.characters(exclude_categories=[]), max_size=60),
    st.sampled_from([
        "</style></title><script>alert(1)</script>", '"><img src=http://evil/x onerror=alert(1)>', "' onload='x",
        "<!-- ", "-->", "]]>", "<svg/onload=alert(1)>", "url(http://evil)", "javascript:alert(1)", "&lt;b&gt;",
        "&#x3c;", "\x00<", "\u202e<b>", "\ud800", "<a href=//evil>",
    ]),
)  # fmt: skip


@given(st.lists(HOSTILE, min_size=1, max_size=4), st.sampled_from([BAR, RANGE]), st.integers(1, 2))
def test_whatever_peers_say_stays_text_and_nothing_is_loaded(texts: list[str], chart: Chart, sections: int) -> None:
    page = render(_page(texts, chart=chart, sections=sections), None)
    page.encode()
    found = _read(page)
    assert found.tags <= KNOWN
    assert {name for name, _ in found.attributes} <= KNOWN_ATTRIBUTES
    _leads_only_to_itself(found)
    assert next(value for name, value in found.attributes if name == "content") == POLICY
    assert [text for tag, text in found.texts if tag in ("style", "script")] == [STYLE, SCRIPT]
    cells = [text for tag, text in found.texts if tag in ("td", "a")]
    shown = [units.shown("tool", text) for text in texts]
    assert set(shown) <= set(cells)
    assert all(text == printable(text) for tag, text in found.texts if tag not in ("style", "script", ""))


def _leads_only_to_itself(found: _Read) -> None:
    """Every link and every description leads to an id of the page; no id holds a name, and none is there twice."""
    ids = [value for name, value in found.attributes if name == "id"]
    led = [value.removeprefix("#") for name, value in found.attributes if name in ("href", "aria-describedby")]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-z0-9-]+", value) for value in ids)
    assert set(led) <= set(ids)


def test_the_page_refers_to_nothing_outside() -> None:
    page = render(_page(["a", "b"]), None)
    assert not re.search(r"https?:|src=|url\(|@import|<link|//", page)


def test_the_policy_allows_the_script_and_the_style_of_the_page_and_no_other() -> None:
    allowed = re.findall(r"(script|style)-src ([^;]+)", POLICY)
    hashes = {name: base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for name, text in OURS.items()}
    assert dict(allowed) == {name: f"'sha256-{hashed}'" for name, hashed in hashes.items()}
    assert "unsafe" not in POLICY
    assert not re.search(r"innerHTML|insertAdjacent|document\.write|eval|fetch|</", SCRIPT)


def test_the_columns_that_answer_the_question_come_first() -> None:
    rows = [("a", "s", 1, 1.0, 2.0, 3.0)]
    section = Section("r", "", "", None, Result(COLUMNS, rows, 1), None, "", ("calls", "session_id"))
    found = _read(render(Page("", None, (), (section,), ""), None))
    headings = [text for tag, text in found.texts if tag == "button"]
    assert headings == ["calls", "session_id", "tool", "p50 ms", "p95 ms", "p99 ms"]


def test_the_first_column_is_not_the_server_that_many_rows_share() -> None:
    columns = tuple(Column(name, "varchar") for name in ("service_name", "tool", "calls"))
    rows = [("files", "a", "1"), ("mail", "a", "1")]
    section = Section("r", "", "", None, Result(columns, rows, 2), None, "", ("service_name", "tool"))
    found = _read(render(Page("", None, (), (section,), ""), None))
    assert [text for tag, text in found.texts if tag == "button"] == ["tool", "service_name", "calls"]
    assert [text for tag, text in found.texts if tag == "td"] == ["a", "files", "1", "a", "mail", "1"]


NAMED = tuple(Column(name, "varchar") for name in ("service_name", "tool", "session_id", "last_trace_id"))
TRACED = tuple(Column(name, "varchar") for name in ("trace_id", "odd_session_id", "tool", "service_name"))


@pytest.mark.parametrize(
    ("row", "leads"),
    [
        (("t1", "s1", "search", "files"), ["#latency-0", "#latency-0"]),
        (("t1", "s2", "search", "mail"), ["#latency-1", "#latency-1"]),
        (("t1", "s3", "search", "other"), ["#latency-0"]),
        (("t1", "s3", "none", "files"), []),
        (("t1", None, None, None), []),
    ],
)
def test_a_name_leads_to_its_row_of_another_report(row: tuple[str | None, ...], leads: list[str]) -> None:
    first = [("files", "search", "s1", "t1"), ("mail", "search", "s2", "t9")]
    made = (
        Section("latency", "", "", None, Result(NAMED, first, 2), None, ""),
        Section("failures", "", "", None, Result(TRACED, [row], 1), None, ""),
    )
    found = _read(render(Page("", None, (), made, ""), None))
    links = [value for name, value in found.attributes if name == "href" and value.startswith("#latency-")]
    assert links == leads
    assert ("href", "#failures-0") in found.attributes  # the trace of the first row
    assert ("id", "failures-0") in found.attributes


def test_a_failure_is_red_and_an_absent_value_is_dim() -> None:
    columns = tuple(Column(name, "varchar") for name in ("outcome", "failed", "why"))
    rows = [("tool_error", "0", None), ("ok", "3", "x")]
    section = Section("r", "", "", None, Result(columns, rows, 2), None, "")
    page = render(Page("", None, (), (section,), ""), None)
    cells = re.findall(r"<td(?: class=\"([^\"]*)\")?>([^<]*)</td>", page)
    assert cells == [("failed", "tool_error"), ("", "0"), ("absent", "-"), ("", "ok"), ("failed", "3"), ("", "x")]


def test_a_session_leads_to_its_timeline_and_a_failure_to_its_call() -> None:
    columns = tuple(Column(name, "varchar") for name in ("session_id", "tool", "trace_id", "span_id"))
    section = Section("failures", "", "", None, Result(columns, [("s", "a", "t", "s2")], 1), None, "")
    calls = (_call(1, "a", trace_id="t", span_id="s1"), _call(2, "b", trace_id="t", span_id="s2"))
    page = render(Page("", None, (), (section,), "", timelines=[replace(_timeline("s"), calls=calls)]), None)
    found = _read(page)
    _leads_only_to_itself(found)
    row = re.findall(r'href="([^"]+)"', page[page.index("<tbody>") : page.index("</tbody>")])
    assert row == ["#session-0", "#session-0-call-1", "#session-0-call-2"]
    assert "failures" in [text for tag, text in found.texts if tag == "a"]  # and back


def test_equal_calls_of_a_timeline_share_a_row_that_names_their_tool() -> None:
    section = Section("r", "", "", None, Result((), [], 0), None, "")
    timeline = _timeline("search", 40, same_as_call=1)
    found = _read(render(Page("", None, (), (section,), "", timelines=[timeline]), None))
    cells = [text for tag, text in found.texts if tag == "td"]
    assert (cells.count("1"), cells.count("2–40"), cells.count("39 equal calls until +40.00 s")) == (1, 1, 1)
    assert [cells[n + 2] for n, text in enumerate(cells) if text in ("1", "2–40")] == ["search", "search"]


def test_many_long_timelines_stay_small() -> None:
    section = Section("r", "", "", None, Result((), [], 0), None, "")
    long = _timeline("x" * 5_000, 3_000)
    page = render(Page("", None, (), (section,), "", timelines=[long] * 40), None)
    assert len(page) < MOST_BYTES + 60_000 + 100 * 12 * MOST
    assert page.count("further calls") == page.count("<details>") >= 1


def test_a_long_text_is_cut() -> None:
    page = render(_page(["x" * 1_000_000] * 2, chart=RANGE), None)
    assert len(page) < 30_000 + 200 * MOST


@pytest.mark.parametrize("numbers", [(0, 0, 0), (0, 5, 1e9), (1e-9, 1e-9, 1e-9), (3, 2, 1), (None, 1, 2)])
@pytest.mark.parametrize("chart", [BAR, RANGE])
def test_every_part_of_a_chart_lies_within_it(numbers: tuple[float, ...], chart: Chart) -> None:
    found = _read(render(_page(["a", "b", "c"], chart=chart, numbers=numbers), None))
    shares = [float(value[:-1]) for _, value in found.attributes if re.fullmatch(r"-?[0-9.]+%", value)]
    assert all(0 <= share <= 100 for share in shares)


def test_a_page_of_one_report_has_no_list_of_answers() -> None:
    found = _read(render(_page(["a"], sections=1), None))
    assert "dl" not in found.tags
    assert "table" in found.tags


def test_the_meaning_of_a_column_is_the_tooltip_of_its_heading() -> None:
    found = _read(render(_page(["a"]), None))
    assert ("title", "the tool's <name>") in found.attributes


def test_hidden_rows_are_announced_with_the_command_that_shows_them() -> None:
    page = _page(["mcpobs report x"] * 5)
    texts = [text for _, text in _read(render(page, 2)).texts]
    assert "2 of 6 rows; more: " in texts


def test_a_report_without_rows_says_so() -> None:
    texts = [text for _, text in _read(render(_page([], sections=1), None)).texts]
    assert "No matching calls." in texts


def test_an_attribute_is_escaped() -> None:
    assert element("p", "x", title='a"b<', class_="y", hidden=None) == '<p title="a&quot;b&lt;" class="y">x</p>'
