"""Each store against the contract."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.policy.conformance import Opener, StoreMachine
from tests.policy.stores import STORES, sqlite_in_turns

SHORT = {**STORES, "sqlite": sqlite_in_turns}
QUICK = settings(max_examples=35, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck))
LONG = settings(QUICK, max_examples=3_000, stateful_step_count=60)


def run(opener: Opener, how: settings) -> None:
    class Machine(StoreMachine):
        pass

    Machine.opener = staticmethod(opener)
    run_state_machine_as_test(Machine, settings=how)


@pytest.mark.parametrize("opener", SHORT.values(), ids=SHORT)
def test_a_store_does_what_a_list_of_events_does(opener: Opener) -> None:
    run(opener, QUICK)


@pytest.mark.slow
@pytest.mark.parametrize("opener", STORES.values(), ids=STORES)
def test_a_store_does_what_a_list_of_events_does_for_long(opener: Opener) -> None:
    run(opener, LONG)
