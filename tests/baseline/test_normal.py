"""What is normal: loops, runaways and odd arguments are set aside, and an honest long tail is not."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from mcpobs.baseline.normal import far_out, looping, settled_shapes
from mcpobs.baseline.traffic import Loop, Pair, Session, Shape, Use


def _session(name: str, **calls: int) -> Session:
    return Session(
        Pair(name, "p"),
        tuple(Use("shop", tool, None, n, n, 0, 0, None, 1, 1, 0, None, None, 0, 0, 0) for tool, n in calls.items()),
    )


def _sessions(*calls: int) -> list[Session]:
    return [_session(f"s{n}", search=count) for n, count in enumerate(calls)]


def _shape(tool: str, shape: str, session: str | None = None, calls: int = 1) -> Shape:
    return Shape(tool, shape, calls if session else 50, 1 if session else 20, Pair(session or "many", "p"), 0)


def test_a_session_with_a_loop_is_set_aside_with_its_worst_loop():
    sessions = [_session("a", search=9), _session("c", search=30), *(_session(f"b{n}", search=2) for n in range(8))]
    loops = [Loop("c", "search → get", 20), Loop("c", "get", 4), Loop("a", "search", 9), Loop("gone", "x", 4)]
    assert looping(sessions, loops) == {
        Pair("c", "p"): "loop: search → get × 20",
        Pair("a", "p"): "loop: search × 9",
    }


def test_a_runaway_is_far_out():
    found = far_out(_sessions(*[1, 2, 3, 4, 5] * 8, 100))
    assert found == {Pair("s40", "p"): "100 calls of search; three of four sessions make at most 4"}


def test_a_runaway_of_one_tool_is_far_out_though_its_session_is_not_long():
    sessions = [_session(f"s{n}", read=30 + n, send=1 + n % 2) for n in range(40)]
    sessions.append(_session("mad", read=10, send=60))
    assert list(far_out(sessions)) == [Pair("mad", "p")]


def test_where_all_sessions_are_alike_a_few_more_calls_are_normal():
    assert far_out(_sessions(*[1] * 50, 15)) == {}
    assert len(far_out(_sessions(*[1] * 50, 16))) == 1


def test_an_honest_long_tail_is_not_stripped():
    """Log-normal over three orders of magnitude: nothing is an accident. Pareto, P(calls > x) = 1/x: about 1 %."""
    chance = random.Random(7)
    assert far_out(_sessions(*[int(chance.lognormvariate(2, 1.2)) + 1 for _ in range(2_000)])) == {}
    assert len(far_out(_sessions(*[int(chance.paretovariate(1)) for _ in range(2_000)]))) <= 2_000 * 0.02


def test_of_sessions_with_a_loop_the_largest_are_set_aside_up_to_a_fifth_of_all():
    sessions = _sessions(*range(1, 61))
    found = looping(sessions, [Loop(session.pair.session, "search", 24) for session in sessions])
    assert list(found) == [session.pair for session in sessions[:47:-1]]


@pytest.mark.parametrize("runaways", [1, 3, 8, 12, 25, 40, 50])
@pytest.mark.parametrize(
    "size",
    [lambda chance: 300, lambda chance: chance.randint(200, 300), lambda chance: chance.randint(250, 3_000)],
    ids=["alike", "near", "wide"],
)
def test_runaways_are_far_out_whatever_their_share_up_to_a_fifth(runaways: int, size: Callable[[random.Random], int]):
    chance = random.Random(runaways)
    honest = [chance.randint(2, 30) for _ in range(200)]
    found = far_out(_sessions(*honest, *(size(chance) for _ in range(runaways))))
    assert found.keys() == {Pair(f"s{n}", "p") for n in range(200, 200 + runaways)}


def test_what_more_than_a_fifth_do_is_how_this_traffic_is():
    assert len(far_out(_sessions(*[2] * 80, *[200] * 20))) == 20
    assert far_out(_sessions(*[2] * 79, *[200] * 21)) == {}


@pytest.mark.parametrize("share", [0.1, 0.3])
@pytest.mark.parametrize("seed", range(5))
def test_a_second_kind_of_honest_session_is_not_far_out(share: float, seed: int):
    chance = random.Random(seed)
    few, many = int(200 * (1 - share)), int(200 * share)
    sizes = [chance.randint(2, 6) for _ in range(few)] + [chance.randint(30, 60) for _ in range(many)]
    assert far_out(_sessions(*sizes)) == {}
    assert far_out(_sessions(*sizes, 2_000)).keys() == {Pair("s200", "p")}  # a runaway, to either kind


def test_long_sessions_with_tools_of_their_own_are_not_compared_with_short_ones():
    chats = [_session(f"c{n}", search=1 + n % 4, get=1 + n % 2) for n in range(90)]
    batches = [_session(f"b{n}", list=1, export=150 + 7 * n) for n in range(12)]
    assert far_out([*chats, *batches]) == {}
    assert list(far_out([*chats, *batches, _session("mad", list=1, export=9_000)])) == [Pair("mad", "p")]


def test_at_most_a_fifth_is_far_out_over_all_tools_together():
    sessions = [_session(f"s{n}", **{f"tool_{t}": 300 + n if n == t else 1 for t in range(12)}) for n in range(40)]
    found = far_out(sessions)
    assert list(found) == [Pair(f"s{n}", "p") for n in range(11, 3, -1)]  # the furthest


def test_a_handful_of_sessions_has_no_outliers():
    assert far_out(_sessions(1, 1, 1, 1, 1, 1, 500)) == {}


def test_a_shape_that_one_session_used_once_is_odd():
    shapes = [_shape("get", "{id}"), _shape("get", "{debug,id}", "odd")]
    listed, odd, refused = settled_shapes(shapes, {"get": 40}, 30, 40)
    assert listed == {"get": ("{id}",)}
    assert odd == {Pair("odd", "p"): "arguments of get in a shape that no other session used"}
    assert refused == {}


def test_a_shape_that_one_session_uses_again_and_again_is_in_use():
    shapes = [_shape("get", "{id}"), _shape("get", "{all}", "own", calls=3)]
    assert settled_shapes(shapes, {"get": 40}, 30, 40)[:2] == ({"get": ("{all}", "{id}")}, {})


def test_shapes_that_new_sessions_keep_adding_to_are_no_list():
    shapes = [_shape("get", "{id}"), *(_shape("get", f"{{k{n}}}", f"s{n}") for n in range(3))]
    listed, odd, refused = settled_shapes(shapes, {"get": 40}, 30, 40)
    assert listed == {}
    assert odd == {}
    assert refused == {"get": "argument shapes vary too much for a list: 3 of 40 sessions used one of their own"}


def test_a_tool_with_very_many_shapes_has_no_list():
    shapes = [_shape("get", f"{{k{n}}}") for n in range(21)]
    assert settled_shapes(shapes, {"get": 40}, 30, 40)[2] == {"get": "argument shapes vary too much for a list: 21"}


def test_a_tool_of_few_sessions_has_no_list_and_no_odd_session():
    assert settled_shapes([_shape("get", "{id}", "s1")], {"get": 29}, 30, 400) == ({}, {}, {})


def test_odd_shapes_of_all_tools_together_set_aside_one_session_in_twenty():
    shapes = [_shape(f"t{n}", "{odd}", f"s{n}") for n in range(6)]
    listed, odd, refused = settled_shapes(shapes, {f"t{n}": 40 for n in range(6)}, 30, 40)
    assert len(odd) == 2
    assert len(listed) == 2
    assert len(refused) == 4
