"""Declares for each number of a limits file the effect of a value beyond it. Does no I/O.

`refused`: a call is refused before the server sees it. `marked`: the call passes, and its row says so. `compared`:
`mcpobs check` finds it afterwards, because it is known only when the call or the session is over. `described`: no
number bounds anything. The same holds for `tenants.X.…` and `roles.X.…`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

from mcpobs.limits.paths import Path

Effect = Literal["refused", "marked", "compared", "described"]
TOOL: Final = "T"
ARGUMENT: Final = "A"


class Enforced(NamedTuple):
    """The effect of a value beyond a number, and the scope in which values are counted together."""

    effect: Effect
    per: Literal["session", "caller", "call", "tool", "file"]


ENFORCED: Final[Mapping[str, Enforced]] = {
    "session.calls": Enforced("refused", "session"),
    "session.cost_usd": Enforced("refused", "session"),
    "session.duration_s": Enforced("refused", "session"),
    "session.distinct_tools": Enforced("refused", "session"),
    "key.calls_per_hour": Enforced("refused", "caller"),
    "tools.T.calls_per_session": Enforced("refused", "session"),
    "tools.T.calls_per_hour": Enforced("refused", "caller"),
    "tools.T.error_rate": Enforced("compared", "session"),
    "tools.T.latency_ms": Enforced("compared", "tool"),
    "tools.T.arguments.max_bytes": Enforced("refused", "call"),
    "tools.T.arguments.shapes": Enforced("marked", "call"),
    "tools.T.argument_values.A.max_length": Enforced("refused", "call"),
    "tools.T.argument_values.A.max_items": Enforced("refused", "call"),
    "tools.T.argument_values.A.min": Enforced("refused", "call"),
    "tools.T.argument_values.A.max": Enforced("refused", "call"),
    "tools.T.result.max_bytes": Enforced("compared", "call"),
    "tools.T.result.shapes": Enforced("compared", "call"),
    "sequences": Enforced("described", "file"),
}
"""By path: `T` stands for a tool, `A` for an argument."""


def kind_of(path: Path) -> str:
    """Returns the path of a number with `T` and `A` for its names, and without its tenant or role."""
    if path[0] in ("tenants", "roles"):
        path = path[2:]
    if path[0] == "tools":
        path = ("tools", TOOL, *path[2:])
        if path[2:3] == ("argument_values",):
            path = (*path[:3], ARGUMENT, *path[4:])
    return ".".join(path)


def of(path: Path) -> Enforced:
    return ENFORCED[kind_of(path)]


def effects(per: str, effect: Effect = "refused") -> list[str]:
    """Returns the last names of the numbers with an effect whose values are counted per session, caller or call."""
    found = [path for path, one in ENFORCED.items() if one == (effect, per)]
    return list(dict.fromkeys(_short(path) for path in found))


def _short(path: str) -> str:
    names = [name for name in path.split(".") if name not in (TOOL, ARGUMENT)]
    return "argument_values" if "argument_values" in names else ".".join(names[1:]) if len(names) > 1 else path
