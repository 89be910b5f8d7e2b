"""Makes texts safe for a terminal, and the lines that go to stderr. Every error and warning passes through here.

Text from a peer (a tool, a session, a file, an engine's message that quotes data) can never move the cursor, reverse
text or begin a new line; also if stderr is a file, because logs are read in terminals.
"""

from __future__ import annotations

_SPACES = frozenset("\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000")
"""Spaces that Python considers unprintable although they are harmless."""
_LONGEST = 4000
HINT = "\nhint: "


def printable(text: str) -> str:
    """Returns the text on one line, with every character that a terminal could obey or hide as an escape: controls (so
    ANSI sequences too), bidi and other format characters, surrogates, private and unassigned code points, line and
    paragraph separators."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char in _SPACES else _escaped(char) for char in text)


def printable_lines(text: str) -> str:
    """Returns the same for a text whose line breaks are ours."""
    return "\n".join(map(printable, text.split("\n")))


def brief(text: str) -> str:
    """Returns a part of a message on one line, shortened to a readable length: it may quote a name of four
    megabytes."""
    return printable(text if len(text) <= _LONGEST else text[:_LONGEST] + "…")


def line(message: str) -> str:
    """Returns a line for stderr, with its newline."""
    return f"mcpobs: {brief(message)}\n"


def warning(message: str) -> str:
    """Returns a warning line, and a second line for the hint after `HINT` in the message."""
    text, found, hint = message.rpartition(HINT)
    return line(text) + f"hint: {brief(hint)}\n" if found else line(hint)


def _escaped(char: str) -> str:
    code = ord(char)
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
