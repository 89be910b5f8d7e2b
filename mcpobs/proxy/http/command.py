"""`mcpobs instrument --listen … --upstream …`: puts the HTTP front together and runs it until a signal."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mcpobs import semconv, terminal
from mcpobs.gate.gate import Gate
from mcpobs.gate.policing import judge_of
from mcpobs.gate.recorder import LakeRecorder
from mcpobs.gate.row import Origin
from mcpobs.installed.extras import needing
from mcpobs.listening import parse_endpoint
from mcpobs.masking import masked_host
from mcpobs.protocol.lifecycle import Lifecycle
from mcpobs.protocol.registry import Registry
from mcpobs.protocol.session import Session
from mcpobs.proxy.http.targets import Upstream, parse_upstream
from mcpobs.service import service_name
from mcpobs.sessions.remote import RemoteSessions
from mcpobs.settings import load_config

if TYPE_CHECKING:
    from mcpobs.gate.judge import Judge

DEFAULT_PORT = 8765


class HttpOptions(NamedTuple):
    """The options of `mcpobs instrument` for the HTTP front, by the same names."""

    listen: str
    upstream: str
    lake: str | None = None
    name: str | None = None
    propagate: bool = False
    policy: tuple[str, ...] = ()


def instrument_http(options: HttpOptions, env: Mapping[str, str] = os.environ, judge: Judge | None = None) -> None:
    """Runs until SIGTERM or SIGINT. With a `judge` each message waits for its decision. Raises UsageError for options
    that make no sense."""
    upstream = parse_upstream(options.upstream)
    listen = parse_endpoint(options.listen, "--listen", DEFAULT_PORT)
    config = load_config(env=env)
    with needing("--listen", "http"):
        from mcpobs.proxy.http.front import FrontOptions, serve
    from mcpobs.proxy.http.context import ExchangeContext
    from mcpobs.proxy.http.conversations import ConversationRegistry
    from mcpobs.proxy.http.identity import identify
    from mcpobs.proxy.http.recorded_head import RecordedHead

    verify = identify(config.identity, warn)
    service = service_name((_host_name(upstream),), options.name, env)
    judge = judge or judge_of(options.policy, service, options.lake, env)
    process_id = os.urandom(8).hex()
    origin = Origin(
        service_name=service,
        instance_id=process_id,
        transport="http",
        network_transport=semconv.TRANSPORT_TCP,
        front="proxy/http",
    )
    recorder = LakeRecorder.open(
        origin,
        _nobody(process_id),
        lake=Path(options.lake) if options.lake else None,
        config=config,
        warn=warn,
        env=env,
    )
    gate = Gate(recorder, judge, warn)
    sessions = RemoteSessions(process_id, config.idle_gap_s)
    lifecycle = Lifecycle(recorder.facts, Registry(), sessions, keeps_content=gate.enforcing)
    conversations = ConversationRegistry(lifecycle, gate)
    context = ExchangeContext(gate, conversations, RecordedHead(frozenset(config.headers)), options.propagate)
    try:
        asyncio.run(serve(FrontOptions(listen, upstream, verify), context, warn))
        conversations.close("shutdown")
    finally:
        gate.close()
        recorder.close()


def warn(line: str) -> None:
    sys.stderr.write(terminal.warning(line))
    sys.stderr.flush()


def _host_name(upstream: Upstream) -> str:
    return masked_host(upstream.host)


def _nobody(process_id: str) -> Session:
    """Of what belongs to no request."""
    return Session(
        id=process_id,
        start_unix_nano=time.time_ns(),
        source="connection",
        confidence="low",
        enforcement_key=f"process:{process_id}",
        enforcement_source="connection",
        transport="http",
    )
