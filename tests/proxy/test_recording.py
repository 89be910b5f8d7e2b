"""What is recorded of a wrapped server: each call once, as it went, and before its response is out."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from mcpobs import semconv
from mcpobs.telemetry.spool import Spool
from tests.proxy.wrapped import SCRIPTED, Wrapped, attributes, call, line, rows

COMMIT_S = 120
"""How long a committer may take to start and to commit on a machine that does other things."""


def _outcomes(lake: Path) -> dict[str, str]:
    """Outcome by request id, of which there is one row each."""
    found = [(row["request_id"], row["outcome"]) for row in rows(lake) if "request_id" in row]
    assert len({id_ for id_, _ in found}) == len(found)
    return dict(found)


def test_a_finished_call_is_in_the_spool_before_the_client_has_its_response(tmp_path: Path) -> None:
    with Wrapped(tmp_path) as wrapped:
        for number in range(50):
            wrapped.send(call(number, "fail" if number % 7 == 3 else "echo", a=number))
            assert wrapped.receive()["id"] == number
            row = rows(tmp_path)[-1]
            assert row["request_id"] == str(number)
            assert row["outcome"] == ("tool_error" if number % 7 == 3 else "ok")


def test_calls_that_are_answered_out_of_order_are_recorded_as_they_were_answered(tmp_path: Path) -> None:
    with Wrapped(tmp_path) as wrapped:
        wrapped.send(*[call(n, "hold") for n in range(5)], call("last", "release"))
        answered = [wrapped.receive()["id"] for _ in range(6)]
        assert answered == [4, 3, 2, 1, 0, "last"]
        found = rows(tmp_path)
        assert [row["request_id"] for row in found] == [str(id_) for id_ in answered]
        assert [row["sequence"] for row in found] == [4, 3, 2, 1, 0, 5]
        assert {row["outcome"] for row in found} == {"ok"}


@pytest.mark.parametrize("options", [[], ["--propagate"]])
def test_a_response_that_comes_before_its_request_was_parsed_still_ends_it(options: list[str], tmp_path: Path) -> None:
    calls = 4000
    with Wrapped(tmp_path, options=options) as wrapped:
        frames = [call(n, "echo", a=n) for n in range(calls)]
        feeder = threading.Thread(target=lambda: [wrapped.send(*frames[n : n + 7]) for n in range(0, calls, 7)])
        feeder.start()
        assert [wrapped.receive()["id"] for _ in range(calls)] == list(range(calls))
        feeder.join()
        assert wrapped.leave() == (0, b"", b"")
    assert _outcomes(tmp_path) == {str(n): "ok" for n in range(calls)}


def test_what_the_server_asks_the_client_is_recorded_too(tmp_path: Path) -> None:
    with Wrapped(tmp_path) as wrapped:
        wrapped.send(call(1, "ask"))
        assert wrapped.receive()["method"] == "sampling/createMessage"
        assert wrapped.receive()["id"] == 1
        wrapped.send(line(id="s1", result={"role": "assistant", "content": {}}), call(2, "echo"))
        assert wrapped.receive()["id"] == 2
    found = {row["request_id"]: (row["method"], row["kind"], row["outcome"]) for row in rows(tmp_path)}
    assert found == {
        "1": ("tools/call", "server", "ok"),
        "2": ("tools/call", "server", "ok"),
        "s1": ("sampling/createMessage", "client", "ok"),
    }


def test_each_call_of_a_batch_is_recorded(tmp_path: Path) -> None:
    batch = [json.loads(call(n, "echo")) for n in range(3)]
    with Wrapped(tmp_path) as wrapped:
        wrapped.send(json.dumps([*batch, {"jsonrpc": "2.0", "method": "notifications/x"}]).encode() + b"\n")
        assert wrapped.process.stdout is not None
        assert [each["id"] for each in json.loads(wrapped.process.stdout.readline())] == [0, 1, 2]
        assert Counter(row["name"] for row in rows(tmp_path)) == {"tools/call echo": 3, "notifications/x": 1}
        assert _outcomes(tmp_path) == {"0": "ok", "1": "ok", "2": "ok"}


@pytest.mark.parametrize(
    ("last", "code", "exit_"),
    [
        (call(3, "die"), 3, {semconv.SERVER_EXIT_CODE: 3}),
        (call(3, "exit", code=0), 0, {semconv.SERVER_EXIT_CODE: 0}),
        (call(3, "signal", number=int(signal.SIGSEGV)), -signal.SIGSEGV, {semconv.SERVER_EXIT_SIGNAL: "SIGSEGV"}),
        (call(3, "killed"), -signal.SIGKILL, {semconv.SERVER_EXIT_SIGNAL: "SIGKILL"}),
    ],
    ids=["exit code", "exit code 0", "SIGSEGV", "SIGKILL"],
)
def test_calls_in_flight_when_the_server_dies_are_recorded_with_its_exit(
    last: bytes, code: int, exit_: dict[str, object], tmp_path: Path
) -> None:
    with Wrapped(tmp_path) as wrapped:
        wrapped.send(call(1, "echo"), call(2, "never"), last)
        assert wrapped.receive()["id"] == 1
        assert wrapped.process.wait() == code
    finished, *unfinished = rows(tmp_path)
    assert (finished["request_id"], finished["outcome"]) == ("1", "ok")
    assert [row["request_id"] for row in unfinished] == ["2", "3"]
    for row in unfinished:
        assert (row["outcome"], row["error_type"]) == ("unfinished", "server_exit")
        found = attributes(row)
        ours = (semconv.SERVER_EXIT_CODE, semconv.SERVER_EXIT_SIGNAL)
        assert {name: found[name] for name in ours if name in found} == exit_


@pytest.mark.parametrize("asked", [None, signal.SIGTERM])
def test_calls_that_the_client_leaves_in_flight_are_not_the_servers_fault(
    asked: signal.Signals | None, tmp_path: Path
) -> None:
    with Wrapped(tmp_path) as wrapped:
        wrapped.send(call(1, "never"), call(2, "echo"))
        assert wrapped.receive()["id"] == 2
        if asked:
            wrapped.process.send_signal(asked)
        assert wrapped.leave()[0] == (-asked if asked else 0)
    assert _outcomes(tmp_path) == {"2": "ok", "1": "unfinished"}
    assert rows(tmp_path)[-1]["error_type"] == "client_disconnect"


@pytest.mark.parametrize("who", ["wrapper", "server", "both"])
def test_a_kill_leaves_every_finished_call_and_nothing_damaged(who: str, tmp_path: Path) -> None:
    with Wrapped(tmp_path) as wrapped:
        server = wrapped.server_pid()
        for number in range(20):
            wrapped.send(call(number, "echo"))
            wrapped.receive()
        if who != "server":
            wrapped.process.kill()
        if who != "wrapper":
            os.kill(server, signal.SIGKILL)
        assert wrapped.process.wait() == -signal.SIGKILL
    assert _outcomes(tmp_path) == {"pid": "ok", **{str(n): "ok" for n in range(20)}}
    (segment,) = (tmp_path / "spool").iterdir()
    assert segment.read_bytes().count(b"\n") == 21


@pytest.mark.parametrize("exporter", ["console", "console,otlp", "logging"])
def test_no_exporter_reaches_stdout(exporter: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for signal_ in ("TRACES", "METRICS", "LOGS"):
        monkeypatch.setenv(f"OTEL_{signal_}_EXPORTER", exporter)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    with Wrapped(tmp_path) as wrapped:
        wrapped.send(call(1, "echo"), call(2, "fail"))
        code, out, _ = wrapped.leave()
    assert code == 0
    assert [json.loads(answer)["id"] for answer in out.splitlines()] == [1, 2]
    assert _outcomes(tmp_path) == {"1": "ok", "2": "tool_error"}


def test_stderr_is_the_servers_alone(tmp_path: Path) -> None:
    with Wrapped(tmp_path, ["sh", "-c", "printf 'no newline' >&2; cat; printf ' at all' >&2"]) as wrapped:
        wrapped.send(call(1, "echo"))
        assert wrapped.leave() == (0, call(1, "echo"), b"no newline at all")


def test_a_command_whose_name_is_no_text_is_recorded(tmp_path: Path) -> None:
    name = os.fsencode(tmp_path) + b"/serv\xff\xe9"
    os.symlink(sys.executable, name)
    shutil.copy(SCRIPTED[1], tmp_path / "server.py")
    with Wrapped(tmp_path / "lake", [os.fsdecode(name), str(tmp_path / "server.py")]) as wrapped:
        wrapped.send(call(1, "echo"))
        assert wrapped.receive()["id"] == 1
        assert wrapped.leave() == (0, b"", b"")
    assert [row["service_name"] for row in rows(tmp_path / "lake")] == ["serv??"]


def test_a_lake_that_is_removed_under_a_wrapper_begins_anew(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    with Wrapped(lake) as wrapped:
        wrapped.send(call(1, "echo"))
        wrapped.receive()
        shutil.rmtree(lake)
        for number in range(2, 200):
            wrapped.send(call(number, "echo"))
            wrapped.receive()
            if lake.exists():
                break
        wrapped.send(call("last", "echo"))
        wrapped.receive()
        assert _outcomes(lake)["last"] == "ok"
        assert oct(lake.stat().st_mode & 0o777) == "0o700"
        assert wrapped.leave() == (0, b"", b"")


def test_a_lake_that_is_replaced_by_a_file_costs_the_records_and_not_the_calls(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    with Wrapped(lake) as wrapped:
        wrapped.send(call(1, "echo"))
        wrapped.receive()
        shutil.rmtree(lake)
        lake.write_text("mine")
        calls = 1
        while not _stderr_so_far(wrapped):
            calls += 1
            wrapped.send(call(calls, "echo"))
            assert wrapped.receive()["id"] == calls
        code, out, err = wrapped.leave()
    assert (code, out) == (0, b"")
    assert b"1 operations were not recorded: " in err
    assert lake.read_text() == "mine"


def _stderr_so_far(wrapped: Wrapped) -> bytes:
    assert wrapped.process.stderr is not None
    os.set_blocking(wrapped.process.stderr.fileno(), False)
    try:
        return wrapped.process.stderr.read(1 << 16) or b""
    finally:
        os.set_blocking(wrapped.process.stderr.fileno(), True)


def test_a_client_that_never_reads_stderr_does_not_hold_up_the_calls(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    try:
        while True:
            os.write(writer, b"x" * 4096)
    except BlockingIOError:
        os.set_blocking(writer, True)
    below_a_file = tmp_path / "file"
    below_a_file.touch()
    with Wrapped(below_a_file / "lake", stderr=writer) as wrapped:
        wrapped.send(call(1, "echo"))
        assert wrapped.receive()["id"] == 1
        assert wrapped.process.stdin is not None
        wrapped.process.stdin.close()
        assert wrapped.process.wait() == 0
    os.close(reader)
    os.close(writer)


def test_a_wrapper_starts_a_committer_at_its_end_if_the_spool_is_long(tmp_path: Path) -> None:
    for number in range(70):
        writer = Spool(tmp_path, lambda count, reason: {})
        writer.write({"trace_id": "1" * 32, "span_id": f"{number:016x}", "name": "n", "start_unix_nano": 1})
        writer.close()
    with Wrapped(tmp_path) as wrapped:
        wrapped.send(call(1, "echo"))
        assert wrapped.leave()[::2] == (0, b"")
    until = time.monotonic() + 60
    while not list((tmp_path / "spans").glob("_delta_log/*.json")):
        assert time.monotonic() < until, "nobody committed"
        time.sleep(0.05)


def test_a_spool_that_rolls_under_a_wrapper_is_committed_without_holding_up_the_calls(tmp_path: Path) -> None:
    """A request with long ids of its own makes a long row, so that a segment is soon full."""
    with Wrapped(tmp_path, ["cat"]) as wrapped:
        notes = line(method="notifications/x", params={"_meta": {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}}) * 500
        deadline_s = time.monotonic() + COMMIT_S
        while not list((tmp_path / "spans").glob("_delta_log/*.json")):
            wrapped.send(notes)
            for _ in range(500):
                assert wrapped.receive()["method"] == "notifications/x"
            assert time.monotonic() < deadline_s, "nobody committed"
