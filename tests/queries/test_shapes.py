"""report shapes held against the plain answer in a window, for a session, and at other thresholds."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tests.queries import shapes_oracle
from tests.queries.recorded import Row, ask, call, in_memory
from tests.queries.traffic import random_rows
from tests.seeds import seeds, some


def _agree(rows: list[Row], **given: Any) -> list[Row]:
    expected = shapes_oracle.shapes(rows, **given)
    found = ask(in_memory(rows), "shapes", **given)
    assert found == [
        {key: pytest.approx(value, rel=1e-9) if isinstance(value, float) else value for key, value in row.items()}
        for row in expected
    ]
    return expected


@pytest.mark.parametrize("seed", seeds(2, 6))
def test_a_window_is_compared_with_earlier_traffic_if_there_is_enough(seed: int) -> None:
    rows = random_rows(random.Random(seed), 1_000)
    starts = sorted(row["start_unix_nano"] for row in rows)
    window = {"since": starts[600], "until": starts[990]}
    by_before = _agree(rows, **window, min_before=50)
    assert any("earlier calls" in (row["odd"] or "") for row in by_before)
    by_itself = _agree(rows, **window, min_before=10_000)
    assert all("earlier calls" not in (row["odd"] or "") for row in by_itself)


@pytest.mark.parametrize("seed", seeds(2, 6))
def test_the_shapes_of_one_session_are_only_its_own(seed: int) -> None:
    rows = random_rows(random.Random(seed), 900)
    rows_of_session = _agree(rows, session="s0")
    whole = {(row["tool"], row["args_shape"]) for row in _agree(rows) if row["odd"]}
    assert {(row["tool"], row["args_shape"]) for row in rows_of_session if row["odd"]} <= whole


@pytest.mark.parametrize(
    "given", some(2, [{"min_bits": 0.5}, {"few": 0, "ratio": 0.0}, {"min_calls": 1}, {"ratio": 0.2}])
)
def test_other_thresholds_give_what_the_plain_answer_gives(given: dict[str, Any]) -> None:
    _agree(random_rows(random.Random(7), 800), **given)


def test_a_client_that_begins_to_send_another_argument_is_one_finding_however_many_calls_it_makes() -> None:
    chance = random.Random(3)
    old = [call(n, words={"q": f"s{chance.choice('456')}-aw"}) for n in range(400)]
    new = [
        call(400 + n, args_shape="{lang:string,q:string}", words={"lang": "s2-a", "q": f"s{chance.choice('456')}-aw"})
        for n in range(2_000)
    ]
    (finding,) = _agree(old + new, since=new[0]["start_unix_nano"])
    assert finding["odd_calls"] == 2_000
    assert finding["odd"].startswith("lang: an argument in 0 of 400 earlier calls")
    assert [row["odd"] for row in _agree(old + new)] == [None, None]


def test_an_attack_in_free_text_is_found_beside_texts_that_are_all_different() -> None:
    chance = random.Random(5)
    letters = "abcdilmnpqtw"
    rows = [
        call(n, words={"body": f"s{chance.choice('6789')}-{''.join(sorted(chance.sample(letters, 6)))}"})
        for n in range(500)
    ]
    rows.append(call(500, session_id="attacker", words={"body": "s8-aclqtwO"}))
    found = [row for row in _agree(rows) if row["odd"]]
    assert [(row["odd_session_id"], row["odd_calls"]) for row in found] == [("attacker", 1)]
    assert found[0]["odd"] == "body: orders to a model in 1 of 501 calls, +7 bits"
