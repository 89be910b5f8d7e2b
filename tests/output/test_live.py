"""The picture of a live view."""

from __future__ import annotations

from mcpobs.output.live import change, picture

HEAD = ["mcpobs report", ""]


def test_what_there_is_no_room_for_is_counted() -> None:
    body = [f"  {n}" for n in range(10)]
    for lines in range(1, 14):
        shown = picture(HEAD, body, 80, lines)
        assert len(shown) <= lines
    assert picture(HEAD, body, 80, 6)[2:] == ["  0", "  1", "  2", "  … 7 more lines"]


def test_a_line_that_is_too_long_ends_with_a_sign_of_it() -> None:
    assert picture(["検索検索検索"], ["  0123456789"], 8, 5) == ["検索検…", "  01234…"]


def test_a_number_shows_by_how_much_it_changed() -> None:
    assert change(1204, 1192, "calls") == "1,204 calls (+12)"
    assert change(3, 5, "failed") == "3 failed (-2)"
    assert change(3, 3, "failed") == change(3, None, "failed") == "3 failed"
