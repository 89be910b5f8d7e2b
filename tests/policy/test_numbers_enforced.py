"""Every number of a limits file does to a call what `limits/enforcement.py` says of it, and no number is forgotten."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from mcpobs.limits import enforcement, paths
from mcpobs.limits.enforcement import ENFORCED
from mcpobs.limits.file import read_text
from mcpobs.limits.model import ANY_TOOL
from mcpobs.policy.conditions import UNKNOWN
from mcpobs.policy.json_schema import json_schema
from mcpobs.policy.keys import _EVIDENCE
from mcpobs.protocol.session import Identity
from tests.policy.deciding import SECOND_NS, Desk

ANN = Identity("ann", "acme", "admin")
PREFIXES = {"everybody": (), "tenant": ("tenants", "acme"), "role": ("roles", "admin")}
HOUR_NS = 3_600 * SECOND_NS
EVIDENCE = {key.name for key in _EVIDENCE}
VALUES: dict[str, object] = {"tools.T.error_rate": 0.1, "tools.T.result.shapes": ["object(text)"]}


def _numbers_of(section: str) -> Iterator[str]:
    """The paths of the numbers below a section of the JSON Schema."""
    schema: Any = json_schema()
    for name, value in schema["$defs"][section]["properties"].items():
        if name in EVIDENCE:
            continue
        below = value.get("$ref") or value.get("additionalProperties", {}).get("$ref")
        if below is None:
            yield name
            continue
        some = "A." if "additionalProperties" in value else ""
        yield from (f"{name}.{some}{one}" for one in _numbers_of(below.removeprefix("#/$defs/")))


def test_every_number_of_the_schema_is_placed() -> None:
    found = {
        *(f"session.{name}" for name in _numbers_of("session")),
        *(f"key.{name}" for name in _numbers_of("key")),
        *(f"tools.T.{name}" for name in _numbers_of("tool")),
        "sequences",
    }
    assert found == set(ENFORCED)
    schema: Any = json_schema()
    assert set(schema["$defs"]["group"]["properties"]) == {"session", "key", "tools"}


def _policy(kind: str, value: object, prefix: tuple[str, ...], tool: str = "search") -> str:
    path = [{"T": tool, "A": "q"}.get(name, name) for name in kind.split(".")]
    found: Any = value
    for name in reversed((*prefix, *path)):
        found = {name: found}
    return yaml.safe_dump({"version": 1, "halt_after_denials": "off", **found})


def _asked(desk: Desk, **more: Any) -> str | None:
    return desk.code("search", ANN, **more)


def _calls(desk: Desk) -> list[str | None]:
    return [_asked(desk, arguments={"n": number}) for number in range(3)]


def _tools(desk: Desk) -> list[str | None]:
    return [desk.code(name, ANN) for name in ("a", "b", "c")]


def _costs(desk: Desk) -> list[str | None]:
    return [_asked(desk, cost=1_000_000) for _ in range(3)]


def _hours(desk: Desk) -> list[str | None]:
    return [_asked(desk, session=f"s{number}") for number in range(3)]


def _time(desk: Desk) -> list[str | None]:
    codes = []
    for _ in range(3):
        codes.append(_asked(desk))
        desk.now_ns += 3 * SECOND_NS // 2
    return codes


def _values(*values: object) -> Callable[[Desk], list[str | None]]:
    return lambda desk: [_asked(desk, arguments={"q": value}) for value in values]


def _sizes(desk: Desk) -> list[str | None]:
    return [_asked(desk, args_bytes=size) for size in (1, 2, 3)]


MEETS: dict[str, tuple[Callable[[Desk], list[str | None]], str]] = {
    "session.calls": (_calls, "call_limit"),
    "session.cost_usd": (_costs, "cost_limit"),
    "session.duration_s": (_time, "duration"),
    "session.distinct_tools": (_tools, "tool_limit"),
    "key.calls_per_hour": (_hours, "rate_limit"),
    "tools.T.calls_per_session": (_calls, "call_limit"),
    "tools.T.calls_per_hour": (_hours, "rate_limit"),
    "tools.T.arguments.max_bytes": (_sizes, "size"),
    "tools.T.argument_values.A.max_length": (_values("a", "aa", "aaa"), "arguments"),
    "tools.T.argument_values.A.max_items": (_values([], [1, 2], [1, 2, 3]), "arguments"),
    "tools.T.argument_values.A.min": (_values(3, 2, 1), "arguments"),
    "tools.T.argument_values.A.max": (_values(1, 2, 3), "arguments"),
}
"""Calls of which the third goes over 2."""


def test_every_refused_number_is_met_below() -> None:
    assert {path for path, one in ENFORCED.items() if one.effect == "refused"} == set(MEETS)


@pytest.mark.parametrize("whose", PREFIXES)
@pytest.mark.parametrize("kind", MEETS)
def test_a_call_beyond_a_number_is_refused(kind: str, whose: str) -> None:
    meets, code = MEETS[kind]
    desk = Desk(_policy(kind, 2, PREFIXES[whose]))
    assert meets(desk) == [None, None, code]


@pytest.mark.parametrize("kind", MEETS)
@pytest.mark.parametrize("prefix", [("tenants", "other"), ("roles", "other")])
def test_a_number_of_others_refuses_nothing(kind: str, prefix: tuple[str, ...]) -> None:
    assert MEETS[kind][0](Desk(_policy(kind, 2, prefix))) == [None, None, None]


@pytest.mark.parametrize("whose", PREFIXES)
@pytest.mark.parametrize("kind", MEETS)
def test_a_decision_names_the_number_by_its_path(kind: str, whose: str) -> None:
    text = _policy(kind, 2, PREFIXES[whose])
    desk = Desk(text)
    MEETS[kind][0](desk)
    ((path, _),) = paths.numbers(read_text(text))
    if "argument_values" in path:  # all numbers of a tool's arguments are one rule
        assert desk.refusing == ["tools.search.argument_values"]
    else:
        assert desk.refusing == [".".join(path)]


@pytest.mark.parametrize("whose", PREFIXES)
@pytest.mark.parametrize("kind", [path for path in MEETS if path.startswith("tools.")])
def test_a_number_of_any_tool_holds_for_each_tool_without_its_own(kind: str, whose: str) -> None:
    desk = Desk(_policy(kind, 2, PREFIXES[whose], ANY_TOOL))
    meets, code = MEETS[kind]
    assert meets(desk) == [None, None, code]
    assert desk.code("another", ANN, arguments={"q": 2}) is None or "argument_values" in kind


@pytest.mark.parametrize("kind", [path for path, one in ENFORCED.items() if one.effect == "compared"])
def test_a_number_that_is_only_compared_refuses_nothing(kind: str) -> None:
    desk = Desk(_policy(kind, VALUES.get(kind, 1), ()))
    codes = [desk.code("search", ANN, fails=True, cost=1_000_000, args_bytes=9_999) for _ in range(12)]
    assert codes == [None] * 12


@pytest.mark.parametrize("by", ["tenants", "roles"])
def test_a_number_of_a_group_stands_in_place_of_everybodys_also_if_it_is_higher(by: str) -> None:
    name = {"tenants": "acme", "roles": "admin"}[by]
    desk = Desk(f"version: 1\nsession: {{calls: 1}}\n{by}: {{{name}: {{session: {{calls: 2}}}}}}\n")
    assert _calls(desk) == [None, None, "call_limit"]
    assert [desk.code("x", Identity("bob", "z", "z")) for _ in range(2)] == [None, "call_limit"]


def test_of_tenant_and_role_the_lower_number_holds() -> None:
    desk = Desk("version: 1\ntenants: {acme: {session: {calls: 5}}}\nroles: {admin: {session: {calls: 2}}}\n")
    assert _calls(desk) == [None, None, "call_limit"]


def test_a_number_per_hour_stands_in_place_of_the_window_behind_a_session() -> None:
    desk = Desk("version: 1\nsession: {calls: 2}\nkey: {calls_per_hour: 3}\nhalt_after_denials: off\n")
    codes = [_asked(desk, session=f"s{number}") for number in range(4)]
    assert codes == [None, None, None, "rate_limit"]
    desk.now_ns += 2 * HOUR_NS
    assert _asked(desk, session="s9") is None


def test_the_hour_of_a_caller_is_its_own() -> None:
    desk = Desk("version: 1\nkey: {calls_per_hour: 1}\n")
    assert _asked(desk) is None
    assert desk.code("search", Identity("bob", "acme")) is None
    assert _asked(desk, session="s2") == "rate_limit"


def test_a_session_that_lasts_too_long_goes_on_as_another() -> None:
    desk = Desk("version: 1\nsession: {duration_s: 60}\nhalt_after_denials: off\n")
    assert _asked(desk) is None
    desk.now_ns += 60 * SECOND_NS
    decision = desk.ask("search", ANN)
    assert decision.lane.code == "duration"
    assert "longest duration of 60 s" in decision.text
    assert "retry_after_s" not in decision.meta
    assert _asked(desk, session="s2") is None


NOT_WITHIN: list[tuple[str, object]] = [
    ("max: 50", "1000"),
    ("max: 50", [1000]),
    ("max: 50", {"value": 1000}),
    ("max: 50", 50.5),
    ("max: 50, max_length: 9", "1000"),
    ("max: 50, max_items: 3", [1000]),
    ("max: 50", "1e3"),
    ("min: 0", -0.5),
    ("min: 0, max_length: 5", " -3 "),
    ("max_length: 3", ["aaaa"]),
    ("max_length: 3", [[{"k": "aaaa"}]]),
    ("max_length: 3", {"aaaa": 1}),
    ("max_items: 2", [1, 2, 3]),
    ("max_items: 2", {"a": 1}),
    ("max: 50", float("nan")),
    ("max: 50", 1 << 70),
]
WITHIN: list[tuple[str, object]] = [
    ("max: 50", None),
    ("max: 50", True),
    ("max: 50", 50),
    ("max_length: 3", "aaa"),
    ("max_length: 3", 12345),
    ("max_items: 2", "text"),
    ("max_items: 2, max_length: 3", ["aaa", "b"]),
]


@pytest.mark.parametrize(("numbers", "value"), NOT_WITHIN)
def test_a_value_of_another_form_does_not_pass_a_number(numbers: str, value: object) -> None:
    desk = Desk(f"version: 1\ntools: {{search: {{argument_values: {{q: {{{numbers}}}}}}}}}\n")
    assert _asked(desk, arguments={"q": value}) == "arguments"


@pytest.mark.parametrize(("numbers", "value"), WITHIN)
def test_a_value_within_its_numbers_passes(numbers: str, value: object) -> None:
    desk = Desk(f"version: 1\ntools: {{search: {{argument_values: {{q: {{{numbers}}}}}}}}}\n")
    assert _asked(desk, arguments={"q": value}) is None
    assert _asked(desk, arguments={}) is None


@pytest.mark.parametrize("arguments", [[], "q", 3])
def test_arguments_without_names_do_not_pass_a_number_of_one(arguments: object) -> None:
    desk = Desk("version: 1\ntools: {search: {argument_values: {q: {max: 1}}}}\n")
    assert _asked(desk, arguments=arguments) == "arguments"


def test_a_replay_without_values_does_not_decide_a_number_of_one() -> None:
    desk = Desk("version: 1\ntools: {search: {argument_values: {q: {max: 1}}}}\n")
    decision = desk.ask("search", ANN, arguments=UNKNOWN)
    assert decision.lane.undecidable == ("tools.search.argument_values",)


def test_the_spending_of_a_caller_reaches_the_number_of_its_role() -> None:
    from mcpobs.policy import file
    from mcpobs.policy.spend import Budgets

    policy = file.of_texts([(b"version: 1\nroles: {admin: {session: {cost_usd: 2}}}\n", "p.yaml")])
    assert Budgets(policy).any


def test_kinds_of_paths_are_those_of_the_table() -> None:
    assert enforcement.kind_of(("tenants", "acme", "tools", "x", "argument_values", "q", "max")) in ENFORCED
    assert enforcement.kind_of(("roles", "r", "key", "calls_per_hour")) in ENFORCED
