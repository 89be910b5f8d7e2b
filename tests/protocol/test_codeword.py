import random
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcpobs.protocol.codeword import SAMPLE, SAMPLE_TAIL, of_nested, of_scalar, of_text
from mcpobs.protocol.decode import RawNumber
from mcpobs.protocol.flags import FLAGS, TESTS, flags_of, letters_of


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "s0-"),
        ("7", "s1-d"),
        ("1111", "s3-d"),
        ("1234", "s3-d"),
        ("UM3OG5", "s3-dl"),
        ("Mia", "s2-al"),
        ("mia_li@example.com", "s57aeit"),
        ("what is it?", "s4-acw"),
        ("/etc/passwd", "s4-ap"),
        ("../../etc/passwd", "s57aptD"),
        ("f(x) = {y: 'z'}", "s4-abcmqw"),
        ("a; b | c", "s4-asw"),
        ("one\ntwo\x07", "s4-aknC"),
        ("Straße", "s3-alu"),
        ("Привет", "s3-g"),
        ("שלום", "s3-r"),
        ("नमस्ते", "s3-h"),
        ("日本語", "s2-j"),
        ("한국어", "s2-j"),
        ("“quoted”", "s4-ay"),
        ("ｆｕｌｌ", "s3-f"),
        ("🎉", "s1-o"),
    ],
)
def test_a_text_is_described_by_its_length_and_its_kinds_of_characters(text, word):
    assert of_text(text)[0] == word


@pytest.mark.parametrize(
    ("value", "word"),
    [
        (0, "n0+"), (15, "n0+"), (16, "n1+"), (63, "n1+"), (64, "n2+"), (-1, "n0-"), (-100, "n2-"), (1.0, "n0+"),
        (1.5, "n0+t"), (-0.5, "n0-t"), (10**30, "nz+"), (-(10**30), "nz-"), (1e300, "nz+"), (float("nan"), "x"),
        (RawNumber("1" * 5_000), "nz+"), (RawNumber("-1e999"), "nz-"), (True, "b"), (False, "b"), (None, "z"),
    ],
)  # fmt: skip
def test_a_number_is_described_by_its_sign_and_magnitude_and_a_boolean_by_nothing(value, word):
    assert of_scalar(value) == word


def test_an_array_and_an_object_are_described_by_their_sizes_and_flags():
    assert of_nested("l", 5, 20, flags_of("../x")) == "l35D"
    assert of_nested("o", 0, 0, 0) == "o00"


def test_a_token_is_more_varied_than_a_path_and_a_path_more_than_a_rule():
    chance = random.Random(1)
    token = "".join(chance.choices(string.ascii_letters + string.digits, k=40))
    varied = [of_text(text)[0][2] for text in ("-" * 40, "/home/mia/work/project/readme.txt", token)]
    assert varied == sorted(set(varied))


def test_repeated_digits_of_a_short_code_are_not_described():
    assert {of_text(f"{code:04}")[0] for code in range(10_000)} == {"s3-d"}


@given(st.text(alphabet="aZ9 \n_.:?/'\";|&$`#{}[]<>@é\0\x07\u200b日(=", max_size=40) | st.text(max_size=60))
def test_the_tests_left_out_for_the_characters_of_a_text_would_not_have_raised_a_flag(text):
    word, flags = of_text(text)
    assert flags == flags_of(text)
    assert word.endswith(letters_of(flags))


@given(st.text(min_size=SAMPLE + SAMPLE_TAIL, max_size=SAMPLE + SAMPLE_TAIL + 2))
def test_a_long_text_is_described_in_the_same_way(text):
    longer = text + " "
    assert of_text(longer)[0][:1] == "s"
    assert of_text(longer)[1] == flags_of(longer)


def test_a_word_holds_nothing_that_ends_it():
    for flags in range(1 << len(FLAGS)):
        assert letters_of(flags).isalpha() or not flags
    assert len(set(FLAGS.values())) == len(FLAGS) == len(TESTS)


@given(st.text(alphabet="abcXYZ0123", min_size=1, max_size=15))
def test_a_short_text_has_the_letters_that_it_has_when_repeated(text):
    assert of_text(text)[0][3:] == of_text(text * 16)[0][3:]
