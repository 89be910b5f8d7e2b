"""`mcpobs collect`: turns its options into those of the collector, and runs it on a lake."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import resource
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from mcpobs import interpreter, safefile
from mcpobs.cli.streams import say
from mcpobs.collector.callers import parse_origin
from mcpobs.collector.limits import Limits
from mcpobs.collector.options import GRPC_PORT, HTTP_PORT, Certificates, Options
from mcpobs.errors import UsageError
from mcpobs.folders import lake_folder
from mcpobs.installed.commands import add_extra
from mcpobs.installed.extras import needing
from mcpobs.listening import parse_endpoint
from mcpobs.settings import ACCEPT_AHEAD_VARIABLE, ACCEPT_OLDER_VARIABLE, duration_s, load_config
from mcpobs.terminal import printable_lines

TOKEN_FILE_BYTES = 1 << 20
KEY_BYTES = 4 << 20
TOKEN_VARIABLE = "MCPOBS_COLLECT_TOKEN"
_SIZE = re.compile(r"(\d{1,12}) ?(|[KMG]i?)B?", re.IGNORECASE)
_FILES_A_CONNECTION = 4
_OTHER_FILES = 256
_FACTORS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30}


@dataclass(frozen=True, slots=True)
class CollectOptions:
    """The options as they were given."""

    lake: str | None
    http: str | None
    grpc: str | None
    token_file: str | None
    tls_cert: str | None
    tls_key: str | None
    tls_client_ca: str | None
    max_body: str
    max_in_flight: str
    allow_host: tuple[str, ...] = ()
    allow_origin: tuple[str, ...] = ()
    accept_older_than: str | None = None
    accept_ahead: str | None = None
    redact: bool | None = None  # None: as the configuration says
    scrub: bool | None = None  # likewise
    policy: tuple[str, ...] = ()


def collect(given: CollectOptions) -> None:
    options = read_options(given)
    _accept(given)
    charging = charging_command(given)
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # its C core writes a line to stderr for each client that errs
    with needing("`mcpobs collect`", "collect"):
        from mcpobs.collector import serving
    from mcpobs.collector.allocation import keep_freed_memory
    from mcpobs.collector.service import open_intake

    _log_to_stderr()
    keep_freed_memory()
    fitting = _allow_open_files(options.limits.connections)
    if fitting < options.limits.connections:
        say(
            f"warning: this process may open so few files that each protocol takes {fitting:,} connections at a time",
            "raise the limit, e.g. `ulimit -n 8192`",
        )
        options = replace(options, limits=replace(options.limits, connections=fitting))

    async def run() -> None:
        async with open_intake(
            lake_folder(given.lake), redact=options.redact, scrub=options.scrub, charging=charging
        ) as intake:
            received = await serving.serve(options, intake)
            counters = {**received, **intake.counters()}
        say("stopped; " + (", ".join(f"{name} {count:,}" for name, count in counters.items()) or "nothing came"))

    asyncio.run(run())


def charging_command(given: CollectOptions) -> list[str]:
    """The command of the process that charges model calls to the budgets of a policy; none if there is nothing to
    charge. Raises UsageError for a policy that cannot be read."""
    from mcpobs.gate.policing import files_of, state_of

    files = files_of(given.policy)
    if not files:
        return []
    from mcpobs.policy import file
    from mcpobs.policy.spend import Budgets
    from mcpobs.prices import models

    if not Budgets(file.load(files)).any:
        return []
    state = state_of(load_config().policy.state, given.lake)
    if state is None:
        say(
            "warning: what agents spend on models is not charged: "
            "each `mcpobs instrument` keeps its counters in its own memory",
            "name a file as `state` in [policy] of config.toml, or leave it out",
        )
        return []
    if not models.installed():
        say(
            f"warning: what agents spend on models is not charged: {models.PACKAGE}, which knows prices, is missing",
            add_extra(models.EXTRA),
        )
    lake = lake_folder(given.lake)
    return interpreter.command("mcpobs.charging.process", str(lake.absolute()), str(state.absolute()), *files)


def _accept(given: CollectOptions) -> None:
    """Hands the accepted times on to the committing process, by its environment, and checks them all."""
    for text, option, variable in (
        (given.accept_older_than, "--accept-older-than", ACCEPT_OLDER_VARIABLE),
        (given.accept_ahead, "--accept-ahead", ACCEPT_AHEAD_VARIABLE),
    ):
        if text is not None:
            duration_s(text, option)
            os.environ[variable] = text
    load_config()


class _Formatter(logging.Formatter):
    """Escapes what a logged error quotes."""

    def format(self, record: logging.LogRecord) -> str:
        return printable_lines(super().format(record))


def _log_to_stderr() -> None:
    """Warnings of the libraries and our own faults."""
    handler = logging.StreamHandler()
    handler.setLevel(logging.WARNING)
    handler.setFormatter(_Formatter("mcpobs: %(message)s"))
    logging.getLogger().addHandler(handler)


def _allow_open_files(connections: int) -> int:
    """Raises the limit on open files to what so many connections of each protocol need: one file for HTTP, three for
    gRPC. A process is often started with 1,024 and may raise that itself. Returns how many connections fit."""
    needed = _FILES_A_CONNECTION * connections + _OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < needed:
        most = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
            soft = most
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return connections
    return max(16, (soft - _OTHER_FILES) // _FILES_A_CONNECTION)


def read_options(given: CollectOptions) -> Options:
    """Raises UsageError for what cannot be meant."""
    body_bytes = _size(given.max_body, "--max-body")
    held_bytes = _size(given.max_in_flight, "--max-in-flight")
    if held_bytes < body_bytes:
        raise UsageError(
            f"--max-in-flight {given.max_in_flight} is less than --max-body {given.max_body}",
            "a request of the largest size would never be taken: raise the one or lower the other",
        )
    return Options(
        http=parse_endpoint(given.http, "--http", HTTP_PORT) if given.http is not None else None,
        grpc=parse_endpoint(given.grpc, "--grpc", GRPC_PORT) if given.grpc is not None else None,
        tokens=_tokens(given.token_file),
        tls=_certificates(given),
        allowed_hosts=tuple(_host(host) for host in given.allow_host),
        allowed_origins=tuple(parse_origin(origin, "--allow-origin") for origin in given.allow_origin),
        limits=Limits(body_bytes=body_bytes, held_bytes=held_bytes),
        redact=load_config().redact if given.redact is None else given.redact,
        scrub=load_config().scrub if given.scrub is None else given.scrub,
    )


def _host(name: str) -> str:
    if not name or any(char in "/:@ " for char in name):
        raise UsageError(f"--allow-host {name!r} is no host name", "write it without a port, e.g. host.docker.internal")
    return name


def _size(text: str, option: str) -> int:
    match = _SIZE.fullmatch(text.strip())
    if match is None or not (size := int(match[1]) * _FACTORS[match[2].lower()]):
        raise UsageError(f"{option} {text!r} is no size", f"write e.g. {option} 16MiB, or a number of bytes")
    return size


def _tokens(file: str | None) -> tuple[str, ...]:
    if file is None:
        token = os.environ.get(TOKEN_VARIABLE)
        if token is None:
            return ()
        return (_token(token.strip(), TOKEN_VARIABLE),)
    path = Path(file).expanduser()
    try:
        content, exposed = safefile.read_secret(path, TOKEN_FILE_BYTES)
        lines = content.decode().splitlines()
    except safefile.ExposedError as error:
        raise UsageError(f"--token-file {file} is not used: {error.strerror}", error.remedy) from None
    except (OSError, UnicodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise UsageError(f"--token-file {file} cannot be read: {why}", "write one token a line into it") from None
    tokens = tuple(_token(line.strip(), f"--token-file {file}") for line in lines if line.strip())
    if not tokens:
        raise UsageError(f"--token-file {file} holds no token", "write one token a line into it")
    if exposed:
        say(f"warning: --token-file {file} {exposed}", f"chmod 600 {path}")
    return tokens


def _token(token: str, where: str) -> str:
    """Checks that the token can stand in a header."""
    if not token or not (token.isascii() and token.isprintable()) or " " in token:
        raise UsageError(
            f"{where} holds something that is no bearer token", "make one with `openssl rand -hex 32`, one a line"
        )
    return token


def _certificates(given: CollectOptions) -> Certificates | None:
    if given.tls_cert is None and given.tls_key is None:
        if given.tls_client_ca is not None:
            raise UsageError("--tls-client-ca needs --tls-cert and --tls-key", "clients are asked within TLS only")
        return None
    if given.tls_cert is None or given.tls_key is None:
        missing = "--tls-cert" if given.tls_cert is None else "--tls-key"
        raise UsageError(f"{missing} is missing", "TLS needs both --tls-cert and --tls-key")
    _warn_of_readable_key(Path(given.tls_key).expanduser())
    authority = Path(given.tls_client_ca).expanduser() if given.tls_client_ca is not None else None
    return Certificates(Path(given.tls_cert).expanduser(), Path(given.tls_key).expanduser(), authority)


def _warn_of_readable_key(path: Path) -> None:
    with suppress(OSError):  # reported when the key is loaded
        _, exposed = safefile.read_secret(path, KEY_BYTES)
        if exposed:
            say(f"warning: --tls-key {path} {exposed}", f"chmod 600 {path}")
