"""A call is counted once, whoever else reports it."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from mcpobs.lake.engine import Connection
from mcpobs.lake.reader import Reading, open_reading
from tests.queries import oracles
from tests.queries.recorded import SECOND, START, Row, ask, call, create_views, in_memory, plan_over, scatter

PROXY, HTTP, IN_PROCESS, FASTMCP, SDK, GATEWAY = (
    "proxy/stdio",
    "proxy/http",
    "in_process",
    "fastmcp",
    "mcp-python-sdk",
    "gw",
)
OURS = (PROXY, HTTP, IN_PROCESS)
WITHOUT_ID = (FASTMCP,)


@dataclass
class World:
    """Real calls, and the spans in which layers tell of them."""

    chance: random.Random
    rows: list[Row] = field(default_factory=list)
    calls: int = 0

    def call(
        self,
        layers: tuple[str, ...],
        *,
        client_trace: str | None = None,
        propagate: bool = False,
        at_s: float | None = None,
        service: str = "files",
        services: dict[str, str] | None = None,
        tool: str = "search",
        request_id: str | None = None,
        parent: str | None = None,
    ) -> list[Row]:
        """One call as its layers, outer to inner, tell of it. `client_trace` is what the client sends along; with
        `propagate` each layer of ours puts its own span in place of that, and within a process spans nest anyway."""
        number = self.calls
        self.calls += 1
        trace, above = client_trace, (parent or self._id(16)) if client_trace else None
        start = START + int((number if at_s is None else at_s) * SECOND)
        reported = []
        for depth, layer in enumerate(layers):
            span = self._id(16)
            row = call(
                len(self.rows),
                trace_id=trace or self._id(32),
                span_id=span,
                parent_span_id=above,
                scope_name="mcpobs" if layer in OURS else layer,
                front=layer if layer in OURS else None,
                service_name=(services or {}).get(layer, service),
                tool=tool,
                request_id=None if layer in WITHOUT_ID else (request_id or str(number)),
                start_unix_nano=start + depth * 1000,
                duration_ns=10_000_000 - depth * 2000,
            )
            reported.append(row)
            if (propagate and layer in OURS) or layer == IN_PROCESS:
                trace, above = row["trace_id"], span
        self.rows += reported
        return reported

    def _id(self, digits: int) -> str:
        return f"{self.chance.getrandbits(digits * 4):0{digits}x}"


def counted(rows: list[Row] | Connection | Reading) -> list[Row]:
    plan = plan_over(in_memory(rows) if isinstance(rows, list) else rows)
    create_views(plan, "tool_calls")
    columns = "scope_name, front, service_name, tool, span_id"
    found = plan.connection.execute(f"select {columns} from tool_calls order by start_unix_nano, span_id").fetchall()
    return [dict(zip(columns.split(", "), row, strict=True)) for row in found]


@pytest.fixture
def world() -> World:
    return World(random.Random(1))


ALL = (PROXY, IN_PROCESS, FASTMCP, SDK)


@pytest.mark.parametrize(
    ("sent", "propagate"),
    [(True, False), (True, True), (False, True), (False, False)],
    ids=["the client sends its trace", "and the proxy puts itself in it", "the proxy makes one", "nobody does"],
)
def test_of_all_layers_at_once_the_proxy_counts(world: World, sent: bool, propagate: bool) -> None:
    for number in range(5):
        world.call(ALL, client_trace=f"{number + 1:032x}" if sent else None, propagate=propagate)
    found = counted(world.rows)
    assert [row["front"] for row in found] == [PROXY] * 5
    layers = {row["layer"]: row for row in ask(in_memory(world.rows), "coverage")}
    assert {name: row["calls"] for name, row in layers.items()} == {PROXY: 5, IN_PROCESS: 0, FASTMCP: 0, SDK: 0}
    why = "same_trace" if sent or propagate else "not_authoritative"
    assert layers[IN_PROCESS][why] == 5
    assert all(layers[name]["same_trace"] == 5 for name in (FASTMCP, SDK))  # they lie in the span of the one in process


def test_without_a_proxy_the_front_in_the_process_counts_then_fastmcp_then_the_sdk(world: World) -> None:
    for layers in ((IN_PROCESS, FASTMCP, SDK), (FASTMCP, SDK), (SDK,)):
        world.call(layers, service=layers[0])
    found = counted(world.rows)
    assert [row["front"] or row["scope_name"] for row in found] == [IN_PROCESS, FASTMCP, SDK]


def test_a_gateway_and_a_server_that_share_a_trace_are_one_call_though_they_are_two_services(world: World) -> None:
    world.call((GATEWAY, SDK), client_trace="a" * 32, services={GATEWAY: "gateway", SDK: "files"})
    world.call((GATEWAY, PROXY), client_trace="b" * 32, services={GATEWAY: "gateway", PROXY: "other"})
    assert [row["service_name"] for row in counted(world.rows)] == ["files", "other"]


def test_two_proxies_in_a_row_are_one_call_and_the_outer_one_counts(world: World) -> None:
    world.call((HTTP, PROXY), client_trace="a" * 32)
    world.call((PROXY, HTTP), client_trace="b" * 32, propagate=True)
    assert [row["front"] for row in counted(world.rows)] == [HTTP, PROXY]


def test_a_trace_with_many_calls_of_one_tool_has_each_of_them(world: World) -> None:
    """An agent's turn: one trace, one parent, calls at the same time, and FastMCP tells no ids."""
    for _ in range(20):
        world.call(ALL, client_trace="a" * 32, parent="b" * 16, at_s=1)
    assert len(counted(world.rows)) == 20


def test_a_call_that_a_tool_makes_of_another_server_is_a_call_of_its_own(world: World) -> None:
    """The same tool name and the same request id, one trace, and the second below the first: a client sent it."""
    (outer,) = world.call((PROXY,), client_trace="a" * 32, request_id="3", service="front")
    sent = call(
        900,
        trace_id="a" * 32,
        span_id="c" * 16,
        parent_span_id=outer["span_id"],
        kind="client",
        scope_name=SDK,
        request_id="3",
    )
    world.rows.append(sent)
    world.call((SDK,), client_trace="a" * 32, request_id="3", service="back", parent="c" * 16, at_s=0.001)
    assert [row["service_name"] for row in counted(world.rows)] == ["front", "back"]


def test_servers_without_a_name_are_not_taken_for_one(world: World) -> None:
    world.call((FASTMCP,), service="unknown_service:python")
    world.call((SDK,), service="unknown_service:python")
    assert len(counted(world.rows)) == 2


def test_a_layer_counts_from_the_hour_after_a_better_one_was_taken_away(world: World) -> None:
    for number in range(6):
        world.call((PROXY, SDK) if number == 0 else (SDK,), at_s=number * 3600)
    found = counted(world.rows)
    assert [row["scope_name"] for row in found] == ["mcpobs", SDK, SDK, SDK, SDK]  # the hour next to it is in doubt


@pytest.mark.parametrize(("scope", "id_"), [(SDK, "7"), (FASTMCP, None)])
def test_a_list_that_a_server_asks_of_itself_is_no_operation(scope: str, id_: str | None) -> None:
    def reported(number: int, method: str, at_s: float, **more: Any) -> Row:
        columns = {"protocol_version": "2026-07-28", "request_id": id_, "tool": "t" if method == "tools/call" else None}
        return call(number, **{**columns, "scope_name": scope, "method": method, "at_s": at_s, "ms": 1, **more})

    legacy = {"protocol_version": "2025-11-25", "request_id": "9"}
    rows = [
        reported(1, "tools/list", 0.0),
        reported(2, "tools/call", 0.002),
        reported(3, "tools/list", 60.0),  # another client's, which also counts from 0
        reported(4, "tools/call", 90.0),
        reported(5, "tools/list", 120.0, parent_span_id="f" * 16),  # a client sent it
        reported(6, "tools/call", 120.002),
        reported(7, "tools/list", 180.0, **legacy),
        reported(8, "tools/call", 180.002, **legacy),
    ]
    connection = in_memory(rows)
    create_views(connection, "operations", "tool_calls")
    found = connection.execute("select span_id from operations order by 1").fetchall()
    assert [int(span, 16) for (span,) in found] == [2, 3, 4, 5, 6, 7, 8]
    (layer,) = ask(connection, "coverage")
    assert (layer["spans"], layer["calls"], layer["phantoms"]) == (8, 4, 1)


def _random(world: World, chance: random.Random) -> None:
    """Services with their own layers; clients that send a trace or none, now for each call, now for many."""
    stacks = [(PROXY,), (SDK,), (FASTMCP,), (PROXY, SDK), (PROXY, FASTMCP), (IN_PROCESS, SDK), ALL, (HTTP, IN_PROCESS)]
    services = {f"s{n}": chance.choice(stacks) for n in range(chance.randrange(1, 6))}
    propagating = {name for name in services if chance.random() < 0.5}
    traces = [f"{chance.getrandbits(128):032x}" for _ in range(3)]
    for number in range(chance.randrange(0, 20)):  # behind a gateway, which is a service of its own
        place = chance.randrange(3)
        stack = [(GATEWAY, PROXY, SDK), (GATEWAY, FASTMCP), (HTTP, PROXY, FASTMCP)][place]
        outer = {stack[0]: f"gateway-{place}", **dict.fromkeys(stack[1:], f"behind-{place}")}
        world.call(stack, client_trace=f"{chance.getrandbits(128):032x}", propagate=number % 2 == 0, services=outer)
    for _ in range(chance.randrange(1, 120)):
        name = chance.choice(list(services))
        world.call(
            services[name],
            client_trace=chance.choice([None, chance.choice(traces), f"{chance.getrandbits(128):032x}"]),
            parent=chance.choice(["e" * 16, None]),
            propagate=name in propagating,
            service=name,
            tool=chance.choice(["search", "fetch"]),
            request_id=str(chance.randrange(3)) if chance.random() < 0.2 else None,
            at_s=chance.randrange(86_400),
        )


@pytest.mark.parametrize("seed", range(60))
def test_whatever_the_layers_and_traces_as_many_calls_are_counted_as_were_made(seed: int) -> None:
    chance = random.Random(seed)
    world = World(chance)
    _random(world, chance)
    chance.shuffle(world.rows)
    connection = in_memory(world.rows, threads=chance.choice([1, 2, 8]))
    assert len(counted(connection)) == world.calls
    expected = oracles.coverage(world.rows)
    assert [{name: row[name] for name in expected[0]} for row in ask(connection, "coverage")] == expected


@pytest.mark.parametrize("seed", range(3))
def test_it_holds_in_a_lake_whose_files_say_who_reported(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    world = World(chance)
    _random(world, chance)
    scatter(tmp_path / "lake", world.rows, chance)
    with open_reading(tmp_path / "lake") as reading:
        assert len(counted(reading)) == world.calls
