"""What a store has to do, as a list of events that is searched anew for each question."""

from __future__ import annotations

from dataclasses import dataclass, field

from mcpobs.policy.state import IDLE_NS, Count, Halt, Mark, Reserved, SessionKey, Under
from mcpobs.policy.windows import FOREVER, SLICES

MINUTE_NS = 60_000_000_000


@dataclass
class Event:
    """A granted reservation of one counter, as far as it was corrected."""

    session: SessionKey
    life: int
    count: Count
    at_ns: int
    amount: int
    refunded: bool = False

    def counter(self) -> tuple[object, ...]:
        owner: object = self.count.scope if self.count.scope is not None else (self.session, self.life)
        name = self.count.name, self.count.window_ns, self.count.member is None
        return (owner, self.session.shadow, *name)


@dataclass
class Life:
    """A session from its first call until it was forgotten."""

    number: int
    first_ns: int
    last_ns: int
    denial: str = ""
    denied: int = 0
    done: dict[str, tuple[int, dict[str, object]]] = field(default_factory=dict)


class Model:
    def __init__(self) -> None:
        self.events: list[Event] = []
        self.lives: dict[SessionKey, Life] = {}
        self.halts: dict[tuple[str, str, str, bool], Halt] = {}
        self.owners: dict[tuple[str, str], tuple[str, int]] = {}
        self.marks: dict[str, int] = {}
        self._lives = 0

    def known(self, session: SessionKey, now_ns: int) -> Life | None:
        life = self.lives.get(session)
        return None if life is None or now_ns // MINUTE_NS - life.last_ns // MINUTE_NS > IDLE_NS // MINUTE_NS else life

    def see(self, session: SessionKey, now_ns: int) -> Life:
        life = self.known(session, now_ns)
        if life is None:
            self._lives += 1
            life = self.lives[session] = Life(self._lives, now_ns, now_ns)
        life.last_ns = now_ns
        return life

    def count_anew(self, session: SessionKey, now_ns: int) -> None:
        """A session that its own counts had halted is resumed."""
        life = self.lives.get(session)
        if life is not None:
            self._lives += 1
            self.lives[session] = Life(self._lives, life.first_ns, now_ns)

    def stop(self, session: SessionKey, under: Under, now_ns: int) -> set[tuple[str, str, str, bool]]:
        """The halts that stop a session."""
        life = self.known(session, now_ns)
        found = set()
        for where, halt in self.halts.items():
            scope, name, halted, shadow = where
            lasts = halt.until_ns is None or now_ns < halt.until_ns
            if scope != "session":
                if lasts and (scope, name) in under:
                    found.add(where)
            elif name == session.key and shadow == session.shadow:
                newer = life is None or life.first_ns >= halt.at_ns
                if halted == session.session or (lasts and newer):
                    found.add(where)
        return found

    def surely(self, session: SessionKey, count: Count, now_ns: int) -> int:
        """What has to count: what lies in the window itself."""
        return self._total(session, count, now_ns, now_ns - count.window_ns, sure=True)

    def perhaps(self, session: SessionKey, count: Count, now_ns: int) -> int:
        """What may still count: a slice longer."""
        return self._total(session, count, now_ns, now_ns - count.window_ns - count.window_ns // SLICES - 2, sure=False)

    def _total(self, session: SessionKey, count: Count, now_ns: int, since_ns: int, sure: bool) -> int:
        life = self.known(session, now_ns)
        asked = Event(session, life.number if life else -1, count, now_ns, 0)
        ours = [
            one
            for one in self.events
            if one.counter() == asked.counter() and (count.window_ns == FOREVER or one.at_ns > since_ns)
        ]
        if count.member is None:
            return sum(one.amount for one in ours)
        members = {one.count.member for one in ours if not (one.refunded and (sure or count.window_ns == FOREVER))}
        return len(members - {count.member})

    def counted(self, session: SessionKey, count: Count, now_ns: int, sure: bool) -> bool:
        """Whether a member surely counts already, or perhaps does."""
        without = Count(**{**{name: getattr(count, name) for name in count.__slots__}, "member": "\0other"})
        total = self.surely if sure else self.perhaps
        return total(session, without, now_ns) > total(session, count, now_ns)

    def charge(self, session: SessionKey, mark: Mark, counts: list[Count], now_ns: int) -> bool:
        """Adds without a limit, once for a mark."""
        if mark.until_ns <= now_ns or any(self.marks.get(id_, 0) > now_ns for id_ in (mark.id, *mark.within)):
            return False
        life = self.see(session, now_ns)
        self.events += [Event(session, life.number, count, now_ns, count.amount) for count in counts]
        self.marks[mark.id] = mark.until_ns
        return True

    def take(self, session: SessionKey, counts: list[Count], reserved: Reserved) -> list[Event]:
        life = self.see(session, reserved.at_ns)
        life.denial, life.denied = "", 0
        taken = [Event(session, life.number, count, reserved.at_ns, count.amount) for count in counts]
        self.events += taken
        return taken
