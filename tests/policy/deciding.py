"""A policy and a clock that is set, for tests of decisions: calls as facts, without a front."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mcpobs.policy import file
from mcpobs.policy.conditions import CallFacts
from mcpobs.policy.decision import Decision
from mcpobs.policy.engine import Engine
from mcpobs.policy.memory import MemoryStore
from mcpobs.policy.state import Store
from mcpobs.protocol.session import NOBODY, Identity

START_NS = 1_750_000_000_000_000_000
SECOND_NS = 1_000_000_000


@dataclass
class Desk:
    """Calls of one server under one policy, at a time that the test sets."""

    policy: str
    prices: dict[str, int] = field(default_factory=dict)
    server: str = "shop"
    now_ns: int = START_NS
    store: Store | None = None
    refusing: list[str] = field(default_factory=list)
    """The rules and limits that refused calls, in their order."""

    def __post_init__(self) -> None:
        self.engine = Engine(
            file.of_texts([(self.policy.encode(), "policy.yaml")]),
            self.store or MemoryStore(lambda: self.now_ns),
            self.server,
            self.prices.get,
        )

    def store_size(self) -> int:
        """How many counters there are."""
        sizes = self.engine.store.sizes()  # type: ignore[attr-defined]  # of both stores
        return int(sizes["counters"] + sizes["scoped"])

    def facts(self, tool: str = "search", who: Identity = NOBODY, session: str = "s1", **more: Any) -> CallFacts:
        self.now_ns += 1  # no two calls begin at once
        key = f"principal:{who.principal}" if who.principal else "process:p1"
        arguments = more.pop("arguments", {})
        given: dict[str, Any] = {
            "method": "tools/call",
            "kind": "tool",
            "target": tool,
            "arguments": arguments,
            "args_digest": repr(arguments),
            "identity": who,
            "enforcement_key": key,
            "session_id": session,
            "at_unix_nano": self.now_ns,
        }
        return CallFacts(**{**given, **more})

    def ask(self, tool: str = "search", who: Identity = NOBODY, session: str = "s1", **more: Any) -> Decision:
        """Decides a call, which is left under way."""
        return self.engine.begin(self.facts(tool, who, session, **more))

    def call(
        self,
        tool: str = "search",
        who: Identity = NOBODY,
        session: str = "s1",
        *,
        cost: int | None = 0,
        fails: bool = False,
        **more: Any,
    ) -> Decision:
        """Decides a call, and ends it."""
        facts = self.facts(tool, who, session, **more)
        decision = self.engine.begin(facts)
        self.refusing += decision.lane.rules if decision.lane.denies else ()
        self.engine.settle(decision, facts, succeeded=not fails, forwarded=not decision.lane.denies, cost_microusd=cost)
        return decision

    def code(self, *args: Any, **kwargs: Any) -> str | None:
        """Why a call is denied; None if it goes on."""
        found = self.call(*args, **kwargs).lane.code
        return None if found is None else str(found)
