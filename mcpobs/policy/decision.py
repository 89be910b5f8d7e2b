"""What the policy decides of a call, and the columns of it in the lake. Knows no frame and no transport."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import orjson

from mcpobs.policy.codes import NOTHING_SAID, Code, Said, text
from mcpobs.policy.limit_counters import Counter
from mcpobs.policy.plan import Plan
from mcpobs.policy.state import Count, Reserved, SessionKey

Effect = Literal["allow", "warn", "deny"]


class Counted(NamedTuple):
    """One counter of a decision: its limit's id, the total before and after, and the limit."""

    id: str
    before: int
    after: int
    most: int


@dataclass(slots=True)
class Lane:
    """What one set of rules and counters makes of a call: those in force, or those and the ones in `log_only`."""

    code: Code | None = None
    rules: tuple[str, ...] = ()
    said: Said = NOTHING_SAID
    hidden: bool = False
    halts: bool = False
    warnings: tuple[str, ...] = ()
    """Ids of limits that warn, of `log_only` rules that match, and of names or shapes that no baseline has."""
    undecidable: tuple[str, ...] = ()
    """Ids of rules that read content, in a replay that has none."""
    degraded: bool = False
    session: SessionKey | None = None
    reserved: Reserved | None = None
    plan: Plan | None = None
    counters: Sequence[Counter] = ()
    counts: Sequence[Count] = ()
    free: bool = False
    """A retry that a result asked for (`input_required`): it counts as no call; only what it costs counts."""

    @property
    def counted(self) -> list[Counted]:
        """Its counters before and after."""
        reserved = self.reserved
        if reserved is None or not reserved.counts:
            return []
        granted = reserved.granted
        return [
            Counted(counter.id, taken.before, taken.before + (count.amount if granted else 0), counter.cap.most)
            for counter, count, taken in zip(self.counters, self.counts, reserved.counts, strict=True)
        ]

    @property
    def denies(self) -> bool:
        return self.code is not None


@dataclass(slots=True)
class Decision:
    """The decision on one call. `shadow` is what the rules in `log_only` would have made of it, if there are any."""

    policy_hash: str
    mode: Literal["enforce", "log_only"]
    lane: Lane
    shadow: Lane | None = None
    verdicts: dict[str, bool] = field(default_factory=dict)
    """Whether rules that read content held, by their fingerprints: a replay without content goes by them."""
    settled: bool = False
    round: int = 0
    """The how manieth retry of a call it is that a result asked for; 0 for none."""
    took_ns: int = 0
    _id: str | None = None
    _columns: dict[str, str | int | bool] | None = None

    @property
    def id(self) -> str:
        """Names it for good."""
        if self._id is None:
            self._id = os.urandom(8).hex()
        return self._id

    @property
    def effect(self) -> Effect:
        lane, shadow = self.lane, self.shadow
        if lane.code is not None:
            return "deny"
        warns = lane.warnings or lane.degraded or (shadow is not None and shadow.code is not None)
        return "warn" if warns else "allow"

    @property
    def text(self) -> str:
        """What a model reads of a denial."""
        return "" if self.lane.code is None else text(self.lane.code, self.lane.said)

    @property
    def meta(self) -> dict[str, object]:
        """`_meta["mcpobs/decision"]` of a denial."""
        lane = self.lane
        found: dict[str, object] = {"id": self.id, "code": str(lane.code)}
        if lane.said.retry_after_s is not None:
            found["retry_after_s"] = lane.said.retry_after_s
        if lane.counted:
            counted = tightest(one for one in lane.counted if not one.id.endswith(".reopened"))
            found["remaining"] = {id_: max(0, one.most - one.after) for id_, one in counted.items()}
        return found

    def prepare(self) -> None:
        """Makes the columns that nothing changes after the decision."""
        if self._columns is None:
            self._columns = self._decided()

    def columns(self) -> dict[str, str | int | bool]:
        """The columns of the decision; nothing of the call's content is in them."""
        row = self._decided() if self._columns is None else self._columns.copy()
        if self.verdicts:
            row["rule_verdicts"] = orjson.dumps(self.verdicts).decode()
        return row

    def _decided(self) -> dict[str, str | int | bool]:
        """The columns without verdicts, of which the response adds some."""
        lane, shadow = self.lane, self.shadow
        row: dict[str, str | int | bool] = {
            "policy_hash": self.policy_hash,
            "policy_mode": self.mode,
            "decision_ns": self.took_ns,
        }
        if self.effect != "allow":
            row["decision_id"] = self.id
        if lane.code is not None:
            row["decision_code"] = str(lane.code)
        if rules := lane.rules or lane.warnings:
            row["rules"] = orjson.dumps(rules).decode()
        if found := lane.counted:
            counted = {id_: one[1:] for id_, one in tightest(found).items()}
            row["policy_counters"] = orjson.dumps(counted).decode()
        if lane.degraded:
            row["policy_degraded"] = True
        if lane.free:
            row["policy_retry"] = True
        if shadow is not None and shadow.code is not None:
            row["shadow_code"] = str(shadow.code)
            row["shadow_rules"] = orjson.dumps(shadow.rules).decode()
        return row


def tightest(counted: Iterable[Counted]) -> dict[str, Counted]:
    """By limit the counter that has least left: a limit may count by session, caller and tenant."""
    found: dict[str, Counted] = {}
    for one in counted:
        known = found.get(one.id)
        if known is None or one.most - one.after < known.most - known.after:
            found[one.id] = one
    return found
