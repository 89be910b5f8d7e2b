"""Finds a limit of a policy by the name that decisions give it, and sets its cap, for a sweep over it. Does no I/O."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from mcpobs.errors import UsageError, nearest
from mcpobs.limits import enforcement, paths
from mcpobs.limits.model import Limit, Limits
from mcpobs.limits.paths import Path
from mcpobs.policy.model import Budget, CallLimit, Cap, Layer, Policy

MICRO = 1_000_000
MILLI = 1_000


class Swept(NamedTuple):
    """A limit that can be swept: its name, its cap now in the file's unit, and how many of the engine's make one."""

    name: str
    cap: float
    scale: int

    @property
    def is_money(self) -> bool:
        return self.name.startswith("budgets.") or self.name.endswith("cost_usd")

    def most(self, cap: float) -> int:
        """A cap as the engine counts it: money and sums in millionths."""
        return round(cap * (MICRO if self.is_money else self.scale))

    def is_counted_by(self, id_: str) -> bool:
        """Whether it may be the limit of a counter, by the counter's id. The number of any tool is that of many."""
        id_ = id_.removesuffix(".reopened")
        of_any = re.fullmatch(r"(.*tools\.)\*(\.[a-z_]+)", self.name, re.DOTALL)
        if of_any:
            return id_.startswith(of_any[1]) and id_.endswith(of_any[2])
        return id_ == self.name.partition("/")[0]


def known(policy: Policy) -> dict[str, Swept]:
    """All limits by their names. One with several caps also has a name for each: `searches/principal`."""
    found: dict[str, Swept] = {}
    for layer in policy.layers:
        for one in _of(layer):
            found.setdefault(one.name, one)
    return found


def find(policy: Policy, name: str) -> Swept:
    """The limit of a name. Raises UsageError, with the nearest, if there is none."""
    limits = known(policy)
    if name in limits:
        return limits[name]
    like = nearest(name, limits)
    listed = ", ".join(sorted(limits)) or "none; a rule without a number cannot be swept"
    raise UsageError(f"the policy has no limit {name!r}", f"did you mean {like}?" if like else f"limits: {listed}")


def with_cap(policy: Policy, swept: Swept, cap: float) -> Policy:
    """The policy with another cap for one limit, in every layer that has it."""
    return Policy([_layer(layer, swept, cap) for layer in policy.layers], policy.hash)


def _of(layer: Layer) -> Iterator[Swept]:
    for limit in layer.limits:
        scale = MICRO if limit.counts == "sum" else 1
        yield Swept(limit.id, limit.caps[0].most / scale, scale)
        for cap in limit.caps:
            yield Swept(f"{limit.id}/{cap.by}", cap.most / scale, scale)
    for budget in layer.budgets:
        yield Swept(budget.id, budget.cap.most / MICRO, MICRO)
    for path, number in _counted(layer.learned):
        yield Swept(".".join(path), number.value, MILLI if path[-1] == "duration_s" else 1)


def _counted(limits: Limits) -> Iterator[tuple[Path, Limit]]:
    """The numbers of a limits file that bound counters."""
    for path, limit in paths.numbers(limits):
        kind = enforcement.of(path)
        if kind.effect == "refused" and kind.per != "call":
            yield path, limit


def _layer(layer: Layer, swept: Swept, cap: float) -> Layer:
    most = round(cap * swept.scale)
    return replace(
        layer,
        limits=tuple(_limit(limit, swept.name, most) for limit in layer.limits),
        budgets=tuple(_budget(budget, swept.name, most) for budget in layer.budgets),
        learned=_learned(layer.learned, swept.name, cap),
    )


def _limit(limit: CallLimit, name: str, most: int) -> CallLimit:
    if name != limit.id and not name.startswith(f"{limit.id}/"):
        return limit
    by = limit.caps[0].by if name == limit.id else name.removeprefix(f"{limit.id}/")
    return replace(limit, caps=tuple(_cap(cap, most) if cap.by == by else cap for cap in limit.caps))


def _budget(budget: Budget, name: str, most: int) -> Budget:
    return replace(budget, cap=_cap(budget.cap, most)) if budget.id == name else budget


def _cap(cap: Cap, most: int) -> Cap:
    return replace(cap, most=most)


def _learned(limits: Limits, name: str, cap: float) -> Limits:
    for path, _ in _counted(limits):
        if ".".join(path) == name:
            limits = _with(limits, path, Limit(cap))
    return limits


def _with(of: Any, path: Path, limit: Limit) -> Any:  # noqa: ANN401 - a dataclass or mapping of any level
    """The same with another number at a path."""
    if not path:
        return limit
    if isinstance(of, Mapping):
        return {**of, path[0]: _with(of[path[0]], path[1:], limit)}
    return replace(of, **{path[0]: _with(getattr(of, path[0]), path[1:], limit)})
