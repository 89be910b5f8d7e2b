"""Removes possible secrets from paths, URLs, headers and names before they are recorded. Pure; keeps no value.

Every rule is an allow list: a value that no rule lists is masked.
"""

from __future__ import annotations

import re

MASK = "*"
OTHER_METHOD = "_OTHER"  # the HTTP conventions' http.request.method for unknown methods
MAX_VALUE = 256

# Patterns that only some processes need are texts: `re` compiles one at its first use, which takes 0.2 ms.

_PLAIN_SEGMENTS = frozenset(
    (
        "", ".well-known", "api", "authorize", "callback", "events", "health", "healthz", "http", "introspect",
        "jsonrpc", "jwks", "jwks.json", "livez", "login", "logout", "mcp", "message", "messages", "metrics",
        "oauth", "oauth2", "oauth-authorization-server", "oauth-protected-resource", "openid-configuration", "ping",
        "prompts", "public", "readyz", "register", "resources", "revoke", "rpc", "server", "servers", "sse",
        "status", "stream", "streamable", "streamable-http", "streamable_http", "token", "tools", "traces",
        "userinfo", "version", "ws",
    )
)  # fmt: skip
_VERSION_SEGMENT = r"v[0-9]{1,2}"
PLAIN_PATH = f"\\*|(/?({'|'.join(map(re.escape, sorted(_PLAIN_SEGMENTS)))}|v[0-9]{{1,2}}|\\*))*"
"""Matches the paths that `masked_path` does not change; Python and DuckDB read this regular expression alike."""
_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY"))

_URL = r"([A-Za-z][A-Za-z0-9+.-]{0,31})://([^\s/?#<>\"')\]},;]*\]?[^\s/?#<>\"')\]},;]*)[^\s<>\"')\]},;]*"
_SCHEME = r"([A-Za-z][A-Za-z0-9+.-]{0,31}):"  # RFC 3986, 3.1
_HOST = r"\[[0-9A-Fa-f:.]{2,45}\](:[0-9]{1,5})?|[A-Za-z0-9._-]{1,253}(:[0-9]{1,5})?"

_SECRET_PREFIX = re.compile(
    r"(sk|pk|rk|gsk|whsec|gh[opusr]|github_pat|glpat|gldt|xox[a-z]|xapp|npm|pypi|hf|dop_v1|shp[a-z]{2}|sntrys|figd|"
    r"phc|xai|tvly|nvapi|lin_api|ntn|pat|secret|api[-_]?key)[-_].{8}|AKIA|ASIA|AIza|ya29\.|eyJ|SG\.",
    re.DOTALL,
)
_UUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_RUN = re.compile(r"[A-Za-z0-9+=~%$!]{16,}")
_LONGEST_WORD = 32
_MIXED_LENGTH = 16
_MIXED_DIGITS = 3

_SECRET_WORDS = frozenset(
    (
        "auth", "authentication", "authorization", "apikey", "assertion", "cookie", "cookie2", "credential",
        "credentials", "csrf", "csrftoken", "jwt", "key", "otp", "passwd", "password", "pin", "private", "pwd",
        "secret", "session", "sessionid", "sid", "signature", "token", "xsrf",
    )
)  # fmt: skip
_SECRET_HEADERS = frozenset(("last-event-id", "x-amzn-oidc-data", "x-ms-client-principal", "x-goog-iap-jwt-assertion"))
_NO_SECRETS = frozenset(("idempotency-key", "x-idempotency-key"))
_ARGUMENT_HEADER = "mcp-param-"  # MCP 2026-07-28: arguments of a call, copied to headers

_ADDRESS = r"[0-9A-Fa-f:.]{2,45}|\[[0-9A-Fa-f:.]{2,45}\](:[0-9]{1,5})?|[0-9.]{7,15}:[0-9]{1,5}|unknown"
_PROTOCOL_VERSION = r"(DRAFT-|draft-)?[0-9]{4}-[0-9]{2}-[0-9]{2}|DRAFT-[0-9A-Za-z.-]{1,16}"
_MCP_METHOD = r"[a-z]{1,32}(/[A-Za-z_]{1,32}){0,3}"
_TOOL_NAME = r"[A-Za-z0-9_./-]{1,128}"
_NAMING = frozenset(("tools/call", "prompts/get"))


def masked_path(path: str) -> str:
    """Returns a path with well-known segments (`/mcp`, `/sse`, `/v1`) kept and any other replaced by `*`.

    Servers put keys, tenants and session ids into paths. A query or fragment is cut off.
    """
    plain = path.partition("?")[0].partition("#")[0]
    kept = (
        segment if segment in _PLAIN_SEGMENTS or re.fullmatch(_VERSION_SEGMENT, segment) else MASK
        for segment in plain[: 16 * MAX_VALUE].split("/")
    )
    return "/".join(kept)[:MAX_VALUE]


def masked_host(host: str) -> str:
    """Returns a host with its port; labels that look like a secret become `*`."""
    return ".".join(MASK if looks_secret(label) else label for label in host.split("."))


def masked_urls(text: str) -> str:
    """Returns a text with each URL reduced to scheme, host and masked path: no user, query or fragment."""
    return re.sub(_URL, _bare_url, text) if "://" in text else text


def _bare_url(match: re.Match[str]) -> str:
    host = match[2].rpartition("@")[2]
    path = match[0][len(match[1]) + 3 + len(match[2]) :]
    return f"{match[1]}://{masked_host(host) if re.fullmatch(_HOST, host) else MASK}{masked_path(path)}"


def http_method(method: str) -> str:
    """Returns the method of a request; `_OTHER` if HTTP does not define it."""
    return method if method in _METHODS else OTHER_METHOD


def uri_scheme(uri: object) -> str | None:
    """Returns the scheme of a URI in lower case; the rest is content."""
    match = re.match(_SCHEME, uri) if isinstance(uri, str) else None
    return match[1].lower() if match else None


def carries_secret(header: str) -> bool:
    """Returns whether a header carries credentials, a session id or arguments, judged by its lower-case name."""
    if header in _NO_SECRETS:
        return False
    words = set(re.split(r"[-_.]", header))
    return (
        header in _SECRET_HEADERS
        or header.startswith(_ARGUMENT_HEADER)
        or not words.isdisjoint(_SECRET_WORDS)
        or any(word.endswith(("token", "secret", "apikey", "password")) for word in words)
    )


def masked_header(name: str, value: str, method: str | None) -> str:
    """Returns the masked value of a recorded request header, named in lower case. `method` is the value of
    Mcp-Method."""
    match name:
        case "mcp-protocol-version":
            return value if re.fullmatch(_PROTOCOL_VERSION, value) else MASK
        case "mcp-method":
            return value if re.fullmatch(_MCP_METHOD, value) else MASK
        case "mcp-name":
            return _masked_name(value, method)
        case "x-forwarded-for" | "x-real-ip" | "true-client-ip" | "cf-connecting-ip":
            return ", ".join(_masked_address(part) for part in value.split(",")[:16])
        case "forwarded":
            return ", ".join(";".join(map(_masked_pair, hop.split(";"))) for hop in value.split(",")[:16])
    return masked_urls(value)


def _masked_name(value: str, method: str | None) -> str:
    """Returns the scheme of a resource, as in the column resource_uri; keeps the name of a tool or prompt."""
    if method in _NAMING and re.fullmatch(_TOOL_NAME, value):
        return value
    return uri_scheme(value) or MASK


def is_address(text: str) -> bool:
    """Returns whether a text has the form of an IP address, with or without a port."""
    return re.fullmatch(_ADDRESS, text) is not None


def _masked_address(text: str) -> str:
    found = text.strip()
    return found if is_address(found) else MASK


def _masked_pair(text: str) -> str:
    """Masks one `name=value` of a Forwarded header (RFC 7239)."""
    name, equals, value = text.strip().partition("=")
    plain = value.strip('"')
    match name.lower() if equals else "":
        case "for" | "by":
            return f"{name}={_masked_address(plain)}"
        case "proto":
            return f"{name}={plain if plain.lower() in ('http', 'https') else MASK}"
        case "host":
            return f"{name}={masked_host(plain) if re.fullmatch(_HOST, plain) else MASK}"
    return MASK


def looks_secret(word: str) -> bool:
    """Returns whether a word looks like a key, token or random id rather than a name."""
    if _SECRET_PREFIX.match(word) or _UUID.fullmatch(word):
        return True
    if any(_is_random(run) for run in _RUN.findall(word)):
        return True
    digits = sum(character.isdigit() for character in word)
    has_both_cases = word != word.lower() and word != word.upper()
    return len(word) >= _MIXED_LENGTH and digits >= _MIXED_DIGITS and has_both_cases


def _is_random(run: str) -> bool:
    """Returns whether a run of letters and digits is not a word: it has digits, mixes cases unlike words, or is very
    long."""
    if any(character.isdigit() for character in run) or len(run) > _LONGEST_WORD:
        return True
    humps = len(re.findall(r"[A-Z][a-z]|[a-z][A-Z]", run))
    return humps > len(run) // 3 or not run.isalpha()
