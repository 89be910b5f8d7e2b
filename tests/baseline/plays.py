"""Traffic that tests make up: sessions of tool calls, as rows of a spool."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

from mcpobs import keys
from mcpobs.telemetry.spool import Row, Spool

DAY_NS = 86_400_000_000_000
START_NS = 1_793_491_200_000_000_000  # 2026-11-01 00:00 UTC


@dataclass(frozen=True)
class Call:
    """One tool call. Equal `args` are equal arguments; equal `result` is the same answer."""

    tool: str
    args: str = ""
    ms: float = 10
    outcome: str = "ok"
    args_bytes: int | None = 20
    result_bytes: int | None = 200
    shape: str | None = "{q:string}"
    cost_microusd: int | None = None
    result: str | None = None
    decision: str | None = None
    rule: str | None = None
    features: str | None = None
    form: str | None = None


@dataclass(frozen=True)
class Play:
    """A session: its calls, a second apart."""

    session: str
    calls: Sequence[Call]
    key: str | None = "process-1"
    service: str | None = "shop"
    start_ns: int = START_NS
    tenant: str | None = None
    role: str | None = None
    run: str | None = None


def rows(plays: Iterable[Play]) -> Iterable[Row]:
    span = 0
    for play in plays:
        for place, call in enumerate(play.calls):
            span += 1
            yield {
                "trace_id": f"{crc32(f'{play.key}/{play.session}'.encode()):032x}",
                "span_id": f"{place + 1:016x}",
                "name": f"tools/call {call.tool}",
                "kind": "server",
                "method": "tools/call",
                "service_name": play.service,
                "sequence": place,
                "start_unix_nano": play.start_ns + place * 1_000_000_000,
                "duration_ns": int(call.ms * 1_000_000),
                "tool": call.tool,
                "request_id": str(place),
                "session_id": play.session,
                "session_start_unix_nano": play.start_ns,
                "session_source": "conversation",
                "enforcement_key": play.key,
                "outcome": call.outcome,
                "args_digest": f"args:{call.args or span}",
                "args_shape": call.shape,
                "args_bytes": call.args_bytes,
                "result_digest": f"result:{call.result or span}",
                "result_bytes": call.result_bytes,
                "result_form": call.form,
                "result_empty": False,
                "cost_microusd": call.cost_microusd,
                "decision": call.decision,
                "rule": call.rule,
                "args_features": call.features,
                "tenant": play.tenant,
                "role": play.role,
                "run": play.run,
            }


def record(lake: Path, plays: Iterable[Play]) -> Path:
    """Writes the sessions into a lake's spool."""
    keys.open_folder(lake)
    spool = Spool(lake, lambda count, reason: {})
    for row in rows(plays):
        assert spool.write(row)
    spool.close()
    return lake


def ordinary(count: int, start: int = 0) -> list[Play]:
    """Sessions that differ as people do: 2 to 7 calls of four tools, on 20 days."""
    return [
        Play(
            f"s{n:03d}",
            [
                *[Call("search", ms=20 + n % 17, args_bytes=20 + n % 11, result_bytes=500 + 13 * (n % 29))]
                * (1 + n % 3),
                *[Call("get", ms=5, shape="{id:string}")] * (1 + n % 2),
                *[Call("list", ms=8, shape="{}", result_bytes=900)] * (n % 3),
                *[Call("refund", ms=50, shape="{amount:number,id:string}")] * (n % 4 == 0),
            ],
            start_ns=START_NS + (n % 20) * DAY_NS,
        )
        for n in range(start, start + count)
    ]
