"""Which line of a failure's text is recorded, and what is masked in it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from mcpobs.detect.errors import MAX_LINE, MAX_TEXT, recorded_line
from mcpobs.detect.personal import PERSONAL
from tests.detect.personal.examples import FOUND

AWS = "AKIA" + "Q3EGRL5XH2MZ7TWB"
GITHUB = "ghp_" + "x8Kd02mQpL5vTn7RbY3wZc9JfH4sGa6EuN1o"
MAIL = "ada@mail.calc.org"
PEM = "-----BEGIN PRIVATE " + "KEY-----"
BODY = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj"

MASKED = [
    ("no such file", "no such file"),
    ("  \n\n first\nsecond", "first"),
    ("", None),
    (" \n ", None),
    ("a\tb\x1b[31m\u202ec", "a b [31m c"),
    (f"no user {MAIL}", "no user [email]"),
    (f"bad key {AWS}", "bad key [aws_key]"),
    (f"bad token {GITHUB}.", "bad token [github_token]."),
    ("login failed: password=h7Gd-q2wX", "login failed: password=[password]"),
    ("cannot reach 127.0.0.1", "cannot reach 127.0.0.1"),
    ("cannot reach 93.184.216.34", "cannot reach [ip]"),
    ("GET https://api.calc.org/v1/users/42?sig=abc: 404", "GET https://api.calc.org/*: 404"),
    ("GET https://svc:h7Gd-q2wX@db.calc.org/x failed", "GET https://db.calc.org/* failed"),
    ("GET http://localhost:8080 failed", "GET http://localhost:8080 failed"),
    ("order 6f1c2b3a-9d4e-4f5a-8b6c-7d8e9f0a1b2c is gone", "order [id] is gone"),
    ("request 4bf92f3577b34da6 timed out", "request [id] timed out"),
    ("customer cus_N1x2Y3z4A5b6C7 is unknown", "customer [id] is unknown"),
    ("invoice 202611304711 is paid", "invoice [id] is paid"),
    ("row 4711 of 20 on 2026-11-30", "row 4711 of 20 on 2026-11-30"),
    ("internationalization_of_parameters failed", "internationalization_of_parameters failed"),
    ("Traceback (most recent call last):\n  File\n    f()\nValueError: bad page 3", "ValueError: bad page 3"),
    ("Traceback (most recent call last):\n" + "  File\n" * 2_000 + "ValueError: bad page\n", "ValueError: bad page"),
    ("Traceback (most recent call last):\n  File", None),
    (f"cannot load {PEM}\n{BODY}\n", "cannot load [private_key]"),
    (f"cannot load {PEM}\\n{BODY}", "cannot load [private_key]"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line"), MASKED)
def test_the_line_of_a_failure_is_masked(text: str, line: str | None) -> None:
    assert recorded_line(text, "masked") == line
    assert recorded_line(text, "off") is None


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (f"no user {MAIL} at 93.184.216.34", f"no user {MAIL} at 93.184.216.34"),
        (f"{AWS} {GITHUB} password=h7Gd-q2wX", "[aws_key] [github_token] password=[password]"),
        ("order 6f1c2b3a-9d4e-4f5a-8b6c-7d8e9f0a1b2c", "order 6f1c2b3a-9d4e-4f5a-8b6c-7d8e9f0a1b2c"),
        (f"cannot load {PEM}\\n{BODY}", "cannot load [private_key]"),
    ],
)
def test_full_masks_secrets_only(text: str, line: str) -> None:
    assert recorded_line(text, "full") == line


@pytest.mark.parametrize("secret", [AWS, GITHUB, MAIL])
@pytest.mark.parametrize("before", [0, 170, MAX_LINE - 10, MAX_LINE - 1, MAX_TEXT - 12, MAX_TEXT - 2])
def test_a_cut_leaves_no_half_of_a_secret(secret: str, before: int) -> None:
    line = recorded_line(("word " * MAX_TEXT)[:before] + f" {secret} and more", "masked") or ""
    assert len(line) <= MAX_LINE
    assert secret[:8] not in line
    assert secret[-8:] not in line
    assert recorded_line(secret[:20] * MAX_TEXT, "masked") is None, "nothing says where a secret ends"


@pytest.mark.parametrize(("kind", "text", "value"), FOUND)
def test_nothing_that_inspection_finds_is_in_a_masked_line(kind: str, text: str, value: str) -> None:
    assert value.splitlines()[0] not in (recorded_line(text, "masked") or "")
    assert value.splitlines()[0] not in (recorded_line(text, "full") or "") or kind in PERSONAL


def test_without_google_re2_the_same_is_masked() -> None:
    script = (
        "import sys; sys.modules['re2'] = None\n"
        "from mcpobs.detect.errors import recorded_line\n"
        "from tests.detect.test_errors import MASKED\n"
        "assert [recorded_line(text, 'masked') for text, _ in MASKED] == [line for _, line in MASKED]\n"
        "from mcpobs.detect.personal import engine\n"
        "assert not engine.LINEAR"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
