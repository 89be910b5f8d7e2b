"""Defines an inspector: inspects one message before its receiver gets it, and returns findings. Each kind is one file.

An inspector sees a transient view of the message. A finding holds places and names, never text or value, because
findings are recorded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from mcpobs.policy.conditions import CallFacts
    from mcpobs.policy.model import Inspection, Layer

Step = str | int
At = tuple[Step, ...]
"""The path of a value from the message's root, e.g. `("result", "content", 0, "text")`."""

Of = Literal["call", "result", "listing", "request"]
"""Which message: a client's call before the server sees it · a server's answer · its answer to a `*/list`, to
`initialize` or to `server/discover` · its own request or notification to the client."""
Where = Literal[
    "arguments", "content", "structured", "resource", "message", "error", "description", "request", "key", "whole"
]
"""The part of a message in which a finding lies: `key` is a member's name, `whole` the message."""
FAULT: Final = "error"
"""The rule of a finding that stands for an inspector that failed."""
TRUNCATED: Final = "truncated"
"""The rule of a finding for a message that was inspected only in part: `over` of the entry decides."""


class Text(NamedTuple):
    """One text of a message, or the name of one of its members."""

    at: At
    text: str
    where: Where
    key: str | None = None
    """The nearest member name above it."""
    is_key: bool = False
    item: str | None = None
    """In a listing, the name of the tool, prompt or resource that it describes."""
    is_unplaced: bool = False
    """A place in it is none in the message: it is sent in base64, or lies deeper than its path says."""
    is_number: bool = False
    """The text is sent as an integer. A mask turns it into a text."""
    offset: int = 0
    """Characters before the text that were cut from a text that is too large. Places count them."""


@dataclass(frozen=True, slots=True)
class View:
    """One message as inspectors see it. `message` is read only: `{"result": …}`, `{"error": …}` or `{"params": …}`."""

    of: Of
    facts: CallFacts
    """The call: method, tool, caller, arguments. Of a task's result, the call that began the task."""
    message: dict[str, object]
    texts: Sequence[Text] = ()
    """Every text and every member name except binary content; at most `max_bytes` of the entry."""
    is_error: bool = False
    is_cut: bool = False
    """The message has more values than are visited."""
    output_schema: object = None
    """As the server declared it for the tool; None without one."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A place at which an inspector found something."""

    find: str
    """A word of `find` in the policy: `injection`, `email`, `output_schema`."""
    rule: str
    """The pattern of a family, or the kind of a deviation. Never text of the message."""
    where: Where
    at: At = ()
    start: int = -1
    """In characters of the text at `at`; -1 without a place in a text."""
    end: int = -1
    is_key: bool = False
    mask: str | None = field(default=None, repr=False)
    """What `action: mask` writes in its place; without it a finding cannot be masked, and its message is withheld."""
    masks_text: bool = False
    """The mask stands for the whole text, not only for the place."""
    family: str | None = None
    """Of the rule, if rules come in families."""


@dataclass(frozen=True, slots=True)
class Context:
    """What an inspector may need besides the message, for as long as a policy is in force."""

    layer: Layer
    server: str | None
    key: Callable[[], bytes]
    """The key of masks: equal values have equal masks, in all fronts of a user."""
    folder: Path | None = None
    """The folder of the user's configuration, for state that outlives a process."""
    layers: Sequence[Layer] = ()
    """All layers of the policy that are for the server: numbers may be learned in another file."""


class Inspector(Protocol):
    """Inspects messages for one entry of `inspect`. Called by one thread at a time. If it raises, `on_error` of the
    entry decides."""

    def inspect(self, view: View) -> Sequence[Finding]: ...


class MakeInspector(Protocol):
    """Makes the inspector of an entry: `finds` are the words of its `find` for this kind. Called once when a policy
    takes effect."""

    def __call__(self, entry: Inspection, finds: frozenset[str], context: Context) -> Inspector: ...
