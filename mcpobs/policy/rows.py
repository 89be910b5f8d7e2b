"""The rows that a store keeps, and how many. `ledger.py` is the logic above; memory and SQLite hold the rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from mcpobs.policy.counter import Counter
from mcpobs.policy.state import (
    IDLE_NS,
    MAX_COUNTERS_A_SESSION,
    MAX_FACT_BYTES,
    MAX_HALTS_A_KEY,
    MAX_SESSIONS_A_KEY,
    MAX_TOOLS_A_SESSION,
    VERIFIED,
    Count,
    Done,
    Halt,
    HaltScope,
    SessionKey,
    StoreError,
)

MINUTE_NS = 60_000_000_000
_IDLE_MINUTES = IDLE_NS // MINUTE_NS
OVERFLOW = "\0more"  # no session id of ours holds a NUL


@dataclass(frozen=True, slots=True)
class Bounds:
    """The most that a store keeps, of one caller and of all."""

    sessions_a_key: int = MAX_SESSIONS_A_KEY
    counters_a_session: int = MAX_COUNTERS_A_SESSION
    tools_a_session: int = MAX_TOOLS_A_SESSION
    fact_bytes: int = MAX_FACT_BYTES
    halts_a_key: int = MAX_HALTS_A_KEY
    sessions: int = 131_072
    counters: int = 1_048_576
    """Counters that belong to a session."""
    scoped: int = 262_144
    """Counters that sessions share."""
    scoped_part: int = 64
    """Once half of those are in use, a scope may have one part in this many of each window, so that a caller that makes
    up names takes no counters of others."""
    owned: int = 1_048_576
    """Ids that belong to a tenant: about 200 MB at most, if a policy asks for so many."""
    halts: int = 65_536
    charged: int = 1_048_576
    """Marks of what was charged: about 100 MB at most. Beyond them nothing is charged until some are over."""

    @property
    def scoped_share(self) -> int:
        return max(1, self.scoped // self.scoped_part)


def too_many(share: int) -> StoreError:
    return StoreError(f"{share} counters of one caller at once", "name the tools that it may call, or shorten windows")


@dataclass(slots=True)
class Seen:
    """A session as it was seen. `row` is where a store keeps it (0: not yet)."""

    first_ns: int
    last_ns: int
    denial: str = ""
    denied: int = 0
    shared: bool = False
    """Whether sessions that are too many for their key share it."""
    row: int = 0
    counters: int = 0


class Rows(Protocol):
    """Rows of a store. They are read and changed only within a step: `change`, `change_durably` or `look`."""

    @property
    def any_halts(self) -> bool:
        """Whether there may be a halt."""

    @property
    def has_no_halts(self) -> bool:
        """Whether it is sure, outside of a step, that there is no halt: only rows of this process alone know that."""

    @property
    def had_no_named_halts(self) -> bool:
        """Whether no halt by name was in force a moment ago. For any thread; does no I/O."""

    @property
    def change(self) -> AbstractContextManager[int]:
        """One step that changes rows: alone, and whole or not at all. Gives the time, in ns. Raises StoreError."""

    @property
    def change_durably(self) -> AbstractContextManager[int]:
        """One such step that a power failure does not undo either."""

    @property
    def look(self) -> AbstractContextManager[int]:
        """One step that reads."""

    def session(self, session: SessionKey) -> Seen | None: ...

    def full(self, session: SessionKey, now_ns: int) -> bool:
        """Whether the key has all the sessions that it may have, once idle ones are gone."""

    def room(
        self, session: SessionKey, seen: Seen, counts: Sequence[Count] = (), counters: Sequence[Counter] = ()
    ) -> None:
        """Makes room for a session and for counters that are new, before they change. Raises StoreError if there is
        none."""

    def keep(
        self, session: SessionKey, seen: Seen, counts: Sequence[Count] = (), counters: Sequence[Counter] = ()
    ) -> None:
        """Keeps a session, and counters that were changed."""

    def forget(self, session: SessionKey, seen: Seen) -> None:
        """Forgets a session and its counters."""

    def counters(self, session: SessionKey, seen: Seen, counts: Sequence[Count], now_ns: int) -> list[Counter]:
        """Counters, new ones if there are none. Two counts of one counter get the same object."""

    def done(self, session: SessionKey, seen: Seen) -> dict[str, Done]:
        """The history of a session. Never changed."""

    def keep_done(self, session: SessionKey, seen: Seen, done: dict[str, Done]) -> None: ...

    def halt(self, scope: HaltScope, name: str) -> Halt | None: ...

    def session_halts(self, key: str, shadow: bool) -> Mapping[str, Halt]:
        """Halted sessions of a key."""

    def all_halts(self) -> Iterable[Halt]:
        """Halts that no shadow session has."""

    def keep_halt(self, halt: Halt, shadow: bool, now_ns: int) -> None: ...

    def drop_halt(self, scope: HaltScope, name: str, session: str) -> bool: ...

    def owner(self, rule: str, id_: str) -> tuple[str, int] | None:
        """The tenant of an id, and until when."""

    def keep_owners(self, rule: str, tenant: str, ids: Sequence[str], until_ns: int, now_ns: int) -> None: ...

    def is_charged(self, id_: str, now_ns: int) -> bool:
        """Whether there is a mark that is not over."""

    def room_for_mark(self, now_ns: int) -> None:
        """Makes room for one more mark. Raises StoreError if there is none."""

    def keep_mark(self, id_: str, until_ns: int, now_ns: int) -> None: ...

    def sizes(self) -> dict[str, int]:
        """How many rows there are of each kind."""

    def close(self) -> None: ...


def full_of_marks(bounds: Bounds) -> StoreError:
    return StoreError(f"{bounds.charged} charges at once", "give collectors of so much traffic stores of their own")


def verified(name: str) -> bool:
    """Whether somebody verified the caller that a key or scope names."""
    return name.startswith(VERIFIED)


def idle(last_ns: int, now_ns: int) -> bool:
    """Whether a session is forgotten. By full minutes, so that a store need not write each use."""
    return now_ns // MINUTE_NS - last_ns // MINUTE_NS > _IDLE_MINUTES


def kept_ns(window_ns: int) -> int:
    """How long a shared counter that nobody uses is kept: as long as it can refuse something."""
    return max(window_ns * 2, MINUTE_NS) if window_ns else IDLE_NS
