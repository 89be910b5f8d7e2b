"""Shapes of results, from the traffic to the limits file, `check` and `--update`."""

from __future__ import annotations

from dataclasses import replace

from mcpobs.baseline.breaches import NEW_SHAPE, Breach
from mcpobs.baseline.learn import Baseline, learn
from mcpobs.baseline.rules import Rules
from mcpobs.baseline.update import update
from mcpobs.limits.file import read_text, write
from mcpobs.queries.plan import Plan
from mcpobs.reports.window import EVERYTHING
from mcpobs.settings import Config
from tests.baseline.plays import DAY_NS, START_NS, Call, Play, rows
from tests.baseline.test_check import _check
from tests.queries.recorded import in_memory

ROW, ROWS = "{number,string×2}", "[{number,string}]"


def _plays(count: int = 40, **more: str | None) -> list[Play]:
    return [
        Play(f"s{n:02d}", [Call("get", form=ROW), Call("list", form=ROWS if n % 2 else "[]"), Call("free", **more)])
        for n in range(count)
    ]


def _learn(plays: list[Play]) -> Baseline:
    return learn(Plan(in_memory(rows(plays))), EVERYTHING, None, Config(), Rules())


def test_a_tool_has_the_shapes_that_normal_sessions_saw() -> None:
    tools = _learn(_plays()).limits.tools
    assert tools["get"].result_shapes == (ROW,)
    assert tools["list"].result_shapes == tuple(sorted(("[]", ROWS)))
    assert tools["free"].result_shapes is None  # nothing was recorded
    assert tools["*"].result_shapes is None


def test_one_odd_answer_is_no_shape_and_does_not_make_a_session_odd() -> None:
    plays = _plays()
    plays[3] = replace(plays[3], calls=[*plays[3].calls, Call("get", form="(text)")])
    found = _learn(plays)
    assert found.limits.tools["get"].result_shapes == (ROW,)
    assert found.limits.baseline is not None
    assert found.limits.baseline.excluded == ()


def test_answers_that_vary_too_much_have_no_list_and_a_comment_says_so() -> None:
    plays = [replace(play, calls=[Call("get", form=f"{{number×{n}}}")]) for n, play in enumerate(_plays())]
    found = _learn(plays)
    assert found.limits.tools["get"].result_shapes is None
    assert "result shapes vary too much for a list: 40 of 40 sessions" in write(found.limits, found.comments)


def test_too_few_sessions_give_no_list_and_failed_calls_have_no_shape() -> None:
    few = [replace(play, calls=play.calls if n < 29 else [Call("free")]) for n, play in enumerate(_plays())]
    assert _learn(few).limits.tools["get"].result_shapes is None
    failed = [replace(play, calls=[Call("get", form="(text)", outcome="tool_error")]) for play in _plays()]
    assert _learn(failed).limits.tools["get"].result_shapes is None


def test_a_shape_that_is_not_listed_is_a_breach() -> None:
    plays = [Play("s", [Call("a", form=ROW), Call("a", form="(text)"), Call("a"), Call("b", form="(text)")])]
    found = _check(f'tools: {{a: {{result: {{shapes: ["{ROW}"]}}}}, b: {{calls_per_session: 9}}}}', plays)
    assert found.breaches == [
        Breach("result.shapes", "a", "s", None, None, 1, START_NS + 1_000_000_000, "(text)", NEW_SHAPE)
    ]


def test_an_update_keeps_the_shapes_of_listed_tools_and_adds_those_of_new_ones() -> None:
    text = write(_learn(_plays()).limits).replace(ROW, "{mine}")
    later = [
        replace(play, calls=[*play.calls, Call("late", form=ROW)], start_ns=START_NS + 30 * DAY_NS)
        for play in _plays(60)
    ]
    larger = [replace(play, calls=[replace(one, result_bytes=9_000) for one in play.calls]) for play in later]
    edited = read_text(update(text, _learn(larger)).text).tools
    assert edited["get"].result_shapes == ("{mine}",)
    assert edited["get"].result_max_bytes is not None
    assert edited["get"].result_max_bytes.value > 9_000
    assert edited["late"].result_shapes == (ROW,)
