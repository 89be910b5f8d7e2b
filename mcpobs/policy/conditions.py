"""What a condition of a rule is, and what it may read of a call. Each kind is one file in `rules/`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, Protocol, runtime_checkable

from mcpobs.policy.state import SessionFacts
from mcpobs.protocol.operation import Sender, ValueFacts
from mcpobs.protocol.session import NOBODY, Identity

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mcpobs.limits.document import Place
    from mcpobs.policy.codes import Code

Reads = Literal["arguments", "time", "session", "result"]
"""What a condition looks at besides the caller."""
Kind = Literal["tool", "resource", "prompt"]
MAX_TEXTS: Final = 256
"""Entries of one argument that a condition looks at."""


class Unknown:
    """The value of what a replay cannot know: content is not recorded."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = Unknown()


class UndecidableError(Exception):
    """A condition reads content that a replayed call does not have."""


class RuleError(Exception):
    """A condition cannot be evaluated: an argument is missing or of another type. The rule's `on_error` decides."""


@dataclass(slots=True)
class CallFacts:
    """A call as rules see it. Transient: nothing here is stored but what a rule names.

    `arguments` is UNKNOWN in a replay. `args_digest` is keyed; `session` is what the session has done, which the engine
    sets if a rule needs it. Nothing else changes; frozen, it would take three times as long to make."""

    method: str
    sender: Sender = "client"
    kind: Kind | None = None
    target: str | Unknown | None = None
    whole: str | None = None
    """The target as it was written, if `target` is shortened: patterns are about this."""
    arguments: object = None
    args_digest: str | None = None
    args_shape: str | None = None
    args_bytes: int | None = None
    unread: Callable[[], ValueFacts | None] | None = None
    """Sets the three above if they were deferred. `read_arguments` calls it."""
    identity: Identity = NOBODY
    enforcement_key: str = ""
    session_id: str = ""
    server: str | None = None
    client: str | None = None
    at_unix_nano: int = 0
    session: SessionFacts | None = None
    store_ns: int | None = None
    """The store's clock, if `session` is known: only that compares with the times of what a session has done."""

    def read_arguments(self) -> None:
        """Makes sure that digest, shape and size of the arguments are known, if they can be."""
        if self.unread is not None:
            known, self.unread = self.unread(), None
            if known is not None:
                self.args_digest, self.args_shape, self.args_bytes = known.digest, known.shape, known.size_bytes

    def argument(self, path: tuple[str, ...]) -> object:
        """The value of an argument. Raises RuleError if it is missing, UndecidableError in a replay."""
        value = self.arguments
        if isinstance(value, Unknown):
            raise UndecidableError
        for name in path:
            if not isinstance(value, dict) or name not in value:
                raise RuleError(f"no argument {'.'.join(path)}")
            value = value[name]
        return value

    @property
    def done(self) -> SessionFacts:
        if self.session is None:
            raise RuleError("what the session has done is not known")
        return self.session


def texts(facts: CallFacts, path: tuple[str, ...]) -> list[str]:
    """The texts of an argument that is a text or a list of texts. Raises RuleError for any other, and for no text."""
    value = facts.argument(path)
    items = value if isinstance(value, list) else [value]
    if len(items) > MAX_TEXTS:
        raise RuleError(f"the argument {'.'.join(path)} has more than {MAX_TEXTS} entries")
    found = [one for one in items if isinstance(one, str)]
    if not found or len(found) < len(items):
        raise RuleError(f"the argument {'.'.join(path)} is not a text")
    return found


def calls_of(tool: str) -> str:
    """The name by which a store counts the calls of a tool that came back, with or without success."""
    return f"calls\x1f{tool}"


class Condition(Protocol):
    """One condition of a rule. `holds` raises RuleError or UndecidableError; another exception is a fault of ours."""

    @property
    def reads(self) -> frozenset[Reads]: ...

    @property
    def code(self) -> Code:
        """What a denial for its sake says."""

    @property
    def remembers(self) -> Mapping[str, tuple[tuple[str, ...], ...]]:
        """Arguments of successful calls that it reads later, by tool."""

    def holds(self, facts: CallFacts) -> bool: ...

    def needs(self, facts: CallFacts) -> str:
        """What a caller has to do for it, for the model that reads the denial. Nothing of the policy's inside. Raises
        nothing."""


Holds = Callable[[CallFacts], bool]
"""`Condition.holds`, or a faster form that is True only if `holds` is True."""


@runtime_checkable
class Prepared(Protocol):
    """A condition that is faster once it is prepared for a caller."""

    def prepared(self, identity: Identity) -> Holds:
        """The faster form for calls of this caller. Calls `holds` in all unusual cases."""


class ReadCondition(Protocol):
    """Reads a condition from its place in a policy file; raises UsageError with the line."""

    def __call__(self, place: Place) -> Condition: ...
