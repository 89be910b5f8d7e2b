"""Tracks the exports to one target: counts the spans that arrived, and warns once of the first failure.

Also owns the log records of the SDK, its exporters and their HTTP and gRPC libraries: none reaches stdout, and stderr
gets one line instead of a traceback per batch.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from mcpobs.telemetry.targets import Target

_LOGGERS = ("opentelemetry", "grpc", "urllib3", "requests")
_MAX_NOTES = 3  # SDK messages outside of an export: a wrong sampler name, a malformed header
_MAX_TEXT = 160
_NO_ACCESS = re.compile(r"code: 40[13]|UNAUTHENTICATED|PERMISSION_DENIED")
_ACCESS_HINT = "check the token in OTEL_EXPORTER_OTLP_HEADERS"
_LISTENING_HINT = (
    "is a collector listening there? The usual ports are 4318 for http/protobuf and 4317 for grpc "
    "(OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_PROTOCOL)"
)
_current: ContextVar[Delivery | None] = ContextVar("delivery", default=None)


class Delivery:
    """The state of one target. `failing` is whether its last attempt failed.

    `reported` is shared by all targets: if two go to one unreachable collector, only one warns.
    """

    def __init__(self, target: Target, warn: Callable[[str], None], reported: set[str]) -> None:
        self.target = target
        self._warn = warn
        self._reported = reported
        self._muted = False
        self.failing = False
        self.exported = 0
        self.unsampled = 0

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Attributes log records to this target while its exporter works."""
        token = _current.set(self)
        try:
            yield
        finally:
            _current.reset(token)

    def succeeded(self, items: int) -> None:
        self.failing = False
        self.exported += items

    def failed(self, text: str) -> None:
        """Records a failed attempt, or an exporter's announcement of a retry."""
        self.failing = True
        target = self.target
        if self._muted or target.origin in self._reported:
            return
        self._reported.add(target.origin)
        cause = reason(text)
        hint = _ACCESS_HINT if _NO_ACCESS.search(text) else _LISTENING_HINT
        self._warn(
            f"OTLP: cannot export {target.signal} to {target.endpoint} ({target.protocol}): {cause}; the server goes on"
            f"\nhint: {hint}"
        )

    def unopened(self, error: Exception) -> None:
        """Records that the exporter could not be created."""
        self.failing = True
        cause = one_line(f"{type(error).__name__}: {error}")
        if not self._muted and cause not in self._reported:
            self._reported.add(cause)
            self._warn(
                f"OTLP: nothing is exported to {self.target.origin}: {cause}; the server goes on"
                "\nhint: check the OTEL_EXPORTER_OTLP_* variables"
            )

    def broke(self, error: Exception) -> None:
        self.failed(f"{type(error).__name__}: {error}")

    def mute(self) -> None:
        """Stops warnings: after the end a thread that still tries must not write to a stderr that is no longer ours."""
        self._muted = True


def reason(text: str) -> str:
    """Extracts the cause from an exporter's log message or exception, in one line. Drops the text about retries and the
    URL, whose query may hold a key."""
    if "Caused by " in text:  # urllib3, through requests
        text = re.split(r"[\"']?\)\)", text.partition("Caused by ")[2])[0].rpartition(": ")[2]
    text = re.split(r"[Ee]rror details: (?:.*last error: )?", text)[-1]  # gRPC
    text = re.sub(r"^Transient error (.+?) encountered while .*", r"\1", text)
    return one_line(text)


def one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _MAX_TEXT else f"{line[:_MAX_TEXT]}…"


class _Listener(logging.Handler):
    """Replaces all other handlers of the libraries' loggers."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.warn: Callable[[str], None] | None = None
        self._notes: set[str] = set()

    def begin(self, warn: Callable[[str], None]) -> None:
        self.warn = warn
        self._notes = set()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = _text(record)
        except Exception:  # the record's arguments do not fit its format
            text = str(record.msg)
        delivery = _current.get()
        if delivery is not None:
            delivery.failed(text)
        elif self.warn is not None and len(self._notes) < _MAX_NOTES and text not in self._notes:
            self._notes.add(text)
            self.warn(f"OTLP: {one_line(text)}")


def _text(record: logging.LogRecord) -> str:
    if record.name == "opentelemetry.util.re":  # quotes the header that it cannot read, which may be a secret
        return "OTEL_EXPORTER_OTLP_HEADERS holds something that is not name=value, percent-encoded: it is left out"
    text = record.getMessage()
    if record.exc_info and record.exc_info[1] is not None:
        text += f" {type(record.exc_info[1]).__name__}: {record.exc_info[1]}"
    return text


_listener = _Listener()


def own_the_logs(warn: Callable[[str], None]) -> None:
    """Sends the libraries' warnings through `warn` from now on. This stays after the end, because threads may outlive
    it."""
    _listener.begin(warn)
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        logger.handlers = [_listener]
        logger.propagate = False


def hear_repeats() -> None:
    """Removes the SDK's filters from its loggers, which suppress a message that another target has just logged.
    Importing an exporter sets them, so call this afterwards."""
    for name, logger in logging.root.manager.loggerDict.items():
        if name.startswith(_LOGGERS) and isinstance(logger, logging.Logger):
            logger.filters.clear()


def disown_the_logs() -> None:
    """Drops the libraries' log records from now on."""
    _listener.warn = None
