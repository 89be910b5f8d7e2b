"""Model calls of agents: random ones, and what `report cost` has to say of them and of tool calls, computed plainly."""

from __future__ import annotations

import json
from collections import defaultdict
from random import Random
from typing import Any

from tests.queries.oracles import Row, nulls_last, tool_calls

START = 1_790_000_000_000_000_000
_NEVER_RAN = ("denied", "protocol_error", "input_required")
_OPERATIONS = (
    "chat",
    "chat",
    "text_completion",
    "generate_content",
    "embeddings",
    "invoke_agent",
    "execute_tool",
    None,
)
_INPUT = ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens")
_OUTPUT = ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens")


def llm_rows(chance: Random, count: int, calls: list[Row]) -> list[Row]:
    """Spans of model calls, some of them in the traces and conversations of the calls, which are marked for that."""
    for call in calls:
        if chance.random() < 0.1:
            call["session_candidates"] = json.dumps({"conversation": f"c{chance.randrange(3)}", "trace": "t"})
    rows: list[Row] = []
    for number in range(count):
        rows.append(_row(chance, number, calls))
        if chance.random() < 0.1:  # recorded by two instrumentations
            outer = rows[-1]
            rows.append({**outer, "span_id": f"b{number:015x}", "parent_span_id": outer["span_id"]})
    return rows


def _row(chance: Random, number: int, calls: list[Row]) -> Row:
    given: dict[str, Any] = {
        "gen_ai.operation.name": chance.choice(_OPERATIONS),
        "gen_ai.conversation.id": chance.choice([f"c{chance.randrange(5)}", None]),
        chance.choice(["gen_ai.provider.name", "gen_ai.system"]): chance.choice(["p", None]),
        "gen_ai.request.model": chance.choice(["m-1", "m-2", None]),
        "gen_ai.response.model": chance.choice(["m-1-2026", None]),
        chance.choice(_INPUT): chance.choice([0, 100, 90_000, None]),
        "gen_ai.usage.cache_read.input_tokens": chance.choice([None, None, 10, 60]),
        "gen_ai.usage.cache_creation.input_tokens": chance.choice([None, None, 50]),
        chance.choice(_OUTPUT): chance.choice([0, 7, 800, None]),
    }
    if chance.random() < 0.1:
        given = {name: value for name, value in given.items() if "usage" not in name}
    return {
        "trace_id": chance.choice(calls)["trace_id"]
        if calls and chance.random() < 0.5
        else f"{chance.getrandbits(128):032x}",
        "span_id": f"a{number:015x}",
        "name": "chat",
        "kind": "client",
        "scope_name": "agents",
        "service_name": chance.choice(["agent", None]),
        "start_unix_nano": START + number * 1_000_000,
        "duration_ns": chance.randrange(1, 10**9),
        "attributes": json.dumps({k: v for k, v in given.items() if v is not None}, separators=(",", ":")),
    }


def _used(rows: list[Row]) -> list[Row]:
    found = []
    for row in rows:
        if row.get("method") is not None or '"gen_ai.usage.' not in (row.get("attributes") or ""):
            continue
        parsed = json.loads(row["attributes"])
        if parsed.get("gen_ai.operation.name", "chat") in ("chat", "text_completion", "generate_content", "embeddings"):
            found.append({**row, "parsed": parsed})
    inside = {(row["trace_id"], row.get("parent_span_id")) for row in found}
    return [row for row in found if (row["trace_id"], row["span_id"]) not in inside]


def _first(parsed: Row, names: tuple[str, ...]) -> int:
    return next((parsed[name] for name in names if name in parsed), 0)


def _sessions(rows: list[Row], name: str) -> dict[str, Row]:
    """The operation that began first, by trace or by conversation."""
    first: dict[str, Row] = {}
    operations = [row for row in rows if row.get("method") and row.get("kind") in ("server", "client")]
    for row in sorted(operations, key=lambda r: (r["start_unix_nano"], r.get("session_id") or "", r["span_id"])):
        candidates = json.loads(row.get("session_candidates") or "{}")
        key = row["trace_id"] if name == "trace" else candidates.get("conversation")
        if row.get("session_id") is not None and key is not None:
            first.setdefault(key, row)
    return first


def cost(rows: list[Row], by: str = "tool", tool: str | None = None, session: str | None = None) -> list[Row]:
    groups: dict[tuple[Any, ...], dict[str, Any]] = defaultdict(
        lambda: {"calls": [], "llm_calls": 0, "llm_tokens": 0, "llm": False}
    )
    column = {"tool": "tool", "session": "session_id", "tenant": "tenant"}[by]
    for call in tool_calls(rows):
        if tool in (None, call.get("tool")) and session in (None, call.get("session_id")):
            service = call.get("service_name") if by == "tool" else None
            groups[call.get(column), service, None]["calls"].append(call)
    traces, conversations = _sessions(rows, "trace"), _sessions(rows, "conversation")
    for used in [] if tool else _used(rows):
        parsed = used["parsed"]
        of = traces.get(used["trace_id"]) or conversations.get(parsed.get("gen_ai.conversation.id", "")) or {}
        if session not in (None, of.get("session_id")):
            continue
        model = parsed.get("gen_ai.response.model") or parsed.get("gen_ai.request.model") or "?"
        group = groups[(None, None, model) if by == "tool" else (of.get(column), None, None)]
        cached = parsed.get("gen_ai.usage.cache_read.input_tokens", 0)
        cached += parsed.get("gen_ai.usage.cache_creation.input_tokens", 0)
        tokens = _first(parsed, _INPUT)
        group["llm"] = True
        group["llm_calls"] += 1
        group["llm_tokens"] += tokens + (cached if tokens < cached else 0) + _first(parsed, _OUTPUT)
    total = sum(c.get("cost_microusd") or 0 for group in groups.values() for c in group["calls"])
    result = []
    for (item, service, model), group in groups.items():
        costs = [c["cost_microusd"] for c in group["calls"] if c.get("cost_microusd") is not None]
        sources = [call.get("cost_source") or "" for call in group["calls"]]
        ran = [call for call in group["calls"] if call.get("outcome") not in _NEVER_RAN]
        result.append(
            {
                "item": item,
                "service_name": service,
                "model": model,
                "calls": sum(call.get("outcome") != "input_required" for call in group["calls"]),
                "priced": len(costs),
                "unpriced": sum(call.get("cost_microusd") is None for call in ran),
                "incomplete": sum("?" in source for source in sources),
                "unrecorded": sources.count("unrecorded"),
                "cost_microusd": sum(costs) if costs else None,
                "share_ratio": sum(costs) / total if costs and total else None,
                "mean_microusd": sum(costs) / len(costs) if costs else None,
                "most_microusd": max(costs, default=None),
                "llm_calls": group["llm_calls"] if group["llm"] else None,
                "llm_tokens": group["llm_tokens"] if group["llm"] else None,
                "llm_microusd": None,  # no price is known of such models
            }
        )
    return sorted(
        result,
        key=lambda r: (
            r["cost_microusd"] is None,
            -(r["cost_microusd"] or 0),
            -r["calls"],
            *(nulls_last(r[name]) for name in ("item", "service_name", "model")),
        ),
    )
