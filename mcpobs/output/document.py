"""Renders a document about a policy: as Markdown that is signed, and as text for a terminal. Pure."""

from __future__ import annotations

import textwrap

from mcpobs.output.markdown import escaped as cell
from mcpobs.output.text import printable
from mcpobs.policy.document import Document, Part

SIGNATURE = "Reviewed by: ______________________   Date: ______________"


def markdown(of: Document) -> str:
    """The document in Markdown. Names from files are escaped."""
    lines = [f"# Policy {of.hash}", "", *_head(of), ""]
    for part in of.parts:
        lines += [f"## {part.title}", "", *(f"{cell(words)}\n" for words in part.words)]
        if part.rows:
            lines += [_row(part.columns), _row(tuple("---" for _ in part.columns))]
            lines += [_row(tuple(cell(value.replace("\n", " ")) or " " for value in row)) for row in part.rows] + [""]
    lines += ["## Not covered", "", *(f"- {cell(one)}" for one in of.not_covered), "", SIGNATURE]
    return "\n".join(lines) + "\n"


def text(of: Document, width: int) -> str:
    """The document for a terminal: no line is longer than `width` if its words are not."""
    lines = [f"Policy {of.hash}", *_head(of), ""]
    for part in of.parts:
        lines += [part.title, "=" * len(part.title), *(line for words in part.words for line in _wrapped(words, width))]
        lines += _entries(part, width)
        lines.append("")
    lines += ["Not covered", "==========="]
    for one in of.not_covered:
        lines += _wrapped(one, width, "- ", "  ")
    return "\n".join([*lines, "", SIGNATURE]) + "\n"


def _head(of: Document) -> list[str]:
    return [printable(f"Files: {', '.join(of.files)}. Mode: {of.mode}.")]


def _entries(part: Part, width: int) -> list[str]:
    """Each row as its first cell, and the others below it with their columns' names."""
    lines: list[str] = []
    column = max((len(name) for name in part.columns[1:]), default=0)
    for first, *others in part.rows:
        lines.append(printable(first))
        for name, value in zip(part.columns[1:], others, strict=True):
            if value:
                lines += _wrapped(value, width, f"    {name:<{column}}  ", " " * (column + 6))
    return lines


def _wrapped(words: str, width: int, first: str = "", further: str = "") -> list[str]:
    flat = printable(words.replace("\n", " "))
    return textwrap.wrap(
        flat, max(width, 40), initial_indent=first, subsequent_indent=further, break_long_words=False,
        break_on_hyphens=False,
    )  # fmt: skip


def _row(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"
