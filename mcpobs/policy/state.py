"""The seam between the engine and its counters: what a store holds, and what it does in one step. Does no I/O.

A store holds counters, what sessions have done, halts, and which tenant an id belongs to. Every method is atomic, for
all threads and processes that share the store. A store that cannot do what it is asked for raises StoreError: each
limit says what follows (`on_store_error`).

The arithmetic is in `windows.py`, the same for every store; `tests/policy/conformance.py` is the contract that each
store is tested against.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, NamedTuple, Protocol

from mcpobs.policy.windows import FOREVER

OnExceed = Literal["deny", "halt", "warn"]
HaltScope = Literal["session", "principal", "tenant", "tool", "server"]

IDLE_NS = 24 * 3_600 * 1_000_000_000
"""A session without calls for so long, by full minutes, is forgotten, and with it what counts FOREVER. A counter of a
rule that a reload removed is kept as long."""
MAX_SESSIONS_A_KEY = 256
"""Sessions that a store keeps of one key. A caller that opens more shares one session's counters among those: opening
sessions must not cost us memory, nor make it a caller without a past."""
MAX_MEMBERS = 1_024
"""Members that a counter of distinct members keeps; it has reached its limit by then."""
MAX_FACT_BYTES = 16 << 10
"""Remembered arguments of one session, as JSON. Those of the tool that succeeded longest ago go first."""
MAX_TOOLS_A_SESSION = 1_024
"""Tools whose success is remembered of one session."""
MAX_COUNTERS_A_SESSION = 2_048
"""Counters of one session. Beyond that the oldest `disposable` one goes; without one the store refuses."""
MAX_HALTS_A_KEY = 256
"""Halted sessions of one key. The next one halts new sessions of the key until it is resumed."""
VERIFIED = ("principal:", "tenant:")
"""How keys and scopes begin that somebody verified. A store that is full forgets the others first."""


class StoreError(Exception):
    """A store could not be read or written: locked, full, damaged, of a newer version. Nothing was counted.

    `hint` is what an operator can do. Neither names a caller."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(f"{message} (hint: {hint})" if hint else message)
        self.message = message
        self.hint = hint


Under = Sequence[tuple[HaltScope, str]]
"""What else a call belongs to that may be halted by name: its principal, tenant, tool and server."""


class SessionKey(NamedTuple):
    """A session, and who is held to account for it. `key` is nothing that the caller can choose; `session` may be.

    The tenant is part of `key`. `shadow` sessions are those that rules in `log_only` count for."""

    key: str
    session: str
    shadow: bool = False


@dataclass(frozen=True, slots=True)
class Count:
    """A counter that a call adds to. `name` is unique in the scope: rule id, and what the limit counts by.

    `scope` is the session's own (None), or a name that sessions share: a principal's, a tenant's. `limit` None only
    counts. `member` counts distinct members, and `amount` is then 1 for a new one. Windows are in nanoseconds.
    `disposable`: a caller can choose the name (a digest of arguments), so the oldest of these may be forgotten.
    `is_age` counts the milliseconds since the counter began, whatever is added; `amount` is then 0."""

    name: str
    amount: int
    limit: int | None
    window_ns: int = FOREVER
    scope: str | None = None
    member: str | None = None
    on_exceed: OnExceed = "deny"
    disposable: bool = False
    is_age: bool = False


class Taken(NamedTuple):
    """What became of one counter: its total before, and when a refused amount would fit (None: not by waiting)."""

    before: int
    exceeded: bool
    free_at_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Halt:
    """Who may not call any more. A session is named with its key, the other scopes by their own name.

    `until_ns`: new sessions of the key are refused until then; the halted session itself until it is resumed. None:
    all of it until it is resumed. Times are the store's clock."""

    scope: HaltScope
    name: str
    session: str = ""
    at_ns: int = 0
    until_ns: int | None = None
    reason: str = ""
    by: str = ""


class Reserved(NamedTuple):
    """The outcome of a reservation. Granted: every counter has its amount. Otherwise none has.

    `at_ns` is when it was reserved, by the store's clock; `settle` corrects it there."""

    granted: bool
    at_ns: int
    counts: Sequence[Taken] = ()
    halt: Halt | None = None


class Done(NamedTuple):
    """How often a session used a tool with success, and the arguments of the last time that rules read."""

    ok: int
    arguments: Mapping[str, object]
    at_ns: int = 0


class SessionFacts(NamedTuple):
    """What a session has done. Only the engine writes it, and only after a result without an error came back."""

    first_ns: int
    done: Mapping[str, Done] = MappingProxyType({})


class Correction(NamedTuple):
    """Changes what a reservation added: the difference to the actual amount, or its opposite for a refund."""

    counter: Count
    amount: int


class Mark(NamedTuple):
    """Names something that is charged once. `until_ns` is fixed by what it names, on the store's clock: later it cannot
    be charged, and the store forgets the mark. `within`: marks whose charges cover this one."""

    id: str
    until_ns: int
    within: Sequence[str] = ()


class Store(Protocol):
    """Counters and facts that calls are judged by. Callers' names are bounded by the engine before they come here."""

    @property
    def blocks(self) -> bool:
        """Whether methods do I/O, so that they must not run in the thread of a front."""

    def now_ns(self) -> int:
        """The store's clock: never goes back, and no step of the system's clock moves it. Shared by all processes of
        a store. About the Unix time, so that windows of calls and replayed calls fall alike."""

    def reserve(
        self, session: SessionKey, counts: Sequence[Count], under: Under = (), halt_for_ns: int | None = None
    ) -> Reserved:
        """Takes all amounts, or none: none if the session or one of `under` is halted, or a counter would exceed its
        limit.

        A limit with `on_exceed` warn is reported and refuses nothing. One that refuses with `halt` halts the session
        for `halt_for_ns` in the same step. Notes the session as seen."""

    def settle(
        self,
        session: SessionKey,
        reserved: Reserved,
        corrections: Sequence[Correction],
        done: Mapping[str, Mapping[str, object]] | None = None,
    ) -> None:
        """Corrects a reservation, and notes tools that succeeded, with the arguments that rules read. Called at most
        once for each reservation: what is never settled keeps its estimate."""

    def charge(self, session: SessionKey, mark: Mark, counts: Sequence[Count]) -> bool:
        """Adds amounts that were spent elsewhere, once for a mark. Asks no limit and no halt: a counter may then exceed
        its limit, and the next `reserve` refuses. False if the mark, or one that covers it, was charged before, or its
        time is over."""

    def facts(self, session: SessionKey) -> SessionFacts:
        """What a session has done. A new session has done nothing, and begins now."""

    def denied(self, session: SessionKey, denial: str, most: int, halt_for_ns: int | None, reason: str) -> Halt | None:
        """Notes a denial. The same one `most` times in a row halts the session; returns its halt then. `reserve`
        that grants ends the row."""

    def halted(self, session: SessionKey, under: Under = ()) -> Halt | None:
        """What stops a session now: its own halt, one of its key while the session is newer than that, or one of
        `under`."""

    @property
    def had_no_named_halts(self) -> bool:
        """Whether nobody was halted by name (a principal, tenant, tool or server) a moment ago: at most 250 ms. Does no
        I/O, and waits for nothing."""

    def halt(self, halt: Halt) -> None:
        """Halts by name; survives a restart if the store does. `at_ns` 0 is now."""

    def resume(self, scope: HaltScope, name: str, session: str = "") -> bool:
        """Ends a halt. False if there was none. A session that a limit or its denials had halted counts anew, and has
        its successes to show again."""

    def halts(self) -> list[Halt]:
        """All halts in force, oldest first."""

    def own(self, rule: str, tenant: str, ids: Sequence[str], ttl_ns: int) -> None:
        """Notes that ids (digests) belong to a tenant, as a rule says. The first tenant keeps an id."""

    def owner(self, rule: str, id_: str) -> str | None:
        """The tenant that an id belongs to; None if no result showed it."""

    def close(self) -> None:
        """Lets go of files. Nothing is lost."""
