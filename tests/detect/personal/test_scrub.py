"""What `scrub` leaves of a text."""

import pytest

from mcpobs.detect.personal import KINDS, scrub
from mcpobs.detect.personal.scrub import MAX_TEXT


@pytest.mark.parametrize(
    ("text", "scrubbed"),
    [
        ("no user ada.lovelace@calc.org", "no user [email]"),
        (
            "login failed for postgres://svc:h7Gd-q2w@db.local/app",
            "login failed for postgres://svc:[password]@db.local/app",
        ),
        ("card 4111 1111 1111 1111 declined", "card [card] declined"),
        ("nothing here", "nothing here"),
        ("", ""),
    ],
)
def test_each_datum_is_replaced_by_its_kind(text: str, scrubbed: str):
    assert scrub(text) == scrubbed


def test_a_long_text_is_cut():
    assert len(scrub("x " * MAX_TEXT)) == MAX_TEXT


def test_a_scrubbed_text_stays_as_it_is():
    once = scrub("mail ada@calc.org, password=h7Gd-q2wX, ssn 219-09-1234")
    assert scrub(once) == once
    assert all(kind in KINDS for kind in ("email", "password", "ssn"))
