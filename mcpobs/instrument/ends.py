"""How a message ended that got no answer, by the exception that ended it. Pure."""

from __future__ import annotations

from mcpobs.protocol.outcome import Verdict

CANCELLED = Verdict("cancelled")
DISCONNECTED = Verdict("unfinished", "client_disconnect")
EXITED = Verdict("unfinished", "server_exit")


def ended_by(error: BaseException, by_client: bool, on_a_pipe: bool) -> tuple[Verdict, bool]:
    """The verdict, and whether the client sent `notifications/cancelled`. On a pipe a cancellation without it is the
    end of the connection; elsewhere a client cancels by closing the stream, or by going away."""
    if isinstance(error, KeyboardInterrupt | SystemExit | GeneratorExit):
        return EXITED, False
    if by_client or not on_a_pipe:
        return CANCELLED, by_client
    return DISCONNECTED, False
