"""The labels and numbers of an answer's rows, as a chart shows them. Draws nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mcpobs.output import units
from mcpobs.output.bars import number_of
from mcpobs.queries.header import Column
from mcpobs.reports.chart import Chart

Rows = Sequence[Sequence[object]]

_MOST_LABELS = 2
_JOINT = " · "


@dataclass(frozen=True, slots=True)
class Mark:
    """One row of a chart."""

    label: str
    values: tuple[float, ...]


def marks(chart: Chart, columns: Sequence[Column], rows: Rows, most: int) -> list[Mark]:
    """The marks of the first rows; rows without a number are left out."""
    names = [column.name for column in columns]
    places = [names.index(name) for name in chart.values]
    found = [(row, [row[place] for place in places]) for row in rows]
    kept = [(row, _numbers(values)) for row, values in found]
    drawn = [(row, values) for row, values in kept if values is not None][:most]
    labels = labelled(chart, columns, [row for row, _ in drawn])
    return [Mark(label, values) for label, (_, values) in zip(labels, drawn, strict=True)]


def labelled(chart: Chart, columns: Sequence[Column], rows: Rows) -> list[str]:
    """A label for each row: the chart's own column, and of further columns as many as make rows differ."""
    names = [column.name for column in columns]
    texts = [index for index, column in enumerate(columns) if column.type == "varchar" and column.name != chart.label]
    labels = [units.shown(chart.label, row[names.index(chart.label)]) for row in rows]
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
