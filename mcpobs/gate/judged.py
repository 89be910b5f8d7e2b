"""What the judge of a policy keeps of a call until it is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcpobs.policy.conditions import CallFacts
from mcpobs.policy.decision import Decision, Lane

if TYPE_CHECKING:
    from mcpobs.gate.inspecting import Found
    from mcpobs.policy.inspect.inspected import Inspected
    from mcpobs.semconv import Outcome


class Judged:
    """A call's decision, and what became of it since."""

    __slots__ = ("answered", "decision", "facts", "found", "inspected", "outcome", "refused")

    def __init__(self, decision: Decision, facts: CallFacts) -> None:
        self.decision = decision
        self.facts = facts
        self.answered = False
        self.refused: Lane | None = None  # why its result is withheld
        self.found: Found | None = None  # what inspectors found in its messages
        self.inspected: Inspected | None = None  # of them the response
        self.outcome: Outcome | None = None  # of the server's response, also if it is withheld
