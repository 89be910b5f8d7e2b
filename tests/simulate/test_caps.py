"""Every number that a counter is held to can be swept, by the name that decisions give it."""

from __future__ import annotations

import pytest

from mcpobs.limits import paths
from mcpobs.policy import file
from mcpobs.policy.model import Policy
from mcpobs.simulate import caps

POLICY = b"""version: 1
session: {calls: 9, cost_usd: 0.5, duration_s: 60, distinct_tools: 3}
key: {calls_per_hour: 90}
tools:
  search: {calls_per_session: 4, calls_per_hour: 40, error_rate: 0.1, arguments: {max_bytes: 9}}
  "*": {calls_per_session: 7}
tenants: {acme.eu: {session: {calls: 5}, tools: {search: {calls_per_session: 2}}}}
roles: {admin: {key: {calls_per_hour: 8}}}
"""
NAMES = {
    "session.calls": 9,
    "session.cost_usd": 0.5,
    "session.duration_s": 60,
    "session.distinct_tools": 3,
    "key.calls_per_hour": 90,
    "tools.search.calls_per_session": 4,
    "tools.search.calls_per_hour": 40,
    "tools.*.calls_per_session": 7,
    "tenants.acme.eu.session.calls": 5,
    "tenants.acme.eu.tools.search.calls_per_session": 2,
    "roles.admin.key.calls_per_hour": 8,
}


def _policy() -> Policy:
    return file.of_texts([(POLICY, "limits.yaml")])


def test_all_counted_numbers_have_a_name() -> None:
    assert {name: one.cap for name, one in caps.known(_policy()).items()} == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_another_cap_changes_that_number_alone(name: str) -> None:
    policy = _policy()
    changed = caps.with_cap(policy, caps.find(policy, name), 123)
    before, after = (
        {".".join(path): limit.value for path, limit in paths.numbers(one.layers[0].learned)}
        for one in (policy, changed)
    )
    assert after == before | {name: 123}


@pytest.mark.parametrize(
    ("name", "id_", "is_counted"),
    [
        ("session.calls", "session.calls.reopened", True),
        ("session.calls", "tenants.acme.eu.session.calls", False),
        ("tools.*.calls_per_session", "tools.any.calls_per_session.reopened", True),
        ("tools.*.calls_per_session", "tools.any.calls_per_hour", False),
        ("roles.admin.key.calls_per_hour", "roles.admin.key.calls_per_hour", True),
    ],
)
def test_a_counter_is_known_by_its_numbers_name(name: str, id_: str, is_counted: bool) -> None:
    swept = caps.known(_policy())[name]
    assert swept.is_counted_by(id_) is is_counted
