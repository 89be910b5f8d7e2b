"""The relay on pipes of all kinds that a client may hand over."""

from __future__ import annotations

import os
import select
import threading
from pathlib import Path

import pytest

from mcpobs.proxy import relay
from tests.proxy.wrapped import Wrapped
from tests.telemetry.faults import in_a_fork, result


@pytest.mark.parametrize("blocking", [True, False])
def test_pipes_that_do_not_block_carry_all_bytes_in_order(blocking: bool, tmp_path: Path) -> None:
    their_stdin, our_stdin = os.pipe()
    our_stdout, their_stdout = os.pipe()
    os.set_blocking(their_stdin, blocking)
    os.set_blocking(their_stdout, blocking)
    sent = b"".join(b'{"n":%d}\n' % n for n in range(100_000))
    with Wrapped(tmp_path, ["cat"], stdin=their_stdin, stdout=their_stdout) as wrapped:
        os.close(their_stdin)
        os.close(their_stdout)

        def feed() -> None:
            with os.fdopen(our_stdin, "wb") as pipe:
                pipe.write(sent)

        feeder = threading.Thread(target=feed)
        feeder.start()
        with os.fdopen(our_stdout, "rb") as pipe:
            assert pipe.read() == sent
        feeder.join()
        assert wrapped.process.wait() == 0


def test_a_standard_pipe_that_is_let_go_keeps_its_number(tmp_path: Path) -> None:
    def child() -> str:  # stdin and stdout are not to be had in this process
        relay.close(0)
        relay.close(1)
        fd = os.open(tmp_path / "file", os.O_CREAT | os.O_WRONLY)
        return f"{fd > 2} {os.read(0, 1)!r}"

    assert result(in_a_fork(child)) == "True b''"


def test_the_end_of_a_pipe_is_told_by_whose_end_it_was() -> None:
    source, client = os.pipe()
    server, sink = os.pipe()
    os.write(client, b"x")
    os.close(client)
    noted: list[bytes] = []
    assert relay.upstream(source, sink, noted.append, lambda: None) is True
    assert (noted, os.read(server, 9)) == ([b"x"], b"x")
    source, client = os.pipe()
    os.write(client, b"y")
    os.close(server)
    assert relay.upstream(source, sink, noted.append, lambda: None) is False
    assert noted == [b"x", b"y"]
    for fd in (source, client, sink):
        relay.close(fd)


def test_a_server_is_not_silent_while_its_client_reads_slowly() -> None:
    source, server = os.pipe()
    client, sink = os.pipe()
    os.set_blocking(server, False)
    down = relay.Downstream(source, sink, relay.unseen)
    thread = threading.Thread(target=down.run)
    thread.start()
    sent = 0
    while True:  # until all pipes are full, so the relay is in the middle of a write
        try:
            sent += os.write(server, b"x" * 4096)
        except BlockingIOError:
            if down.silent_s() == 0.0 and not _room(server):
                break
    assert down.silent_s() == 0.0
    os.close(server)
    received = 0
    while chunk := os.read(client, 1 << 16):
        received += len(chunk)
    thread.join()
    assert received == sent
    os.close(client)


def _room(fd: int) -> bool:
    return bool(select.select([], [fd], [], 0.2)[1])
