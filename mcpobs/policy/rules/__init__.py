"""The kinds of conditions that a rule may have: one file each, found by the key that it is written with."""

from __future__ import annotations

from collections.abc import Mapping

from mcpobs.policy.conditions import ReadCondition
from mcpobs.policy.rules import order, schedule, schema, tenant

KINDS: Mapping[str, ReadCondition] = {
    "args_schema": schema.read,
    "after": order.read,
    "window": schedule.read,
    "tenant": tenant.read,
}
