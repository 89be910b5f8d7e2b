"""TLS: who is let in, and what is said of files that do not do."""

from __future__ import annotations

import json
import socket
import ssl
from pathlib import Path
from urllib.request import urlopen

import grpc
import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as ByGrpc
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as ByHttp
from opentelemetry.sdk.trace.export import SpanExportResult

from mcpobs.collector.limits import Limits
from mcpobs.collector.options import Certificates
from mcpobs.errors import UsageError
from tests.collector.certificates import Authority
from tests.collector.receiving import Running, collecting
from tests.collector.test_exporters import names, spans
from tests.collector.wire import Answer, Wire, post

TRACES = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


@pytest.fixture
def ours(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "ours")


@pytest.fixture
def theirs(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "theirs")


def by_http(at: Running, authority: Authority, client: tuple[Path, Path] | None = None) -> Answer:
    """A request over TLS, or an error of the handshake."""
    context = ssl.create_default_context(cafile=authority.file)
    if client:
        context.load_cert_chain(*client)
    plain = socket.create_connection(("127.0.0.1", at.http_port), timeout=60)
    with plain, context.wrap_socket(plain, server_hostname="localhost") as sock:
        wire = Wire(sock)
        try:
            wire.send(post(b"http"))
            return wire.answer()
        finally:
            wire.close()


def by_grpc(at: Running, authority: Authority, client: tuple[Path, Path] | None = None) -> bytes:
    certificate, key = (file.read_bytes() for file in client) if client else (None, None)
    credentials = grpc.ssl_channel_credentials(authority.file.read_bytes(), key, certificate)
    with grpc.secure_channel(f"localhost:{at.grpc_port}", credentials) as channel:
        answer: bytes = channel.unary_unary(TRACES)(b"grpc", timeout=60)
        return answer


def test_clients_that_trust_the_authority_are_served_over_tls(ours: Authority) -> None:
    with collecting(tls=Certificates(*ours.sign("server"))) as at:
        assert by_http(at, ours).status == 200
        assert by_grpc(at, ours) == b""
    assert [body for *_, body in at.intake.taken] == [b"http", b"grpc"]


def test_real_exporters_deliver_over_mutual_tls(ours: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):  # `requests` prefers these to its arguments
        monkeypatch.delenv(name, raising=False)
    certificate, key = ours.sign("client")
    with collecting(tls=Certificates(*ours.sign("server"), client_ca=ours.file)) as at:
        files = {
            "certificate_file": str(ours.file),
            "client_key_file": str(key),
            "client_certificate_file": str(certificate),
        }
        http = ByHttp(endpoint=f"https://localhost:{at.http_port}/v1/traces", timeout=60, **files)
        credentials = grpc.ssl_channel_credentials(ours.file.read_bytes(), key.read_bytes(), certificate.read_bytes())
        grpc_ = ByGrpc(endpoint=f"https://localhost:{at.grpc_port}", timeout=60, credentials=credentials)
        for exporter in (http, grpc_):
            assert exporter.export(spans(2)) is SpanExportResult.SUCCESS
            exporter.shutdown()
    assert [names(body) for *_, body in at.intake.taken] == [["span 0", "span 1"]] * 2


def test_a_client_of_another_authority_turns_away(ours: Authority, theirs: Authority) -> None:
    with collecting(tls=Certificates(*ours.sign("server"))) as at:
        with pytest.raises(ssl.SSLCertVerificationError):
            by_http(at, theirs)
        with pytest.raises(grpc.RpcError) as caught:
            by_grpc(at, theirs)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE  # type: ignore[attr-defined]
        assert by_http(at, ours).status == 200


def test_mutual_tls_serves_only_clients_of_its_authority(ours: Authority, theirs: Authority) -> None:
    friend, stranger = ours.sign("friend"), theirs.sign("stranger")
    with collecting(tls=Certificates(*ours.sign("server"), client_ca=ours.file)) as at:
        for client in (None, stranger):
            with pytest.raises((ssl.SSLError, ConnectionError)):
                by_http(at, ours, client)
            with pytest.raises(grpc.RpcError):
                by_grpc(at, ours, client)
        assert by_http(at, ours, friend).status == 200
        assert by_grpc(at, ours, friend) == b""
    assert [body for *_, body in at.intake.taken] == [b"http", b"grpc"]


@pytest.mark.parametrize("sent", [b"", b"\x16\x03\x01", b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n"])
def test_a_handshake_that_does_not_come_is_ended_and_the_next_client_is_served(ours: Authority, sent: bytes) -> None:
    with collecting(tls=Certificates(*ours.sign("server")), limits=Limits(head_s=0.5, linger_s=0.5)) as at:
        for port in (at.http_port, at.grpc_port):
            with socket.create_connection(("127.0.0.1", port), timeout=60) as sock:
                sock.sendall(sent)
                try:
                    while sock.recv(1000):
                        pass
                except ConnectionError:
                    pass
        assert by_http(at, ours).status == 200
        assert by_grpc(at, ours) == b""
        context = ssl.create_default_context(cafile=ours.file)
        with urlopen(f"https://localhost:{at.http_port}/healthz", context=context, timeout=60) as answer:
            counters = json.load(answer)["counters"]
        assert [counters[f"{name}.connections.handshake_failed"] for name in ("http", "grpc")] == [1, 1]


def test_headers_that_do_not_end_are_ended_over_tls(ours: Authority) -> None:
    context = ssl.create_default_context(cafile=ours.file)
    limits = Limits(head_s=0.5, linger_s=0.5)
    with collecting(tls=Certificates(*ours.sign("server")), limits=limits, grpc=None) as at:
        plain = socket.create_connection(("127.0.0.1", at.http_port), timeout=60)
        with plain, context.wrap_socket(plain, server_hostname="localhost") as sock:
            wire = Wire(sock)
            wire.send(b"POST /v1/tr")
            assert wire.answer().status == 408
            wire.close()
        assert by_http(at, ours).status == 200


def test_each_unusable_file_has_its_own_error_at_the_start(ours: Authority, tmp_path: Path) -> None:
    certificate, key = ours.sign("server")
    other_key = ours.sign("other")[1]
    locked_key = ours.sign("locked", password=b"secret")[1]
    locked = certificate.parent / "locked.pem"
    missing, text = tmp_path / "missing.pem", tmp_path / "text.pem"
    text.write_text("no certificate\n")
    broken = tmp_path / "broken.pem"
    broken.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    for files, expected in (
        (Certificates(missing, key), f"--tls-cert {missing} cannot be read"),
        (Certificates(certificate, missing), f"--tls-key {missing} cannot be read"),
        (Certificates(tmp_path, key), f"--tls-cert {tmp_path} cannot be read"),
        (Certificates(text, key), f"--tls-cert {text} holds no certificate"),
        (Certificates(broken, key), f"--tls-cert {broken}"),
        (Certificates(certificate, text), f"--tls-key {text} holds no private key"),
        (Certificates(certificate, other_key), "key values mismatch"),
        (Certificates(locked, locked_key), "encrypted"),
        (Certificates(certificate, key, missing), f"--tls-client-ca {missing} cannot be read"),
        (Certificates(certificate, key, text), f"--tls-client-ca {text} holds no certificate"),
    ):
        for left_out in ("http", "grpc"):
            with pytest.raises(UsageError) as caught, collecting(tls=files, **{left_out: None}):
                pass
            assert expected in caught.value.message
            assert caught.value.hint
