"""What a wrapper exports to `mcpobs collect` makes the same lake as what it records itself."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mcpobs.lake.reader import open_reading
from mcpobs.lake.schema import TYPES
from mcpobs.lake.writer import commit
from tests.proxy.wrapped import SCRIPTED, call, line

RECEIVED_ONLY = ("status", "scope", "dropped")
"""What a span has by OTLP and a recorded row has not: it says nothing that the other columns do not."""


@contextmanager
def collecting(lake: Path) -> Iterator[dict[str, str]]:
    """A collector on free ports: the endpoint for each protocol. At the end everything is committed."""
    command = [sys.executable, "-m", "mcpobs", "collect", "--lake", str(lake)]
    command += ["--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        lines = process.stderr.readline() + process.stderr.readline()
        http, grpc = re.findall(r"http://[\d.:]+", lines)
        try:
            yield {"http/protobuf": http, "grpc": grpc}
        finally:
            process.terminate()
            process.communicate(timeout=60)
    assert process.returncode == 0


def _frames() -> list[bytes]:
    traced = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
    return [
        line(
            id=0,
            method="initialize",
            params={"protocolVersion": "2025-11-25", "clientInfo": {"name": "c", "version": "1"}},
        ),
        line(method="notifications/initialized"),
        line(id=1, method="tools/list"),
        line(id=2, method="resources/read", params={"uri": "file:///x"}),
        line(id=3, method="nonsense"),
        *(call(n, "echo", text="ü" * n, ratio=0.5, deep={"a": [1, None, True]}) for n in range(4, 40)),
        call(40, "fail"),
        line(id=41, method="tools/call", params={"name": "slow", "arguments": {"a": 1}, "_meta": traced}),
        line(id=42, method="tools/call", params={"name": "t", "_meta": {"gen_ai.conversation.id": "talk"}}),
    ]


def _rows(lake: Path) -> dict[str, dict[str, Any]]:
    with open_reading(lake) as reading:
        found = reading.connection.execute(f"select {', '.join(TYPES)} from spans").fetchall()
    rows = [dict(zip(TYPES, row, strict=True)) for row in found]
    for row in rows:
        for column in ("attributes", "resource", "session_candidates", "args_features"):
            row[column] = json.loads(row[column] or "{}")
        # the SDK adds what it knows of itself and of the process to the resource
        row["resource"] = row["resource"].get("service.instance.id")
    return {row["span_id"]: row for row in rows}


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_the_collectors_lake_is_the_wrappers_lake(protocol: str, tmp_path: Path) -> None:
    with collecting(tmp_path / "collected") as endpoints:
        env = {
            **os.environ,
            "OTEL_EXPORTER_OTLP_ENDPOINT": endpoints[protocol],
            "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
        }
        command = [sys.executable, "-m", "mcpobs", "instrument", "--lake", str(tmp_path / "recorded"), "--", *SCRIPTED]
        done = subprocess.run(command, input=b"".join(_frames()), capture_output=True, timeout=60, env=env)
        assert done.returncode == 0
        assert b" 0 dropped" in done.stderr
    commit(tmp_path / "recorded", wait=True)
    recorded, collected = _rows(tmp_path / "recorded"), _rows(tmp_path / "collected")
    assert len(recorded) >= len(_frames())  # the server sends notifications of its own
    assert set(collected) == set(recorded)
    for span_id, row in recorded.items():
        received = collected[span_id]
        for column in TYPES:
            if column not in RECEIVED_ONLY:
                assert received[column] == row[column], (row["name"], column)
