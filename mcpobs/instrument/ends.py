"""How a message ended that got no answer, by the exception that ended it. Pure."""

from __future__ import annotations

from mcpobs.protocol.outcome import Verdict

CANCELLED = Verdict("cancelled")
DISCONNECTED = Verdict("unfinished", "client_disconnect")
EXITED = Verdict("unfinished", "server_exit")


def ended_by(error: BaseException, by_client: bool, over_http: bool) -> tuple[Verdict, bool]:
    """The verdict, and whether the client asked for it. Over HTTP a client cancels by closing the stream; on a pipe
    a cancellation that it did not ask for is the end of the connection."""
    if isinstance(error, KeyboardInterrupt | SystemExit | GeneratorExit):
        return EXITED, False
    if by_client or over_http:
        return CANCELLED, by_client
    return DISCONNECTED, False
