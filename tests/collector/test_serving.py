"""`serve` as a process: what it says, how it stops, and what it says where it cannot listen."""

from __future__ import annotations

import asyncio
import signal
import socket
from contextlib import ExitStack

import pytest

from mcpobs.collector.options import Options
from mcpobs.collector.serving import _greeting, receiving
from mcpobs.errors import UsageError
from mcpobs.listening import Endpoint, bind, parse_endpoint
from tests.collector.dropping import dropping
from tests.collector.receiving import KeepingIntake, collecting
from tests.collector.test_grpc import call
from tests.collector.wire import ask, connected, post


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it(number: signal.Signals) -> None:
    with dropping() as at:
        assert ask(at.http_port, post(b"x")).status == 200
        assert call(at.grpc_port, b"x") == b""
        at.popen.send_signal(number)
        assert at.line() == "stopped"
        assert at.popen.wait(60) == 0


def test_it_stops_at_once_if_connections_are_only_idle_or_slow() -> None:
    with dropping(grace_s=600) as at, ExitStack() as stack:
        idle, slow, _ = (stack.enter_context(connected(at.http_port)) for _ in range(3))
        idle.send(post(b"x"))
        assert idle.answer().status == 200
        slow.send(b"POST /v1/traces HT")
        at.popen.send_signal(signal.SIGTERM)
        assert at.line() == "stopped"


def test_requests_in_flight_end_before_it_stops() -> None:
    intake = KeepingIntake()
    with ExitStack() as stack:
        with collecting(intake) as at:
            intake.open.clear()
            wire = stack.enter_context(connected(at.http_port))
            wire.send(post(b"in flight"))
            assert intake.entered.acquire(timeout=60)
            # `collecting` now begins to stop, and lets the intake answer
        assert wire.answer().status == 200
        assert wire.ended()
    assert [body for *_, body in intake.taken] == [b"in flight"]


def test_a_second_signal_ends_requests_in_flight() -> None:
    with dropping(grace_s=600, hold=1) as at, connected(at.http_port) as wire:
        wire.send(post(b"x"))
        assert at.line() == "held"
        at.popen.send_signal(signal.SIGTERM)
        while accepts(at.http_port):
            pass
        at.popen.send_signal(signal.SIGTERM)
        assert at.line() == "stopped"
        assert wire.ended()  # without an answer: the client will send it again


def accepts(port: int) -> bool:
    try:
        with connected(port):
            return True
    except ConnectionError:
        return False


def test_the_grace_ends_requests_in_flight() -> None:
    with dropping(grace_s=0.2, hold=1) as at, connected(at.http_port) as wire:
        wire.send(post(b"x"))
        assert at.line() == "held"
        at.popen.send_signal(signal.SIGTERM)
        assert at.line() == "stopped"
        assert wire.ended()


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_an_error_about_a_taken_port_names_the_option(protocol: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = Endpoint("127.0.0.1", other.getsockname()[1])
        with pytest.raises(UsageError) as caught, collecting(**{protocol: taken}):
            pass
    assert caught.value.message == f"--{protocol}: cannot listen on {taken}: address already in use"
    assert f"--{protocol} 127.0.0.1:0" in str(caught.value.hint)


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_two_collectors_do_not_share_a_port(protocol: str) -> None:
    with collecting() as first:
        taken = Endpoint("127.0.0.1", first.http_port if protocol == "http" else first.grpc_port)
        with pytest.raises(UsageError), collecting(**{protocol: taken}):
            pass


@pytest.mark.parametrize("protocol", ["http", "grpc"])
@pytest.mark.parametrize("host", ["no.such.host.invalid", "192.0.2.1"])
def test_a_host_that_is_not_this_machine_is_reported(protocol: str, host: str) -> None:
    with pytest.raises(UsageError) as caught, collecting(**{protocol: Endpoint(host, 0)}):
        pass
    assert host in caught.value.message
    assert "127.0.0.1" in str(caught.value.hint)


def test_a_port_is_free_again_as_soon_as_it_has_stopped() -> None:
    with collecting() as at:
        assert ask(at.http_port, post(b"x")).status == 200
        assert call(at.grpc_port, b"x") == b""
    again = {"http": Endpoint("127.0.0.1", at.http_port), "grpc": Endpoint("127.0.0.1", at.grpc_port)}
    with collecting(**again) as at:
        assert ask(at.http_port, post(b"x")).status == 200
        assert call(at.grpc_port, b"x") == b""


def test_localhost_is_every_loopback_address_that_the_machine_has() -> None:
    named = {str(found[4][0]) for found in socket.getaddrinfo("localhost", 0, type=socket.SOCK_STREAM)}
    with collecting(http=Endpoint("localhost", 0), grpc=Endpoint("localhost", 0)) as at:
        reached = set()
        for address in named:
            try:
                for port in (at.http_port, at.grpc_port):
                    socket.create_connection((address, port), timeout=60).close()
            except OSError:
                with pytest.raises(OSError), socket.socket(socket.AF_INET6) as probe:
                    probe.bind((address, 0))  # named, but not there
            else:
                reached.add(address)
    assert "127.0.0.1" in reached


def test_nothing_to_listen_on_is_refused() -> None:
    with pytest.raises(UsageError, match="nothing is left"), collecting(http=None, grpc=None):
        pass


async def _lines(options: Options) -> list[str]:
    async with receiving(options, KeepingIntake()) as at:
        return _greeting(options, at)


def test_it_warns_if_other_machines_can_reach_it() -> None:
    everywhere, here = Endpoint("0.0.0.0", 0), Endpoint("127.0.0.1", 0)
    quiet = asyncio.run(_lines(Options(http=here, grpc=here)))
    loud = asyncio.run(_lines(Options(http=everywhere, grpc=here)))
    known = asyncio.run(_lines(Options(http=everywhere, grpc=here, tokens=("t",))))
    assert [line.partition("://")[0] for line in quiet] == ["OTLP/HTTP on http", "OTLP/gRPC on http"]
    assert [line.startswith("warning: ") for line in loud] == [False, False, True, True]
    assert "--token-file" in loud[2]
    assert "--tls-cert" in loud[3]
    assert [line.startswith("warning: ") for line in known] == [False, False, True]


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("127.0.0.1:1", Endpoint("127.0.0.1", 1)),
        ("localhost", Endpoint("localhost", 4318)),
        ("8080", Endpoint("localhost", 8080)),
        ("0.0.0.0:0", Endpoint("0.0.0.0", 0)),
        ("[::1]:99", Endpoint("::1", 99)),
        ("[::]", Endpoint("::", 4318)),
        ("::1", Endpoint("::1", 4318)),
    ],
)
def test_an_endpoint_is_host_and_port(text: str, endpoint: Endpoint) -> None:
    assert parse_endpoint(text, "--http", 4318) == endpoint


@pytest.mark.parametrize(
    ("text", "why", "example"),
    [
        ("", "names no host", "0.0.0.0"),
        (":4318", "names no host", "0.0.0.0:4318"),
        ("x:", "'' is not a port", "127.0.0.1:4318"),
        ("x:y", "'y' is not a port", "127.0.0.1:4318"),
        ("x:65536", "'65536' is not a port", "127.0.0.1:4318"),
        ("x:-1", "'-1' is not a port", "127.0.0.1:4318"),
        ("x:80/mcp", "'80/mcp' is not a port", "127.0.0.1:4318"),
        ("99999", "'99999' is not a port", "127.0.0.1:4318"),
        ("9" * 5000, "is not a port", "127.0.0.1:4318"),
        ("1:2:3:4x", "'1:2:3:4x' is not an IPv6 address", "[::1]:4318"),
        ("[1:2]:3", "'1:2' is not an IPv6 address", "[::1]:4318"),
        ("[::1", "begins with a bracket", "[::1]:4318"),
        ("[::1]x", "begins with a bracket", "[::1]:4318"),
        ("[]:1", "'' is not an IPv6 address", "[::1]:4318"),
        ("http://x:1", "it is a URL", "127.0.0.1:4318"),
    ],
)
def test_an_error_about_an_invalid_endpoint_names_the_fault_and_an_example(text: str, why: str, example: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_endpoint(text, "--http", 4318)
    assert caught.value.message.startswith(f"--http {text!r} ")
    assert why in caught.value.message
    assert f"--http {example}" in str(caught.value.hint)
    assert len(str(caught.value).splitlines()) == 2


def test_a_host_that_is_not_known_is_named_without_a_number() -> None:
    with pytest.raises(UsageError) as caught:
        bind(Endpoint("no.such.host.invalid", 80), "--http")
    assert "'no.such.host.invalid'" in caught.value.message
    assert "Errno" not in caught.value.message
    assert "--http 127.0.0.1:80" in str(caught.value.hint)
