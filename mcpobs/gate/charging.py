"""What a judged call cost: the amount that settles its estimate, and the columns of a call whose result is withheld."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mcpobs.gate.judged import Judged
from mcpobs.protocol.call import Call

if TYPE_CHECKING:
    from mcpobs.prices.book import Book
    from mcpobs.prices.rule import Charge, Rule

KEPT_OUTCOMES: Final = frozenset({"timeout", "unfinished", "cancelled", "task"})
"""Outcomes whose cost nobody knows: the estimate stays."""


class Charging:
    """The prices of one server's tools."""

    def __init__(self, book: Book | None, server: str) -> None:
        self._book = book
        self._server = server

    def cost(self, call: Call, judged: Judged) -> int | None:
        """What a call did cost, in micro-dollars; None if only the estimate is known."""
        operation = call.operation
        if operation.tool is None or (judged.outcome or operation.outcome) in KEPT_OUTCOMES:
            return None
        if self._book is None:
            return 0
        rule = self._book.of(self._server, operation.tool)
        charge = None if rule is None else _charge(rule, call, judged)
        return 0 if rule is None or charge is None else charge.microusd

    def columns(self, call: Call, judged: Judged) -> dict[str, str | int | bool]:
        """The cost of a call whose result is withheld; the row of a denied call has none."""
        operation = call.operation
        rule = None if self._book is None or operation.tool is None else self._book.of(self._server, operation.tool)
        charge = None if rule is None else _charge(rule, call, judged)
        if charge is None or charge.microusd is None:
            return {}
        return {"cost_microusd": charge.microusd, "cost_source": charge.source}


def _charge(rule: Rule, call: Call, judged: Judged) -> Charge | None:
    """The cost of the work of the server, also if its result is withheld."""
    operation = call.operation
    size = None if operation.result is None else operation.result.size_bytes
    return rule.charge(judged.outcome or operation.outcome, size, operation.measured)
