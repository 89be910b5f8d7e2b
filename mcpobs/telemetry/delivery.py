"""What became of the exports to one target: how many spans arrived, and the first failure, which is told once.

Also the one owner of what the SDK, its exporters and their HTTP and gRPC libraries log: nothing of it reaches
stdout, and stderr gets a line, not a traceback for every batch.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from mcpobs.telemetry.targets import Target

_LOGGERS = ("opentelemetry", "grpc", "urllib3", "requests")
_MAX_NOTES = 3  # lines from the SDK that belong to no export: a wrong sampler name, a malformed header
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

    `told` is shared by all targets: of two that go to one collector, one says that it is not there.
    """

    def __init__(self, target: Target, warn: Callable[[str], None], told: set[str]) -> None:
        self.target = target
        self._warn = warn
        self._told = told
        self._muted = False
        self.failing = False
        self.exported = 0
        self.unsampled = 0

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """While an exporter is at work: what it logs is about this target."""
        token = _current.set(self)
        try:
            yield
        finally:
            _current.reset(token)

    def succeeded(self, items: int) -> None:
        self.failing = False
        self.exported += items

    def failed(self, text: str) -> None:
        """An attempt failed, or an exporter says that it will try again."""
        self.failing = True
        target = self.target
        if self._muted or target.origin in self._told:
            return
        self._told.add(target.origin)
        cause = reason(text)
        hint = _ACCESS_HINT if _NO_ACCESS.search(text) else _LISTENING_HINT
        self._warn(
            f"OTLP: cannot export {target.signal} to {target.endpoint} ({target.protocol}): {cause}; the server goes on"
            f"\nhint: {hint}"
        )

    def unopened(self, error: Exception) -> None:
        """The exporter cannot even be made."""
        self.failing = True
        cause = one_line(f"{type(error).__name__}: {error}")
        if not self._muted and cause not in self._told:
            self._told.add(cause)
            self._warn(
                f"OTLP: nothing is exported to {self.target.origin}: {cause}; the server goes on"
                "\nhint: check the OTEL_EXPORTER_OTLP_* variables"
            )

    def broke(self, error: Exception) -> None:
        self.failed(f"{type(error).__name__}: {error}")

    def mute(self) -> None:
        """After the end a thread that still tries may not write to a stderr that is no longer ours."""
        self._muted = True


def reason(text: str) -> str:
    """The telling part of what an exporter logs or raises, in one line. Around it stand retries and the whole URL,
    whose query may hold a key."""
    if "Caused by " in text:  # urllib3, by way of requests
        text = re.split(r"[\"']?\)\)", text.partition("Caused by ")[2])[0].rpartition(": ")[2]
    text = re.split(r"[Ee]rror details: (?:.*last error: )?", text)[-1]  # gRPC
    text = re.sub(r"^Transient error (.+?) encountered while .*", r"\1", text)
    return one_line(text)


def one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _MAX_TEXT else f"{line[:_MAX_TEXT]}…"


class _Listener(logging.Handler):
    """Takes the place of every other handler for the libraries' loggers."""

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
        except Exception:  # a record whose arguments do not fit its format
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
    """From now on the libraries' warnings go through `warn`. It stays so after the end: threads may outlive it."""
    _listener.begin(warn)
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        logger.handlers = [_listener]
        logger.propagate = False


def hear_repeats() -> None:
    """Takes the SDK's own filters off its loggers, which hold back what another target has logged just before.
    They are set when an exporter is imported, so this comes after."""
    for name, logger in logging.root.manager.loggerDict.items():
        if name.startswith(_LOGGERS) and isinstance(logger, logging.Logger):
            logger.filters.clear()


def disown_the_logs() -> None:
    """From now on what the libraries log is dropped."""
    _listener.warn = None
