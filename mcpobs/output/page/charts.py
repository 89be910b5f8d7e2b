"""The pictures of a page: bars, ranges and calls over time, as inline SVG whose widths are shares of the page's.

Labels and values are text beside the SVG and not in it, so that a browser can wrap, cut, find and read them aloud.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from mcpobs.output import units
from mcpobs.output.bars import shares
from mcpobs.output.colours import counts_failures
from mcpobs.output.marks import Mark, Rows, marks
from mcpobs.output.page.markup import element, safe
from mcpobs.output.sparks import step_words
from mcpobs.queries.header import Column
from mcpobs.reports.activity import Activity
from mcpobs.reports.chart import Chart
from mcpobs.reports.wording import moment, zoned

MOST_MARKS = 12
_EDGE = 1.5
"""Per cent that a range keeps from either edge, so that the first and last mark are whole."""


def drawn(chart: Chart, columns: Sequence[Column], rows: Rows) -> str:
    """The chart of the first rows; nothing where there is nothing to compare."""
    found = marks(chart, columns, rows, MOST_MARKS)
    if len(found) < 2:
        return ""
    parts = _bars(chart, found) if chart.kind == "bar" else _ranges(chart, found)
    more = f"the first {len(found):,} of {len(rows):,}; " if len(rows) > len(found) else ""
    failed = any(mark.failed or mark.failed_ratio for mark in found)
    red = "; red: failed" if failed and not counts_failures(chart.value) else ""
    caption = element("figcaption", safe(more + _legend(chart) + red))
    return element("figure", element("div", parts, class_="rows") + caption, class_="chart")


def over_time(activity: Activity) -> str:
    """Calls a step as columns, the failed ones at their foot."""
    largest = max(activity.calls, default=0)
    if len(activity.calls) < 2 or not largest:
        return ""
    wide = 100 / len(activity.calls)
    columns = "".join(
        _column(activity, place, place * wide, wide * 0.84, largest) for place in range(len(activity.calls))
    )
    picture = element(
        "svg", columns, class_="over", width="100%", height="96", role="group", aria_label="calls over time"
    )
    first, last = moment(activity.start_unix_nano), zoned(activity.end_unix_nano)
    axis = element("div", element("span", safe(first)) + element("span", safe(last)), class_="axis")
    step = step_words(activity.step_ns)
    caption = f"calls over time; a column is {step}, the highest {largest:,} calls; red at the foot: failed"
    return element("figure", picture + axis + element("figcaption", safe(caption)), class_="chart")


def _column(activity: Activity, place: int, left: float, wide: float, largest: int) -> str:
    calls, failed = activity.calls[place], min(activity.failed[place], activity.calls[place])
    if not calls:
        return ""
    when = moment(activity.start_unix_nano + place * activity.step_ns)
    words = f"{when}: {calls:,} calls, {failed:,} failed"
    high = max(1.5, calls * 100 / largest)
    parts = _rect("bar", left, wide, 100 - high, high)
    if failed:
        low = max(1.5, failed * 100 / largest)
        parts += _rect("bad", left, wide, 100 - low, low)
    anchor = "start" if left < 33 else "end" if left > 66 else "middle"
    parts += element("text", safe(words), class_="tip", x=_percent(left + wide / 2), y="-6", text_anchor=anchor)
    return element("g", parts, tabindex="0", role="img", aria_label=words)


def _rect(class_: str, left: float, wide: float, top: float, high: float) -> str:
    return element(
        "rect", class_=class_, x=_percent(left), width=_percent(wide), y=_percent(top), height=_percent(high)
    )


def _bars(chart: Chart, found: Sequence[Mark]) -> str:
    return "".join(
        _row(
            mark,
            units.shown(chart.value, _whole(mark.values[0])),
            _rect("track", 0, 100, 0, 100) + _rect("bar", 0, wide, 0, 100) + _failures(wide * mark.failed),
            "10",
        )
        for mark, share in zip(found, shares([mark.values[0] for mark in found]), strict=True)
        for wide in [(share or 0) * 100]
    )


def _failures(wide: float) -> str:
    return _rect("bad", 0, wide, 0, 100) if wide else ""


def _ranges(chart: Chart, found: Sequence[Mark]) -> str:
    """From the first to the last value on one logarithmic axis: tools differ by a factor of thousands."""
    positive = [value for mark in found for value in mark.values if value > 0] or [1.0]
    low, high = math.floor(math.log10(min(positive))), math.ceil(math.log10(max(positive)))
    high = max(high, low + 1)

    def place(value: float) -> float:
        share = (math.log10(value) - low) / (high - low) if value > 0 else 0.0
        return _EDGE + (100 - 2 * _EDGE) * min(1.0, max(0.0, share))

    ticks = [10.0**power for power in range(low, high + 1, max(1, (high - low) // 5))]
    grid = "".join(_line("grid", place(tick), place(tick), 0, 14) for tick in ticks)
    rows = "".join(_row(mark, _values_of(chart, mark), grid + _range(mark, place), "14") for mark in found)
    labels = "".join(
        element("text", safe(_short(tick)), x=_percent(place(tick)), y="11", text_anchor=_anchor(tick, ticks))
        for tick in ticks
    )
    return rows + element("svg", labels, class_="ticks", width="100%", height="14", aria_hidden="true")


def _range(mark: Mark, place: Callable[[float], float]) -> str:
    first, middle, last = (place(value) for value in mark.values)
    return (
        _line("span", first, max(first, last), 7, 7)
        + element("circle", class_="dot", cx=_percent(first), cy="7", r="4")
        + _line("mark", middle, middle, 1, 13)
        + _line("end", last, last, 3, 11)
    )


def _row(mark: Mark, value: str, picture: str, high: str) -> str:
    failed = f" · {units.shown('failed_ratio', mark.failed_ratio)} % failed" if mark.failed_ratio else ""
    return element(
        "div",
        element("span", safe(mark.label), class_="label", title=mark.label)
        + element("svg", picture, width="100%", height=high, aria_hidden="true")
        + element(
            "span", safe(value) + (element("span", safe(failed), class_="failed") if failed else ""), class_="value"
        ),
        class_="row",
    )


def _line(class_: str, x1: float, x2: float, y1: int, y2: int) -> str:
    return element("line", class_=class_, x1=_percent(x1), x2=_percent(x2), y1=str(y1), y2=str(y2))


def _legend(chart: Chart) -> str:
    titles = [units.title(name) for name in chart.values]
    if chart.kind == "bar":
        return titles[0]
    return f"dot {titles[0]}, thick mark {titles[1]}, thin mark {titles[2]}; the axis is logarithmic"


def _values_of(chart: Chart, mark: Mark) -> str:
    values = " · ".join(units.shown(name, value) for name, value in zip(chart.values, mark.values, strict=True))
    return f"{values} ms" if chart.value.endswith("_ms") else values


def _short(tick: float) -> str:
    return f"{tick:,.0f}" if tick >= 1 else f"{tick:g}"


def _anchor(tick: float, ticks: Sequence[float]) -> str:
    return "start" if tick == ticks[0] else "end" if tick == ticks[-1] else "middle"


def _whole(value: float) -> int | float:
    return int(value) if value == int(value) else value


def _percent(value: float) -> str:
    return f"{value:.2f}%"
