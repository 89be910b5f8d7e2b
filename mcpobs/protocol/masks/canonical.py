"""Returns the form of a datum in which equal ones are equal: digits of a card, an e-mail address in lower case."""

from __future__ import annotations


def canonical(kind: str, value: str) -> str:
    match kind:
        case "card" | "ssn":
            return _digits(value)
        case "phone":
            digits = _digits(value)
            return digits[2:] if digits.startswith("00") and not value.startswith("+") else digits
        case "iban":
            return value.replace(" ", "").replace("-", "").upper()
        case "email" | "ip":
            return value.lower()
        case "name" | "address":
            return " ".join(value.casefold().split())
    return value


def _digits(value: str) -> str:
    return "".join(character for character in value if character.isdigit())
