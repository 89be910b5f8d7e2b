"""The labels and numbers of an answer's rows, as a chart shows them. Draws nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mcpobs.output import units
from mcpobs.output.bars import number_of
from mcpobs.output.colours import counts_failures, is_failure
from mcpobs.queries.header import Column
from mcpobs.reports.chart import Chart

Rows = Sequence[Sequence[object]]

_MOST_LABELS = 2
_JOINT = " · "
_TOOLS = ("tool", "pattern", "main_tool")
"""Columns that name the tool of a row, the best first: every label has one."""
_COUNTED = {"calls": "failed", "requests": "rejected"}
"""Columns that count something, and those that count the failed ones among it."""


@dataclass(frozen=True, slots=True)
class Mark:
    """One row of a chart. `failed` is the share of it that failed; `failed_ratio` that of its calls, if known."""

    label: str
    values: tuple[float, ...]
    failed: float = 0.0
    failed_ratio: float = 0.0


def marks(chart: Chart, columns: Sequence[Column], rows: Rows, most: int) -> list[Mark]:
    """The marks of the first rows; rows without a number are left out."""
    names = [column.name for column in columns]
    places = [names.index(name) for name in chart.values]
    found = [(row, [row[place] for place in places]) for row in rows]
    kept = [(row, _numbers(values)) for row, values in found]
    drawn = [(row, values) for row, values in kept if values is not None][:most]
    labels = labelled(chart, columns, [row for row, _ in drawn])
    return [
        Mark(label, values, _failed(chart, named, values), number_of(named.get("failed_ratio")) or 0.0)
        for label, (row, values) in zip(labels, drawn, strict=True)
        for named in [dict(zip(names, row, strict=True))]
    ]


def _failed(chart: Chart, row: Mapping[str, object], values: Sequence[float]) -> float:
    """The share of a row's value that failed: all of it if the row is about failures."""
    outcome = row.get("outcome")
    if row.get("fault") is not None or counts_failures(chart.value) or is_failure("outcome", str(outcome or "ok")):
        return 1.0
    failed = number_of(row.get(_COUNTED.get(chart.value, "")))
    return min(1.0, failed / values[0]) if failed and values[0] else 0.0


def labelled(chart: Chart, columns: Sequence[Column], rows: Rows) -> list[str]:
    """A label for each row: its tool, the chart's own column, and of further columns as many as make rows differ."""
    names = [column.name for column in columns]
    texts = [index for index, column in enumerate(columns) if column.type == "varchar" and column.name != chart.label]
    labels = [units.shown(chart.label, row[names.index(chart.label)]) for row in rows]
    tool = next((name for name in _TOOLS if name in names), chart.label)
    if tool != chart.label:
        tools = [units.shown(tool, row[names.index(tool)]) for row in rows]
        pairs = [
            (label, of) if units.is_id(chart.label) else (of, label) for label, of in zip(labels, tools, strict=True)
        ]
        labels = [_JOINT.join(part for part in pair if part != units.NOTHING) for pair in pairs]
    texts = [index for index in texts if names[index] != tool]
    added = 0
    for index in texts:
        if len(set(labels)) == len(labels) or added == _MOST_LABELS:
            break
        parts = [units.shown(names[index], row[index]) for row in rows]
        joined = [
            label if part == units.NOTHING else label + _JOINT + part for label, part in zip(labels, parts, strict=True)
        ]
        if len(set(joined)) > len(set(labels)):
            labels, added = joined, added + 1
    return labels


def _numbers(values: Sequence[object]) -> tuple[float, ...] | None:
    found = tuple(number for value in values if (number := number_of(value)) is not None)
    return found if len(found) == len(values) else None
