"""Masks in the bytes of a result: what changes, what stays, and what equal values become."""

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import AnyUrl, TypeAdapter

from mcpobs.protocol.masks import Finder, masked

KEY = b"a key of masks"
FINDER = Finder()
MASK = re.compile(r"\[[a-z_]+:[0-9a-f]{8}\]")
VALUES = (
    "ada.lovelace@calc.org",
    "4111 1111 1111 1111",
    "GB82 WEST 1234 5698 7654 32",
    "523-59-9779",
    "+49 30 901820",
    "AKIAQ3EGRL5XH2MZ7TWB",
    "85.151.92.30",
)


def texts_of(value: object) -> list[str]:
    if isinstance(value, dict):
        return [text for item in value.values() for text in texts_of(item)]
    if isinstance(value, list):
        return [text for item in value for text in texts_of(item)]
    return [value] if isinstance(value, str) else []


def written(value: object, style: int) -> bytes:
    """JSON in one of the ways that servers write it."""
    text = json.dumps(value, ensure_ascii=style % 2 == 0, indent=2 if style % 3 == 0 else None)
    if style % 5 == 0:
        text = text.replace("/", "\\/").replace("@", "\\u0040")
    return text.encode("utf-8", "surrogatepass")


plain = st.text(alphabet='xyzäß☎😀"\\/\n\t {}[]:,.\u2028\x01', max_size=20)  # words of no label
sentences = st.lists(st.one_of(plain, st.sampled_from(VALUES)), min_size=1, max_size=5).map(" , ".join)
values = st.recursive(
    st.one_of(sentences, st.integers(), st.none(), st.booleans(), st.just(4111111111111111)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(plain, inner, max_size=4) | inner.map(json.dumps),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(value=values, style=st.integers(0, 29))
def test_only_the_bytes_of_what_is_found_change(value: object, style: int):
    raw = written({"content": [{"type": "text", "text": value}], "structuredContent": value}, style)

    result = masked(raw, FINDER, KEY)

    json.loads(result.raw)
    kept = MASK.split(result.raw.decode())
    gaps = ".*?".join(re.escape(part.rstrip('\\"').lstrip('\\"')) + r'[\\"]*' for part in kept)
    assert re.match(gaps, raw.decode(), re.DOTALL)
    assert masked(result.raw, FINDER, KEY).raw is result.raw
    decoded = "\n".join(texts_of(json.loads(result.raw)))
    assert not any(found in decoded for found in VALUES)
    assert sum(found.count for found in result.findings) == len(MASK.findall(result.raw.decode()))


def test_a_value_without_data_is_the_same_object():
    raw = b'{"content":[{"type":"text","text":"nothing"}]}'
    assert masked(raw, FINDER, KEY).raw is raw


def test_content_and_structured_content_have_equal_masks_also_without_a_label():
    record = {"phone": "0554 227 452", "mail": "Ada@Calc.org"}
    raw = json.dumps(
        {
            "content": [{"type": "text", "text": "Reached at 0554 227 452 or ada@calc.org"}],
            "structuredContent": record,
        }
    ).encode()

    result = json.loads(masked(raw, FINDER, KEY).raw)

    phone, mail = result["structuredContent"]["phone"], result["structuredContent"]["mail"]
    assert result["content"][0]["text"] == f"Reached at {phone} or {mail}"


def test_masks_depend_on_the_key():
    raw = b'"ada@calc.org"'
    assert masked(raw, FINDER, b"one").raw != masked(raw, FINDER, b"two").raw


@pytest.mark.parametrize(
    "text",
    [
        '{"card": 4111111111111111, "ok": true}',
        '{"a": 1}\n{"card":4111111111111111}\n{"b": [4111111111111111]}',
        'Found:\n```json\n{\n  "card": 4111111111111111\n}\n```\nand more',
        'prefix {"a": {"card": 4111111111111111}} suffix',
        '[{"inner": "{\\"card\\": 4111111111111111}"}]',
        '{"mail": "a\\u0064a\\u0040calc.org \\ud83d\\ude00 \\/"}',
    ],
)
def test_json_inside_a_text_stays_json(text: str):
    raw = json.dumps({"content": [{"type": "text", "text": text}]}).encode()

    result = json.loads(masked(raw, FINDER, KEY).raw)["content"][0]["text"]

    assert MASK.search(result)
    assert "4111" not in result
    before, after = list(documents(text)), list(documents(result))
    assert len(before) == len(after) > 0
    for one, other in zip(before, after, strict=True):
        assert shape(one) == shape(other)


def documents(text: str):
    """The JSON objects and arrays in a text."""
    decoder, at = json.JSONDecoder(), 0
    while (match := re.search(r'\{(?=\s*")|\[(?=\{)', text[at:])) is not None:
        value, end = decoder.raw_decode(text, at + match.start())
        yield value
        at = end


def shape(value: object) -> object:
    if isinstance(value, dict):
        return {name: shape(item) for name, item in value.items()}
    if isinstance(value, list):
        return [shape(item) for item in value]
    if isinstance(value, str) and value.startswith("{"):
        return shape(json.loads(value))
    return "scalar"


@pytest.mark.parametrize(
    ("url", "masked_url"),
    [
        ("https://85.151.92.30/x", r"https://ip-[0-9a-f]{8}/x"),
        ("https://ann@85.151.92.30/x", r"https://ann@ip-[0-9a-f]{8}/x"),
        ("ftp://ada@calc.org/x", r"ftp://email-[0-9a-f]{8}/x"),
        ("https://x.org/ada@calc.org?q", r"https://x.org/\[email:[0-9a-f]{8}\]\?q"),
        ("mailto:ada@calc.org", r"mailto:\[email:[0-9a-f]{8}\]"),
        ("https://svc:h7Gd-q2wX@x.org/a", r"https://svc:\[password:[0-9a-f]{8}\]@x.org/a"),
    ],
)
def test_a_url_stays_a_url(url: str, masked_url: str):
    raw = json.dumps({"content": [{"type": "resource_link", "uri": url}]}).encode()
    result = masked(raw, FINDER, KEY).raw
    made = json.loads(result)["content"][0]["uri"]
    assert re.fullmatch(masked_url, made)
    TypeAdapter(AnyUrl).validate_python(made)
    assert masked(result, FINDER, KEY).raw is result


def test_what_is_no_text_stays():
    result = {
        "content": [{"type": "image", "mimeType": "image/png", "data": "AKIAQ3EGRL5XH2MZ7TWB"}],
        "contents": [{"uri": "x:1", "blob": "AKIAQ3EGRL5XH2MZ7TWB"}],
        "nextCursor": "AKIAQ3EGRL5XH2MZ7TWB",
        "structuredContent": {"ada@calc.org": 1},
    }
    raw = json.dumps(result).encode()
    assert masked(raw, FINDER, KEY).raw is raw
    assert b"ada@calc.org" not in masked(raw, Finder(keys=True), KEY).raw


def test_an_earlier_mask_stays():
    raw = json.dumps({"full_name": "email", "text": "email [email:0a1b2c3d]"}).encode()
    result = json.loads(masked(raw, FINDER, KEY).raw)
    assert result["text"].endswith(" [email:0a1b2c3d]")
    assert not result["text"].startswith("email")


@pytest.mark.parametrize("raw", [b"", b"{", b'{"a":}', b'{"a" 1}', b"[1 2]", b'"a" "b"', b'{"a":1}}', b'"\\q"'])
def test_what_is_no_json_is_refused(raw: bytes):
    with pytest.raises(ValueError, match=r"JSON|byte|escape"):
        masked(raw, FINDER, KEY)


def test_deep_values_are_no_problem():
    deep = b"[" * 100_000 + b'"ada@calc.org"' + b"]" * 100_000
    result = masked(deep, FINDER, KEY)
    assert b"ada" not in result.raw
    assert len(result.raw) > len(deep)
