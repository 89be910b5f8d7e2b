"""The seam for whatever judges calls: a policy engine, budgets, inspectors, approvals. And a judge that allows all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Protocol, runtime_checkable

from mcpobs.gate.decisions import Begin, End, Forward, Pass, Pending
from mcpobs.protocol.call import Call, Response

OnError = Literal["allow", "deny"]


class Judge(Protocol):
    """Decides calls before their receiver sees them, and responses before their requester does.

    Both directions come here: `call.operation.sender` is "client" for a tool call, and "server" for what the server
    asks (sampling, elicitation, roots). Notifications come to `begin` only.

    `begin` and `end` run in the front's own thread: stdio's poll loop, an event loop. They must not block. What has to
    wait for a store returns a `Pending` and completes it later; at its deadline `on_error` decides, and so it does for
    an exception and for a return value that is no decision.
    """

    @property
    def on_error(self) -> OnError: ...

    def begin(self, call: Call) -> Begin | Pending[Begin]:
        """Decides a call: `call` has its operation, session, caller and params."""

    def end(self, call: Call, response: Response) -> End | Pending[End]:
        """Decides a response. The operation has its outcome, sizes and duration by now; a response that the gate
        itself gave (`Answer`) does not come here."""

    def settled(self, call: Call) -> Mapping[str, str | int | bool] | None:
        """Notes that a call is over, however it ended: also without a response, and also if it was denied. Returns
        columns of the decision for its row, if it has any."""


@runtime_checkable
class Following(Protocol):
    """A judge that does some of its work while a call's receiver is at it, so that the response need not wait."""

    def passed_on(self, call: Call) -> None:
        """The call has gone on. Not called for every call, e.g. not for one whose response is there already."""


@runtime_checkable
class Closing(Protocol):
    """A judge that has something to finish when its front ends."""

    def close(self) -> None: ...


class AllowAll:
    """Allows every call and passes every response, also after an exception. Not a base for judges that deny."""

    on_error: OnError = "allow"

    def begin(self, call: Call) -> Begin:
        return Forward()

    def end(self, call: Call, response: Response) -> End:
        return Pass()

    def settled(self, call: Call) -> None:
        pass
