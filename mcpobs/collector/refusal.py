"""Defines refusals of OTLP/HTTP requests: the status, the google.rpc.Code and the counter of each."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

from mcpobs.collector import answers
from mcpobs.collector.auth import CHALLENGE
from mcpobs.collector.intake import Encoding, RefusedError, Why
from mcpobs.collector.limits import again_s
from mcpobs.collector.reply import Header, describing

# Busy is 503 too, which OTLP allows besides 429: on a 429 OpenTelemetry's Python of 2025 (1.30) drops the batch.
_OF_THE_INTAKE: Final[dict[Why, tuple[int, int]]] = {
    "malformed": (400, answers.INVALID_ARGUMENT),
    "busy": (503, answers.RESOURCE_EXHAUSTED),
    "unavailable": (503, answers.UNAVAILABLE),
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """`reason` names the counter, `http.refused.<reason>`."""

    reason: str
    status: int
    code: int
    message: str
    headers: tuple[Header, ...] = ()
    retry_after_s: float | None = None

    def described(self, encoding: Encoding) -> tuple[list[Header], bytes]:
        """Returns the response's headers and content."""
        headers = [*self.headers]
        if self.retry_after_s is not None:
            headers.append((b"retry-after", str(max(1, math.ceil(self.retry_after_s))).encode()))
        content = answers.refused(self.code, self.message, encoding, self.retry_after_s)
        return headers + describing(answers.CONTENT_TYPE[encoding], content), content


class RefusalError(Exception):
    """Ends a request with a refusal."""

    def __init__(self, reason: str, status: int, code: int, message: str, *headers: Header) -> None:
        super().__init__(message)
        self.refusal = Refusal(reason, status, code, message, headers)


def by_the_intake(error: RefusedError) -> RefusalError:
    """Returns the refusal for an error of the intake or the room."""
    status, code = _OF_THE_INTAKE[error.why]
    made = RefusalError(error.why, status, code, error.message)
    made.refusal = replace(made.refusal, retry_after_s=again_s(error))
    return made


def unauthenticated() -> RefusalError:
    challenge = (b"www-authenticate", CHALLENGE)
    return RefusalError("unauthenticated", 401, answers.UNAUTHENTICATED, "a valid bearer token is needed", challenge)


def not_allowed(methods: bytes) -> RefusalError:
    return RefusalError(
        "wrong_method", 405, answers.UNIMPLEMENTED, f"the method here is {methods.decode()}", (b"allow", methods)
    )
