"""`url`: attempts to reach another host than one that is listed. None gets through."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcpobs.errors import UsageError
from mcpobs.policy.conditions import RuleError
from tests.policy.rules.made import call, condition, holds

RULE = {"arg": "u", "schemes": ["https"], "hosts": ["api.example.com", "*.files.example.com"], "ports": [443]}
UNSAFE = [
    # other hosts, schemes and ports
    "https://evil.com/",
    "https://example.com/",
    "https://xapi.example.com/",
    "https://api.example.com.evil.com/",
    "https://api.example.comevil.com/",
    "https://evil.com/https://api.example.com/",
    "https://evil.com/?api.example.com",
    "https://evil.com#api.example.com",
    "https://files.example.com/",
    "https://xfiles.example.com/",
    "https://.files.example.com/",
    "https://a..files.example.com/",
    "https://a.files.example.com.evil.com/",
    "http://api.example.com/",
    "ftp://api.example.com/",
    "file:///etc/passwd",
    "gopher://api.example.com/",
    "javascript:alert(1)",
    "data:text/html,x",
    "https://api.example.com:8443/",
    "https://api.example.com:22/",
    "https://api.example.com:0443/",
    "https://api.example.com:443443/",
    "https://api.example.com:/",
    "https://api.example.com:٤٤٣/",
    "https://api.example.com:443:80/",
    # who is before the @
    "https://api.example.com@evil.com/",
    "https://api.example.com:443@evil.com/",
    "https://user@api.example.com/",
    "https://user:pw@api.example.com/",
    "https://evil.com@api.example.com/",
    "https://api.example.com%40evil.com/",
    "https://api.example.com\uff20evil.com/",
    "https://api.example.com?@evil.com/",
    "https://api.example.com#@evil.com/",
    # separators
    "https://api.example.com\\@evil.com/",
    "https://api.example.com\\.evil.com/",
    "https:\\\\evil.com\\api.example.com",
    "https:/\\evil.com/",
    "https:evil.com",
    "https:/api.example.com/",
    "https:///api.example.com/",
    "//api.example.com/",
    "api.example.com",
    "/path",
    "",
    " https://api.example.com/",
    "https://api.example.com/ ",
    "https://evil.com\t.api.example.com/",
    "https://api.example.com\n.evil.com/",
    "https://api.example.com/\r\nHost: evil.com",
    "ht\ntps://api.example.com/",
    "https://api.example.com\x00.evil.com/",
    "https://api.example.com/\x00",
    "https://api.example.com\u3000.evil.com/",
    "https://api.example.com\u2028/",
    "https://api.example.com\xa0/",
    "https://api.example.com;evil.com/",
    "https://api.example.com,evil.com/",
    "https://[api.example.com]/",
    "https://api.example.com]/",
    "https://api.example.com/\\evil.com",
    # names in other letters
    "https://ap\u0456.example.com/",
    "https://\uff41pi.example.com/",
    "https://api\u3002example.com/",
    "https://api\uff0eexample\uff0ecom/",
    "https://api.example.com\uff0f.evil.com/",
    "https://xn--ap-uqc.example.com/",
    "https://\u24d0pi.example.com/",
    "https://api.ex\xadample.com/",
    "https://api%2eexample%2ecom/",
    "https://%61pi.example.com/",
    "https://api.example.com%2f@evil.com/",
    "https://api.example.com%00.evil.com/",
    "https://api.example.com../",
    "https://-.files.example.com/",
    # addresses
    "https://127.0.0.1/",
    "https://169.254.169.254/latest/meta-data/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.1/",
    "https://0177.0.0.1/",
    "https://127.1/",
    "https://0/",
    "https://[::1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[fe80::1%25eth0]/",
    "https://[::]/",
    "https://[0:0:0:0:0:ffff:a9fe:a9fe]/",
    "https://1.files.example.com.7/",
    "https://a.files.example.com.0x7f/",
    "https://localhost/",
    "https://metadata/",
    "https://\u2460\u2461\u2466.0.0.1/",
    "https://api.example.com/" + "a" * 9_000,
    "https://" + "a" * 70 + ".files.example.com/",
    "https://\ud800.files.example.com/",
]
SAFE = [
    "https://api.example.com",
    "https://api.example.com/",
    "HTTPS://API.Example.COM/x",
    "https://api.example.com:443/x?y=1#z",
    "https://api.example.com./x",
    "https://api.example.com/a@b?c=d@e#f@g",
    "https://api.example.com?q=1",
    "https://api.example.com/%2e%2e/x%20y",
    "https://api.example.com/ü",
    "https://a.files.example.com/x",
    "https://a.b_c.files.example.com/x",
    "https://xn--bcher-kva.files.example.com/",
]


def _url(**more: object):
    return condition("url", {**RULE, **more})


@pytest.mark.parametrize("text", UNSAFE)
def test_no_url_reaches_a_host_that_is_not_listed(text: str) -> None:
    assert not holds(_url(), call({"u": text}))
    assert not holds(_url(), call({"u": ["https://api.example.com/", text]}))


@pytest.mark.parametrize("text", SAFE)
def test_a_usual_url_is_let_through(text: str) -> None:
    assert holds(_url(), call({"u": text}))


def test_an_address_is_let_through_only_if_it_is_listed_itself() -> None:
    url = _url(hosts=["192.0.2.7", "[2001:DB8::7]"])
    for text in ("https://192.0.2.7/", "https://[2001:db8::7]/", "https://[2001:db8:0:0::7]/"):
        assert holds(url, call({"u": text})), text
    for text in (
        "https://192.0.2.8/",
        "https://3221225991/",
        "https://0xc0.0.2.7/",
        "https://192.0.2.07/",
        "https://192.0.519/",
        "https://[::ffff:192.0.2.7]/",
        "https://[2001:db8::8]/",
        "https://192.0.2.7.evil.com/",
    ):
        assert not holds(url, call({"u": text})), text


def test_without_ports_each_scheme_has_its_own() -> None:
    url = condition("url", {"arg": "u", "schemes": ["http", "https"], "hosts": ["a.example.com"]})
    for text in ("http://a.example.com", "http://a.example.com:80", "https://a.example.com:443"):
        assert holds(url, call({"u": text})), text
    for text in ("http://a.example.com:443", "https://a.example.com:80", "ws://a.example.com"):
        assert not holds(url, call({"u": text})), text


def test_the_scheme_is_https_if_none_is_named() -> None:
    url = condition("url", {"arg": "u", "hosts": ["a.example.com"]})
    assert holds(url, call({"u": "https://a.example.com"}))
    assert not holds(url, call({"u": "http://a.example.com"}))


@pytest.mark.parametrize("value", [None, 5, [], [5], {"u": "https://api.example.com"}, True])
def test_what_is_no_text_is_an_error(value: object) -> None:
    with pytest.raises(RuleError):
        _url().holds(call({"u": value}))


def test_a_list_is_looked_at_up_to_its_bound() -> None:
    assert holds(_url(), call({"u": ["https://api.example.com/"] * 256}))
    assert not holds(_url(), call({"u": ["https://api.example.com/"] * 257}))


@given(st.text(alphabet="apiexmlco.m/:@\\?#%[]0x \t\uff0f\u3002", max_size=30))
def test_a_url_that_is_let_through_has_its_host_for_other_readers_too(text: str) -> None:
    for whole in (
        f"https://{text}api.example.com/",
        f"https://api.example.com{text}",
        f"https://api.example.com/{text}",
    ):
        if holds(_url(), call({"u": whole})):
            host = urlsplit(whole).hostname or ""
            assert host.rstrip(".") == "api.example.com" or host.endswith(".files.example.com")


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ({"hosts": ["a.example.com"]}, "no `arg`"),
        ({"arg": "u"}, "no `hosts`"),
        ({"arg": "u", "hosts": []}, "an empty list"),
        ({"arg": "u", "hosts": ["*"]}, "'*' is no host"),
        ({"arg": "u", "hosts": ["*.com"]}, "'*.com' allows a whole top-level domain"),
        ({"arg": "u", "hosts": ["*example.com"]}, "'*example.com' is no host"),
        ({"arg": "u", "hosts": ["*.0.0.1"]}, "'*.0.0.1' is no host"),
        ({"arg": "u", "hosts": ["https://a.example.com"]}, "is no host"),
        ({"arg": "u", "hosts": ["a.example.com:443"]}, "is no host"),
        ({"arg": "u", "hosts": ["0x7f.1"]}, "is no host"),
        ({"arg": "u", "hosts": ["bücher.example"]}, "is not ASCII"),
        ({"arg": "u", "hosts": ["a.example.com"], "ports": [0]}, "0 is no port"),
        ({"arg": "u", "hosts": ["a.example.com"], "ports": []}, "an empty list"),
        ({"arg": "u", "hosts": ["a.example.com"], "schemes": ["gopher"]}, "no `ports` for the scheme 'gopher'"),
        ({"arg": "u", "host": ["a.example.com"], "hosts": ["b.example"]}, "url.host: unknown key"),
    ],
)
def test_a_wrong_rule_is_refused(value: object, problem: str) -> None:
    with pytest.raises(UsageError, match="policy:1: ") as refused:
        condition("url", value)
    assert problem in refused.value.message
