"""The contract of a store: a state machine that holds it against a list of events (`model.py`), for any store that
an `Opened` opens. `test_conformance.py` lists the stores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from mcpobs.policy.rows import Bounds
from mcpobs.policy.state import IDLE_NS, Correction, Count, Halt, Mark, Reserved, SessionKey, Store, Under
from mcpobs.policy.windows import FOREVER
from tests.policy.model import Event, Model

START_NS = 1_700_000_000_000_000_000
HOUR_NS = 3_600_000_000_000
UNDER: Under = (("principal", "principal:a"), ("tool", "search"), ("server", "shop"))


@dataclass
class Opened:
    """A store, and the hand of its clock."""

    store: Store
    advance: Callable[[int], None]
    reopen: Callable[[], Store] | None = None
    """Closes the store and opens it again, if it survives this."""


Opener = Callable[[Bounds], Opened]

KEYS = st.sampled_from(["principal:a", "connection:1"])
SESSIONS = st.builds(SessionKey, KEYS, st.sampled_from(["s", "t", "u", "\ud800"]), st.booleans())
WINDOWS = st.sampled_from([FOREVER, 60, 600, HOUR_NS])
SUMS = st.builds(
    Count,
    name=st.sampled_from(["calls", "cost"]),
    amount=st.integers(0, 3),
    limit=st.one_of(st.none(), st.integers(0, 6)),
    window_ns=WINDOWS,
    scope=st.sampled_from([None, "principal:a", "tenant:x", "connection:1"]),
    on_exceed=st.sampled_from(["deny", "deny", "deny", "warn", "halt"]),
)
DISTINCT = st.builds(
    Count,
    name=st.just("tools"),
    amount=st.just(1),
    limit=st.integers(1, 3),
    window_ns=WINDOWS,
    scope=st.sampled_from([None, "principal:a"]),
    member=st.sampled_from(["m", "n", "o", "p", "\udcff"]),
)
MARKS = st.sampled_from(["a", "b", "c", "\ud800"])
COUNTS = st.lists(
    st.one_of(SUMS, SUMS, DISTINCT), max_size=4, unique_by=lambda one: (one.name, one.scope, one.window_ns)
)
FEW = [  # so that a counter is met again and again
    Count("calls", 1, 2, 600),
    Count("calls", 2, 5, FOREVER),
    Count("calls", 1, 3, 600, "principal:a"),
    Count("cost", 2, 4, HOUR_NS, "principal:a", on_exceed="warn"),
    Count("halting", 1, 2, FOREVER, on_exceed="halt"),
    *(Count("tools", 1, 2, 600, "principal:a", member) for member in "mno"),
    *(Count("own tools", 1, 2, FOREVER, member=member) for member in "mno"),
]
SELDOM_HALTED = [count for count in FEW if count.on_exceed != "halt"] * 3 + FEW
OFTEN = st.lists(st.sampled_from(SELDOM_HALTED), min_size=1, max_size=3, unique_by=lambda one: one.name)
OFTEN_SESSIONS = st.builds(SessionKey, st.just("principal:b"), st.sampled_from(["s", "t"]))
SOON = st.sampled_from([1, 9, 200, 590, 611, 700])
STEPS = st.one_of(
    st.integers(1, 20), st.integers(1, HOUR_NS), st.sampled_from([600, IDLE_NS // 2, IDLE_NS + 1, IDLE_NS + HOUR_NS])
)
HALT_FOR = st.one_of(st.none(), st.sampled_from([1, 500, HOUR_NS]))


class StoreMachine(RuleBasedStateMachine):
    """Does random things to a store and to the model, and compares."""

    opener: Opener

    def __init__(self) -> None:
        super().__init__()
        self.opened = self.opener(Bounds())
        self.store = self.opened.store
        self.plans: dict[tuple[Count, ...], tuple[Count, ...]] = {}
        self.model = Model()
        self.open: list[tuple[SessionKey, Reserved, list[Event]]] = []

    def teardown(self) -> None:
        self.store.close()

    def now(self) -> int:
        """A nanosecond later, so that two steps are never at one time."""
        self.opened.advance(1)
        return self.store.now_ns()

    @initialize(step=STEPS)
    def begin(self, step: int) -> None:
        self.opened.advance(step)

    @rule(step=STEPS)
    def wait(self, step: int) -> None:
        self.opened.advance(step)

    @rule(session=OFTEN_SESSIONS, counts=OFTEN, step=SOON)
    def reserve_often(self, session: SessionKey, counts: list[Count], step: int) -> None:
        self.opened.advance(step)
        self.reserve(session, counts, 500)

    @rule(session=OFTEN_SESSIONS, counts=OFTEN, times=st.integers(2, 4))
    def reserve_in_a_row(self, session: SessionKey, counts: list[Count], times: int) -> None:
        for _ in range(times):
            self.reserve(session, counts, 500)

    @rule(session=SESSIONS, counts=COUNTS, halt_for=HALT_FOR)
    def any_reserve(self, session: SessionKey, counts: list[Count], halt_for: int | None) -> None:
        self.reserve(session, counts, halt_for)

    def reserve(self, session: SessionKey, counts: list[Count], halt_for: int | None) -> None:
        now_ns = self.now()
        stopping = self.model.stop(session, UNDER, now_ns)
        surely = [self.model.surely(session, count, now_ns) for count in counts]
        perhaps = [self.model.perhaps(session, count, now_ns) for count in counts]
        distinct = [count for count in counts if count.member is not None]
        surely_in = [count for count in distinct if self.model.counted(session, count, now_ns, sure=True)]
        perhaps_in = [count for count in distinct if self.model.counted(session, count, now_ns, sure=False)]
        plan = self.plans.setdefault(tuple(counts), tuple(counts))  # a policy counts the same objects each time
        got = self.store.reserve(session, plan, UNDER, halt_for)
        note(f"{got} surely {surely} perhaps {perhaps}")
        assert got.at_ns == now_ns
        if stopping:
            assert not got.granted
            assert got.halt is not None
            assert self._where(got.halt, session.shadow) in stopping
            assert not got.counts
            return
        assert len(got.counts) == len(counts)
        for count, taken, least, most in zip(counts, got.counts, surely, perhaps, strict=True):
            if count.member is None:
                assert least <= taken.before <= most
                if taken.exceeded:
                    assert count.limit is not None
                    assert most + count.amount > count.limit
                elif count.limit is not None:
                    assert least + count.amount <= count.limit
            elif taken.exceeded:
                assert count.limit is not None
                assert most + 1 > count.limit
                assert count not in surely_in
            elif count not in perhaps_in:
                assert count.limit is not None
                assert least + 1 <= count.limit
            if taken.free_at_ns is not None:
                assert taken.exceeded
                assert taken.free_at_ns > now_ns
        refusing = [
            count
            for count, taken in zip(counts, got.counts, strict=True)
            if taken.exceeded and count.on_exceed != "warn"
        ]
        assert got.granted == (not refusing)
        if got.granted:
            assert got.halt is None
            self.open.append((session, got, self.model.take(session, counts, got)))
            return
        self.model.see(session, now_ns)
        halting = next((count for count in refusing if count.on_exceed == "halt"), None)
        assert (got.halt is None) == (halting is None)
        if halting is not None:
            until_ns = None if halt_for is None else now_ns + halt_for
            assert got.halt == Halt("session", session.key, session.session, now_ns, until_ns, halting.name)
            self.model.halts[self._where(got.halt, session.shadow)] = got.halt

    @rule(
        session=st.one_of(SESSIONS, OFTEN_SESSIONS),
        counts=st.lists(SUMS, max_size=3, unique_by=lambda one: (one.name, one.scope, one.window_ns)),
        id_=MARKS,
        within=st.lists(MARKS, max_size=1),
        lasts=st.sampled_from([-1, 0, 1, 600, HOUR_NS]),
    )
    def charge(self, session: SessionKey, counts: list[Count], id_: str, within: list[str], lasts: int) -> None:
        now_ns = self.now()
        mark = Mark(id_, now_ns + lasts, within)
        assert self.store.charge(session, mark, counts) == self.model.charge(session, mark, counts, now_ns)

    @rule(session=OFTEN_SESSIONS, counts=OFTEN, id_=MARKS)
    def charge_and_reserve(self, session: SessionKey, counts: list[Count], id_: str) -> None:
        self.charge(session, [count for count in counts if count.member is None], id_, [], HOUR_NS)
        self.reserve(session, counts, 500)

    @rule(session=OFTEN_SESSIONS, counts=OFTEN, data=st.data())
    def reserve_and_settle(self, session: SessionKey, counts: list[Count], data: st.DataObject) -> None:
        self.reserve(session, counts, 500)
        self.settle(data)

    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        if not self.open:
            return
        number = data.draw(st.integers(0, len(self.open) - 1))
        session, reserved, events = self.open.pop(number)
        now_ns = self.now()
        corrections = []
        for event in events:
            life = self.model.known(session, now_ns)
            ours = event.count.scope is not None or (life is not None and life.number == event.life)
            left = now_ns - event.at_ns > event.count.window_ns != FOREVER
            if event.count.member is not None:
                if data.draw(st.booleans()):
                    corrections.append(Correction(event.count, -1))
                    event.refunded = True
            else:
                most = 3 if ours and not left else 0  # an amount is never raised after it is gone
                amount = data.draw(st.integers(-event.count.amount, most))
                corrections.append(Correction(event.count, amount))
                event.amount += amount
        done = data.draw(
            st.dictionaries(st.sampled_from(["get", "put"]), st.dictionaries(st.text(), st.integers(0, 9)))
        )
        self.store.settle(session, reserved, corrections, done)
        if not corrections and not done:
            return
        life = self.model.see(session, now_ns)
        for tool, arguments in done.items():
            life.done[tool] = life.done.get(tool, (0, {}))[0] + 1, arguments

    @rule(session=SESSIONS)
    def facts(self, session: SessionKey) -> None:
        now_ns = self.now()
        got = self.store.facts(session)
        life = self.model.known(session, now_ns)
        assert got.first_ns == (now_ns if life is None else life.first_ns)
        assert {tool: (one.ok, one.arguments) for tool, one in got.done.items()} == ({} if life is None else life.done)

    @rule(session=SESSIONS, denial=st.sampled_from(["x", "y"]), most=st.integers(1, 3), halt_for=HALT_FOR)
    def denied(self, session: SessionKey, denial: str, most: int, halt_for: int | None) -> None:
        now_ns = self.now()
        got = self.store.denied(session, denial, most, halt_for, "again")
        where = ("session", session.key, session.session, session.shadow)
        if where in self.model.halts:
            assert got == self.model.halts[where]
            return
        life = self.model.see(session, now_ns)
        life.denied = life.denied + 1 if life.denial == denial else 1
        life.denial = denial
        assert (got is not None) == (life.denied >= most)
        if got is not None:
            until_ns = None if halt_for is None else now_ns + halt_for
            assert got == Halt("session", session.key, session.session, now_ns, until_ns, "again")
            self.model.halts[where] = got
            life.denial, life.denied = "", 0

    @rule(session=SESSIONS)
    def halted(self, session: SessionKey) -> None:
        now_ns = self.now()
        got = self.store.halted(session, UNDER)
        stopping = self.model.stop(session, UNDER, now_ns)
        assert (got is not None) == bool(stopping)
        assert got is None or self._where(got, session.shadow) in stopping

    @rule(
        scope=st.sampled_from(["session", "principal", "tenant", "tool", "server"]), session=SESSIONS, halt_for=HALT_FOR
    )
    def halt(self, scope: str, session: SessionKey, halt_for: int | None) -> None:
        now_ns = self.now()
        name = session.key if scope == "session" else dict(UNDER).get(scope, "tenant:x")  # type: ignore[call-overload]
        if scope != "session":  # it stops all, so not for long
            halt_for = min(halt_for or 400, 400)
        until_ns = None if halt_for is None else now_ns + halt_for
        named = session.session if scope == "session" else ""
        self.store.halt(Halt(scope, name, named, 0, until_ns, "why", "ann"))  # type: ignore[arg-type]
        self.model.halts[scope, name, named, False] = Halt(scope, name, named, now_ns, until_ns, "why", "ann")  # type: ignore[arg-type]

    @rule(data=st.data())
    def resume(self, data: st.DataObject) -> None:
        now_ns = self.now()
        listed = sorted(where for where in self.model.halts if not where[3])
        if listed:
            scope, name, session, shadow = data.draw(st.sampled_from(listed))
            halt = self.model.halts.pop((scope, name, session, shadow))
            got = self.store.resume(scope, name, session)  # type: ignore[arg-type]
            over = halt.until_ns is not None and halt.until_ns <= self.store.now_ns()
            assert got or (scope != "session" and over)
            if scope == "session" and not halt.by:
                self.model.count_anew(SessionKey(name, session, shadow), now_ns)
        assert not self.store.resume("principal", "nobody")

    @rule(id_=st.sampled_from(["1", "2"]), tenant=st.sampled_from(["x", "y"]), ttl=st.sampled_from([1, 500, HOUR_NS]))
    def own(self, id_: str, tenant: str, ttl: int) -> None:
        now_ns = self.now()
        self.store.own("ids", tenant, [id_, id_], ttl)
        known = self.model.owners.get(("ids", id_))
        if known is None or known[0] == tenant or known[1] <= now_ns:
            self.model.owners["ids", id_] = tenant, now_ns + ttl

    @rule(id_=st.sampled_from(["1", "2", "3"]), rule_=st.sampled_from(["ids", "others"]))
    def owner(self, id_: str, rule_: str) -> None:
        now_ns = self.now()
        known = self.model.owners.get((rule_, id_))
        assert self.store.owner(rule_, id_) == (known[0] if known is not None and now_ns < known[1] else None)

    @rule()
    def open_again(self) -> None:
        if self.opened.reopen is not None:
            before = self.store.now_ns()
            self.store = self.opened.reopen()
            assert self.store.now_ns() >= before

    @invariant()
    def lists_halts_in_force(self) -> None:
        now_ns = self.store.now_ns()
        lasting = [
            halt
            for (scope, _, _, shadow), halt in self.model.halts.items()
            if not shadow and (scope == "session" or halt.until_ns is None or now_ns < halt.until_ns)
        ]
        got = self.store.halts()
        assert sorted(got, key=repr) == sorted(lasting, key=repr)
        assert got == sorted(got, key=lambda halt: halt.at_ns)

    @staticmethod
    def _where(halt: Halt, shadow: bool) -> tuple[str, str, str, bool]:
        return halt.scope, halt.name, halt.session, shadow and halt.scope == "session"
