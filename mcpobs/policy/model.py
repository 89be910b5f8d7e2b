"""Models a policy: layers of rules, limits and budgets. Does no I/O and judges nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from mcpobs.limits.model import Limits
from mcpobs.policy.conditions import Condition
from mcpobs.policy.state import OnExceed

Mode = Literal["enforce", "log_only"]
OnError = Literal["allow", "deny"]
Effect = Literal["allow", "require", "deny", "log_only"]
Action = Literal["pass", "flag", "mask", "block"]
"""Actions for a message with findings, the strictest last."""
Look = Literal["result", "listing", "arguments"]
"""Which messages an inspector looks at."""
Over = Literal["flag", "block", "pass"]
Side = Literal["sampling", "elicitation", "roots"]
"""What a server asks of its client."""

HALT_FOR_NS: Final = 3_600 * 1_000_000_000
DENIALS_IN_A_ROW: Final = 3


@dataclass(frozen=True, slots=True)
class Who:
    """Whom a rule is about. None: anybody. Roles, scopes, principals and tenants are verified; a client's name is
    what it says of itself."""

    roles: tuple[str, ...] | None = None
    scopes: tuple[str, ...] | None = None
    principals: tuple[str, ...] | None = None
    tenants: tuple[str, ...] | None = None
    clients: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class What:
    """What a rule is about: names, or patterns with `*`. A kind that is None is not meant; all None: no call."""

    tools: tuple[str, ...] | None = None
    unless_tools: tuple[str, ...] = ()
    resources: tuple[str, ...] | None = None
    prompts: tuple[str, ...] | None = None
    methods: tuple[str, ...] | None = None
    servers: tuple[str, ...] | None = None
    kinds: tuple[str, ...] | None = None
    """`read` and `write`, by the tool's annotations; a tool that does not say so writes."""


@dataclass(frozen=True, slots=True)
class Control:
    """How a rule or limit is applied; None takes what the file says. `share` of the sessions is enforced, the others
    are as in `log_only`."""

    mode: Mode | None = None
    on_error: OnError | None = None
    share: float | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule about calls. All conditions must hold for it to match; for `require`, also `who`.

    `reason` is for the model that reads the denial."""

    id: str
    effect: Effect
    what: What
    who: Who = Who()
    conditions: tuple[Condition, ...] = ()
    control: Control = Control()
    reason: str | None = None
    line: int = field(default=0, compare=False, repr=False)
    """In its file; no part of the rule's text, by which verdicts are kept."""


@dataclass(frozen=True, slots=True)
class Cap:
    """The most that one session, principal or tenant may do, in a window."""

    by: Literal["session", "principal", "tenant"]
    most: int
    window_ns: int  # FOREVER for a session


REOPENED_FACTOR: Final = 10
REOPENED_WINDOW_NS: Final = 3_600 * 1_000_000_000


def reopened(cap: Cap) -> Cap:
    """The window of the caller behind the cap of a session: this many times the cap in an hour. Otherwise a new session
    would reset the cap. A policy with a window of its own for the caller needs none."""
    return Cap("principal", cap.most * REOPENED_FACTOR, REOPENED_WINDOW_NS)


@dataclass(frozen=True, slots=True)
class CallLimit:
    """A limit of calls, of an argument's sum (in millionths), of equal calls, or of distinct tools.

    `each_tool`: every tool that `what` names has a counter of its own."""

    id: str
    what: What
    caps: tuple[Cap, ...]
    who: Who = Who()
    counts: Literal["calls", "sum", "same_args", "tools"] = "calls"
    argument: tuple[str, ...] = ()
    each_tool: bool = False
    on_exceed: OnExceed = "deny"
    control: Control = Control()
    line: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Budget:
    """The most that calls may cost, in micro-dollars."""

    id: str
    cap: Cap
    on_exceed: OnExceed = "deny"
    control: Control = Control()
    line: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Inspection:
    """An entry of `inspect`: looks for `find` in messages about `what`, and does `action` if it finds it.

    `what` without tools, resources, prompts and methods is about all messages."""

    id: str
    what: What
    find: tuple[str, ...]
    action: Action
    where: tuple[Look, ...]
    rate: float
    """The share of harmless texts in which injections are found too. It sets the threshold."""
    max_bytes: int
    over: Over
    """The action for a message with more text than that."""
    on_error: Literal["flag", "block"]
    control: Control = Control()
    new: Action | None = None
    """Of `find: definitions`: the action for a tool that was never approved; None means `action`."""
    approved: str | None = None
    """Of `find: definitions`: the file of approved definitions, relative to the folder of the policy file."""
    line: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Layer:
    """One file. A call goes on if each layer lets it: a later file narrows what an earlier one allows."""

    source: str
    rules: tuple[Rule, ...] = ()
    limits: tuple[CallLimit, ...] = ()
    budgets: tuple[Budget, ...] = ()
    inspect: tuple[Inspection, ...] = ()
    learned: Limits = field(default_factory=Limits)
    sensitive: tuple[str, ...] = ()
    """Tools that need an `allow` also if `default` is allow."""
    server_requests: Mapping[Side, str] = field(default_factory=dict)
    mode: Mode = "enforce"
    share: float | None = None
    default: OnError = "deny"
    on_error: OnError = "deny"
    on_exceed: OnExceed = "deny"
    """For the numbers of a limits file, which have no rules of their own."""
    halt_for_ns: int | None = HALT_FOR_NS
    denials_in_a_row: int = DENIALS_IN_A_ROW
    """So many equal denials in a row halt the session; 0: they do not."""
    lines: Mapping[str, int] = field(default_factory=dict, compare=False, repr=False)
    """The lines of the file's keys, for findings about them."""

    @property
    def server(self) -> str | None:
        """The server that the file was learned from, which alone it is for."""
        return None if self.learned.baseline is None else self.learned.baseline.server


@dataclass(frozen=True, slots=True)
class Policy:
    """All layers of a front. `hash` is of the files' bytes; each decision records it."""

    layers: Sequence[Layer]
    hash: str


def about_calls(layer: Layer) -> list[Rule | CallLimit]:
    """What names calls and callers."""
    return [*layer.rules, *layer.limits]


def controlled(layer: Layer) -> list[Rule | CallLimit | Budget | Inspection]:
    """What has a mode, a share and an `on_error` of its own."""
    return [*layer.rules, *layer.limits, *layer.budgets, *layer.inspect]
