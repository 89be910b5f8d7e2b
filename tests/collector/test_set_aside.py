"""What a sender can ask for at most, and that nothing it sends keeps others from being stored; over HTTP and gRPC."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from mcpobs import keys
from mcpobs.collector import child, service
from mcpobs.collector.committer import Committer
from mcpobs.collector.converter import Converter
from mcpobs.collector.intake import Accepted, RefusedError
from mcpobs.collector.options import Options
from mcpobs.collector.service import LakeIntake, open_intake
from mcpobs.collector.serving import receiving
from mcpobs.lake import quarantine
from mcpobs.lake.otlp.columns import MAX_EXPANDED_BYTES
from mcpobs.lake.otlp.request import MalformedError
from mcpobs.lake.reader import open_reading
from mcpobs.lake.retry import retry
from mcpobs.lake.wal import Wal
from tests.collector.receiving import ANYWHERE, collecting
from tests.collector.test_http import ask, post
from tests.lake.otlp.test_expanded import PRODUCTS, SPANS
from tests.lake.otlp.test_json_request import FLOODS
from tests.sending import request

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


def _ids(lake: Path) -> set[str]:
    with open_reading(lake) as reading:
        return {row[0] for row in reading.connection.execute("select span_id from spans").fetchall()}


async def _until_stored(intake: LakeIntake, spans: int) -> None:
    while intake.counters()["lake.spans"] < spans:
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("protocol", ["http", "gzip", "grpc"])
def test_spans_beyond_the_limit_are_a_partial_success_that_names_it(tmp_path: Path, protocol: str) -> None:
    body = PRODUCTS["resource schema URL × scopes"]
    honest, ids = request(3)

    async def run() -> bytes:
        async with open_intake(tmp_path / "lake") as intake, receiving(Options(ANYWHERE, ANYWHERE), intake) as at:
            assert at.http is not None
            assert at.grpc is not None
            if protocol == "grpc":
                async with grpc.aio.insecure_channel(str(at.grpc)) as channel:
                    answer = await channel.unary_unary(EXPORT)(body)
            else:
                packed = gzip.compress(body) if protocol == "gzip" else body
                coding = {"content_encoding": "gzip"} if protocol == "gzip" else {}
                answered = await asyncio.to_thread(ask, at.http.port, post(packed, **coding))
                assert answered.status == 200
                answer = answered.body
            assert (await intake.take("traces", "protobuf", honest)).rejected == 0
            counted = intake.counters()
            assert counted["rejected.oversized_spans"] == counted["traces.rejected_spans"] > SPANS // 2
            return bytes(answer)

    partial = ExportTraceServiceResponse.FromString(asyncio.run(run())).partial_success

    assert SPANS // 2 < partial.rejected_spans < SPANS
    assert f"limit of {MAX_EXPANDED_BYTES} bytes" in partial.error_message
    assert ids < _ids(tmp_path / "lake")


@pytest.mark.parametrize(
    "body",
    [FLOODS["empty objects"], FLOODS["arrays that are never closed"], b"{" * 100],
    ids=["empty objects", "never closed", "short"],
)
def test_a_flood_of_values_is_refused_and_counted_by_reason(tmp_path: Path, body: bytes) -> None:
    async def run() -> None:
        async with open_intake(tmp_path / "lake") as intake:
            with pytest.raises(RefusedError) as refused:
                await intake.take("traces", "json", body)
            assert refused.value.why == "malformed"
            reason = "too_many_values" if len(body) > 1000 else "malformed"
            assert intake.counters()[f"refused.{reason}"] == 1
            await intake.take("traces", "protobuf", request(1)[0])

    asyncio.run(run())


def test_large_bodies_are_read_one_at_a_time_and_others_meanwhile(tmp_path: Path) -> None:
    """A dense body takes seconds; a small one that comes later is acknowledged before the third of them."""
    attribute = '{"key":"a","value":{"intValue":1}}'
    span = f'{{"traceId":"{"01" * 16}","spanId":"{"02" * 8}","attributes":[{",".join([attribute] * 50_000)}]}}'
    dense = f'{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{span}]}}]}}]}}'.encode()
    order: list[str] = []

    async def take(intake: LakeIntake, name: str, encoding: str, body: bytes) -> None:
        await intake.take("traces", encoding, body)  # type: ignore[arg-type]
        order.append(name)

    async def run() -> None:
        async with open_intake(tmp_path / "lake") as intake:
            large = [asyncio.create_task(take(intake, "large", "json", dense)) for _ in range(3)]
            await asyncio.sleep(0)
            await take(intake, "small", "protobuf", request(1)[0])
            await asyncio.gather(*large)

    asyncio.run(run())
    assert order.index("small") < 3
    assert len(_ids(tmp_path / "lake")) == 2


def test_a_converting_process_that_is_killed_costs_one_request_a_retry(tmp_path: Path) -> None:
    converter = Converter()
    body = b'{"resourceSpans":[' + b"{}," * 400_000 + b"{}]}"

    async def run() -> None:
        assert await converter.convert(b"{}") == b""
        waiting = asyncio.create_task(converter.convert(body))
        while converter._process is None or not converter._turn.locked():
            await asyncio.sleep(0)
        os.kill(converter._process.pid, signal.SIGKILL)
        with pytest.raises(RefusedError) as refused:
            await waiting
        assert refused.value.why == "unavailable"
        assert len(await converter.convert(body)) == 800_002
        with pytest.raises(MalformedError, match="not valid JSON"):
            await converter.convert(b"{")
        cancelled = asyncio.create_task(converter.convert(body))
        while converter._process is None:
            await asyncio.sleep(0)
        cancelled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        assert await converter.convert(b"{}") == b""
        await converter.close()

    asyncio.run(run())


def test_a_segment_that_kills_the_committing_process_is_set_aside_while_spans_come_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that dies of a segment is killed here, by the test, whenever it works on that segment."""
    lake = tmp_path / "lake"
    keys.open_folder(lake)
    monkeypatch.setattr(child, "RESTART_S", 0.01)
    log = Wal(lake)
    log.append([request(30_000)[0]])
    log.close()
    honest, ids = request(5)

    async def kill(intake: LakeIntake) -> None:
        note = lake / quarantine.ATTEMPT_FILE
        killed_at = b""  # what the note said: it stays until the next process has read it
        while not quarantine.listed(lake):
            await asyncio.sleep(0.001)
            said = note.read_bytes() if note.exists() else b""
            process = intake._committer._process
            if said not in (b"", killed_at) and json.loads(said)["trying"] and process is not None:
                killed_at = said
                os.kill(process.pid, signal.SIGKILL)
                await process.wait()

    async def run() -> None:
        async with open_intake(lake) as intake:
            await kill(intake)
            await intake.take("traces", "protobuf", honest)
            await _until_stored(intake, len(ids))
            while intake.trouble is None or "quarantined" not in intake.trouble:
                await asyncio.sleep(0.02)
            counted = intake.counters()
            assert counted["lake.quarantined_segments"] == 1
            assert counted["lake.quarantined_bytes"] > 30_000
            assert counted["committer.restarts"] >= quarantine.MOST_STRIKES

    asyncio.run(asyncio.wait_for(run(), 120))
    assert _ids(lake) == ids
    done = retry(lake)
    assert (done.rows, done.left) == (30_000, [])
    assert len(_ids(lake)) == 30_005


def test_restarts_come_less_and_less_often_and_do_not_hold_up_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.executable", "/bin/false")
    monkeypatch.setattr(child, "RESTART_S", 0.001)
    waited: list[float] = []
    wait_for = asyncio.wait_for

    async def noting(waiting: object, timeout: float) -> object:
        waited.append(timeout)
        return await wait_for(waiting, timeout)  # type: ignore[arg-type]

    async def run() -> None:
        started = Committer(tmp_path)
        monkeypatch.setattr(child.asyncio, "wait_for", noting)
        await started.start()
        while started.restarts < child.RESTARTS_AT_ONCE + 4:
            await asyncio.sleep(0.01)
        begun = time.monotonic()
        await started.close()
        assert time.monotonic() - begun < child.MAX_RESTART_S

    asyncio.run(run())
    assert waited[: child.RESTARTS_AT_ONCE] == [0.001] * child.RESTARTS_AT_ONCE
    assert waited[child.RESTARTS_AT_ONCE : child.RESTARTS_AT_ONCE + 4] == [0.002, 0.004, 0.008, 0.016]


def test_metrics_are_the_counters_for_who_may_see_them() -> None:
    get = b"GET /metrics HTTP/1.1\r\nhost: x\r\n%s\r\n"
    with collecting(grpc=None, tokens=("first",)) as at:
        assert ask(at.http_port, post(b"1", authorization="Bearer first")).status == 200
        stranger = ask(at.http_port, get % b"", "GET")
        friend = ask(at.http_port, get % b"authorization: Bearer first\r\n", "GET")
        wrong = ask(at.http_port, post(path="/metrics"))
    assert (stranger.status, wrong.status, friend.status) == (401, 405, 200)
    assert b"mcpobs" not in stranger.body.replace(b"mcpobs: ", b"")
    assert friend.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = friend.body.decode().splitlines()
    assert "mcpobs_collector_traces_requests_total 1" in lines
    assert "# TYPE mcpobs_collector_traces_requests_total counter" in lines
    assert "mcpobs_collector_degraded 0" in lines
    assert len(lines) == 2 * len([line for line in lines if line.startswith("#")])


def test_a_sender_of_large_requests_leaves_room_for_small_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small, large = request(1)[0], request(60)[0]
    monkeypatch.setattr(service, "MAX_BACKLOG_BYTES", service.ROOM_SHARE * len(large) * 2)
    monkeypatch.setattr(service, "ROLL_EVERY_S", 3600.0)  # what waits is not measured again

    async def run() -> int:
        async with open_intake(tmp_path / "lake") as intake:
            sent = 0
            with suppress(RefusedError):
                while sent < 10 * service.ROOM_SHARE:
                    await intake.take("traces", "protobuf", large)
                    sent += 1
            assert intake.counters()["refused.busy"] == 1
            assert await intake.take("traces", "protobuf", small) == Accepted()
            return sent

    assert asyncio.run(run()) == service.ROOM_SHARE + 1
