"""Every recogniser by its examples: what it finds, where, and what it leaves alone."""

import pytest

from mcpobs.detect.personal import KINDS, PERSONAL, SECRETS, Entry, Fields, Found, expanded, find, find_each
from tests.detect.personal.examples import FOUND, NEAR_MISSES


@pytest.mark.parametrize(("kind", "text", "value"), FOUND)
def test_a_value_is_found_with_its_place(kind: str, text: str, value: str):
    found = [each for each in find(text) if each.kind == kind]
    assert any(value in text[each.start : each.end] for each in found), found
    if kind != "private_key":
        assert value in [text[each.start : each.end] for each in found]


@pytest.mark.parametrize("text", NEAR_MISSES)
def test_a_near_miss_is_not_found(text: str):
    assert [(each.kind, text[each.start : each.end]) for each in find(text)] == []


@pytest.mark.parametrize(("kind", "text", "value"), FOUND)
def test_only_the_kinds_that_are_asked_for_are_found(kind: str, text: str, value: str):
    assert {each.kind for each in find(text, frozenset((kind,)))} == {kind}
    assert kind not in {each.kind for each in find(text, KINDS - {kind})}


@pytest.mark.parametrize(
    ("key", "value", "kind"),
    [
        ("phone", "0554 227452", "phone"),
        ("billingPhoneNumber", "936713541", "phone"),
        ("ssn", "523599779", "ssn"),
        ("cc", "30569309025904", "card"),
        ("first_name", "Ada", "name"),
        ("customerName", "Ada Lovelace", "name"),
        ("shipping_address", "12 St James's Square, London", "address"),
        ("dateOfBirth", "1815-12-10", "birth_date"),
        ("DB_PASSWORD", "correct horse", "password"),
        ("api-key", "a8Kd03Ls", "password"),
        ("name", "a file", None),
        ("order_id", "4111111111111111", None),
        ("version", "9.18.49.0", None),
        ("password", "${PASSWORD}", None),
        ("first_name", "", None),
        ("first_name", "[name:0a1b2c3d]", None),
    ],
)
def test_the_key_of_a_value_says_what_it_is(key: str, value: str, kind: str | None):
    assert find(value, key=key) == ([Found(kind, 0, len(value))] if kind else [])


def test_a_policy_adds_names_of_fields():
    fields = Fields({"name": ("reporter",)})
    assert find("Ada", key="bug_reporter", fields=fields) == [Found("name", 0, 3)]
    assert find("Ada", key="bug_reporter") == []


def test_several_texts_are_found_as_each_alone():
    texts = [text for _, text, _ in FOUND] + NEAR_MISSES
    alone = [find(text) for text in texts]
    assert find_each([Entry(text) for text in texts]) == alone


def test_places_count_characters():
    text = "😀 ä \ud800 ada@calc.org 😀 +49 30 901820 ☎"
    assert [text[start:end] for _, start, end in find(text)] == ["ada@calc.org", "+49 30 901820"]


def test_groups_stand_for_their_kinds():
    assert expanded(frozenset(("personal", "jwt"))) == PERSONAL | {"jwt"}
    assert expanded(frozenset(("personal", "secrets"))) == PERSONAL | SECRETS == KINDS
    with pytest.raises(ValueError, match="unknown kind 'mail'"):
        expanded(frozenset(("mail",)))


def test_every_kind_has_an_example():
    by_key = {"name", "address", "birth_date"}
    assert {kind for kind, _, _ in FOUND} == KINDS - by_key
