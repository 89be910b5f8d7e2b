"""The kinds of conditions that a rule may have: one file each, found by the key that it is written with.

They are evaluated in this order: what costs least comes first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from mcpobs.policy.conditions import ReadCondition
from mcpobs.policy.rules import expression, order, path, schedule, schema, statement, tenant, url

KINDS: Final[Mapping[str, ReadCondition]] = {
    "after": order.read,
    "window": schedule.read,
    "tenant": tenant.read,
    "path": path.read,
    "url": url.read,
    "args_schema": schema.read,
    "when": expression.read,
    "sql": statement.read,
}
IN_DENY: Final = ("after", "window", "args_schema", "when")
"""Those that a `deny` may have. The others refuse whatever is unclear, so that a `deny` would let just that pass."""
