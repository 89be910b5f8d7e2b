"""Names the views that judge unanswered calls: whether one failed depends on how long its tool takes for others.

`patience` is computed once per plan, over all spans of the source. Roll-ups of a file cannot know it, so a view that is
rolled up never depends on it: it leaves `unanswered` calls to its readers.
"""

from __future__ import annotations

from typing import Final

PATIENCE: Final = "patience"
OPEN: Final = "open_tools"
READS: Final = ("answer_times", OPEN)
"""The views that `patience` reads."""
