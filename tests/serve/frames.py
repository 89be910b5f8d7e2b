"""Frames as a client writes them, for both eras."""

from __future__ import annotations

import json
from typing import Any

MODERN = "2026-07-28"
META = {"io.modelcontextprotocol/protocolVersion": MODERN, "io.modelcontextprotocol/clientCapabilities": {}}

Frame = dict[str, Any]


def request(id: Any, method: str, **params: Any) -> Frame:
    return {"jsonrpc": "2.0", "id": id, "method": method, "params": params}


def modern(id: Any, method: str, **params: Any) -> Frame:
    return request(id, method, _meta=META, **params)


def initialize(id: Any = 0, version: str = "2025-11-25") -> Frame:
    return request(id, "initialize", protocolVersion=version, capabilities={}, clientInfo={"name": "c", "version": "1"})


def notification(method: str, **params: Any) -> Frame:
    return {"jsonrpc": "2.0", "method": method, "params": params}


def line(frame: Any) -> bytes:
    return json.dumps(frame).encode()
