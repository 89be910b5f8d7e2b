"""The relay on pipes of all kinds that a client may hand over."""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Callable
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


@pytest.mark.parametrize("late", [False, True])
def test_a_pipe_is_at_its_end_only_if_its_source_ended(late: bool) -> None:
    source, client = os.pipe()
    server, sink = os.pipe()
    os.write(client, b"x")
    shown: list[bytes] = []
    pipe = relay.Pipe(source, sink, show=_kept(shown), rest=lambda: b"rest")
    if late:
        os.close(server)  # the server is gone before the client is
    else:
        os.close(client)
    relay.run(pipe)
    assert shown == [b"x"]
    assert pipe.at_end is not late
    if late:
        with pytest.raises(BrokenPipeError):
            os.write(client, b"y")
        os.close(client)
    else:
        assert os.read(server, 9) + os.read(server, 9) == b"xrest"
        assert os.read(server, 9) == b""
        os.close(server)


def test_a_server_is_not_silent_while_its_client_reads_slowly() -> None:
    source, server = os.pipe()
    client, sink = os.pipe()
    os.set_blocking(server, False)
    down = relay.Pipe(source, sink)
    thread = threading.Thread(target=relay.run, args=(down,))
    thread.start()
    sent = 0
    while True:  # until all pipes are full, so the relay waits for room
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


def test_a_client_that_does_not_read_does_not_hold_up_what_it_sends() -> None:
    """One that writes a large request while a large answer is on its way would wait for ever."""
    answers, server_out = os.pipe()
    client_in, out = os.pipe()
    requests, client_out = os.pipe()
    server_in, to_server = os.pipe()
    thread = threading.Thread(
        target=relay.run, args=(relay.Pipe(requests, to_server), relay.Pipe(answers, out)), daemon=True
    )
    thread.start()
    size = 1 << 20
    flood = threading.Thread(target=_write_whole, args=(server_out, b"a" * size))
    flood.start()
    while _room(server_out):  # the relay is held up on the way down
        pass
    sender = threading.Thread(target=_write_whole, args=(client_out, b"r" * size))
    sender.start()
    assert _read_whole(server_in) == b"r" * size
    assert _read_whole(client_in) == b"a" * size
    for one in (flood, sender, thread):
        one.join(60)
        assert not one.is_alive()
    os.close(server_in)
    os.close(client_in)


def _kept(shown: list[bytes]) -> Callable[[bytes], bytes]:
    def show(chunk: bytes) -> bytes:
        shown.append(chunk)
        return chunk

    return show


def _write_whole(fd: int, data: bytes) -> None:
    with os.fdopen(fd, "wb") as pipe:
        pipe.write(data)


def _read_whole(fd: int) -> bytes:
    found = b""
    while chunk := os.read(fd, 1 << 16):
        found += chunk
    return found


def _room(fd: int) -> bool:
    return bool(select.select([], [fd], [], 0.2)[1])
