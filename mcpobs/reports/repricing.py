"""Past calls at today's prices: the book of config.toml in place of the recorded costs."""

from __future__ import annotations

from mcpobs.folders import config_folder
from mcpobs.prices import models
from mcpobs.queries.plan import Plan
from mcpobs.reports.warnings import Remark
from mcpobs.settings import load_config


def repriced(plan: Plan) -> tuple[Plan, tuple[Remark, ...]]:
    """A plan with the book that is in force now, and a warning for each model without a price."""
    folder = config_folder()
    lacking: list[Remark] = []

    def warn(message: str) -> None:
        text, _, hint = message.partition("\nhint: ")
        lacking.append(Remark(text, hint or None))

    book = models.resolved(load_config(folder).prices, folder, warn)
    return plan.repriced(book), tuple(lacking)
