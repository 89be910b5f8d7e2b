"""What `mcpobs collect` does: turns its options into those of the collector, and runs it on a lake."""

from __future__ import annotations

import asyncio
import os
import re
import resource
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mcpobs.cli.printing import say
from mcpobs.collector.limits import Limits
from mcpobs.collector.options import GRPC_PORT, HTTP_PORT, Certificates, Options
from mcpobs.errors import UsageError
from mcpobs.listening import parse_endpoint
from mcpobs.settings import lake_folder, load_config

TOKEN_VARIABLE = "MCPOBS_COLLECT_TOKEN"
_SIZE = re.compile(r"(\d{1,12}) ?(|[KMG]i?)B?", re.IGNORECASE)
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
    redact: bool | None = None  # None: as the configuration says


def collect(given: CollectOptions) -> None:
    options = read_options(given)
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # its C core writes a line to stderr for each client that errs
    try:
        import httptools  # noqa: F401
        import uvicorn  # noqa: F401

        from mcpobs.collector import serving
    except ModuleNotFoundError as error:
        raise UsageError(f"`mcpobs collect` needs {error.name}", "pip install 'mcpobs[collect]'") from None
    from mcpobs.collector.allocation import keep_freed_memory
    from mcpobs.collector.service import open_intake

    keep_freed_memory()
    _allow_open_files(options.limits.connections)

    async def run() -> None:
        async with open_intake(lake_folder(given.lake), redact=options.redact) as intake:
            await serving.serve(options, intake)
            counters = intake.counters()
        say("stopped; " + (", ".join(f"{name} {count:,}" for name, count in counters.items()) or "nothing came"))

    asyncio.run(run())


def _allow_open_files(connections: int) -> None:
    """Two protocols' connections; a process is often begun with 1,024 files, and may raise that itself."""
    needed = 2 * connections + 256
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < needed:
        most = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


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
        limits=Limits(body_bytes=body_bytes, held_bytes=held_bytes),
        redact=load_config().redact if given.redact is None else given.redact,
    )


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
    try:
        lines = Path(file).expanduser().read_text().splitlines()
    except (OSError, UnicodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise UsageError(f"--token-file {file} cannot be read: {why}", "write one token a line into it") from None
    tokens = tuple(_token(line.strip(), f"--token-file {file}") for line in lines if line.strip())
    if not tokens:
        raise UsageError(f"--token-file {file} holds no token", "write one token a line into it")
    return tokens


def _token(token: str, where: str) -> str:
    """What can stand in a header."""
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
    authority = Path(given.tls_client_ca).expanduser() if given.tls_client_ca is not None else None
    return Certificates(Path(given.tls_cert).expanduser(), Path(given.tls_key).expanduser(), authority)
