"""Warnings about a reading of the lake: damaged files and lines, implausible times. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mcpobs.terminal import printable


@dataclass(frozen=True, slots=True)
class Remark:
    """A sentence beside an answer, with a hint."""

    text: str
    hint: str | None = None


class Doubtful(Protocol):
    """An open reading, or the facts that a process reports of one."""

    @property
    def damaged_files(self) -> list[tuple[Path, str]]: ...
    @property
    def damaged_lines(self) -> int: ...
    @property
    def implausible_times(self) -> int: ...


def warnings_of(reading: Doubtful) -> tuple[Remark, ...]:
    """All warnings about an answer from the reading."""
    return (*of_damage(reading), *_of_times(reading.implausible_times))


def of_damage(reading: Doubtful) -> tuple[Remark, ...]:
    """A warning for damaged lines, and one for each damaged file."""
    found = []
    if reading.damaged_lines:
        lines = "line is" if reading.damaged_lines == 1 else "lines are"
        text = f"{reading.damaged_lines:,} damaged {lines} left out of the spool"
        found.append(Remark(text, "calls that were being written during a crash or on a full disk are not counted"))
    for path, why in reading.damaged_files:
        text = printable(f"{path} cannot be read and is left out: {why}")
        found.append(Remark(text, "restore the file from a backup; `mcpobs lake info` shows what is missing"))
    return tuple(found)


def _of_times(spans: int) -> tuple[Remark, ...]:
    if not spans:
        return ()
    text = f"{spans:,} received {'span has' if spans == 1 else 'spans have'} an implausible time"
    hint = "set the sender's clock; the columns sent_* of `mcpobs query` hold what it sent"
    return (Remark(text, hint),)
