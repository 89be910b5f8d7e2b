"""Without google-re2, Python's `re` finds the same."""

import json
import subprocess
import sys

from mcpobs.detect.personal import find
from tests.detect.personal.examples import FOUND, NEAR_MISSES
from tests.detect.personal.hostile import texts

WITHOUT = """
import json, sys
sys.modules["re2"] = None
from mcpobs.detect.personal import engine, find
assert not engine.LINEAR
json.dump([find(text) for text in json.load(sys.stdin)], sys.stdout)
"""


def test_both_engines_find_the_same():
    several = [text for _, text, _ in FOUND] + NEAR_MISSES + texts(2_000)
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT],
        input=json.dumps(several),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert json.loads(done.stdout) == [[list(each) for each in find(text)] for text in several]
