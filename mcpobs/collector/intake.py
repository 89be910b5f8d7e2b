"""Defines the interface between the receivers of OTLP and the durable store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

Signal = Literal["traces", "metrics", "logs"]
Encoding = Literal["protobuf", "json"]
Why = Literal["malformed", "busy", "unavailable"]
"""`malformed`: the same request will never be accepted · `busy`: more than the lake can take now · `unavailable`: it
cannot be stored now, e.g. on a full disk. The last two may be retried."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The answer to a stored request. `rejected` of its items were not stored, and `message` gives the reason: a
    partial success. A message without rejected items is a warning."""

    rejected: int = 0
    message: str = ""


class RefusedError(Exception):
    """Nothing of a request was stored."""

    def __init__(self, why: Why, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.why = why
        self.message = message
        self.retry_after_s = retry_after_s


class Intake(Protocol):
    """Stores requests. Safe for concurrent calls on one event loop."""

    async def take(self, signal: Signal, encoding: Encoding, body: bytes) -> Accepted:
        """Returns when the body (uncompressed) is durable. Raises RefusedError."""

    @property
    def trouble(self) -> str | None:
        """Returns the reason why accepted requests do not appear in reports; None if there is none."""

    def counters(self) -> dict[str, int]:
        """Returns the counts so far, by name, e.g. `traces.spans`; for /healthz and the end of the run."""
