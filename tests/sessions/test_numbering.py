"""Client instances by the numbers of their requests: found where SDKs count, and nothing divided where ids do not."""

from __future__ import annotations

from itertools import pairwise
from random import Random
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcpobs.sessions.numbering import MAX_CONNECTIONS, MAX_INSTANCES, NEAR, Instances

Asked = tuple[str | None, str]  # id, connection


def places(asked: list[Asked]) -> list[int]:
    """Which instance each request is of, by the order in which they were first seen."""
    instances = Instances()
    seen: list[object] = []  # kept, so that no two have one identity
    found = []
    for request_id, connection in asked:
        instance = instances.of(request_id, connection)
        if not any(one is instance for one in seen):
            seen.append(instance)
        found.append(next(place for place, one in enumerate(seen) if one is instance))
        assert len(instances.found) <= MAX_INSTANCES
        assert len(instance.connections) <= MAX_CONNECTIONS
    return found


def numbered(*numbers: int, prefix: str = "", connection: str = "c") -> list[Asked]:
    return [(f"{prefix}{number}", connection) for number in numbers]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (numbered(0, 1, 2, 0, 1, 0, 1), [0, 0, 0, 1, 1, 2, 2]),
        (numbered(1, 2, 3, 1, 2), [0, 0, 0, 1, 1]),
        (numbered(1, 1, 1, 1), [0, 0, 0, 0]),
        (numbered(7, 7, 7), [0, 0, 0]),
        (numbered(0, 1, 3, 2, 4, 6, 7, 5), [0] * 8),
        (numbered(0, 1, 1, 2, 3, 3), [0] * 6),
        ([("0", "c"), ("1", "c"), ("0", "d"), ("0", "e")], [0, 0, 1, 2]),
        ([("1", "c"), ("1", "d"), ("1", "e")], [0, 0, 0]),
        (numbered(0, 1, 2, 3, 2, 3, 4), [0] * 7),
        (numbered(918273, 5, 77777, 4, 31, 2**40), [0] * 6),
        (numbered(0, 1, prefix="a-") + numbered(0, 1, prefix="b-") + numbered(2, prefix="a-"), [0, 0, 1, 1, 0]),
        ([("0", "c"), ("1", "c"), (None, "c"), ("0", "c"), (None, "c")], [0, 0, 0, 1, 1]),
        ([("x", "c"), ("y", "c"), ("x", "d")], [0, 0, 0]),
    ],
    ids=[
        "instances one after the other", "from 1", "the same id", "another same id", "out of turn", "sent again",
        "one request each", "the same id by new connections", "several sent again", "random", "a prefix an instance",
        "notifications", "words",
    ],
)  # fmt: skip
def test_requests_are_divided_where_a_count_begins_again(asked: list[Asked], expected: list[int]) -> None:
    assert places(asked) == expected


def test_instances_side_by_side_go_on_with_their_own_counts() -> None:
    first, second = numbered(*range(12), connection="c"), numbered(*range(9), connection="d")
    asked = [*first[:4], *(one for pair in zip(second, first[4:], strict=False) for one in pair)]
    found = places(asked)
    assert [place for place, (_, connection) in zip(found, asked, strict=True) if connection == "c"] == [0] * 12
    assert [place for place, (_, connection) in zip(found, asked, strict=True) if connection == "d"] == [1] * len(
        second[:8]
    )


def test_of_two_counts_at_one_number_the_connection_decides() -> None:
    begun = numbered(0, 1, connection="c") + numbered(0, 1, connection="d")
    assert places([*begun, ("2", "d"), ("2", "c"), ("3", "c"), ("3", "d")]) == [0, 0, 1, 1, 1, 0, 0, 1]


@given(
    first=st.sampled_from([0, 1]),
    lengths=st.lists(st.integers(2, 60), min_size=1, max_size=20),
    seed=st.integers(0, 2**32),
)
def test_instances_one_after_the_other_are_found_whatever_the_order_of_what_is_under_way(
    first: int, lengths: list[int], seed: int
) -> None:
    """Each begins with one request alone, as a client does that asks the server what it is."""
    random = Random(seed)
    asked: list[Asked] = []
    true: list[int] = []
    for place, length in enumerate(lengths):
        numbers = sorted(range(2, length), key=lambda number: number + random.random() * (NEAR - 1))
        for number in (0, 1, *numbers):
            asked.append((str(first + number), f"{place}"))
            true.append(place)
    assert places(asked) == true


@given(st.lists(st.integers(0, 2**64), max_size=60), st.randoms(use_true_random=False))
def test_ids_that_do_not_count_divide_nothing(numbers: list[int], random: Random) -> None:
    numbers = [one for one, other in pairwise([*numbers, -1]) if abs(one - other) > NEAR]
    assert set(places([(str(number), f"c{random.randrange(3)}") for number in numbers])) <= {0}
    assert set(places([(str(UUID(int=number)), "c") for number in numbers])) <= {0}


@given(
    st.lists(st.tuples(st.one_of(st.none(), st.text(max_size=12), st.integers(0, 99).map(str)), st.sampled_from("abc")))
)
def test_any_ids_get_an_instance_each_in_bounded_memory(asked: list[Asked]) -> None:
    assert len(places(asked)) == len(asked)


def test_a_caller_that_makes_up_instances_is_bounded() -> None:
    asked = [one for place in range(3 * MAX_INSTANCES) for one in numbered(0, 1, prefix=f"{place}-")]
    assert max(places(asked)) == 3 * MAX_INSTANCES - 1
    instances = Instances()
    for one in asked:
        instances.of(*one)
    assert (len(instances.found), len(instances._first)) == (MAX_INSTANCES, MAX_INSTANCES)
