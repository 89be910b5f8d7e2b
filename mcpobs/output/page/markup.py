"""Makes HTML of texts. Every text and every attribute goes through here, for tools and sessions are named by peers."""

from __future__ import annotations

from mcpobs.output.text import printable

_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"})


MOST = 1_000
"""A longer text is cut: rows are many, and peers choose how long their names are."""


def safe(text: str) -> str:
    """The text for the inside of an element or of a quoted attribute, on one line and without hidden characters."""
    shown = printable(text[: MOST + 1])
    return (shown if len(shown) <= MOST else f"{shown[: MOST - 1]}…").translate(_ESCAPES)


def element(tag: str, inner: str = "", /, **attributes: str | None) -> str:
    """An element around HTML that is safe already. Attributes are escaped here; `class_` is `class`, and `_` is `-`."""
    return f"{opening(tag, **attributes)}{inner}</{tag}>"


def opening(tag: str, /, **attributes: str | None) -> str:
    written = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{safe(value)}"'
        for name, value in attributes.items()
        if value is not None
    )
    return f"<{tag}{written}>"
