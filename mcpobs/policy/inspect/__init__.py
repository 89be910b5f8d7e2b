"""The kinds of inspectors: one file each, found by the words of `find` in a policy's section `inspect`.

Loaded only with a policy that has the section: the detectors are heavy.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from mcpobs.policy.inspect.inspector import MakeInspector

KINDS: Final[Mapping[str, MakeInspector]] = {}
"""By each word of `find`."""
