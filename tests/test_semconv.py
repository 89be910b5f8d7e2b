"""The registry of names: consistent in itself, documented, and equal to what is really emitted."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa

from mcpobs import semconv
from mcpobs.gate.inspecting import Found
from mcpobs.policy.codes import Code
from mcpobs.policy.decision import Decision, Lane
from mcpobs.policy.inspect.inspected import Inspected, Noted
from mcpobs.policy.inspect.inspector import Finding
from mcpobs.policy.limit_counters import Counter
from mcpobs.policy.model import Cap
from mcpobs.policy.state import Count, Reserved, Taken
from mcpobs.proxy.http.bodies import MOST_WORK
from mcpobs.segment import scan
from mcpobs.semconv import NAMES, Name
from mcpobs.settings import IdentityConfig
from tests.golden import check
from tests.proxy.http.world import call, event, result, world

ROOT = Path(__file__).parent.parent
COLUMNS_PAGE = ROOT / "docs" / "columns.md"
SERVER = [sys.executable, str(Path(__file__).parent / "proxy" / "scripted.py")]

PRICES = """
[prices]
"*" = 0.001
echo = {per_unit = 0.01, units = "pages", max_units = 9, reported = "usd", max_reported = 1, per_million_tokens = 3}
"""


def test_every_attribute_and_every_column_is_registered_once() -> None:
    attributes = [n.attribute for n in NAMES if n.attribute]
    columns = [n.column for n in NAMES if n.column]
    assert len(set(attributes)) == len(attributes)
    assert len(set(columns)) == len(columns)
    assert all(n.attribute or n.column for n in NAMES)


def test_every_constant_of_an_attribute_is_registered() -> None:
    registered = {n.attribute for n in NAMES} | {metric.name for metric in semconv.METRICS}
    own = {
        "SCOPE_NAME",
        "GENAI_COMMIT",
        "LOSS_SPAN",
        "REFUSED_SPAN",
        "EXECUTE_TOOL",
        "TOOL_ERROR",
        "TRANSPORT_PIPE",
        "TRANSPORT_TCP",
    }
    constants = {k: v for k, v in vars(semconv).items() if k.isupper() and isinstance(v, str) and k not in own}
    assert {k for k, v in constants.items() if v not in registered} == set()


def test_the_page_of_columns_is_what_the_registry_says() -> None:
    check(COLUMNS_PAGE, _page())


def test_all_that_is_emitted_is_registered_and_all_that_is_registered_as_emitted_is_emitted(tmp_path: Path) -> None:
    """Plays every kind of operation through the wrapper, then reads the spool as it lies on the disk."""
    rows = _rows_of_every_kind(tmp_path)
    columns = {column for row in rows for column in row if column != "check"}
    assert {(len(str(row["trace_id"])), len(str(row["span_id"]))) for row in rows} == {(32, 16)}
    inside = {key for row in rows for part in ("attributes", "resource") for key in json.loads(row.get(part) or "{}")}
    emitted = [n for n in NAMES if n.use == "emitted"]
    assert columns == {n.column for n in emitted if n.column}
    assert inside == {n.attribute for n in emitted if not n.column}


def _rows_of_every_kind(folder: Path) -> list[dict[str, object]]:
    lake, config = folder / "lake", folder / "config"
    config.mkdir()
    (config / "config.toml").write_text(PRICES)
    script = [
        {
            "method": "initialize",
            "id": 0,
            "params": {"protocolVersion": "2025-11-25", "clientInfo": {"name": "c", "version": "1"}},
        },
        {"method": "notifications/initialized"},
        {"method": "tools/list", "id": 1},
        {"method": "prompts/get", "id": 2, "params": {"name": "p"}},
        {"method": "resources/read", "id": 3, "params": {"uri": "file:///x"}},
        {
            "method": "tools/call",
            "id": 4,
            "params": {
                "name": "slow",
                "arguments": {"a": 1},
                "_meta": {
                    "progressToken": "p4",
                    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                    "gen_ai.conversation.id": "talk",
                },
            },
        },
        {"method": "tools/call", "id": 5, "params": {"name": "fail"}},
        {"method": "nonsense", "id": 6},
        {"method": "tools/call", "id": 7, "params": {"name": "never"}},
        {"method": "notifications/cancelled", "params": {"requestId": 7, "reason": "no longer needed"}},
        {"method": "tools/call", "id": 10, "params": {"name": "echo", "arguments": {"pages": 2, "usd": 0.5}}},
        {"method": "tools/call", "id": 8, "params": {"name": "die"}},
    ]
    _play(script, lake, config, ["--run", "nightly"])
    _play([{"method": "tools/call", "id": 9, "params": {"name": "killed"}}], lake, config, [])
    rows = [json.loads(row) for file in (lake / "spool").iterdir() for row in scan(file.read_bytes()).rows]
    return [*rows, *_rows_over_http(folder), *_rows_of_a_flood(folder), _loss(), _decided(), _pending()]


def _decided() -> dict[str, object]:
    """The columns of a decision about which there is everything to say."""
    counter = Counter("searches", "searches", Cap("session", 3, 0), "calls", Code.CALL_LIMIT, "deny", False)
    reserved = Reserved(False, 1, [Taken(3, True)])
    counts = [Count("searches", 1, 3)]
    lane = Lane(Code.CALL_LIMIT, ("searches",), degraded=True, free=True, reserved=reserved)
    lane.counters, lane.counts = [counter], counts
    decision = Decision("2" * 16, "enforce", lane, Lane(Code.DENIED, ("quiet",)), {"quiet@1": True})
    ids = {"trace_id": "1" * 32, "span_id": "2" * 16}
    found = Found()
    found.all.append(Inspected([Noted("pii", Finding("email", "email", "content", (), 3, 9), "mask", shadow=False)]))
    columns = {**found.columns(), **decision.columns()}
    return {**ids, "decision": decision.effect, "rule": lane.rules[0], **columns}


def _rows_over_http(folder: Path) -> list[dict[str, object]]:
    """A session with a verified caller, an event stream, and a request that is not let in."""

    async def server(request: web.BaseRequest) -> web.StreamResponse:
        message = json.loads(await request.read())
        if message["method"] == "initialize":
            return web.json_response(result(0), headers={"Mcp-Session-Id": "s"})
        if message["method"] == "ping":
            return web.json_response({}, status=401)
        log = {"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": "x"}}
        return web.Response(body=event(log) + event(result()), content_type="text/event-stream")

    static = IdentityConfig(static=True, principal="someone", tenant="acme", role="admin")
    headers = {"User-Agent": "tester", "X-Request-Id": "7"}

    async def run() -> list[dict[str, object]]:
        async with world(folder / "http", server, identity=static) as w:
            begin = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {}}
            traced = call("search", modern=False, traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
            for message in (begin, traced, {"jsonrpc": "2.0", "id": 2, "method": "ping"}):
                more = {} if message is begin else {"Mcp-Session-Id": "s"}
                async with w.client.post(w.url + "/mcp", json=message, headers={**headers, **more}) as response:
                    await response.read()
            return w.rows()

    return asyncio.run(run())


def _rows_of_a_flood(folder: Path) -> list[dict[str, object]]:
    """A forged token, and more events than are read."""

    async def server(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(body=b"data: {}\n\n" * MOST_WORK, content_type="text/event-stream")

    keys = folder / "keys.json"
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
    keys.write_text(json.dumps({"keys": [json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key))]}))

    async def run() -> list[dict[str, object]]:
        async with world(folder / "flood", server, identity=IdentityConfig(jwks=str(keys))) as w:
            forged = {"Authorization": "Bearer forged"}
            async with w.client.post(w.url + "/mcp", json=call("search"), headers=forged) as response:
                await response.read()
            return w.rows()

    return asyncio.run(run())


def _play(script: list[dict[str, object]], lake: Path, config: Path, options: list[str]) -> None:
    sent = b"".join(json.dumps({"jsonrpc": "2.0", **frame}).encode() + b"\n" for frame in script)
    command = [sys.executable, "-m", "mcpobs", "instrument", "--lake", str(lake), *options, "--", *SERVER]
    env = {**os.environ, "MCPOBS_CONFIG": str(config)}
    subprocess.run(command, input=sent, capture_output=True, timeout=60, env=env, check=False)


def _loss() -> dict[str, object]:
    """The row of a loss. That it is written when the disk was full is shown in the tests of the spool."""
    from mcpobs.gate.row import Origin, Rows
    from mcpobs.sessions.stdio import StdioSessions

    return dict(
        Rows(Origin("s", "i", "stdio", "pipe", "proxy/stdio")).loss(StdioSessions("p", 1).process_session, 3, "ENOSPC")
    )


def _pending() -> dict[str, object]:
    """The row of a call that is open for long. That it is written then is shown in tests/gate/test_waiting.py."""
    from mcpobs.gate.gate import Gate
    from mcpobs.gate.recorder import Recorder
    from mcpobs.gate.row import Origin, Rows
    from tests.gate.test_waiting import call

    written: list[dict[str, object]] = []

    class Sink:
        def write(self, row: object, prefix: object) -> bool:
            assert isinstance(row, dict)
            written.append(row)
            return True

    gate = Gate(Recorder(Rows(Origin("s", "i", "stdio", "pipe", "proxy/stdio")), Sink()))
    gate.record_pending(call())
    return written[0]


def _page() -> str:
    rows = [_line(name) for name in NAMES if name.column]
    rest = [_line(name) for name in NAMES if not name.column]
    return "\n".join(
        [
            "# Columns of the lake",
            "",
            "Generated from `mcpobs/semconv.py`. One row is one span. The views `operations` and `tool_calls` have all",
            "of these columns by these names; they are public and stable, and new ones are only ever added.",
            f"`genai` is open-telemetry/semantic-conventions-genai at commit {semconv.GENAI_COMMIT}.",
            "`received` columns come with spans that others send by OTLP.",
            "`reserved` columns are settled and null until the part of mcpobs that fills them is there.",
            "",
            "| column | attribute | type | meaning | source | use |",
            "|---|---|---|---|---|---|",
            *rows,
            "",
            "## Attributes that stay in the JSON columns `attributes` and `resource`",
            "",
            "| column | attribute | type | meaning | source | use |",
            "|---|---|---|---|---|---|",
            *rest,
            "",
            "## Metrics (OTLP only)",
            "",
            "| name | unit | meaning | source |",
            "|---|---|---|---|",
            *(f"| `{m.name}` | {m.unit} | {m.meaning} | {m.source} |" for m in semconv.METRICS),
            "",
        ]
    )


def _line(name: Name) -> str:
    column = f"`{name.column}`" if name.column else ""
    attribute = f"`{name.attribute}`" if name.attribute else ""
    return f"| {column} | {attribute} | {name.type} | {name.meaning.replace('|', '·')} | {name.source} | {name.use} |"
