"""`--propagate`: each request reaches the server with our span as its parent, in `params._meta.traceparent`.

The only place where the wrapper alters what it passes on, and only when asked. Everything else in the frame stays
as it came, byte by byte; a frame in which the place cannot be found surely is passed on as it is.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import orjson

from mcpobs.protocol.decode import is_too_large
from mcpobs.protocol.operation import TraceContext
from mcpobs.protocol.splice import with_trace_context
from mcpobs.protocol.trace import format_traceparent, parse_traceparent
from mcpobs.proxy.tap import Tap
from mcpobs.stderr import Faults

MAX_FRAME_BYTES = 16 << 20  # a larger one is passed on as it comes, without our span


class Propagation:
    """Rewrites the client's frames, one line at a time; half a line waits for its other half."""

    def __init__(self, tap: Tap, faults: Faults) -> None:
        self._tap = tap
        self._faults = faults
        self._half = bytearray()
        self._passing = False  # in the middle of a line that is too long to be held

    def rewrite(self, chunk: bytes) -> bytes:
        """What is to be sent to the server now."""
        out = bytearray()
        for line in _split(chunk):
            if self._passing or (not line.endswith(b"\n") and len(self._half) + len(line) > MAX_FRAME_BYTES):
                out += self._pass(line)
            elif line.endswith(b"\n"):
                out += self._line(bytes(self._half) + line)
                self._half.clear()
            else:
                self._half += line
        return bytes(out)

    def rest(self) -> bytes:
        """What is left at the end of the stream: a last line without its newline."""
        left = bytes(self._half)
        self._half.clear()
        self._tap.note(left)
        return left

    def _pass(self, line: bytes) -> bytes:
        passed = bytes(self._half) + line
        self._half.clear()
        self._passing = not line.endswith(b"\n")
        self._tap.note(passed)
        return passed

    def _line(self, line: bytes) -> bytes:
        try:
            span, rewritten = with_our_span(line)
        except Exception as error:  # our fault: the frame goes on as it came
            self._faults.report(error)
            span, rewritten = None, line
        self._tap.note(line, span)
        return rewritten


def prepared(frame: bytes) -> tuple[TraceContext | None, Callable[[bytes], bytes]]:
    """For frames that wait for a decision: the span of one, and what puts it into the frame that goes on."""
    span, rewritten = with_our_span(frame)
    if span is None:
        return None, lambda onward: onward
    traceparent = format_traceparent(span)
    return span, lambda onward: rewritten if onward is frame else with_trace_context(onward, traceparent)


def with_our_span(line: bytes) -> tuple[TraceContext | None, bytes]:
    """The span of a request, and the request with it as its parent; no span if there is no sure place for it."""
    if is_too_large(line):
        return None, line
    parent = _caller(line)
    span = TraceContext(
        trace_id=parent.trace_id if parent else os.urandom(16).hex(),
        span_id=os.urandom(8).hex(),
        flags=parent.flags if parent else 1,
    )
    rewritten = with_trace_context(line, format_traceparent(span))
    return (span if rewritten != line else None), rewritten


def _caller(line: bytes) -> TraceContext | None:
    """The trace context that the client sent with a request."""
    try:
        return parse_traceparent(orjson.loads(line)["params"]["_meta"]["traceparent"])
    except (orjson.JSONDecodeError, KeyError, TypeError, IndexError):
        return None


def _split(chunk: bytes) -> list[bytes]:
    """Lines with their newlines; splitlines() would also split at a carriage return."""
    lines = [line + b"\n" for line in chunk.split(b"\n")]
    last = lines.pop()[:-1]
    return [*lines, last] if last else lines
