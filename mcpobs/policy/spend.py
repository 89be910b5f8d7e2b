"""Charges what agents spend on models to the budgets of the sessions that they call from. Pure.

A model call is of the session that shares its trace, else of the one that shares its conversation; of several sessions
of one caller, of the one that began first, as in `report cost`. A conversation id is the caller's own choice, so each
caller is charged whose sessions share a model call: otherwise one more caller would make it free (ADR 30).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from mcpobs.policy.compiled import Compiled
from mcpobs.policy.conditions import CallFacts
from mcpobs.policy.limit_counters import whose
from mcpobs.policy.model import Policy
from mcpobs.policy.state import IDLE_NS, Count, Mark, SessionKey
from mcpobs.protocol.session import Identity

WITHIN_NS = IDLE_NS
"""How long after its start a model call can be charged: as long as a session without calls is remembered."""


class ModelCall(NamedTuple):
    """A call of a model, as a span reports it. `cost_microusd` is None if the model has no known price."""

    trace_id: str
    span_id: str
    parent_span_id: str | None
    conversation_id: str | None
    """As a JSON text, like that of `Sharing`."""
    start_unix_nano: int
    cost_microusd: int | None


class Sharing(NamedTuple):
    """A session with operations in a trace, or in a conversation."""

    trace_id: str | None
    conversation_id: str | None
    server: str | None
    enforcement_key: str
    tenant: str | None
    session_id: str
    first_unix_nano: int


Uncharged = Literal["unmatched", "unpriced"]
"""Why a model call is charged to nobody: no session shares it yet, or its price is unknown."""


class Charge(NamedTuple):
    """What one model call adds to the counters of one session."""

    session: SessionKey
    mark: Mark
    counts: Sequence[Count]


class Sessions:
    """The sessions that share traces and conversations with model calls."""

    def __init__(self, sharing: Iterable[Sharing]) -> None:
        traces: dict[str, list[Sharing]] = {}
        conversations: dict[str, list[Sharing]] = {}
        for one in sharing:
            if one.trace_id is not None:
                traces.setdefault(one.trace_id, []).append(one)
            elif one.conversation_id is not None:
                conversations.setdefault(_spelled(one.conversation_id), []).append(one)
        self._traces = {name: _by_caller(found) for name, found in traces.items()}
        self._conversations = {name: _by_caller(found) for name, found in conversations.items()}

    def of(self, call: ModelCall) -> Sequence[Sharing] | Uncharged:
        """The sessions to which a model call is charged, one for each caller, or the reason why it is charged to
        none."""
        if call.cost_microusd is None:
            return "unpriced"
        found = self._traces.get(call.trace_id)
        if found is None and call.conversation_id is not None:
            found = self._conversations.get(_spelled(call.conversation_id))
        return found or "unmatched"


def _by_caller(sharing: Sequence[Sharing]) -> Sequence[Sharing]:
    """The session of each caller that began first."""
    found: dict[tuple[str, str | None], Sharing] = {}
    for one in sorted(sharing, key=lambda one: (one.first_unix_nano, one.session_id, one.server or "")):
        found.setdefault((one.enforcement_key, one.tenant), one)
    return tuple(found.values())


class Budgets:
    """The budgets of a policy, for the sessions of any server."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._servers: dict[str | None, tuple[Compiled, Compiled | None]] = {}

    @property
    def any(self) -> bool:
        """Whether the policy limits what somebody spends."""
        return any(layer.budgets or layer.learned.bounds_cost for layer in self._policy.layers)

    def charges(self, call: ModelCall, of: Sharing) -> list[Charge]:
        """What a model call adds to the counters of its session, caller and tenant, and to those of the session's
        shadow: the counters on which the engine reserves. Callers of one tenant add to the counters of the tenant
        once."""
        identity = Identity(tenant=of.tenant)
        facts = CallFacts(
            "tools/call",
            identity=identity,
            enforcement_key=of.enforcement_key,
            session_id=of.session_id,
            server=of.server,
        )
        found = []
        for compiled in self._compiled(of.server):
            if compiled is None:
                continue
            session = SessionKey(whose(facts), of.session_id, compiled.shadow)
            own, shared = list[Count](), list[Count]()
            for counter in compiled.spending(facts):
                is_shared = counter.cap.by == "tenant" and of.tenant is not None
                (shared if is_shared else own).append(counter.count(facts, call.cost_microusd or 0))
            for name, counts in ((whose(facts), own), (f"tenant:{of.tenant}", shared)):
                if counts:
                    found.append(Charge(session, mark_of(call, name, shadow=compiled.shadow), counts))
        return found

    def _compiled(self, server: str | None) -> tuple[Compiled, Compiled | None]:
        known = self._servers.get(server)
        if known is None:
            shadow = Compiled(self._policy, server, shadow=True)
            known = Compiled(self._policy, server, shadow=False), shadow if shadow.has_shadow else None
            self._servers[server] = known
        return known


def mark_of(call: ModelCall, payer: str, *, shadow: bool = False) -> Mark:
    """Names a model call and its payer. A repeated span is charged once to each payer, and so are two spans of one
    call, one within the other."""
    within = () if call.parent_span_id is None else (_digest(call.trace_id, call.parent_span_id, payer, shadow),)
    return Mark(_digest(call.trace_id, call.span_id, payer, shadow), call.start_unix_nano + WITHIN_NS, within)


def _digest(trace_id: str, span_id: str, payer: str, shadow: bool) -> str:
    text = f"{trace_id}:{span_id}:{int(shadow)}:{payer}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, digest_size=16).hexdigest()


def _spelled(text: str) -> str:
    """A JSON text without its quotes as the text itself: senders escape differently."""
    try:
        return str(json.loads(f'"{text}"'))
    except ValueError:
        return text
