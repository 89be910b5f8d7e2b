"""The seam between what receives OTLP on the wire and what makes it durable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

Signal = Literal["traces", "metrics", "logs"]
Encoding = Literal["protobuf", "json"]
Why = Literal["malformed", "busy", "unavailable"]
"""`malformed`: the same request will never be accepted · `busy`: more than the lake takes now · `unavailable`: it
cannot be stored now, as on a full disk. The last two are to be tried again."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """What a request that is stored is answered with. `rejected` items of it were not, and `message` says why: a
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
    """Takes requests. Safe for many at a time on one event loop."""

    async def take(self, signal: Signal, encoding: Encoding, body: bytes) -> Accepted:
        """Returns when the body (uncompressed) is durable. Raises RefusedError."""

    @property
    def trouble(self) -> str | None:
        """What keeps accepted requests from being seen now; None where nothing does."""

    def counters(self) -> dict[str, int]:
        """What was taken so far, by name, e.g. `traces.spans`; for /healthz and the end of the run."""
