"""Updates a limits file from new traffic: learned numbers move, and a person's numbers, comments and layout stay.

A number is a person's if it does not follow from its own evidence (`rules.follows`), e.g. a bare number. A number that
the file does not have is added only if the file says that traffic was missing for it, if its tool or tenant is new
since then, or if the file is not ours of this form: else a person has deleted it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Literal

from mcpobs.baseline.comment_kinds import kind_of, says_missing
from mcpobs.baseline.learn import Baseline
from mcpobs.baseline.learned import Learned
from mcpobs.baseline.rules import follows
from mcpobs.errors import UsageError
from mcpobs.limits import paths
from mcpobs.limits.data import Data, data
from mcpobs.limits.edit import Edits
from mcpobs.limits.file import read_text
from mcpobs.limits.layout import Comments
from mcpobs.limits.model import GroupLimits, Limit, Limits, ToolLimits
from mcpobs.limits.paths import Path

Kind = Literal["moved", "same", "added", "yours", "cut", "gone", "absent"]
"""`moved`: learned anew · `same`: its evidence alone is new · `yours`: a person's, kept · `cut`: kept, because a policy
cut sessions, so that the new number is tighter or only the value at which they were cut · `gone`: kept, not in the
traffic any more · `absent`: not in the file."""


@dataclass(frozen=True, slots=True)
class Change:
    """What an update does about one number: in the file (`old`), and by the traffic (`new`)."""

    path: Path
    kind: Kind
    old: Limit | None
    new: Limit | None


@dataclass(frozen=True, slots=True)
class Update:
    """The new text of a file, and a change for each number that the traffic gives differently."""

    text: str
    changes: list[Change]


def update(text: str, found: Baseline, source: str = "limits") -> Update:
    """The file with the learned numbers. Raises UsageError if it cannot be edited in place."""
    old = read_text(text, source)
    changes = list(_changes(text, old, found))
    wished = _wished(old, found, changes)
    after = text if wished == old else _edited(text, old, wished, changes)
    after = _with_comments(after, found.comments, changes)
    if read_text(after, source) != wished:
        raise UsageError(f"cannot edit {source} in place", "write it anew with -o, and look at the difference in git")
    return Update(after, changes)


def _changes(text: str, old: Limits, found: Baseline) -> Iterator[Change]:
    before, after = dict(paths.numbers(old)), dict(paths.numbers(found.limits))
    factor = old.baseline.factor_calls if old.baseline is not None else None
    may_add = _Additions(text, old, found.learned)
    for path in [*before, *(path for path in after if path not in before)]:
        had, has = before.get(path), after.get(path)
        if had is None:
            yield Change(path, "added" if may_add.of(path) else "absent", had, has)
        elif has is None:
            yield Change(path, "gone" if follows(path, had, factor) else "yours", had, has)
        elif had != has:
            yield Change(path, _kind(path, had, has, factor), had, has)


def _kind(path: Path, had: Limit, has: Limit, factor: float | None) -> Kind:
    if not follows(path, had, factor):
        return "yours"
    tighter = has.value > had.value if path[-1] == "min" else has.value < had.value
    if (tighter and has.evidence.censored) or has.evidence.cut_at is not None:
        return "cut"
    return "same" if has.value == had.value else "moved"


class _Additions:
    """Which numbers may be added to a file that lacks them."""

    def __init__(self, text: str, old: Limits, learned: Learned) -> None:
        self._old = old
        self._edits = Edits(text)
        self._seen = _first_days(learned)

    def of(self, path: Path) -> bool:
        if self._old.baseline is None or _is_whole(self._old):
            return True
        if path[0] in ("tenants", "roles") and path[1] not in getattr(self._old, path[0]):
            return self._seen.get(path[:2], "") > self._old.baseline.last[:10]
        if path[0] == "tools" and path[1] not in self._old.tools:
            return self._seen.get(path[:2], "") > self._old.baseline.last[:10]
        block = path[:2] if path[0] == "tools" else path[:1]
        return any(says_missing(words, path) for words in self._edits.comments(block))


def _is_whole(old: Limits) -> bool:
    """Whether all numbers may be added: the file is by hand, or of an earlier mcpobs that knew fewer numbers."""
    return old.baseline is None or not old.baseline.counted_on


def _first_days(learned: Learned) -> dict[Path, str]:
    """The day of the first call of each tool, tenant and role."""
    first: dict[Path, int] = {}
    for session in learned.sessions:
        for use in session.uses:
            for section, name in (("tools", use.tool), ("tenants", session.pair.tenant), ("roles", session.role)):
                if name is not None:
                    at = (section, name)
                    first[at] = min(first.get(at, use.first_unix_nano), use.first_unix_nano)
    return {
        path: datetime.fromtimestamp(start // 1_000_000_000, UTC).strftime("%Y-%m-%d") for path, start in first.items()
    }


def _wished(old: Limits, found: Baseline, changes: list[Change]) -> Limits:
    """The limits that the edited file has to hold."""
    new = found.limits
    numbers = dict(paths.numbers(old))
    for one in changes:
        if one.new is not None and one.kind in ("moved", "same", "added"):
            numbers[one.path] = one.new
    added = {one.path[1] for one in changes if one.kind == "added" and one.path[0] == "tools"}
    tools = {**{name: tool for name, tool in new.tools.items() if name in added}, **old.tools}
    for name in added & old.tools.keys():
        if old.tools[name].arguments.shapes is None and old.tools[name].arguments.max_bytes is None:
            tools[name] = replace(tools[name], arguments=new.tools[name].arguments)
        if old.tools[name].result_shapes is None and old.tools[name].result_max_bytes is None:
            tools[name] = replace(tools[name], result_shapes=new.tools[name].result_shapes)
    everybody = paths.group({path: one for path, one in numbers.items() if path[0] not in ("tenants", "roles")}, tools)
    return replace(
        old,
        baseline=new.baseline,
        session=everybody.session,
        key=everybody.key,
        tools=everybody.tools,
        tenants=_groups("tenants", old.tenants, numbers),
        roles=_groups("roles", old.roles, numbers),
        sequences=new.sequences if old.sequences or _is_whole(old) else (),
    )


def _groups(section: str, old: Mapping[str, GroupLimits], numbers: Mapping[Path, Limit]) -> dict[str, GroupLimits]:
    names = [*old, *dict.fromkeys(path[1] for path in numbers if path[0] == section and path[1] not in old)]
    found = {}
    for name in names:
        mine = {path[2:]: one for path, one in numbers.items() if path[:2] == (section, name)}
        tools: Mapping[str, ToolLimits] = old[name].tools if name in old else {}
        found[name] = paths.group(mine, tools)
    return found


def _edited(text: str, old: Limits, wished: Limits, changes: list[Change]) -> str:
    edits = Edits(text)
    written = data(wished)
    entries = [_entry(one.path) for one in changes if one.kind in ("moved", "same", "added")]
    if wished.baseline != old.baseline:
        entries.append(("baseline",))
    if wished.sequences != old.sequences:
        entries.append(("sequences",))
    for entry in dict.fromkeys(entries):
        if entry == ("sequences",) and edits.holds(entry):
            edits.replace_list(entry, written.get("sequences", []))
        elif edits.holds(entry):
            edits.replace(entry, _at(written, entry))
        else:
            edits.add(entry, _at(written, entry))
    return edits.text()


def _entry(path: Path) -> Path:
    """The key of the file whose value holds a number."""
    return path[:-1] if path[-1] == "max_bytes" else path


def _at(written: Mapping[str, Data], entry: Path) -> Data:
    value: Data = dict(written)
    for name in entry:
        assert isinstance(value, dict)
        value = value[name]
    return value


def _with_comments(text: str, comments: Comments, changes: list[Change]) -> str:
    """Rewrites those of our comments that a person left in the file."""
    edits = Edits(text)
    blocks: dict[Path, tuple[str, ...]] = {("tools", tool): () for tool in read_text(text).tools}
    blocks |= {("session",): comments.session, ("key",): comments.key}
    blocks |= {("tools", tool): words for tool, words in comments.tools.items()}
    for path, words in blocks.items():
        filled = {one.path for one in changes if one.kind == "added" and one.path[: len(path)] == path}
        edits.replace_comments(path, partial(_today, {kind_of(one): one for one in words}, filled))
    return edits.text()


def _today(new: dict[int | None, str], filled: set[Path], words: str) -> str | None:
    """The first comment of a form with today's words; None for one whose number was added. Others may be of an entry
    that a person deleted."""
    kind = kind_of(words)
    if kind is None:
        return words
    return new.pop(kind, None if any(says_missing(words, path) for path in filled) else words)
