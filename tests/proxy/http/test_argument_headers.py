"""A header that repeats an argument is compared with that argument: of the schema, else of the same name."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mcpobs.protocol.header_names import MAX_DEPTH, MAX_HEADERS, header_names
from mcpobs.protocol.registry import Catalog
from mcpobs.proxy.http.headers import Header
from mcpobs.proxy.http.mcp_headers import contradicts

SCHEMA = {
    "properties": {
        "region_id": {"type": "string", "x-mcp-header": "Region"},
        "where": {"properties": {"tenant": {"x-mcp-header": "Tenant-Id"}}},
        "note": {"type": "string"},
    }
}


def _catalog() -> Catalog:
    catalog = Catalog()
    catalog.learn("tools/list", {"tools": [{"name": "rows", "inputSchema": SCHEMA}]})
    return catalog


def _is_refused(tool: str, arguments: object, header: str, value: str) -> bool:
    body = json.dumps({"method": "tools/call", "params": {"name": tool, "arguments": arguments}}).encode()
    name = f"Mcp-Param-{header}"
    return contradicts([Header(name, name.lower(), value)], body, _catalog().headers)


@pytest.mark.parametrize(
    ("arguments", "header", "value", "refused"),
    [
        ({"region_id": "eu"}, "Region", "eu", False),
        ({"region_id": "eu"}, "region", "=?base64?ZXU=?=", False),
        ({"region_id": "eu"}, "Region", "us", True),
        ({"region_id": "eu", "note": "us"}, "Region", "us", True),
        ({"region_id": "eu", "region": "us"}, "Region", "us", True),
        ({"region_id": "eu", "made_up": "us"}, "Region", "us", True),
        ({"made_up": "us"}, "Region", "us", True),
        ({"where": {"tenant": "acme"}}, "Tenant-Id", "acme", False),
        ({"where": {"tenant": "acme"}, "tenant_id": "other"}, "Tenant-Id", "other", True),
        ({"note": "x"}, "Note", "x", False),
        ({"note": "x"}, "Other", "x", True),
        (None, "Region", "eu", True),
        (["eu"], "Region", "eu", True),
    ],
)
def test_a_header_of_a_listed_tool_is_that_of_its_schema(
    arguments: object, header: str, value: str, refused: bool
) -> None:
    assert _is_refused("rows", arguments, header, value) is refused


@pytest.mark.parametrize(
    ("arguments", "header", "value", "refused"),
    [
        ({"region": "eu"}, "Region", "eu", False),
        ({"region_id": "eu"}, "Region-Id", "eu", False),
        ({"in": {"region": "eu"}}, "Region", "eu", False),
        ({"region": "eu", "in": {"region": "us"}}, "Region", "us", True),
        ({"made_up": "us"}, "Region", "us", True),
        ({"region": 42}, "Region", "42.0", False),
    ],
)
def test_a_header_of_an_unlisted_tool_is_of_the_argument_of_its_name(
    arguments: object, header: str, value: str, refused: bool
) -> None:
    assert _is_refused("other", arguments, header, value) is refused


def test_a_schema_is_read_to_a_bounded_depth_and_number() -> None:
    deep: dict[str, Any] = {"x-mcp-header": "Deep"}
    for _ in range(MAX_DEPTH + 1):
        deep = {"properties": {"a": deep}}
    assert header_names(deep) == {}
    wide = {"properties": {f"a{number}": {"x-mcp-header": f"H{number}"} for number in range(MAX_HEADERS + 9)}}
    assert len(header_names(wide)) == MAX_HEADERS
    for odd in (None, [], {"properties": []}, {"properties": {"a": 1}}, {"properties": {"a": {"x-mcp-header": 1}}}):
        assert header_names(odd) == {}
