"""What `scrubbed` leaves of a text that telemetry records, and that its quick look misses nothing."""

import subprocess
import sys

import pytest

from mcpobs.detect.personal import KINDS, scrub
from mcpobs.detect.recorded import scrubbed
from tests.detect.personal.examples import FOUND


@pytest.mark.parametrize(
    "text",
    [
        "claude-code/2.1.5 (external, cli)",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.6099.109",
        "550e8400-e29b-41d4-a716-446655440000",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "for=192.0.2.43;proto=https",
        "weather",
        "",
    ],
)
def test_usual_texts_stay(text: str):
    assert scrubbed(text) == text


@pytest.mark.parametrize(("kind", "text", "value"), FOUND)
def test_the_quick_look_lets_nothing_pass(kind: str, text: str, value: str):
    assert scrubbed(text) == scrub(text, KINDS - {"ip"})
    if kind != "ip":
        assert value not in scrubbed(text)


def test_usual_texts_load_no_recogniser():
    code = (
        "import sys; from mcpobs.detect.recorded import scrubbed\n"
        "scrubbed('claude-code/2.1.5 (external, cli)'); scrubbed('550e8400-e29b-41d4-a716-446655440000')\n"
        "sys.exit('mcpobs.detect.personal' in sys.modules or 're2' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0
