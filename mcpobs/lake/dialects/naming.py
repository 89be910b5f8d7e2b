"""Names the sessions of received spans, in SQL: the rules of `protocol/naming.py`; a test compares both."""

from __future__ import annotations

from mcpobs.protocol.naming import (
    CALLER_DIGITS,
    CALLER_DOMAIN,
    CONVERSATION_DOMAIN,
    MAX_CONVERSATION,
    SESSION_DIGITS,
    SESSION_DOMAIN,
    UNPRINTABLE,
)

_RANGES = "".join(rf"\x{{{first:x}}}-\x{{{last:x}}}" for first, last in UNPRINTABLE)
_UNFIT = f"[{_RANGES}]|~[0-9a-f]{{{CALLER_DIGITS}}}$"


def session_digest(secret: str) -> str:
    """Returns the name of a session whose id is a bearer secret."""
    return f"left(sha256('{SESSION_DOMAIN}' || {secret}), {SESSION_DIGITS})"


def conversation_name(conversation: str) -> str:
    """Returns a conversation id as it is, or its digest."""
    return (
        f"case when length({conversation}) > {MAX_CONVERSATION} or regexp_matches({conversation}, '{_UNFIT}') "
        f"then left(sha256('{CONVERSATION_DOMAIN}' || {conversation}), {SESSION_DIGITS}) else {conversation} end"
    )


def qualified(name: str, principal: str, tenant: str) -> str:
    """Returns the id of a session: its name, and a digest of the verified caller if there is one."""
    return f"({name}) || coalesce('~' || {caller_digest(principal, tenant)}, '')"


def caller_digest(principal: str, tenant: str) -> str:
    """Names a verified caller; null if there is none."""
    return f"left(sha256('{CALLER_DOMAIN}' || sha256({principal}) || coalesce(sha256({tenant}), '')), {CALLER_DIGITS})"
