"""Counts calls that came before their tool was declared under the shape that they have with names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from mcpobs.baseline.traffic import Shape
from mcpobs.reports.early import EarlyShapes, HashName


def named(shapes: Iterable[Shape], listed: Mapping[str, Sequence[str]], hash_name: HashName | None) -> list[Shape]:
    """Returns the shapes, those of earlier calls with names. `listed` are more shapes of each tool."""
    found = list(shapes)
    if hash_name is None:
        return found
    declared = [(tool, shape) for tool, more in listed.items() for shape in more]
    known = EarlyShapes([*declared, *((one.tool, one.shape) for one in found)], hash_name)
    return _merged(one._replace(shape=known.named(one.tool, one.shape) or one.shape) for one in found)


def _merged(shapes: Iterable[Shape]) -> list[Shape]:
    """Returns one entry for each tool and shape. Sessions that are in two of them count twice, as few do."""
    found: dict[tuple[str, str], Shape] = {}
    for one in shapes:
        known = found.get((one.tool, one.shape))
        found[one.tool, one.shape] = (
            one
            if known is None
            else known._replace(
                calls=known.calls + one.calls,
                sessions=known.sessions + one.sessions,
                last_unix_nano=max(known.last_unix_nano, one.last_unix_nano),
            )
        )
    return list(found.values())
