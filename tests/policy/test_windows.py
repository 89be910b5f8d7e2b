"""A window never holds more than its limit, and refuses at most a slice longer than it has to."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcpobs.policy.counter import Members, new_counter, unpacked
from mcpobs.policy.state import Count
from mcpobs.policy.windows import FOREVER, MOST, SLICES, Window

WINDOWS = st.sampled_from([60, 61, 600, 3_599, 86_400_000_000_000])
LIMITS = st.integers(1, 4)


@st.composite
def calls(draw: st.DrawFn) -> tuple[int, list[tuple[int, int]]]:
    """A window's length, and calls: when, and how much. Most pauses are about as long as the window."""
    window_ns = draw(WINDOWS)
    slice_ns = -(-window_ns // SLICES)
    about = st.builds(
        lambda slices, more: max(0, slices * slice_ns + more),
        st.sampled_from([0, 1, 30, 57, 58, 59, 60, 61]),
        st.integers(-2, 2),
    )
    pauses = draw(st.lists(st.tuples(st.one_of(about, st.integers(0, window_ns // 3)), st.integers(1, 3)), max_size=30))
    at_ns, found = draw(st.integers(10**6, 10**6 + 700)), []
    for pause_ns, amount in pauses:
        at_ns += pause_ns
        found.append((at_ns, amount))
    return window_ns, found


@given(calls(), LIMITS)
def test_no_window_holds_more_than_its_limit_and_none_refuses_long(
    given_calls: tuple[int, list[tuple[int, int]]], limit: int
) -> None:
    window_ns, at = given_calls
    slice_ns = -(-window_ns // SLICES)
    window, taken = Window(window_ns), []
    for at_ns, amount in at:
        window = Window.unpacked(window_ns, window.packed())
        surely = sum(one for then_ns, one in taken if then_ns > at_ns - window_ns)
        perhaps = sum(one for then_ns, one in taken if then_ns > at_ns - (SLICES + 1) * slice_ns)
        assert surely <= window.total(at_ns) <= perhaps
        if window.total(at_ns) + amount <= limit:
            window.add(amount, at_ns)
            taken.append((at_ns, amount))
            continue
        free_ns = window.free_at_ns(amount, limit, at_ns)
        if amount > limit:
            assert free_ns is None
        else:
            assert free_ns is not None
            copy = Window.unpacked(window_ns, window.packed())
            assert copy.total(free_ns - 1) + amount > limit
            assert copy.total(free_ns) + amount <= limit


@given(calls(), LIMITS)
def test_no_window_has_more_distinct_members_than_its_limit(
    given_calls: tuple[int, list[tuple[int, int]]], limit: int
) -> None:
    window_ns, at = given_calls
    slice_ns = -(-window_ns // SLICES)
    count = Count("tools", 1, limit, window_ns, member="")
    counter, used = new_counter(count, 0), []
    for number, (at_ns, amount) in enumerate(at):
        asked = Count("tools", 1, limit, window_ns, member=str((number * amount) % 5))
        counter = unpacked(asked, counter.packed())
        got = counter.look(asked, at_ns)
        surely = {member for then_ns, member in used if then_ns > at_ns - window_ns}
        perhaps = {member for then_ns, member in used if then_ns > at_ns - (SLICES + 1) * slice_ns}
        assert len(surely) <= got.before <= len(perhaps)
        if got.exceeded:
            assert asked.member not in surely
            assert got.free_at_ns is not None
            assert counter.look(asked, got.free_at_ns - 1).exceeded
            copy = unpacked(asked, counter.packed())
            assert not copy.look(asked, got.free_at_ns).exceeded
        else:
            counter.add(asked, at_ns)
            used.append((at_ns, asked.member))
            assert len(surely | {asked.member}) <= limit


def test_amounts_are_corrected_in_the_slice_that_they_were_added_in() -> None:
    window = Window(600)
    window.add(5, 1_000)
    window.add(1, 1_300)
    window.add(-4, 1_000)
    assert window.total(1_300) == 2
    window.add(3, 1_000)
    assert window.total(1_300) == 5
    assert window.total(1_000 + 611) == 1
    window.add(-5, 1_000)  # long gone
    assert window.total(1_000 + 611) == 1
    window.add(-9, 1_300)
    assert window.total(1_000 + 611) == 0


def test_what_is_too_much_for_64_bits_is_the_most() -> None:
    window = Window(FOREVER)
    window.add(MOST, 1)
    window.add(MOST, 1)
    assert Window.unpacked(FOREVER, window.packed()).total(9) == MOST
    assert window.free_at_ns(1, 5, 9) is None


@pytest.mark.parametrize("packed", [b"", b"1234567", b"12345678x", b"\0" * 8 + b"[1]", b"\0" * 8 + b'{"a": 1}'])
def test_other_bytes_are_no_counter(packed: bytes) -> None:
    with pytest.raises((struct.error, ValueError, TypeError, AttributeError)):
        unpacked(Count("tools", 1, 5, member="m"), packed)


def test_a_refunded_use_leaves_the_uses_of_other_calls() -> None:
    count = Count("tools", 1, 1, 600, member="m")
    counter = new_counter(count, 0)
    assert isinstance(counter, Members)
    counter.add(count, 1_000)
    counter.add(count, 1_001)
    counter.correct(count, -1, 1_000, 1_002)
    assert counter.members
    counter.correct(count, -1, 1_001, 1_002)
    assert not counter.members
