"""What is recorded of an odd HTTP answer is what clients make of it: answers.json, which `make interop` writes."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from aiohttp import web

from tests.gate.judges import ByName
from tests.proxy.http.answering import send
from tests.proxy.http.answers import ANSWERS
from tests.proxy.http.expected import CHOSEN, TABLE, expected
from tests.proxy.http.world import call, world

SESSION = {"Mcp-Session-Id": "s"}
REFUSED = {
    *("gzip_and_more", "gzip_not_so", "gzip_as_deflate", "gzip_of_br", "br_of_gzip", "deflate_not_so"),
    *("br", "br_events", "br_not_so", "zstd", "zstd_not_so"),
    *("coding_unknown", "coding_charset", "coding_unknown_events"),
    *("byte_order_mark", "byte_order_mark_gzip", "latin_1", "not_a_number"),
}
"""Answers that a front that judges cannot read in exactly one way."""


async def _recorded(tmp_path: Path, case: str, modern: bool, session: dict[str, str], judge: ByName | None) -> str:
    """The outcome in the only row of a call that gets the answer; its client gets what the server sent."""
    answer = ANSWERS[case]

    async def server(request: web.BaseRequest) -> web.StreamResponse:
        asked = json.loads(await request.read())
        return await send(request, answer, asked["id"])

    async with world(tmp_path, server, judge=judge) as w:
        async with w.client.post(w.url + "/mcp", json=call("echo", 7, modern), headers=session) as response:
            body = await response.read()
            if judge is None:
                assert (response.status, body) == (answer.status, answer.body(7))
        await w.until(lambda: len(w.requests()) == 1)
    (row,) = [row for row in w.operations() if row["method"] == "tools/call"]
    assert row["request_id"] == "7"
    if judge is not None and row["outcome"] not in expected(case):
        assert response.status == 502 or b'"error"' in body, "an answer that was refused reached the client"
        return "refused"
    return str(row["outcome"])


def test_each_answer_has_its_record() -> None:
    assert set(TABLE) == set(ANSWERS)
    assert set(CHOSEN) <= set(ANSWERS)


@pytest.mark.parametrize(("modern", "session"), [(True, {}), (False, {}), (False, SESSION)])
@pytest.mark.parametrize("case", ANSWERS)
def test_an_answer_is_recorded_as_clients_take_it(
    tmp_path: Path, case: str, modern: bool, session: dict[str, str]
) -> None:
    assert asyncio.run(_recorded(tmp_path, case, modern, session, None)) in expected(case)


@pytest.mark.parametrize("session", [{}, SESSION])
@pytest.mark.parametrize("case", ANSWERS)
def test_an_answer_that_is_judged_is_recorded_as_clients_take_it_or_refused(
    tmp_path: Path, case: str, session: dict[str, str]
) -> None:
    made = asyncio.run(_recorded(tmp_path, case, False, session, ByName()))
    assert made in expected(case) or (made == "refused" and case in REFUSED)
