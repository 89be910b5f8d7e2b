"""The six problems, each in a file with a function that plants it into an hour."""

from __future__ import annotations

from random import Random
from typing import Final

from bench.planted_hour.hour import Hour, Problem
from bench.planted_hour.planted import burn, hang, injection, loop, shape, slow

SERVERS: Final = ("filesystem", "everything", "git")


def plant(hour: Hour, chance: Random) -> list[Problem]:
    """Plants all six. The hanging, the slow and the priced tool are of different servers."""
    first, second, third = chance.sample(SERVERS, 3)
    return [
        hang.plant(hour, first, chance),
        slow.plant(hour, second, chance),
        burn.plant(hour, third, chance),
        loop.plant(hour, chance),
        injection.plant(hour, chance),
        shape.plant(hour, chance),
    ]
