"""The clock of the shared file: no step of the system's clock and no reboot moves it back."""

from __future__ import annotations

import tempfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mcpobs.policy import clock
from mcpobs.policy.clock import Clock, Time
from mcpobs.policy.sqlite import SqliteStore
from mcpobs.policy.state import Count, SessionKey
from tests.policy.conformance import HOUR_NS, START_NS

DAY_NS = 24 * HOUR_NS
SESSION = SessionKey("principal:a", "s")


@dataclass
class Machine:
    """A computer: its ticks, its battery clock, and which boot this is."""

    ticks: int = 0
    unix: int = START_NS
    boots: int = 0

    @property
    def time(self) -> Time:
        return Time(lambda: self.ticks, lambda: self.unix, lambda number=self.boots: f"boot {number}")

    def run(self, ns: int) -> None:
        self.ticks += ns
        self.unix += ns

    def reboot(self) -> None:
        self.ticks = 0
        self.boots += 1


EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("run"), st.integers(0, DAY_NS)),
        st.tuples(st.just("step"), st.integers(-1_000 * DAY_NS, 1_000 * DAY_NS)),
        st.tuples(st.just("reboot"), st.integers(0, HOUR_NS)),
        st.tuples(st.just("open"), st.just(0)),
        st.tuples(st.just("reserve"), st.sampled_from([HOUR_NS, DAY_NS])),
    ),
    max_size=25,
)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(EVENTS)
def test_no_step_and_no_reboot_moves_a_window_back_or_lets_more_through(events: list[tuple[str, int]]) -> None:
    machine, before_ns, written_ns = Machine(), 0, 0
    granted: dict[int, list[int]] = {HOUR_NS: [], DAY_NS: []}  # at what running time, off time left out
    running_ns = 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "policy.db"
        stores = [SqliteStore(path, time=machine.time)]
        for what, ns in events:
            match what:
                case "run":
                    machine.run(ns)
                    running_ns += ns
                case "step":
                    machine.unix += ns
                case "reboot":
                    for store in stores:
                        store.close()
                    machine.reboot()
                    before_ns = written_ns
                    stores = [SqliteStore(path, time=machine.time)]
                case "open":
                    stores.append(SqliteStore(path, time=machine.time))
                case "reserve":
                    store = stores[-1]
                    machine.run(1)
                    running_ns += 1
                    count = Count("calls", 1, 2, ns, scope="principal:a")
                    if store.reserve(SESSION, [count]).granted:
                        granted[ns].append(running_ns)
                        written_ns = store.now_ns()
            times = {store.now_ns() for store in stores}
            assert len(times) == 1  # all processes of a boot have one clock
            now_ns = times.pop()
            assert now_ns >= before_ns
            before_ns = now_ns
        for store in stores:
            store.close()
        if not any(what == "reboot" for what, _ in events):  # else the battery clock says how long it was off
            for window_ns, times_ns in granted.items():
                assert all(later - first >= window_ns for first, later in zip(times_ns, times_ns[2:], strict=False))


def test_a_boot_begins_after_all_that_the_file_has_seen() -> None:
    machine = Machine()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "policy.db"
        with closing(SqliteStore(path, time=machine.time)) as store:
            machine.run(DAY_NS)
            assert store.reserve(SESSION, [Count("calls", 1, 1, HOUR_NS)]).granted
        machine.reboot()
        machine.unix = 0  # its battery is empty
        with closing(SqliteStore(path, time=machine.time)) as store:
            assert store.now_ns() == START_NS + DAY_NS
            assert not store.reserve(SESSION, [Count("calls", 1, 1, HOUR_NS)]).granted
            machine.run(2 * HOUR_NS)
            assert store.reserve(SESSION, [Count("calls", 1, 1, HOUR_NS)]).granted


def test_a_time_that_only_an_owner_was_noted_at_is_seen() -> None:
    machine = Machine()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "policy.db"
        with closing(SqliteStore(path, time=machine.time)) as store:
            machine.run(DAY_NS)
            store.own("ids", "a", ["1"], HOUR_NS)
        machine.reboot()
        machine.unix = 0
        with closing(SqliteStore(path, time=machine.time)) as store:
            assert store.now_ns() == START_NS + DAY_NS


def test_the_file_keeps_the_clocks_of_few_boots() -> None:
    machine = Machine()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "policy.db"
        for _ in range(30):
            machine.reboot()
            with closing(SqliteStore(path, time=machine.time)) as store:
                kept = store._rows.steps.execute("select count(*) from clock_v1").fetchone()[0]
        assert kept <= 16


def test_the_clock_of_memory_is_the_unix_time_at_first_and_never_steps() -> None:
    machine = Machine()
    now_ns = Clock(machine.time).start()
    assert now_ns() == START_NS
    machine.unix -= DAY_NS
    machine.run(5)
    assert now_ns() == START_NS + 5


def test_the_machine_has_a_boot_and_ticks() -> None:
    assert clock.boot() == clock.boot() != ""
    assert clock.ticks_ns() <= clock.ticks_ns()
