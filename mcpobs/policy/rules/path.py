"""`path`: an argument must be a path below one of some folders.

What it does: takes the text of `arg` (or each text of a list) apart without touching the disk, and compares whole names
with `under`. Refuses what another reader may take apart differently: `..`, backslashes, `%`, `~`, `$`, drive letters
and URLs, names of dots or spaces, characters that are invisible, or that turn into one of these when normalised.
Why it matters: a tool that reads files reads any file that its server may read.
What to do: write whole paths, e.g. `under: [/data/reports]`; a relative path is allowed only below a relative one.
Symbolic links are known to the server alone: keep its folders free of them. The real control is what the server's user
may read.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field

from mcpobs.limits.document import Place
from mcpobs.policy.codes import Code
from mcpobs.policy.conditions import CallFacts, Reads, texts
from mcpobs.policy.fields import names, path

MAX_PATH = 4_096
Names = tuple[str, ...]
"""A path as its names; an absolute one begins with `/`."""
_SPECIAL = re.compile(r"[\\%~$]")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


@dataclass(frozen=True)
class UnderPath:
    """A path below one of some folders."""

    argument: tuple[str, ...]
    under: tuple[Names, ...]
    reads: frozenset[Reads] = frozenset({"arguments"})
    code: Code = Code.ARGUMENTS
    remembers: Mapping[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict)

    def holds(self, facts: CallFacts) -> bool:
        return all(self._is_below(text) for text in texts(facts, self.argument))

    def _is_below(self, text: str) -> bool:
        found = taken_apart(text)
        return found is not None and any(
            found[: len(folder)] == folder and (folder or found[:1] != ("/",)) for folder in self.under
        )

    def needs(self, facts: CallFacts) -> str:
        return f"the argument {'.'.join(self.argument)} has to be a plain path below a folder that is allowed here"


def read(place: Place) -> UnderPath:
    fields = place.fields(("arg", "under"))
    for key in ("arg", "under"):
        if key not in fields:
            place.refuse(f"no `{key}`", "write e.g. {arg: path, under: [/data/reports]}")
    under = []
    for text in names(fields["under"]):
        folder = taken_apart(text)
        if folder is None:
            fields["under"].refuse(f"{text!r} is no plain path", "write it without `..`, `~`, `%`, `$` and backslashes")
        under.append(folder)
    return UnderPath(path(fields["arg"].text(), fields["arg"]), tuple(under))


def taken_apart(text: str) -> Names | None:
    """The names of a path; None for one that another reader may take apart differently."""
    if not text or len(text) > MAX_PATH or not _is_plain(text):
        return None
    if not text.isascii():
        other = unicodedata.normalize("NFKC", text)
        if not _is_plain(other) or other.count("/") != text.count("/"):
            return None
    steps = [step for step in text.split("/") if step not in ("", ".")]
    return ("/", *steps) if text.startswith("/") else tuple(steps)


def _is_plain(text: str) -> bool:
    if _SPECIAL.search(text) or _SCHEME.match(text) or text != text.strip() or text.startswith("//"):
        return False
    if not text.isprintable() and any(unicodedata.category(one)[0] == "C" or one in "\u2028\u2029" for one in text):
        return False
    return all(step in ("", ".") or step.strip(". ") for step in text.split("/"))
