"""The picture of a live view."""

from __future__ import annotations

from mcpobs.output.live import change, picture

HEAD = ["mcpobs report", ""]


def test_nothing_is_marked_in_the_first_picture() -> None:
    assert picture(HEAD, ["a", "b"], None, 80, 10) == [*HEAD, "  a", "  b"]


def test_a_line_that_was_not_there_is_marked_and_one_that_only_moved_is_not() -> None:
    before = ["tool  calls", "a     9  ██", "b     1  ▏"]
    after = ["tool   calls", "a       10  ██", "b        1  ▎"]
    assert picture(HEAD, after, before, 80, 10)[2:] == ["  tool   calls", "• a       10  ██", "  b        1  ▎"]


def test_an_empty_line_is_never_marked() -> None:
    assert picture(HEAD, ["", "x"], [], 80, 10)[2:] == ["  ", "• x"]


def test_what_there_is_no_room_for_is_counted() -> None:
    body = [str(n) for n in range(10)]
    for lines in range(1, 14):
        shown = picture(HEAD, body, None, 80, lines)
        assert len(shown) <= lines
    assert picture(HEAD, body, None, 80, 6)[2:] == ["  0", "  1", "  2", "  … 7 more lines"]


def test_a_line_that_is_too_long_ends_with_a_sign_of_it() -> None:
    assert picture(["検索検索検索"], ["0123456789"], None, 8, 5) == ["検索検…", "  01234…"]


def test_a_number_shows_by_how_much_it_changed() -> None:
    assert change(1204, 1192, "calls") == "1,204 calls (+12)"
    assert change(3, 5, "failed") == "3 failed (-2)"
    assert change(3, 3, "failed") == change(3, None, "failed") == "3 failed"
