"""The book of prices: which rule a tool of a server has. Does no I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mcpobs.prices.rule import Rule

ANY_TOOL = "*"


@dataclass(frozen=True, slots=True)
class Book:
    """Rules by tool, and those of one server by its name; `*` stands for every tool that is not named.

    A server's own rules are asked first, its `*` among them.
    """

    tools: Mapping[str, Rule] = field(default_factory=dict)
    servers: Mapping[str, Mapping[str, Rule]] = field(default_factory=dict)

    @classmethod
    def a_call(cls, microusd: Mapping[str, int]) -> Book:
        """Fixed prices by tool."""
        from mcpobs.prices.rule import Rule  # an empty book does without

        return cls({tool: Rule(call_microusd=price) for tool, price in microusd.items()})

    def __len__(self) -> int:
        return len(self.tools) + sum(map(len, self.servers.values()))

    def of(self, server: str | None, tool: str) -> Rule | None:
        """The rule of a tool; None where it has no price."""
        if self.servers and server is not None and (own := self.servers.get(server)):
            found = own.get(tool) or own.get(ANY_TOOL)
            if found is not None:
                return found
        return self.tools.get(tool) or self.tools.get(ANY_TOOL)

    def entries(self) -> Iterator[tuple[str | None, str, Rule]]:
        """Each rule with its server, where it is of one, and its tool."""
        for tool, rule in self.tools.items():
            yield None, tool, rule
        for server, rules in self.servers.items():
            for tool, rule in rules.items():
                yield server, tool, rule

    @property
    def models(self) -> list[str]:
        """The models whose price is to be found."""
        return sorted({rule.model for _, _, rule in self.entries() if rule.model is not None})

    def with_models(self, price: Callable[[str], int | None]) -> Book:
        """The book with the prices of its models, in micro-dollars a million tokens; None leaves one open."""

        def priced(rule: Rule) -> Rule:
            return rule if rule.model is None else replace(rule, microusd_per_mtok=price(rule.model))

        return Book(
            {tool: priced(rule) for tool, rule in self.tools.items()},
            {server: {tool: priced(rule) for tool, rule in rules.items()} for server, rules in self.servers.items()},
        )
