"""What a store keeps is bounded, whatever keys, sessions and arguments callers choose; and nothing that was verified is
washed away by it."""

from __future__ import annotations

import os
import sqlite3
import threading
import warnings
from contextlib import closing, suppress
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mcpobs.policy.rows import OVERFLOW, Bounds
from mcpobs.policy.state import IDLE_NS, Correction, Count, Halt, Mark, SessionKey, StoreError
from mcpobs.policy.windows import FOREVER
from tests.policy.conformance import HOUR_NS, Opened, Opener
from tests.policy.stores import STORES

SMALL = Bounds(
    sessions_a_key=3,
    counters_a_session=6,
    tools_a_session=3,
    fact_bytes=60,
    halts_a_key=2,
    sessions=12,
    counters=20,
    scoped=10,
    scoped_part=1,
    owned=6,
    halts=8,
    charged=5,
)
EACH = pytest.mark.parametrize("opener", STORES.values(), ids=STORES)
HUGE = 10**6
NAMES = st.one_of(st.integers(0, 40).map(str), st.text(max_size=3))
WHOSE = st.one_of(NAMES.map("connection:{}".format), NAMES.map("process:{}".format), st.just("principal:a"))
KEYED = st.builds(SessionKey, WHOSE, NAMES, st.booleans())
ARGUMENTS = st.builds(
    lambda name, scope, window: Count(f"args:{name}", 1, 5, window, scope, disposable=True),
    NAMES,
    st.one_of(st.none(), WHOSE),
    st.sampled_from([FOREVER, 600, HOUR_NS]),
)
STEPS = st.one_of(
    st.tuples(st.just("reserve"), KEYED, st.lists(ARGUMENTS, max_size=2)),
    st.tuples(st.just("denied"), KEYED, st.none()),
    st.tuples(st.just("done"), KEYED, st.dictionaries(NAMES, st.dictionaries(NAMES, NAMES, max_size=2), max_size=3)),
    st.tuples(st.just("own"), st.none(), st.lists(NAMES, max_size=3)),
    st.tuples(st.just("charge"), KEYED, NAMES),
    st.tuples(st.just("wait"), st.none(), st.sampled_from([1, 700, HOUR_NS, IDLE_NS + 1])),
)


def sizes_fit(opened: Opened, bounds: Bounds) -> None:
    sizes = opened.store.sizes()  # type: ignore[attr-defined]
    assert set(sizes) == {"sessions", "counters", "scoped", "halts", "owned", "charged"}
    for kind, size in sizes.items():
        assert 0 <= size <= getattr(bounds, kind), sizes


def hold(opener: Opener, steps: list[tuple[str, SessionKey, object]]) -> None:
    opened = opener(SMALL)
    store, now_ns = opened.store, opened.store.now_ns
    mine = SessionKey("principal:mine", "m")
    held = SessionKey("principal:held", "h")
    cap = Count("cap", 1, 3, HOUR_NS, "principal:mine")
    granted: list[int] = []
    assert store.denied(held, "x", 1, None, "held") is not None
    for what, session, value in steps:
        opened.advance(1)
        with suppress(StoreError):
            match what:
                case "reserve":
                    store.reserve(session, value)  # type: ignore[arg-type]
                case "denied":
                    store.denied(session, "x", 1, 1, "again")
                case "done":
                    store.settle(session, store.reserve(session, []), [], value)  # type: ignore[arg-type]
                case "own":
                    store.own("ids", "a", value, 600)  # type: ignore[arg-type]
                case "charge":
                    store.charge(session, Mark(value, now_ns() + 600), [Count("cost", 1, 5)])  # type: ignore[arg-type]
                case "wait":
                    opened.advance(value)  # type: ignore[arg-type]
        sizes_fit(opened, SMALL)
        with suppress(StoreError):
            if store.reserve(mine, [cap]).granted:
                granted.append(now_ns())
        assert store.halted(held) is not None
        assert store.halted(held._replace(session="new")) is not None
    store.close()
    assert all(later - first >= HOUR_NS for first, later in zip(granted, granted[3:], strict=False))


@EACH
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=st.lists(STEPS, max_size=60))
def test_hostile_names_stay_within_the_bounds_and_wash_no_verified_window(
    opener: Opener, steps: list[tuple[str, SessionKey, object]]
) -> None:
    hold(opener, steps)


@EACH
def test_a_flood_of_unverified_callers_makes_room_for_itself_only(opener: Opener) -> None:
    opened = opener(SMALL)
    store = opened.store
    kept = SessionKey("principal:a", "s")
    most = [Count("own", 1, 1), Count("shared", 1, 1, HOUR_NS, "principal:a")]
    assert store.reserve(kept, most).granted
    for number in range(200):
        opened.advance(1)
        flood = SessionKey(f"connection:{number}", "s")
        assert store.reserve(flood, [Count("own", 1, 1), Count("shared", 1, 1, HOUR_NS, flood.key)]).granted
        store.denied(flood, "x", 1, None, "again")
        sizes_fit(opened, SMALL)
    for count in most:
        assert not store.reserve(kept, [count]).granted
    store.close()


@EACH
def test_too_many_verified_callers_are_refused_and_nothing_of_them_is_counted(opener: Opener) -> None:
    opened = opener(SMALL)
    store = opened.store
    for number in range(SMALL.scoped):
        count = Count("shared", 1, 1, HOUR_NS, f"principal:{number}")
        assert store.reserve(SessionKey("principal:a", "s"), [count]).granted
    other = Count("other", 1, 5)
    with pytest.raises(StoreError, match="10 counters of verified callers") as refused:
        store.reserve(SessionKey("principal:a", "s"), [other, Count("shared", 1, 1, HOUR_NS, "principal:z")])
    assert refused.value.hint
    assert store.reserve(SessionKey("principal:a", "s"), [other]).counts[0].before == 0
    opened.advance(3 * HOUR_NS)  # the windows are over
    for number in range(50):
        count = Count("shared", 1, 1, HOUR_NS, f"principal:{number}")
        assert store.reserve(SessionKey("principal:a", "s"), [count]).granted
        opened.advance(3 * HOUR_NS)
        sizes_fit(opened, SMALL)
    store.close()


SHARED = replace(SMALL, scoped=64, scoped_part=8)


@EACH
@pytest.mark.parametrize("scope", ["principal:a", "connection:1", "tenant:x"])
def test_a_caller_that_makes_up_names_takes_no_room_of_others(opener: Opener, scope: str) -> None:
    opened = opener(SHARED)
    store = opened.store
    flood = SessionKey("principal:a", "s")
    for made in range(SHARED.scoped // 2):
        store.reserve(flood, [Count(f"made up {made}", 1, 5, HOUR_NS, scope)])
    with pytest.raises(StoreError, match="8 counters of one caller"):
        store.reserve(flood, [Count("one more", 1, 5, HOUR_NS, scope)])
    for caller in range(4):
        for name in range(8):
            count = Count(f"own {name}", 1, 2, HOUR_NS, f"principal:{caller}")
            assert store.reserve(SessionKey(f"principal:{caller}", "s"), [count]).counts[0].before == 0
            assert store.reserve(SessionKey(f"principal:{caller}", "s"), [count]).counts[0].before == 1
    assert store.reserve(flood, [Count("made up 0", 1, 5, HOUR_NS, scope)]).counts[0].before == 1
    opened.advance(3 * HOUR_NS)  # what it made up is over
    assert store.reserve(flood, [Count("new", 1, 5, HOUR_NS, scope)]).granted
    store.close()


@EACH
def test_a_caller_at_its_share_forgets_its_own_equal_calls_first_and_no_limit(opener: Opener) -> None:
    opened = opener(SHARED)
    store = opened.store
    flood, cap = SessionKey("principal:a", "s"), Count("cap", 1, 3, HOUR_NS, "principal:a")
    assert store.reserve(flood, [cap]).granted
    for number in range(200):
        opened.advance(1)
        assert store.reserve(flood, [Count(f"args {number}", 1, 5, HOUR_NS, "principal:a", disposable=True)]).granted
    assert store.sizes()["scoped"] <= SHARED.scoped // 2 + 1  # type: ignore[attr-defined]
    assert store.reserve(flood, [cap]).counts[0].before == 1
    assert (
        store.reserve(flood, [Count("args 199", 1, 5, HOUR_NS, "principal:a", disposable=True)]).counts[0].before == 1
    )
    store.close()


FLOODS = st.lists(
    st.tuples(
        st.sampled_from(["principal:a", "principal:a", "principal:b", "connection:1"]),
        st.integers(0, 60),
        st.sampled_from([600, HOUR_NS]),
        st.booleans(),
    ),
    max_size=120,
)


@EACH
@settings(max_examples=15, deadline=None)
@given(floods=FLOODS)
def test_whatever_others_count_a_caller_has_its_share(opener: Opener, floods: list[tuple[str, int, int, bool]]) -> None:
    opened = opener(SHARED)
    store = opened.store
    for scope, name, window, disposable in floods:
        opened.advance(1)
        with suppress(StoreError):
            store.reserve(SessionKey(scope, "s"), [Count(f"n{name}", 1, 99, window, scope, disposable=disposable)])
    for name in range(4):  # three verified scopes in two windows have 48 of 64 at most
        own = SessionKey("principal:z", "s")
        assert store.reserve(own, [Count(f"own {name}", 1, 1, HOUR_NS, "principal:z")]).granted
    assert [
        store.reserve(SessionKey("principal:z", "s"), [Count(f"own {name}", 1, 1, HOUR_NS, "principal:z")]).granted
        for name in range(4)
    ] == [False] * 4
    store.close()


@EACH
def test_sessions_beyond_those_of_a_key_share_their_counters_and_have_no_facts(opener: Opener) -> None:
    opened = opener(SMALL)
    store = opened.store
    cap = Count("cap", 1, 2)
    for number in range(SMALL.sessions_a_key):
        assert store.reserve(SessionKey("principal:a", str(number)), [cap]).granted
    got = [store.reserve(SessionKey("principal:a", f"more {number}"), [cap]) for number in range(4)]
    assert [one.granted for one in got] == [True, True, False, False]
    store.settle(SessionKey("principal:a", "more 0"), got[0], [], {"lookup": {"id": 1}})
    for name in ("more 0", "more 9", OVERFLOW):
        assert store.facts(SessionKey("principal:a", name)).done == {}
    store.settle(SessionKey("principal:a", "more 0"), got[0], [Correction(cap, -1)])
    assert store.reserve(SessionKey("principal:a", "more 8"), [cap]).granted
    sizes_fit(opened, SMALL)
    opened.advance(IDLE_NS + 60_000_000_000)
    assert store.reserve(SessionKey("principal:a", "more 0"), [cap]).counts[0].before == 0
    store.close()


@EACH
def test_a_session_that_shares_its_place_is_no_way_around_a_halt(opener: Opener) -> None:
    opened = opener(SMALL)
    store = opened.store
    for number in range(SMALL.sessions_a_key + 2):
        opened.advance(1)
        assert store.reserve(SessionKey("principal:a", str(number)), []).granted
    opened.advance(1)
    assert store.denied(SessionKey("principal:a", "0"), "x", 1, HOUR_NS, "again") is not None
    opened.advance(1)
    for name, goes_on in (("0", False), ("1", True), ("2", True), ("3", False), ("new", False)):
        assert store.reserve(SessionKey("principal:a", name), []).granted == goes_on, name
    opened.advance(HOUR_NS)
    for name, goes_on in (("0", False), ("1", True), ("3", True), ("new", True)):
        assert store.reserve(SessionKey("principal:a", name), []).granted == goes_on, name
    store.close()


@EACH
def test_a_key_with_many_halted_sessions_opens_no_more(opener: Opener) -> None:
    opened = opener(SMALL)
    store = opened.store
    for number in range(30):
        opened.advance(2)  # the halt before is over
        session = SessionKey("principal:a", str(number))
        if store.halted(session) is None:
            store.reserve(session, [])
            store.denied(session, "x", 1, 1, "again")
    assert 2 < len(store.halts()) <= SMALL.halts_a_key + SMALL.sessions_a_key + 1
    opened.advance(100 * HOUR_NS)
    assert store.halted(SessionKey("principal:a", "new")) is not None
    assert store.halted(SessionKey("principal:b", "new")) is None
    for halt in store.halts():
        assert store.resume("session", halt.name, halt.session)
    assert store.halted(SessionKey("principal:a", "new")) is None
    store.close()


@EACH
def test_a_forgotten_session_stays_halted(opener: Opener) -> None:
    opened = opener(SMALL)
    store = opened.store
    halted = SessionKey("principal:a", "s")
    assert store.reserve(halted, [Count("cap", 1, 0, on_exceed="halt")], (), HOUR_NS).halt is not None
    opened.advance(10 * IDLE_NS)
    for number in range(50):
        with suppress(StoreError):
            store.reserve(SessionKey(f"principal:{number}", "s"), [])
    assert store.halted(halted) is not None
    assert store.halted(SessionKey("principal:a", "t")) is None
    assert not store.reserve(halted, []).granted
    store.close()


@EACH
def test_the_oldest_disposable_counter_goes_and_never_a_cap(opener: Opener) -> None:
    opened = opener(SMALL)
    store = opened.store
    session = SessionKey("principal:a", "s")
    cap = Count("cap", 1, 2)
    assert store.reserve(session, [cap]).granted
    for number in range(40):
        opened.advance(1)
        assert store.reserve(session, [Count(f"args:{number}", 1, 5, disposable=True)]).granted
        again = store.reserve(session, [Count("args:0", 1, None, disposable=True)])
        assert again.counts[0].before == number + 1  # used each time, so never the oldest
        sizes_fit(opened, SMALL)
    assert store.reserve(session, [cap]).counts[0].before == 1
    assert not store.reserve(session, [cap]).granted
    store.close()


@EACH
@pytest.mark.parametrize("scope", [None, "connection:1"])
def test_what_a_call_counts_makes_no_room_for_what_it_counts_besides(opener: Opener, scope: str | None) -> None:
    opened = opener(SMALL)
    store = opened.store
    session = SessionKey("connection:1", "s")
    most = SMALL.scoped if scope else SMALL.counters_a_session

    def count(number: int) -> Count:
        return Count(f"args:{number}", 1, None, HOUR_NS, scope, disposable=True)

    for number in range(most):
        opened.advance(1)
        assert store.reserve(session, [count(number)]).granted
    for more in (0, 2, 4):
        opened.advance(1)
        got = store.reserve(session, [count(more), count(100 + more)])  # the oldest, and a new one
        assert [one.before for one in got.counts] == [1, 0]
        assert store.reserve(session, [count(more)]).counts[0].before == 2
        sizes_fit(opened, SMALL)
    store.close()


@EACH
def test_a_counter_that_is_over_and_used_again_counts_on(opener: Opener) -> None:
    opened = opener(Bounds())
    store = opened.store
    session = SessionKey("principal:a", "s")
    cap = Count("cap", 1, 1, 600, "principal:a")
    for number in range(80):  # each makes room in passing
        opened.advance(HOUR_NS)
        assert store.reserve(session, [cap, Count("new", 1, 1, 600, f"principal:{number}")]).granted
        assert not store.reserve(session, [cap]).granted
    store.close()


@EACH
def test_a_session_with_too_many_caps_is_refused(opener: Opener) -> None:
    opened = opener(SMALL)
    store = opened.store
    session = SessionKey("principal:a", "s")
    caps = [Count(f"cap {number}", 1, 5) for number in range(SMALL.counters_a_session + 1)]
    with pytest.raises(StoreError, match="6 counters in one session"):
        store.reserve(session, caps)
    got = store.reserve(session, caps[:-1])
    assert got.granted
    assert {one.before for one in got.counts} == {0}
    with pytest.raises(StoreError, match="6 counters in one session"):
        store.reserve(session, [caps[0], caps[-1]])
    assert store.reserve(session, caps[:1]).counts[0].before == 1
    store.close()


@EACH
def test_facts_are_remembered_as_far_as_they_fit_the_newest_first(opener: Opener) -> None:
    opened = opener(SMALL)
    store = opened.store
    session = SessionKey("principal:a", "s")
    for tool, arguments in (("a", {"x": "y" * 30}), ("b", {"x": "z" * 30}), ("c", {"x": "w" * 100}), ("d", {})):
        opened.advance(1)
        store.settle(session, store.reserve(session, []), [], {tool: arguments})
    done = store.facts(session).done
    assert {tool: dict(one.arguments) for tool, one in done.items()} == {"b": {"x": "z" * 30}, "c": {}, "d": {}}
    store.close()


UNREMEMBERED = [{"x": 1 << 70}, {1: 2}, {"x": object()}, {"x": "\ud800"}, {"x": {3}}]


@EACH
@pytest.mark.parametrize(
    "arguments", UNREMEMBERED, ids=["beyond 64 bits", "a number as a key", "an object", "a surrogate", "a set"]
)
def test_arguments_that_are_no_json_are_not_remembered(opener: Opener, arguments: dict[str, object]) -> None:
    store = opener(Bounds()).store
    session = SessionKey("principal:a", "s")
    store.settle(session, store.reserve(session, []), [], {"get": arguments})
    assert store.facts(session).done["get"].ok == 1
    assert store.facts(session).done["get"].arguments == {}
    store.close()


@EACH
def test_what_was_remembered_is_a_copy(opener: Opener) -> None:
    store = opener(Bounds()).store
    session = SessionKey("principal:a", "s")
    inner = {"id": 1}
    store.settle(session, store.reserve(session, []), [], {"get": {"order": inner}})
    inner["id"] = 2
    assert store.facts(session).done["get"].arguments == {"order": {"id": 1}}
    store.close()


@EACH
def test_halts_of_verified_callers_are_never_dropped_for_others(opener: Opener) -> None:
    opened = opener(SMALL)
    store = opened.store
    for number in range(SMALL.halts):
        store.halt(Halt("session", f"principal:{number}", "s"))
        opened.advance(1)
    with pytest.raises(StoreError, match="8 halts of verified callers") as refused:
        store.denied(SessionKey("connection:1", "s"), "x", 1, None, "again")
    assert refused.value.hint
    store.halt(Halt("session", "principal:0", "s", reason="again"))  # one that there is
    assert len(store.halts()) == SMALL.halts
    assert store.resume("session", "principal:3", "s")
    assert store.denied(SessionKey("connection:1", "s"), "x", 1, None, "again") is not None
    store.halt(Halt("tool", "search"))  # in the place of the unverified one
    assert {halt.scope for halt in store.halts()} == {"session", "tool"}
    assert store.halted(SessionKey("connection:1", "s")) is None
    store.close()


@EACH
def test_the_same_counter_twice_in_a_call_counts_twice(opener: Opener) -> None:
    store = opener(Bounds()).store
    session = SessionKey("principal:a", "s")
    count = Count("calls", 2, 5, HOUR_NS, "principal:a")
    assert store.reserve(session, [count, count]).granted
    assert not store.reserve(session, [count]).granted
    assert store.reserve(session, [Count("calls", 1, 5, HOUR_NS, "principal:a")]).granted
    store.close()


@EACH
def test_a_call_that_was_granted_ends_a_row_of_denials(opener: Opener) -> None:
    opened = opener(Bounds())
    store = opened.store
    session = SessionKey("principal:a", "s")
    for _ in range(3):
        assert store.denied(session, "x", 3, None, "again") is None
        assert store.denied(session, "x", 3, None, "again") is None
        assert store.reserve(session, [Count("calls", 1, None)]).granted
    assert store.denied(session, "y", 3, None, "again") is None
    assert store.denied(session, "x", 3, None, "again") is None
    assert store.denied(session, "x", 3, None, "again") is None
    assert not store.reserve(session, [Count("cap", 1, 0)]).granted  # which ends no row
    halt = store.denied(session, "x", 3, None, "again")
    assert halt is not None
    assert store.denied(session, "x", 3, None, "again") == halt
    assert store.resume("session", halt.name, halt.session)
    opened.advance(1)
    assert store.denied(session, "x", 3, None, "again") is None
    store.close()


@EACH
def test_a_negative_amount_is_refused(opener: Opener) -> None:
    store = opener(Bounds()).store
    session = SessionKey("principal:a", "s")
    with pytest.raises(StoreError, match="negative"):
        store.reserve(session, [Count("calls", 1, 1), Count("sum", -5, 10)])
    assert store.reserve(session, [Count("calls", 1, 1)]).granted
    store.close()


@EACH
def test_amounts_beyond_64_bits_count_as_the_most(opener: Opener) -> None:
    store = opener(Bounds()).store
    session = SessionKey("principal:a", "s")
    assert store.reserve(session, [Count("sum", 1 << 80, None), Count("window", 1 << 63, None, HOUR_NS)]).granted
    assert not store.reserve(session, [Count("sum", 1, 1 << 62)]).granted
    assert not store.reserve(session, [Count("sum", 1 << 80, 1 << 79)]).granted
    store.close()


@EACH
def test_a_refund_of_a_forgotten_session_takes_nothing_from_the_next(opener: Opener) -> None:
    opened = opener(Bounds())
    store = opened.store
    session = SessionKey("principal:a", "s")
    cap = Count("cap", 1, 1)
    old = store.reserve(session, [cap])
    opened.advance(IDLE_NS + 60_000_000_000)
    assert store.reserve(session, [cap]).granted
    store.settle(session, old, [Correction(cap, -1)])
    assert not store.reserve(session, [cap]).granted
    store.close()


def test_the_file_forgets_in_passing_and_its_totals_are_exact() -> None:
    opened = STORES["sqlite"](Bounds())
    store = opened.store
    for number in range(1_200):
        opened.advance(HOUR_NS)
        whose = f"connection:{number}"
        store.reserve(SessionKey(whose, "s"), [Count("own", 1, 1), Count("shared", 1, 1, HOUR_NS, whose)])
        store.own("ids", "a", [str(number)], HOUR_NS)
    sizes = store.sizes()  # type: ignore[attr-defined]
    assert sizes["sessions"] < 150
    assert sizes["counters"] == sizes["sessions"]
    assert sizes["scoped"] < 150
    assert sizes["owned"] < 150
    path = store._rows.steps.file.path  # type: ignore[attr-defined]
    with closing(sqlite3.connect(path)) as connection:
        for kind, sql in {
            "sessions": "select count(*) from sessions",
            "counters": "select count(*) from counters where key < x'02'",
            "scoped": "select count(*) from counters where key >= x'02'",
            "owned": "select count(*) from owners",
        }.items():
            assert connection.execute(sql).fetchone()[0] == sizes[kind]
        assert connection.execute("select sum(counters) from sessions").fetchone()[0] == sizes["counters"]
    store.close()


@EACH
def test_a_child_counts_although_the_parent_is_in_a_step(opener: Opener) -> None:
    store = opener(Bounds()).store
    session = SessionKey("principal:a", "s")
    assert store.reserve(session, [Count("calls", 1, 2, scope="principal:a")]).granted
    in_step, go = threading.Event(), threading.Event()

    def hold() -> None:
        with store._rows.look:  # type: ignore[attr-defined]
            in_step.set()
            go.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    assert in_step.wait(60)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of forks beside threads
        pid = os.fork()
    if pid == 0:
        granted = [store.reserve(session, [Count("calls", 1, 2, scope="principal:a")]).granted for _ in range(2)]
        os._exit(0 if granted == [True, False] else 1)
    assert os.waitpid(pid, 0)[1] == 0
    go.set()
    thread.join(60)
    store.close()


@EACH
def test_beyond_the_marks_that_fit_nothing_is_charged_until_some_are_over(opener: Opener) -> None:
    opened = opener(SMALL)
    store, session, cost = opened.store, SessionKey("principal:a", "s"), [Count("cost", 2, None)]
    until_ns = store.now_ns() + HOUR_NS
    for number in range(SMALL.charged):
        assert store.charge(session, Mark(str(number), until_ns), cost)
    with pytest.raises(StoreError, match="5 charges at once"):
        store.charge(session, Mark("more", until_ns + 1), cost)
    assert not store.charge(session, Mark("0", until_ns), cost)
    assert store.reserve(session, cost).counts[0].before == 2 * SMALL.charged
    opened.advance(HOUR_NS + 1)
    assert not store.charge(session, Mark("more", until_ns + 1), cost)
    assert store.charge(session, Mark("later", until_ns + HOUR_NS), cost)
    sizes_fit(opened, SMALL)


@EACH
@pytest.mark.parametrize("count", [Count("cost", -1, 5), Count("tools", 1, 5, member="m")], ids=["negative", "member"])
def test_only_amounts_that_raise_a_counter_are_charged(opener: Opener, count: Count) -> None:
    opened = opener(SMALL)
    with pytest.raises(StoreError, match="not negative"):
        opened.store.charge(SessionKey("a", "s"), Mark("m", opened.store.now_ns() + 1), [count])
    assert opened.store.charge(SessionKey("a", "s"), Mark("m", opened.store.now_ns() + 1), [])
