"""What stays of paths, URLs, headers and names. A secret that stands anywhere in them goes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcpobs.errors import UsageError
from mcpobs.masking import http_method, looks_secret, masked_header, masked_host, masked_path, masked_urls
from mcpobs.settings import HEADERS, load_config

SECRET = "Zq7-canary-Zq7"
SECRETS = st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-", min_size=12, max_size=40)


@pytest.mark.parametrize(
    ("path", "masked"),
    [
        ("/mcp", "/mcp"),
        ("/", "/"),
        ("", ""),
        ("*", "*"),
        ("/v1/mcp/", "/v1/mcp/"),
        ("/.well-known/oauth-protected-resource/mcp", "/.well-known/oauth-protected-resource/mcp"),
        ("/messages/?session_id=Zq7-canary-Zq7", "/messages/"),
        ("/messages/Zq7-canary-Zq7", "/messages/*"),
        ("/mcp/u:Zq7-canary-Zq7@x/sse#Zq7-canary-Zq7", "/mcp/*/sse"),
        ("/%2e%2e/mcp", "/*/mcp"),
        ("/mcp;Zq7-canary-Zq7", "/*"),
        ("/MCP", "/*"),
        ("/café", "/*"),
        ("/" + "mcp/" * 1_000, ("/" + "mcp/" * 1_000)[:256]),
    ],
)
def test_of_a_path_its_well_known_words_stay(path, masked):
    assert masked_path(path) == masked


@given(st.lists(st.sampled_from(["", "mcp", "sse", "v1", "messages"]) | SECRETS, max_size=6), SECRETS)
def test_no_path_keeps_a_secret(segments, secret):
    for path in ("/".join(["", *segments, secret]), "/".join([secret, *segments]), f"/mcp?{secret}", f"/mcp#{secret}"):
        assert secret not in masked_path(path)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("claude-code/2.1 (linux)", "claude-code/2.1 (linux)"),
        (
            "bot/1 (+https://user:Zq7-canary-Zq7@host.example:80/Zq7-canary-Zq7?a=b#c)",
            "bot/1 (+https://host.example:80/*)",
        ),
        ("https://Zq7-canary-Zq7@host.example", "https://host.example"),
        ("https://user:Zq7@canary@host.example/", "https://host.example/"),
        ("a https://one.example?Zq7-canary-Zq7 b http://[::1]:80/mcp", "a https://one.example b http://[::1]:80/mcp"),
        ("https://user:Zq7-canary-Zq7", "https://*"),
        ("https://0123456789abcdef0123.tunnel.example/mcp", "https://*.tunnel.example/mcp"),
    ],
)
def test_of_a_url_scheme_host_and_plain_path_stay(text, masked):
    assert masked_urls(text) == masked


@pytest.mark.parametrize(
    ("name", "value", "method", "masked"),
    [
        ("mcp-protocol-version", "2026-07-28", None, "2026-07-28"),
        ("mcp-protocol-version", SECRET, None, "*"),
        ("mcp-method", "tools/call", None, "tools/call"),
        ("mcp-method", SECRET, None, "*"),
        ("mcp-name", "search", "tools/call", "search"),
        ("mcp-name", f"file:///home/{SECRET}", "resources/read", "file"),
        ("mcp-name", f"file:///home/{SECRET}", "tools/call", "file"),
        ("mcp-name", SECRET, "resources/read", "*"),
        ("mcp-name", SECRET, None, "*"),
        ("mcp-name", "=?base64?WnE3LWNhbmFyeS1acTc=?=", "tools/call", "*"),
        ("x-forwarded-for", f"192.0.2.1, [2001:db8::1]:80, {SECRET}, unknown", None,
         "192.0.2.1, [2001:db8::1]:80, *, unknown"),
        ("forwarded", f'for="[2001:db8::1]";proto=https;host=a.example:80;x={SECRET}', None,
         "for=[2001:db8::1];proto=https;host=a.example:80;*"),
        ("forwarded", f"for={SECRET};proto={SECRET}, {SECRET}", None, "for=*;proto=*, *"),
        ("referer", f"https://u:{SECRET}@a.example/{SECRET}?x={SECRET}", None, "https://a.example/*"),
        ("origin", "https://a.example", None, "https://a.example"),
        ("x-request-id", "a-1", None, "a-1"),
    ],
)  # fmt: skip
def test_of_a_header_what_can_be_no_secret_stays(name, value, method, masked):
    assert masked_header(name, value, method) == masked


@pytest.mark.parametrize(
    "name",
    [
        "Authorization", "proxy-authorization", "Cookie", "set-cookie", "x-api-key", "api-key", "mcp-session-id",
        "last-event-id", "x-auth-token", "x-csrf-token", "x-xsrf-token", "x-amz-security-token", "private-token",
        "x-vault-token", "ocp-apim-subscription-key", "x-goog-api-key", "cf-access-jwt-assertion", "x-session-id",
        "x_apikey", "x-accesstoken", "x-hub-signature", "mcp-param-region", "x-password", "x-amzn-oidc-data",
        "x-client-secret",
    ],
)  # fmt: skip
def test_a_header_that_carries_a_secret_cannot_be_configured(name, tmp_path):
    (tmp_path / "config.toml").write_text(f'[http]\nheaders = ["x-request-id", "{name}"]\n')
    with pytest.raises(UsageError, match="carries a secret"):
        load_config(tmp_path)


def test_headers_that_carry_none_can(tmp_path):
    names = [*HEADERS, "referer", "origin", "accept", "traceparent", "idempotency-key", "content-type", "x-region"]
    (tmp_path / "config.toml").write_text(f"[http]\nheaders = {names!r}\n".replace("'", '"'))
    assert load_config(tmp_path).headers == tuple(names)


@pytest.mark.parametrize(
    "word",
    ["server-filesystem", "mcp_server_git", "org.example.Notes", "TypeScriptLanguageServer", "internationalization",
     "mcp-server-2026-07-28", "context7-mcp", "k8s", "192.168.100.200:8000"],
)  # fmt: skip
def test_a_name_does_not_look_like_a_secret(word):
    assert not looks_secret(word)


@pytest.mark.parametrize(
    "word",
    ["sk-ant-api03-abcdefgh", "ghp_0123456789ab", "AKIAIOSFODNN7EXAMPLE", "eyJhbGciOiJIUzI1NiJ9.e30.x",
     "9f86d081884c7d659a2feaa0", "123e4567-e89b-12d3-a456-426614174000", "QmFzZTY0IGlzIGZ1biE", "xoxb-123456789012"],
)  # fmt: skip
def test_a_key_looks_like_a_secret(word):
    assert looks_secret(word)
    assert word not in masked_host(f"{word}.example")


def test_a_method_that_http_does_not_define_is_not_recorded():
    assert [http_method(name) for name in ("GET", "POST", "get", SECRET)] == ["GET", "POST", "_OTHER", "_OTHER"]
