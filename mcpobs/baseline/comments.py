"""What a limits file says about itself: how it was made, what its numbers mean, what is missing. Derives no number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from mcpobs.baseline.comment_kinds import PRICES
from mcpobs.baseline.derive import MIN_CALLS
from mcpobs.baseline.evidence import sessions_for_rate, share_bound
from mcpobs.baseline.extreme import extreme
from mcpobs.baseline.groups import FALSE_ALARM
from mcpobs.baseline.learned import Learned, LeftOut
from mcpobs.baseline.numbers import number
from mcpobs.baseline.rules import FACTOR_LATENCY, MIN_SESSIONS, Rules
from mcpobs.baseline.samples import Sample
from mcpobs.limits import enforcement
from mcpobs.limits.layout import Comments, quoted
from mcpobs.limits.model import ANY_TOOL, Drift, Limits
from mcpobs.limits.paths import Path


def comment(
    limits: Limits,
    learned: Learned,
    rules: Rules,
    refused_shapes: Mapping[str, str],
    refused: Mapping[Path, int],
) -> Comments:
    using = Counter(use.tool for session in learned.normal for use in session.uses)
    calls = {latency.tool: latency.calls for latency in learned.latencies}
    tools = {}
    for tool in limits.tools:
        words = _missing(using[tool], calls.get(tool, 0), rules) if tool != ANY_TOOL else []
        words += _missing_of_tool(tool, limits, refused, rules) if using[tool] >= rules.min_sessions else []
        if tool in refused_shapes:
            words.append(refused_shapes[tool])
        if words:
            tools[tool] = tuple(words)
    return Comments(
        tuple(_head(limits, learned, rules)), tuple(cost_words(limits, learned)), tools, _key_words(learned, rules)
    )


def _missing_of_tool(tool: str, limits: Limits, refused: Mapping[Path, int], rules: Rules) -> list[str]:
    """What a tool with enough sessions lacks for its other numbers."""
    words = []
    least = rules.min_sessions
    days = refused.get(("tools", tool, "calls_per_hour"))
    if days is not None and limits.key.calls_per_hour is not None:
        words.append(f"{_counted(days, 'day of a caller', 'days of callers')}: {least - days} more for calls_per_hour")
    few = {path[3]: n for path, n in refused.items() if path[:3] == ("tools", tool, "argument_values")}
    if few:
        words.append(f"in too few sessions for a number: {_names(sorted(few))}; each needs {least}")
    if limits.tools[tool].error_rate is None and ("tools", tool, "error_rate") not in refused:
        words.append("error_rate: left out, because a normal session failed throughout")
    return words


def _key_words(learned: Learned, rules: Rules) -> tuple[str, ...]:
    days = len({(hour.key, hour.tenant, hour.day) for hour in learned.hours.normal})
    if days >= rules.min_sessions:
        return ()
    return (
        f"calls_per_hour: left out, {_counted(days, 'day of a caller', 'days of callers')}: "
        f"{rules.min_sessions - days} more needed",
    )


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


def wide_words(limits: Limits, learned: Learned) -> str | None:
    """Warns of a cap that sessions of usual sizes never come near, with the cap that a cut rate gives."""
    cap = limits.session.calls
    if cap is None or cap.evidence.order_statistic is not None or not cap.evidence.p95:
        return None
    times = cap.value / cap.evidence.p95
    if times <= WIDE:
        return None
    words = (
        f"session.calls: the cap of {cap.value:,g} is {times:.1f} × the 95th percentile ({cap.evidence.p95:,g}), "
        "because session sizes vary widely"
    )
    least = sessions_for_rate(TIGHTER)
    if len(learned.normal) < least:
        return f"{words}; from {least} sessions on, --cut-rate {TIGHTER:g} gives a tighter one"
    rules = Rules(min_sessions=least, strategy="cut-rate", cut_rate=TIGHTER)
    tighter = number(_CALLS, Sample([session.calls for session in learned.normal]), rules)
    assert tighter is not None
    return f"{words}; --cut-rate {TIGHTER:g} gives {tighter.value:,g}"


def kinds_words(learned: Learned) -> str | None:
    """Names the kinds of normal sessions by size, if there are several: a cap allows for the largest."""
    kinds = extreme([session.calls for session in learned.normal]).kinds
    if len(kinds) < 2:
        return None
    named = [f"{_counted(count, 'session', 'sessions')} of {least:,} to {most:,} calls" for least, most, count in kinds]
    return f"sessions are of {len(kinds)} kinds by size: {', '.join(named)}; session.calls allows for the largest"


def few_sessions_warning(rules: Rules, normal: int) -> str | None:
    """Where the user lowered the bar and the sessions are below it."""
    if normal >= MIN_SESSIONS:
        return None
    return (
        f"WARNING: {normal} normal sessions are few (--min-sessions {rules.min_sessions}): up to "
        f"{share_bound(normal):.0%} of further sessions may lie beyond the largest of them"
    )


_CALLS = ("session", "calls")
WIDE = 5
"""A cap of more than so many times the 95th percentile is worth a warning."""

TIGHTER = 0.05
"""The cut rate that the warning proposes."""

USUAL_SHARE = 0.05
"""Up to so many sessions left out are exceptions; a warning begins beyond it."""


def left_out_words(found: LeftOut) -> str:
    """How many sessions were left out, and why; a warning if they are many."""
    reasons = [
        f"{count:,} {words}"
        for count, words in (
            (found.loops, "with a loop"),
            (found.sizes, "of an extreme size"),
            (found.shapes, "with arguments of an own shape"),
        )
        if count
    ]
    count = found.loops + found.sizes + found.shapes
    words = f"left out {count:,} of {_counted(found.sessions, 'session', 'sessions')} ({found.share:.1%})"
    words = ("WARNING: " if found.share > USUAL_SHARE else "") + words + (f": {', '.join(reasons)}" if reasons else "")
    if found.share > USUAL_SHARE:
        words += "; look at them in `mcpobs report sessions` before you enforce the numbers"
    if found.more_loops:
        words += f"; {found.more_loops:,} more have a loop and stay, because more than a fifth loop"
    return words


def _head(limits: Limits, learned: Learned, rules: Rules) -> list[str]:
    whose = f" of {quoted(learned.server)}" if learned.server is not None else ""
    lines = [
        f"Limits from the traffic{whose}, made by `mcpobs baseline`. Change what you know better: a bare number",
        "(calls_per_session: 15) is valid too. `mcpobs check` compares the lake with this file, and",
        "`mcpobs baseline --update FILE` learns again and keeps your numbers and comments.",
        "",
        *(_cut_rate_words(rules) if rules.strategy == "cut-rate" else _seed_words(rules)),
        f"latency_ms                {FACTOR_LATENCY} × the 95th percentile of answered calls; n counts calls",
        "shapes                    keys and types that the arguments may have",
        "argument_values           characters of a text, items of a list, range of a number. Recorded are only ranges",
        "                          (powers of 2 and 4), so a limit is the end of a range; of declared arguments alone",
        "calls_per_hour            of one caller in any 60 minutes, over all of its sessions; n counts days of callers",
        f"{quoted(ANY_TOOL):<26}for a tool without a number of its own",
        "",
        *_enforced_words(limits),
        "",
        "A session is a caller and a session id; n counts the normal ones behind a number. Left out (`excluded`) are",
        "sessions with a loop, of an extreme size, or with arguments in a shape that no other used.",
        "would_have_cut: how many of all past sessions, the excluded ones too, go over the number.",
        "next_1000_cut: how many of 1,000 further normal sessions will: with 90 % confidence between these two",
        "(order statistics; nothing is assumed but that they are like those before).",
        "next_1000_all: the same for 1,000 further sessions, normal or not, from all n_all of the past.",
        *_drift_words(limits.baseline.drift if limits.baseline else None),
        *_censored_words(learned),
        "Where callers are not verified, a new process or connection is a new session: a number per session slows such",
        "a caller down and does not stop one.",
        *_group_words(limits),
    ]
    warning = few_sessions_warning(rules, len(learned.normal))
    return lines + (["", warning] if warning else [])


def _enforced_words(limits: Limits) -> list[str]:
    """On which key each number is enforced."""
    session = limits.baseline.counted_on if limits.baseline is not None else ()
    caller = [name for name in session if name != "session_id"]
    return [
        "Enforced by `mcpobs instrument --policy FILE`:",
        f"by {', '.join(session)}: {', '.join(enforcement.effects('session'))}",
        f"by {', '.join(caller)}: {', '.join(enforcement.effects('caller'))}",
        f"by the call alone: {', '.join(enforcement.effects('call'))}",
        "The others are compared by `mcpobs check`: "
        f"{', '.join(name for per in ('session', 'tool', 'call') for name in enforcement.effects(per, 'compared'))}.",
    ]


def _seed_words(rules: Rules) -> list[str]:
    calls, cost = f"{rules.factor_calls:g}", f"{rules.factor_cost:g}"
    return [
        f"calls, distinct_tools     {calls} × the most of a normal session",
        f"duration_s                {calls} × the longest",
        f"error_rate                {calls} × the odds of the largest share of its calls that failed, of 10 at least",
        f"cost_usd                  {cost} × the mean of a normal session",
        "max_bytes                 the power of two from twice the largest up; quantiles are over sessions' largest",
    ]


def _cut_rate_words(rules: Rules) -> list[str]:
    return [
        f"each number               the smallest that at most a share of {rules.cut_rate:g} of new sessions exceeds,",
        "                          with 95 % confidence for 1,000 of them: an order statistic of the normal sessions",
    ]


def _drift_words(drift: Drift | None) -> list[str]:
    """What the prediction is worth if traffic drifts."""
    if drift is None:
        return []
    return [
        "drift: numbers from the `first` normal sessions in time, judged on the `last` ones: of so many `numbers`,",
        "`held` kept their prediction and `cut_more` cut more than that. Trust next_1000_cut as far as this.",
    ]


def _censored_words(learned: Learned) -> list[str]:
    if not learned.censored:
        return []
    return [
        "Sessions with a denied call are `censored`: nobody knows what they would have done. They make no maximum; no",
        "number is below the value at which they were cut (cut_at), and next_1000_cut allows for them.",
    ]


def _group_words(limits: Limits) -> list[str]:
    if not limits.tenants and not limits.roles:
        return []
    return [
        "tenants, roles: numbers that differ from all others' by a Kolmogorov-Smirnov test; if all were alike, "
        f"{FALSE_ALARM:.0%} of",
        "files would have one by chance. They replace the numbers of everybody.",
    ]


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


def _counted(count: int, word: str, words: str | None = None) -> str:
    return f"{count:,} {word if count == 1 else words or word + 's'}"


def _names(tools: Sequence[str]) -> str:
    shown = ", ".join(quoted(tool) for tool in tools[:5])
    return shown + (f" and {len(tools) - 5} more" if len(tools) > 5 else "")
