"""Makes rows as the wrapper writes them: random ids, 40 tools, sessions of one process each, 60 % repeated arguments.

Fills a spool with them, in the order of time, as fast as lines can be sealed. Deterministic for a seed.
"""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Iterator
from pathlib import Path

import orjson

from mcpobs.keys import open_folder
from mcpobs.segment import Segment, seal

TOOLS = [f"{verb}_{noun}" for verb in ("get", "list", "search", "create", "update") for noun in
         ("issue", "file", "commit", "branch", "user", "page", "event", "message")]  # fmt: skip
DAY_NS = 86_400 * 10**9
_SHAPES = ["{query:string}", "{id:integer}", "{path:string,recursive:boolean}", "{a:string,b:{c:[number]}}"]
_PROSE = sorted({"".join(sorted({"a", "w"} | set(more))) for more in itertools.product("ltcd", "tqib", "wdnp")})
_PROSE_WEIGHTS = [1 / place for place in range(1, len(_PROSE) + 1)]
_PATHS = ["apt", "aipt", "adpt", "alpt", "adipt", "adlpt", "adilpt"]
_OUTCOMES = ["ok"] * 96 + ["tool_error", "tool_error", "protocol_error", "server_error"]
_STATUS = {"protocol_error": "-32602", "server_error": "-32603"}


def _features(rng: random.Random, shape: str) -> str:
    """Arguments of texts, ids, paths and objects, as different from each other as those of agents at work are."""
    longest = int(rng.lognormvariate(3.6, 0.7)) + 1
    size = "0123456789abcdef"[min(longest.bit_length(), 15)]
    letters = rng.choices(_PROSE, _PROSE_WEIGHTS)[0]
    words = {
        _SHAPES[0]: f'"query":"s{size}-{letters}"',
        _SHAPES[1]: f'"id":"n{rng.randrange(4)}+"',
        _SHAPES[2]: f'"path":"s{size}{rng.randrange(6, 10)}{rng.choice(_PATHS)}","recursive":"b"',
        _SHAPES[3]: f'"a":"s{size}-{letters}","b":"o1{rng.randrange(3)}"',
    }[shape]
    if shape == _SHAPES[1]:
        longest = 2
    return f'{{"depth":1,"flags":[],"keys":2,"longest":{longest},"values":{{{words}}}}}'


def rows(
    spans: int, sessions: int = 20_000, days: int = 7, seed: int = 1, end_unix_nano: int | None = None
) -> Iterator[dict[str, object]]:
    """Rows in the order of their start, calls of many sessions interleaved; the last sessions begin just now."""
    rng = random.Random(seed)
    begin = (time.time_ns() if end_unix_nano is None else end_unix_nano) - days * DAY_NS
    starts = sorted(begin + rng.randrange(days * DAY_NS) for _ in range(sessions))
    weights = [rng.paretovariate(1.2) for _ in TOOLS]
    per_session = max(1, spans // sessions)
    calls: list[tuple[int, int, int]] = []
    for session, began in enumerate(starts):
        at = began
        for sequence in range(per_session):
            calls.append((at, session, sequence))
            at += int(rng.expovariate(1 / 4e9))
    calls.sort()
    ids = [f"{rng.getrandbits(64):016x}" for _ in range(sessions)]
    keys = [f"process:{id_}" for id_ in ids]
    resources = [orjson.dumps({"service.instance.id": id_}).decode() for id_ in ids]
    args = [f"{rng.getrandbits(64):016x}" for _ in range(2000)]
    chosen = rng.choices(TOOLS, weights, k=len(calls))
    for (at, session, sequence), tool in zip(calls, chosen, strict=True):
        outcome = rng.choice(_OUTCOMES)
        row: dict[str, object] = {
            "trace_id": f"{rng.getrandbits(128):032x}",
            "span_id": f"{rng.getrandbits(64):016x}",
            "trace_flags": 1,
            "name": f"tools/call {tool}",
            "kind": "server",
            "sequence": sequence,
            "start_unix_nano": at,
            "duration_ns": int(rng.lognormvariate(17, 1)),
            "method": "tools/call",
            "tool": tool,
            "request_id": str(sequence),
            "protocol_version": "2025-06-18",
            "client_name": "claude-code",
            "client_version": "2.1.3",
            "server_name": "github",
            "server_version": "1.4.0",
            "session_id": ids[session],
            "session_start_unix_nano": starts[session],
            "session_source": "stdio_process",
            "session_confidence": "medium",
            "enforcement_key": keys[session],
            "enforcement_source": "stdio_process",
            "outcome": outcome,
            "attributes": '{"network.transport":"pipe","gen_ai.operation.name":"execute_tool"}',
            "args_digest": rng.choice(args) if rng.random() < 0.6 else f"{rng.getrandbits(64):016x}",
            "args_shape": (shape := rng.choice(_SHAPES)),
            "args_features": _features(rng, shape),
            "args_bytes": rng.randrange(20, 400),
            "result_digest": f"{rng.getrandbits(64):016x}",
            "result_shape": "text",
            "result_bytes": int(rng.lognormvariate(7, 1)),
            "result_items": rng.randrange(1, 30),
            "result_empty": rng.random() < 0.03,
            "service_name": "github",
            "scope_name": "mcpobs",
            "transport": "stdio",
            "resource": resources[session],
        }
        if outcome in ("tool_error", "server_error"):
            row["error_type"] = "tool_error" if outcome == "tool_error" else "-32603"
        if outcome in _STATUS:
            row["status_code"] = _STATUS[outcome]
        yield row


def fill_spool(lake: Path, made: Iterator[dict[str, object]], segment_bytes: int = 8 << 20) -> int:
    """Writes rows as closed segments of one writer; returns the bytes."""
    open_folder(lake)
    total = seq = 0
    lines: list[bytes] = []
    size = 0
    writer = f"{total:014x}-{random.getrandbits(32):08x}"

    def close() -> None:
        nonlocal seq, size
        if lines:
            seq += 1
            (lake / "spool" / Segment(writer, seq).name).write_bytes(b"".join(lines))
            lines.clear()
            size = 0

    for row in made:
        line = seal(orjson.dumps(row))
        lines.append(line)
        size += len(line)
        total += len(line)
        if size >= segment_bytes:
            close()
    close()
    return total
