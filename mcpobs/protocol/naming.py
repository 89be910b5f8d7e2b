"""How a session is named in the record: no secret, bounded in length, and never shared by two verified callers. Pure.

The same rules stand in SQL in `lake/dialects/naming.py`, for spans that others send; a test holds the two equal. The
digests have no key: fronts, replicas and collectors that see one session must find one name, and a session id that a
server gives out is too random to be guessed from its digest.
"""

from __future__ import annotations

import re
from hashlib import sha256

from mcpobs.semconv import Confidence

SESSION_DOMAIN = "mcpobs:session:"
CONVERSATION_DOMAIN = "mcpobs:conversation:"
CALLER_DOMAIN = "mcpobs:caller:"
SESSION_DIGITS = 32
CALLER_DIGITS = 16
MAX_CONVERSATION = 128

UNPRINTABLE = (
    (0x00, 0x1F), (0x7F, 0x9F), (0xAD, 0xAD), (0x61C, 0x61C), (0x70F, 0x70F), (0x180E, 0x180E), (0x200B, 0x200F),
    (0x2028, 0x202E), (0x2060, 0x206F), (0xD800, 0xF8FF), (0xFDD0, 0xFDEF), (0xFEFF, 0xFEFF), (0xFFF0, 0xFFFB),
    (0xFFFE, 0xFFFF), (0xE0000, 0x10FFFF),
)  # fmt: skip
"""Characters that no name is shown with: control, format, private, unassigned. As ranges, because Python and DuckDB
have different versions of Unicode's tables."""

_RANGES = "".join(f"{re.escape(chr(first))}-{re.escape(chr(last))}" for first, last in UNPRINTABLE)
_UNFIT = re.compile(rf"[{_RANGES}]|~[0-9a-f]{{{CALLER_DIGITS}}}\Z")
"""What a conversation id may not hold. Nobody but us chooses a name that ends as a qualified one does."""


def _digest(domain: str, text: str, digits: int) -> str:
    return sha256((domain + text).encode("utf-8", "surrogatepass")).hexdigest()[:digits]


def session_digest(secret: str) -> str:
    """The name of a session whose id is a bearer secret: Mcp-Session-Id, or the id of an SSE endpoint."""
    return _digest(SESSION_DOMAIN, secret, SESSION_DIGITS)


def conversation_name(conversation: str) -> str:
    """A conversation id as it is; its digest if it is too long, cannot be shown, or ends as a qualified name does."""
    if len(conversation) > MAX_CONVERSATION or _UNFIT.search(conversation):
        return _digest(CONVERSATION_DOMAIN, conversation, SESSION_DIGITS)
    return conversation


def qualified(name: str, principal: str | None, tenant: str | None) -> str:
    """The id of a session: its name, and `~` with a digest of the verified caller if there is one."""
    return name if principal is None else f"{name}~{caller_digest(principal, tenant)}"


def caller_digest(principal: str, tenant: str | None) -> str:
    """Names a verified caller. Digests of digests have one length, so no principal runs into its tenant."""
    parts = [
        sha256(part.encode("utf-8", "surrogatepass")).hexdigest() for part in (principal, tenant) if part is not None
    ]
    return _digest(CALLER_DOMAIN, "".join(parts), CALLER_DIGITS)


def confidence(base: Confidence, *, verified: bool) -> Confidence:
    """How sure a session is: at most medium if nobody verified the caller, or gave out the name."""
    return "medium" if base == "high" and not verified else base
