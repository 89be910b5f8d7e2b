"""A wrapper with a judge, over real pipes: what reaches the server, what the client gets, and what is recorded."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from mcpobs.gate.decisions import DENIED_CODE
from tests.gate.judges import DENIED
from tests.proxy.framings import FRAMINGS
from tests.proxy.wrapped import Wrapped, call, line, rows

ECHO = ["cat"]  # answers each frame with itself: what it is not sent it cannot answer


def outcomes(lake: Path) -> list[tuple[str | None, str]]:
    return [(row.get("request_id"), row["outcome"]) for row in rows(lake) if "method" in row]


def test_a_denied_call_never_reaches_the_server(tmp_path: Path) -> None:
    with Wrapped(tmp_path, judged="deny") as wrapped:
        wrapped.send(call(1, "echo", a=1))
        assert json.loads(wrapped.receive()["result"]["content"][0]["text"]) == {"a": 1}
        wrapped.send(call(2, "deny"), call(3, "die"))
        assert wrapped.receive() == {"jsonrpc": "2.0", "id": 2, "error": {"code": DENIED_CODE, "message": DENIED}}
        code, out, err = wrapped.leave()
    assert (code, out, err) == (3, b"", b"")
    assert outcomes(tmp_path) == [("1", "ok"), ("2", "denied"), ("3", "unfinished")]


def test_what_the_server_asks_is_judged_and_answered_in_the_clients_place(tmp_path: Path) -> None:
    with Wrapped(tmp_path, judged="deny") as wrapped:
        wrapped.send(call(1, "ask"))
        assert wrapped.receive()["result"]["content"][0]["text"] == "asked"
        code, out, _ = wrapped.leave()
    assert (code, out) == (0, b"")
    assert outcomes(tmp_path) == [("s1", "denied"), ("1", "ok")]


def test_a_decision_that_hangs_holds_up_nobody_else_and_ends_at_its_deadline(tmp_path: Path) -> None:
    with Wrapped(tmp_path, judged="deny") as wrapped:
        wrapped.send(call(1, "hang"), call(2, "echo"))
        assert [wrapped.receive()["id"] for _ in range(2)] == [2, 1]
        _, _, err = wrapped.leave()
    assert err.count(b"mcpobs: warning: a judge failed (TimeoutError at ") == 1
    assert outcomes(tmp_path) == [("2", "ok"), ("1", "denied")]


def test_a_cancelled_call_that_is_held_never_reaches_the_server(tmp_path: Path) -> None:
    cancel = line(method="notifications/cancelled", params={"requestId": 1})
    with Wrapped(tmp_path, ECHO, judged="deny") as wrapped:
        wrapped.send(call(1, "held"), cancel, call(2, "deny"))
        assert wrapped.receive()["id"] == 2
        code, out, _ = wrapped.leave()
    assert (code, out) == (0, b"")
    assert outcomes(tmp_path)[0] == ("1", "cancelled")


@pytest.mark.parametrize(
    ("frame", "code", "id_"),
    [
        (b'{"jsonrpc":"2.0","id":1,"method":"ping"', -32700, None),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping"}{}', -32700, None),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call"}', -32600, 1),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","Method":"tools/call"}', -32600, 1),
        (b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","Name":"b"}}', -32600, 1),
        (b'{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}', -32600, None),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":NaN}}', -32700, 1),
        (b'\xef\xbb\xbf{"jsonrpc":"2.0","id":1,"method":"ping"}', -32700, None),
        (b'{"jsonrpc":"2.0","id":1,"method":"p\xff"}', -32700, 1),
        (b'{"x":[\r{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"die"}}\r]}', -32700, None),
        (b"[]", -32600, None),
    ],
)
def test_a_frame_that_parsers_read_differently_is_answered_and_recorded(
    frame: bytes, code: int, id_: object, tmp_path: Path
) -> None:
    with Wrapped(tmp_path, ECHO, judged="deny") as wrapped:
        wrapped.send(frame + b"\n", call(9, "deny"))
        assert (wrapped.receive() | {"error": None}) == {"jsonrpc": "2.0", "id": id_, "error": None}
        assert wrapped.receive()["id"] == 9
        assert wrapped.leave()[1] == b""
    refused, _ = rows(tmp_path)
    assert (refused["name"], refused["outcome"], refused["status_code"]) == (
        "mcpobs.frame.refused",
        "denied",
        str(code),
    )


def test_a_frame_larger_than_the_cap_is_answered_once_and_its_rest_is_dropped(tmp_path: Path) -> None:
    with Wrapped(tmp_path, ECHO, judged="deny") as wrapped:
        feeder = threading.Thread(target=wrapped.send, args=(call(1, "echo", text="x" * (40 << 20)), call(2, "deny")))
        feeder.start()
        assert [wrapped.receive()["error"]["code"], wrapped.receive()["id"]] == [-32600, 2]
        feeder.join()
        assert wrapped.leave()[1] == b""


def test_lines_of_the_server_that_are_no_messages_pass(tmp_path: Path) -> None:
    server = ["sh", "-c", "echo Server started; echo '{\"level\":\"info\"}'; printf '\\n  \\n'; cat"]
    with Wrapped(tmp_path, server, judged="deny") as wrapped:
        _, out, _ = wrapped.leave()
    assert out == b'Server started\n{"level":"info"}\n\n  \n'


@pytest.mark.parametrize(
    "answer",
    [
        b'{"jsonrpc":"2.0","id":1,"result":{"content":[]},"result":{"content":[1]}}',
        b'{"jsonrpc":"2.0","id":1,"result":{"a":1},"error":{"code":1,"message":"m"}}',
        b'{"jsonrpc":"2.0","id":1,"result":{"a":NaN}}',
        b'\xef\xbb\xbf{"jsonrpc":"2.0","id":1,"result":{}}',
    ],
)
def test_a_response_that_can_be_read_in_two_ways_is_replaced_by_an_error(answer: bytes, tmp_path: Path) -> None:
    reply = tmp_path / "reply"
    reply.write_bytes(answer + b"\n")
    with Wrapped(tmp_path / "lake", ["sh", "-c", f"read line; cat {reply}; cat > /dev/null"], judged="deny") as wrapped:
        wrapped.send(call(1, "echo"))
        answered = wrapped.receive()
        assert answered["id"] == 1
        assert answered["error"]["code"] in (-32600, -32700)
        assert wrapped.leave()[1] == b""
    refused, recorded = rows(tmp_path / "lake")
    assert refused["name"] == "mcpobs.frame.refused"
    assert (recorded["outcome"], recorded["error_type"]) == ("server_error", refused["error_type"])


def test_with_propagation_a_call_that_was_rewritten_still_names_our_span(tmp_path: Path) -> None:
    with Wrapped(tmp_path, ECHO, ["--propagate"], judged="deny") as wrapped:
        wrapped.send(call(1, "rewrite", text="mine"))
        seen = wrapped.receive()
        wrapped.leave()
    (row,) = [row for row in rows(tmp_path) if row.get("tool") == "rewrite" and row["kind"] == "server"]
    assert seen["params"]["arguments"] == {"text": "rewritten"}
    assert seen["params"]["_meta"]["traceparent"].split("-")[1:3] == [row["trace_id"], row["span_id"]]


@pytest.mark.parametrize("name", ["one byte at a time", "carriage return and newline", "thousand frames in one write"])
def test_allowed_frames_pass_byte_for_byte_however_they_are_cut(name: str, tmp_path: Path) -> None:
    sent, _, piece = FRAMINGS[name]
    with Wrapped(tmp_path, ECHO, judged="deny") as wrapped:
        assert wrapped.process.stdin is not None

        def feed() -> None:
            for at in range(0, len(sent), piece):
                wrapped.send(sent[at : at + piece])

        feeder = threading.Thread(target=feed)
        feeder.start()
        assert wrapped.process.stdout is not None
        got = b""
        while len(got) < len(sent):
            got += wrapped.process.stdout.readline()
        feeder.join()
        wrapped.leave()
    assert got == sent


def test_if_the_judge_cannot_be_set_up_the_server_is_not_served(tmp_path: Path) -> None:
    code = (
        "import sys; from mcpobs.proxy import front, stdio\n"
        "def broken(*a, **k): raise RuntimeError('no gate')\n"
        "front.LakeRecorder.open = broken\n"
        "from mcpobs.errors import UsageError; from tests.gate.judges import ByName\n"
        "try: stdio.instrument(stdio.InstrumentOptions(('cat',), sys.argv[1]), ByName())\n"
        "except UsageError as error: sys.exit(str(error))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], input=call(1, "echo"), capture_output=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.splitlines() == [
        b"mcpobs: error: cannot enforce: RuntimeError: no gate",
        b"hint: correct the judge",
    ]
