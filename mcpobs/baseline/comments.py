"""What a limits file says about itself: how it was made, what its numbers mean, what is missing. Derives no number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from mcpobs.baseline.derive import FACTOR_LATENCY, MIN_CALLS, MIN_SESSIONS, Learned, Rules
from mcpobs.baseline.evidence import share_bound
from mcpobs.limits.layout import Comments, quoted
from mcpobs.limits.model import ANY_TOOL, Limits

PRICES = "write US dollars a call below [prices] in config.toml, e.g. search = 0.002"


def comment(limits: Limits, learned: Learned, rules: Rules, refused_shapes: Mapping[str, str]) -> Comments:
    using = Counter(use.tool for session in learned.normal for use in session.uses)
    calls = {latency.tool: latency.calls for latency in learned.latencies}
    tools = {}
    for tool in limits.tools:
        words = _missing(using[tool], calls.get(tool, 0), rules) if tool != ANY_TOOL else []
        if tool in refused_shapes:
            words.append(refused_shapes[tool])
        if words:
            tools[tool] = tuple(words)
    return Comments(tuple(_head(learned, rules)), tuple(cost_words(limits, learned)), tools)


def without_own_numbers(limits: Limits, learned: Learned) -> list[tuple[str, str]]:
    """Returns the tools without a latency budget of their own, the slowest first, each with what is missing."""
    latencies = {latency.tool: latency for latency in learned.latencies}
    lacking = [name for name, tool in limits.tools.items() if name != ANY_TOOL and tool.latency_ms is None]
    slowest_first = sorted(lacking, key=lambda name: (-latencies[name].p95_ms if name in latencies else 0, name))
    return [(name, _latency_words(latencies[name].calls if name in latencies else 0)) for name in slowest_first]


def _latency_words(calls: int) -> str:
    if calls >= MIN_CALLS:
        return "no latency budget of its own: its calls take no time"
    return f"{_counted(calls, 'answered call')}: {MIN_CALLS - calls} more for a latency budget of its own"


def cost_words(limits: Limits, learned: Learned) -> list[str]:
    """Why there is no cost cap, or what it does not count."""
    free = unpriced(learned)
    if limits.session.cost_usd is None:
        if not free:
            return ["cost_usd: left out, for no call costs anything"]
        return [f"cost_usd: left out, for no price is known; {PRICES}"]
    if not free:
        return []
    return [f"cost_usd: without {_names(free)}, which no price is known of; {PRICES}"]


def unpriced(learned: Learned) -> list[str]:
    """The tools with a call of which neither a cost was recorded nor a price is known."""
    return sorted(
        {
            use.tool
            for session in learned.sessions
            for use in session.uses
            if use.tool is not None and use.unpriced and (use.service, use.tool) not in learned.price
        }
    )


def few_sessions_warning(rules: Rules, normal: int) -> str | None:
    """Where the user lowered the bar and the sessions are below it."""
    if normal >= MIN_SESSIONS:
        return None
    return (
        f"WARNING: {normal} normal sessions are few (--min-sessions {rules.min_sessions}): up to "
        f"{share_bound(normal):.0%} of further sessions may lie beyond the largest of them"
    )


def _head(learned: Learned, rules: Rules) -> list[str]:
    whose = f" of {quoted(learned.server)}" if learned.server is not None else ""
    lines = [
        f"Limits from the traffic{whose}, made by `mcpobs baseline`. Change what you know better: a bare number",
        "(calls_per_session: 15) is valid too. `mcpobs check` compares the lake with this file.",
        "",
        f"calls, calls_per_session  {rules.factor_calls:g} × the most of a normal session",
        f"cost_usd                  {rules.factor_cost:g} × the mean of a normal session",
        f"latency_ms                {FACTOR_LATENCY} × the 95th percentile of answered calls; n counts calls",
        "max_bytes                 the power of two from twice the largest up; quantiles are over sessions' largest",
        "shapes                    keys and types that the arguments may have",
        f"{quoted(ANY_TOOL):<26}for a tool without a number of its own",
        "",
        "A session is a caller and a session id; n counts the normal ones behind a number. Left out (`excluded`) are",
        "sessions with a loop, with far more calls than the others, or with arguments in a shape that no other used.",
        "would_have_cut: how many of all past sessions, the excluded ones too, go over the number.",
        "next_1000_cut: how many of 1,000 further normal sessions will: with 90 % confidence between these two",
        "(order statistics; nothing is assumed but that they are like those before).",
        "Where callers are not verified, a new process or connection is a new session: a number per session slows such",
        "a caller down and does not stop one.",
    ]
    warning = few_sessions_warning(rules, len(learned.normal))
    return lines + (["", warning] if warning else [])


def _missing(sessions: int, calls: int, rules: Rules) -> list[str]:
    """What a tool lacks for numbers of its own."""
    words = []
    if sessions < rules.min_sessions:
        words.append(
            f"{_counted(sessions, 'normal session')}: {rules.min_sessions - sessions} more for numbers of its own, "
            f"until then those of {quoted(ANY_TOOL)}"
        )
    if calls < MIN_CALLS:
        words.append(_latency_words(calls))
    return words


def _counted(count: int, word: str) -> str:
    return f"{count:,} {word}" + ("" if count == 1 else "s")


def _names(tools: Sequence[str]) -> str:
    shown = ", ".join(quoted(tool) for tool in tools[:5])
    return shown + (f" and {len(tools) - 5} more" if len(tools) > 5 else "")
