"""Names of JSON keys whose whole value is a datum: names, addresses, dates of birth, passwords.

What it does: takes the value of a key whose words are a name of the list, or end with one: `customer.first_name`,
`shippingAddress`, `PASSWORD`. A policy may add names of its own. No text is searched for names or addresses.
Source: vCard (RFC 6350) property names and the field names of common CRM and shop APIs. `name` alone is none: tools,
files and places have one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from mcpobs.detect.personal.engine import Pattern
from mcpobs.detect.personal.page import key_words
from mcpobs.detect.personal.password import is_placeholder

DEFAULT: Mapping[str, tuple[str, ...]] = {
    "name": (
        "full name", "fullname", "first name", "firstname", "last name", "lastname", "given name", "family name",
        "surname", "middle name", "maiden name", "customer name", "contact name", "patient name", "cardholder",
        "cardholder name", "account holder", "holder name", "recipient name", "employee name", "person name",
    ),
    "address": (
        "street", "street address", "postal address", "home address", "mailing address", "shipping address",
        "billing address", "delivery address", "address line", "address1", "address2", "street name",
    ),
    "birth_date": ("dob", "birth date", "birthdate", "date of birth", "birthday", "birth day"),
    "password": (
        "password", "passwd", "pwd", "passphrase", "passwort", "client secret", "secret key", "api key", "apikey",
        "access token", "refresh token", "auth token", "private key", "secret access key", "session token",
    ),
}  # fmt: skip
_MOST_VALUE = 256  # characters; longer texts are no field
_LEAST_SECRET = 4


class Fields:
    """The names of fields by kind."""

    def __init__(self, added: Mapping[str, tuple[str, ...]] | None = None) -> None:
        self._kinds = {
            key_words(name): kind
            for names in (DEFAULT, added or {})
            for kind, several in names.items()
            for name in several
        }
        self._longest = max(map(len, self._kinds))
        self.kind = lru_cache(maxsize=4_096)(self._kind)
        names = (rb"[_ .-]?".join(re.escape(word) for word in reversed(words)) for words in self._kinds)
        self._in_json = Pattern(b"(?i)(?:" + b"|".join(names) + rb")[\\\"]{1,8}\s{0,4}:")

    def are_in(self, text: str) -> bool:
        """Returns whether JSON within a text has a member with one of the names, or one that ends like it."""
        return next(self._in_json.spans(text.encode("utf-8", "replace")), None) is not None

    def _kind(self, key: str) -> str | None:
        """Returns the kind of the values of a key."""
        words = key_words(key)
        for count in range(min(len(words), self._longest), 0, -1):
            kind = self._kinds.get(words[:count])
            if kind is not None:
                return kind
        return None


DEFAULT_FIELDS = Fields()
KINDS = frozenset(DEFAULT)


def kind_of(key: str | None, value: str, kinds: frozenset[str], fields: Fields | None = None) -> str | None:
    """Returns the kind of a whole value by its key; None if it is no datum."""
    if not key or not value.strip() or len(value) > _MOST_VALUE:
        return None
    kind = (fields or DEFAULT_FIELDS).kind(key)
    if kind is None or kind not in kinds:
        return None
    if kind == "password" and (len(value) < _LEAST_SECRET or is_placeholder(value.encode("utf-8", "replace"))):
        return None
    return kind
