"""Whoever speaks OTLP: each span that was acknowledged is in the lake once, with every value that was sent."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from tests.interop.otelcol.collector import arguments, running
from tests.interop.otlp.collecting import collecting
from tests.interop.otlp.expected import differences, expected, held
from tests.interop.otlp.packages import Senders
from tests.interop.otlp.plan import SPANS
from tests.interop.otlp.relaying import rotel
from tests.interop.otlp.sending import COMPRESSIONS, Sent, finished, started

pytestmark = pytest.mark.interop

HTTP_JSON, HTTP_PROTOBUF, GRPC = "http/json", "http/protobuf", "grpc"
PROTOCOLS = {
    "javascript 2": (HTTP_JSON, HTTP_PROTOBUF, GRPC),
    "javascript 3": (HTTP_JSON, HTTP_PROTOBUF, GRPC),
    "python": (HTTP_PROTOBUF, GRPC),
    "python of 2022": (HTTP_PROTOBUF, GRPC),
}
DEADLINE_S = 120
DIRECT = [
    (sender, protocol, compression)
    for sender, protocols in PROTOCOLS.items()
    for protocol in protocols
    for compression in COMPRESSIONS
]


def check(lake: Path, sent: Sent, *, json_numbers: bool = False) -> None:
    wanted = expected(sent.plan, sent.ids, json_numbers=json_numbers)
    assert len(wanted) == SPANS
    problems = differences(wanted, held(lake))
    assert not problems, "\n".join([f"{len(problems)} differences", *(one[:500] for one in problems[:10])])


@pytest.mark.parametrize(("sender", "protocol", "compression"), DIRECT)
def test_an_sdk_delivers_every_span_once_with_every_value(
    sender: str, protocol: str, compression: str, senders: Senders, tmp_path: Path, home: Path
) -> None:
    with collecting(tmp_path, home) as collect:
        sent = finished(*started(sender, senders, tmp_path, collect.endpoint(protocol), protocol, compression))
    # JavaScript writes NaN and the infinities into JSON as null: they are lost before they are sent
    check(collect.lake, sent, json_numbers=protocol == HTTP_JSON)


@pytest.mark.parametrize("protocol", [HTTP_PROTOBUF, GRPC])
@pytest.mark.parametrize("config", ["otelcol.yaml", "otelcol-fanout.yaml"])
def test_a_collector_in_between_changes_nothing(
    config: str, protocol: str, otelcol: Path, senders: Senders, tmp_path: Path, home: Path
) -> None:
    with collecting(tmp_path, home) as collect:
        endpoints = {"MCPOBS_ENDPOINT": collect.endpoint("http"), "BACKEND_ENDPOINT": "http://127.0.0.1:9"}
        with running(otelcol, arguments(config), endpoints) as collector:
            to = f"http://{collector.grpc if protocol == GRPC else collector.http}"
            sent = finished(*started("python", senders, tmp_path, to, protocol, "gzip"))
        # the Collector has ended, and before that it has sent all it had
    check(collect.lake, sent)


@pytest.mark.parametrize("protocol", ["http", "grpc"])
@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_rotel_in_between_changes_nothing(
    protocol: str, compression: str, senders: Senders, tmp_path: Path, home: Path
) -> None:
    with (
        collecting(tmp_path, home) as collect,
        rotel(senders, home, collect.endpoint(protocol), protocol, compression) as relay,
    ):
        sent = finished(*started("python", senders, tmp_path, relay, HTTP_PROTOBUF, "none"))
    check(collect.lake, sent)


def test_otel_cli_delivers_each_of_its_spans(senders: Senders, tmp_path: Path, home: Path) -> None:
    sent = {}
    began_s = int(time.time()) - 3_600
    with collecting(tmp_path, home) as collect:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "OTEL_EXPORTER_OTLP_ENDPOINT": collect.endpoint(GRPC),
            "PYTHONWARNINGS": "ignore",
        }
        for number in range(1, 13):
            trace_id, span_id = f"{number:032x}", f"{number + 100:016x}"
            parent = f"{number + 200:016x}"
            sent[trace_id, span_id] = (number, parent)
            said = ["--service", f"cli 🖥 {number}", "--trace-id", trace_id, "--span-id", span_id]
            said += ["--traceparent", f"00-{trace_id}-{parent}-01", "--start", f"{began_s + number}000000001"]
            said += [
                "--end",
                f"{began_s + number}000000042",
                "--status",
                "ERROR",
                "--message",
                "ошибка",
                "-a",
                "text=ünï",
            ]
            said += [
                "-a",
                f"int:n={2**62 + number}",
                "-a",
                "float:x=0.1",
                "-a",
                "bool:b=true",
                "-a",
                "int[]:list=1,2,3",
            ]
            command = [str(senders.otel_cli()), "span", *said, f"span {number}"]
            subprocess.run(command, env=environment, check=True, timeout=60, capture_output=True)
    rows = {(row["trace_id"], row["span_id"]): row for row in held(collect.lake)}
    assert len(rows) == len(held(collect.lake))
    assert rows.keys() == sent.keys()
    for key, (number, parent) in sent.items():
        row = rows[key]
        assert (row["name"], row["kind"], row["status"], row["error_message"]) == (
            f"span {number}",
            "internal",
            "error",
            "ошибка",
        )
        assert (row["parent_span_id"], row["service_name"]) == (parent, f"cli 🖥 {number}")
        assert (row["start_unix_nano"], row["duration_ns"]) == ((began_s + number) * 10**9 + 1, 41)
        assert row["attributes"] == {
            "text": {"s": "ünï"},
            "n": {"i": str(2**62 + number)},
            "x": {"d": "0.1"},
            "b": {"b": True},
            "list": {"a": [{"i": "1"}, {"i": "2"}, {"i": "3"}]},
        }
        assert row["resource"]["telemetry.sdk.version"] == {"s": "1.14.0"}


def test_two_senders_at_once_get_in_each_others_way_in_nothing(
    otelcol: Path, senders: Senders, tmp_path: Path, home: Path
) -> None:
    with collecting(tmp_path, home) as collect:
        running_ = []
        for place, (sender, protocol) in enumerate([("python", GRPC), ("javascript 3", HTTP_PROTOBUF)]):
            folder = tmp_path / str(place)
            folder.mkdir()
            running_.append(started(sender, senders, folder, collect.endpoint(protocol), protocol, "gzip", seed=place))
        sent = [finished(*one) for one in running_]
    wanted = {key: row for one in sent for key, row in expected(one.plan, one.ids).items()}
    assert len(wanted) == 2 * SPANS
    assert differences(wanted, held(collect.lake)) == []


# -- again ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", [HTTP_PROTOBUF, GRPC])
def test_a_sender_that_tries_again_after_a_crash_of_the_collector_stores_nothing_twice(
    protocol: str, senders: Senders, tmp_path: Path, home: Path
) -> None:
    with collecting(tmp_path, home) as collect:
        process, ledger = started("python", senders, tmp_path, collect.endpoint(protocol), protocol, "gzip")
        assert process.stdout is not None
        for _ in range(3):  # batches that are acknowledged
            assert process.stdout.readline()
            collect.kill()
            collect.start()
        sent = finished(process, ledger)
    check(collect.lake, sent)


@pytest.mark.parametrize("protocol", [HTTP_PROTOBUF, GRPC])
def test_a_batch_that_is_sent_again_is_stored_once(protocol: str, senders: Senders, tmp_path: Path, home: Path) -> None:
    """As after an answer that was lost: the very same bytes."""
    with collecting(tmp_path, home) as collect:
        sent = finished(*started("python", senders, tmp_path, collect.endpoint(protocol), protocol, "none", times=3))
    check(collect.lake, sent)


def test_a_crash_behind_a_collector_loses_and_doubles_nothing(
    otelcol: Path, senders: Senders, tmp_path: Path, home: Path
) -> None:
    quick = "yaml:exporters::otlp_http/mcpobs::sending_queue: {batch: {flush_timeout: 10ms, min_size: 1}}"
    with collecting(tmp_path, home) as collect:
        config = arguments("otelcol.yaml", quick)
        with running(otelcol, config, {"MCPOBS_ENDPOINT": collect.endpoint("http")}) as collector:
            process, ledger = started("python", senders, tmp_path, f"http://{collector.http}", HTTP_PROTOBUF, "gzip")
            assert process.stdout is not None
            for _ in range(3):
                assert process.stdout.readline()
                collect.kill()
                collect.start()
            sent = finished(process, ledger)
            # a Collector that ends drops what it is about to try again, so it may end only when it has nothing left
            deadline = time.monotonic() + DEADLINE_S
            while len(held(collect.lake)) < SPANS and time.monotonic() < deadline:
                time.sleep(0.2)
    check(collect.lake, sent)
