"""Owns the book of prices: finds the rule for a server's tool. Does no I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mcpobs.prices.rule import Rule

ANY_TOOL = "*"


@dataclass(frozen=True, slots=True)
class Book:
    """Rules by tool, and rules of a server by its name; `*` stands for every tool without its own entry.

    A server's own rules, including its `*`, come first.
    """

    tools: Mapping[str, Rule] = field(default_factory=dict)
    servers: Mapping[str, Mapping[str, Rule]] = field(default_factory=dict)

    @classmethod
    def a_call(cls, microusd: Mapping[str, int]) -> Book:
        """Returns a book of fixed prices by tool."""
        from mcpobs.prices.rule import Rule  # an empty book does not need it

        return cls({tool: Rule(call_microusd=price) for tool, price in microusd.items()})

    def __len__(self) -> int:
        return len(self.tools) + sum(map(len, self.servers.values()))

    def of(self, server: str | None, tool: str) -> Rule | None:
        """Returns the rule of a tool; None if it has no price."""
        if self.servers and server is not None and (own := self.servers.get(server)):
            found = own.get(tool) or own.get(ANY_TOOL)
            if found is not None:
                return found
        return self.tools.get(tool) or self.tools.get(ANY_TOOL)

    def entries(self) -> Iterator[tuple[str | None, str, Rule]]:
        """Yields each rule with its server, if it has one, and its tool."""
        for tool, rule in self.tools.items():
            yield None, tool, rule
        for server, rules in self.servers.items():
            for tool, rule in rules.items():
                yield server, tool, rule

    @property
    def models(self) -> list[str]:
        """Returns the models whose price must be looked up."""
        return sorted({rule.model for _, _, rule in self.entries() if rule.model is not None})

    def with_models(self, price: Callable[[str], int | None]) -> Book:
        """Returns the book with the prices of its models, in micro-dollars per million tokens; None leaves a model
        unpriced."""

        def priced(rule: Rule) -> Rule:
            return rule if rule.model is None else replace(rule, microusd_per_mtok=price(rule.model))

        return Book(
            {tool: priced(rule) for tool, rule in self.tools.items()},
            {server: {tool: priced(rule) for tool, rule in rules.items()} for server, rules in self.servers.items()},
        )
