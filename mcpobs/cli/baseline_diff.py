"""What `mcpobs baseline --update` prints: the numbers that moved, with their evidence, and those that stay."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields

from mcpobs.baseline.update import Change
from mcpobs.limits.model import Limit
from mcpobs.limits.paths import shown

_QUIET = frozenset({"p50", "p95", "n_all", "rule", "factor"})


def difference(changes: Sequence[Change]) -> str:
    """One line for each number; those with new evidence alone are counted."""
    lines = [f"{shown(one.path)}: {words}" for one in changes for words in _words(one)]
    same = sum(one.kind == "same" for one in changes)
    if same:
        lines.append(f"{same:,} number{'' if same == 1 else 's'} with new evidence, and the same limit")
    return "\n".join(lines) if lines else "nothing moved"


def _words(one: Change) -> Iterator[str]:
    old, new = one.old, one.new
    match one.kind:
        case "moved" if old is not None and new is not None:
            yield f"{_value(old)} → {_value(new)} ({', '.join(_evidence(old, new))})"
        case "added" if new is not None:
            yield f"added {_value(new)} ({', '.join(_evidence(None, new))})"
        case "absent" if new is not None:
            yield f"not in the file; the traffic gives {_value(new)} ({', '.join(_evidence(None, new))})"
        case "yours" if old is not None:
            gives = f"; the traffic gives {_value(new)} ({', '.join(_evidence(None, new))})" if new is not None else ""
            yield f"{_value(old)} kept, changed by hand{gives}"
        case "cut" if old is not None and new is not None:
            yield (
                f"{_value(old)} kept, because a policy cut {new.evidence.censored} sessions; "
                f"the others give {_value(new)}"
            )
        case "gone" if old is not None:
            yield f"{_value(old)} kept; the traffic gives no number any more"


def _value(limit: Limit) -> str:
    return f"{limit.value:,}" if isinstance(limit.value, int) else f"{limit.value:g}"


def _evidence(old: Limit | None, new: Limit) -> Iterator[str]:
    """The evidence that the limit follows from, and what it cuts; as `old → new` if it moved."""
    for field in fields(new.evidence):
        before = getattr(old.evidence, field.name) if old is not None else None
        after = getattr(new.evidence, field.name)
        if after is None or (field.name in _QUIET and not (field.name == "p95" and new.evidence.rule)):
            continue
        text = str(list(after)) if isinstance(after, tuple) else str(after)
        was = str(list(before)) if isinstance(before, tuple) else str(before)
        yield f"{field.name} {text}" if before is None or before == after else f"{field.name} {was} → {text}"
