"""What the lake must hold for a plan that was sent, and what it holds, in one form."""

from __future__ import annotations

import base64
import json
import math
from pathlib import Path
from typing import Any

from mcpobs.lake.reader import open_reading
from tests.interop.otlp.plan import Value

Row = dict[str, Any]
Ids = list[tuple[str, str]]

_KINDS = (None, "internal", "server", "client", "producer", "consumer")
_STATUS = (None, "ok", "error")
PROMOTED = {"gen_ai.agent.name": ("agent", "s"), "mcpobs.tokens": ("tokens", "i")}
"""Attribute to column, and the kind of value that moves there."""


def expected(plan: dict[str, Any], ids: Ids, *, json_numbers: bool = False) -> dict[tuple[str, str], Row]:
    """The rows by their ids. With `json_numbers` what is no JSON number was lost by the sender, as JavaScript's is."""
    rows = {}
    for place, planned in enumerate(plan["spans"]):
        trace_id, span_id = ids[place]
        parent, remote = planned["parent"], planned["remote"]
        attributes = _kept(planned["attributes"], json_numbers)
        row: Row = {
            "trace_id": trace_id,
            "span_id": span_id,
            "parent_span_id": ids[parent][1] if parent is not None else remote["span_id"] if remote else None,
            "trace_flags": 1 if plan["sampled_flag"] else None,
            "trace_state": _state(plan, place),
            "name": planned["name"],
            "kind": _KINDS[planned["kind"]],
            "start_unix_nano": int(planned["start"]),
            "duration_ns": int(planned["end"]) - int(planned["start"]),
            "status": _STATUS[planned["status"]],
            "error_message": planned["status_message"] or None,
            "service_name": plan["resource"]["service.name"]["s"],
            "scope_name": plan["scope"]["name"],
            "scope": {key: value for key, value in plan["scope"].items() if key != "name" and value},
            "resource": _kept({k: v for k, v in plan["resource"].items() if k != "service.name"}, json_numbers),
            "agent": None,
            "tokens": None,
            "events": [
                {**event, "attributes": _kept(event["attributes"], json_numbers)} for event in planned["events"]
            ],
            "links": [
                {
                    "trace_id": ids[link["to"]][0],
                    "span_id": ids[link["to"]][1],
                    "trace_state": _state(plan, link["to"]) if plan["link_states"] else None,
                    "attributes": _kept(link["attributes"], json_numbers),
                }
                for link in planned["links"]
            ],
        }
        for attribute, (column, kind) in PROMOTED.items():
            if kind in attributes.get(attribute, {}):
                inner = attributes.pop(attribute)[kind]
                row[column] = int(inner) if kind == "i" else inner
        rows[trace_id, span_id] = row | {"attributes": attributes}
    return rows


def _state(plan: dict[str, Any], place: int) -> str | None:
    """A span's trace state is that of the trace it takes part in."""
    planned = plan["spans"][place]
    if planned["parent"] is not None:
        return _state(plan, planned["parent"])
    return (planned["remote"] or {}).get("trace_state") or None


def _kept(attributes: dict[str, Value], json_numbers: bool) -> dict[str, Value]:
    return {key: _value(value, json_numbers) for key, value in attributes.items()}


def _value(value: Value, json_numbers: bool) -> Value:
    ((kind, inner),) = value.items()
    match kind:
        case "d" if json_numbers and not math.isfinite(float(inner)):
            return {"none": None}
        case "a":
            return {"a": [_value(one, json_numbers) for one in inner]}
        case "m":
            return {"m": _kept(inner, json_numbers)}
    return value


# -- what the lake holds -----------------------------------------------------------------------------------

_COLUMNS = (
    "trace_id", "span_id", "parent_span_id", "trace_flags", "trace_state", "name", "kind", "start_unix_nano",
    "duration_ns", "status", "error_message", "service_name", "scope_name", "scope", "resource", "agent", "tokens",
    "events", "links", "attributes",
)  # fmt: skip


def held(lake: Path) -> list[Row]:
    """Every row, its JSON read."""
    with open_reading(lake) as reading:
        rows = reading.connection.execute(f"select {', '.join(_COLUMNS)} from spans").fetchall()
    return [_read(dict(zip(_COLUMNS, row, strict=True))) for row in rows]


def _read(row: Row) -> Row:
    scope = json.loads(row["scope"] or "{}")
    return row | {
        "scope": {key: typed(value)["m"] if key == "attributes" else value for key, value in scope.items()},
        "resource": _attributes(row["resource"]),
        "attributes": _attributes(row["attributes"]),
        "events": [
            {"name": one["name"], "time": str(one["time_unix_nano"]), "attributes": _typed(one.get("attributes", {}))}
            for one in json.loads(row["events"] or "[]")
        ],
        "links": [
            {
                "trace_id": one["trace_id"],
                "span_id": one["span_id"],
                "trace_state": one.get("trace_state"),
                "attributes": _typed(one.get("attributes", {})),
            }
            for one in json.loads(row["links"] or "[]")
        ],
    }


def _attributes(text: str | None) -> dict[str, Value]:
    return _typed(json.loads(text or "{}"))


def _typed(values: dict[str, Any]) -> dict[str, Value]:
    return {key: typed(value) for key, value in values.items()}


def typed(value: Any) -> Value:
    """A value of the lake's JSON columns, with its kind: the form that mcpobs.lake.otlp.columns describes."""
    match value:
        case None:
            return {"none": None}
        case bool():
            return {"b": value}
        case int():
            return {"i": str(value)}
        case float():
            return {"d": repr(value)}
        case str():
            return {"s": value}
        case list():
            return {"a": [typed(one) for one in value]}
        case {"doubleValue": inner, **rest} if not rest:
            return {"d": repr(float(inner))}
        case {"bytesValue": inner, **rest} if not rest:
            return {"y": base64.b64encode(base64.b64decode(inner, validate=True)).decode()}
        case {"kvlistValue": inner, **rest} if not rest:
            return {"m": _typed(inner)}
    return {"m": _typed(value)}


def differences(wanted: dict[tuple[str, str], Row], rows: list[Row]) -> list[str]:
    """Each a sentence; none where every span is there once and every value equal."""
    found: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        found.setdefault((row["trace_id"], row["span_id"]), []).append(row)
    problems = [f"{len(same)} times: {key}" for key, same in found.items() if len(same) > 1]
    problems += [f"not sent: {key}" for key in found.keys() - wanted.keys()]
    problems += [f"lost: {key}" for key in wanted.keys() - found.keys()]
    for key in wanted.keys() & found.keys():
        row = found[key][0]
        problems += [
            f"{wanted[key]['name']!r}: {column}: sent {value!r}, held {row[column]!r}"
            for column, value in wanted[key].items()
            if row[column] != value
        ]
    return problems
