"""`mcpobs simulate`: replays the lake against a policy and prints what it would have done."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mcpobs.cli.progress import Progress, Silent, progress
from mcpobs.cli.streams import check_limit, commit_first, emit, more, paper, say, warn
from mcpobs.errors import EXIT_OK, LakeError
from mcpobs.folders import lake_folder
from mcpobs.lake.reader import open_reading
from mcpobs.output import json_text
from mcpobs.output.answer import window_members
from mcpobs.output.fit import lines_of
from mcpobs.output.formats import DEFAULT_ROWS
from mcpobs.output.table import Rows
from mcpobs.output.table import render as render_table
from mcpobs.policy import file
from mcpobs.policy.model import Policy, controlled
from mcpobs.queries.header import Column
from mcpobs.queries.plan import Plan
from mcpobs.queries.run import on_sound_files, plan_of
from mcpobs.reports import filters, window
from mcpobs.reports.chart import Chart
from mcpobs.reports.filters import Filters
from mcpobs.reports.warnings import Remark, of_damage
from mcpobs.reports.window import Window
from mcpobs.reports.wording import count, dollars, percent, short
from mcpobs.settings import load_config
from mcpobs.simulate.findings import Denied
from mcpobs.simulate.simulate import Simulated, simulate
from mcpobs.simulate.sweep import Curve, read
from mcpobs.terminal import printable

SESSIONS = (
    Column("session_id", "varchar", "the session"),
    Column("rule", "varchar", "the limit or rule that cuts it first"),
    Column("at_call", "bigint", "the first call that is denied, by its place in the session from 1"),
    Column("calls", "bigint", "calls that the session made"),
    Column("denied", "bigint", "calls among them that are denied"),
    Column("saved_microusd", "bigint", "what the denied calls cost"),
    Column("why", "varchar", "the loop of a session with a loop signature; normal: a baseline would learn from it"),
    Column("service_name", "varchar", "the MCP server"),
    Column("code", "varchar", "why that call is denied: one of the codes of decisions"),
    Column("halted_at", "bigint", "the call from which on the whole session is refused; null if it goes on"),
    Column("tenant", "varchar", "tenant of the verified caller"),
    Column("enforcement_key", "varchar", "who calls"),
    Column("loop", "varchar", "tools of one round of its loop, and how many calls it took"),
    Column("normal", "boolean", "whether a baseline would learn from it: cutting it is a false alarm"),
)
SHOWN = 7
"""Columns of the table; JSON has all."""
RULES = (
    Column("rule", "varchar", "the limit or rule"),
    Column("code", "varchar", "why it denies a call, the first time"),
    Column("sessions", "bigint", "sessions in which it denies a call"),
    Column("denied", "bigint", "calls that it denies"),
    Column("halted", "bigint", "calls among them that came after it had halted their session"),
    Column("saved_microusd", "bigint", "what the denied calls cost"),
)
TENANTS = (
    Column("tenant", "varchar", "tenant of the verified caller"),
    Column("sessions", "bigint", "its sessions"),
    Column("cut", "bigint", "sessions of it that are cut"),
    Column("calls", "bigint", "its calls"),
    Column("denied", "bigint", "calls of it that are denied"),
    Column("saved_microusd", "bigint", "what those cost"),
)
INSPECTED = (
    Column("entry", "varchar", "an entry of `inspect`"),
    Column("action", "varchar", "what it does for what it finds"),
    Column("calls", "bigint", "calls in whose messages it found something when they were recorded"),
)
UNDECIDABLE = (
    Column("rule", "varchar", "a rule on what the lake does not record"),
    Column("calls", "bigint", "calls that it cannot decide; they are neither allowed nor denied by it"),
)
_CURVE = (
    Column("cut", "bigint", "sessions that are cut"),
    Column("cut_normal", "bigint", "normal sessions among them"),
    Column("denied", "bigint", "calls that are denied"),
    Column("saved_microusd", "bigint", "what those cost"),
)


@dataclass(frozen=True, slots=True)
class SimulateOptions:
    """The options of `mcpobs simulate`, named as they are on the command line."""

    files: Sequence[str]
    since: str | None = None
    until: str | None = None
    server: str | None = None
    session: str | None = None
    sweep: str | None = None
    limit: int | None = None
    json: bool = False
    lake: str | None = None


def run_simulate(options: SimulateOptions, now: int | None = None) -> int:
    """Prints what the policy would have done. `now` is the present in unix nanoseconds."""
    check_limit(options.limit)
    chosen = window.given(options.since, options.until, time.time_ns() if now is None else now)
    policy = file.load(options.files)
    if options.sweep is not None:
        read(options.sweep, policy)  # a wrong name is refused before the lake is read
    with progress() as showing:
        found, session, warnings = _simulated(options, policy, chosen, showing)
    warn(warnings)
    _print(found, options, policy, chosen, session, [*warnings, *_remarks(found, policy)])
    return EXIT_OK


def _simulated(
    options: SimulateOptions, policy: Policy, chosen: Window, showing: Progress | Silent
) -> tuple[Simulated, str | None, Sequence[Remark]]:
    config, lake = load_config(), lake_folder(options.lake)
    commit_first(lake)
    until = None if chosen.until == window.FOREVER else chosen.until

    def reached(done: int, total: int) -> None:
        showing.step(f"replaying {done:,} of {total:,} calls")

    def work(plan: Plan) -> tuple[Simulated, str | None]:
        named = filters.resolve(plan, Filters(session=options.session, server=options.server))
        return simulate(plan, policy, chosen, options.server, config, options.sweep, reached), named.session

    with open_reading(lake, until_unix_nano=until) as reading:
        found, session = on_sound_files(reading, work)
        if not found.findings.calls:
            filters.check_known(plan_of(reading), Filters(server=options.server))
            raise LakeError(
                f"no calls of any session {chosen.when}: nothing to replay",
                "record calls with `mcpobs instrument -- <server command>`, or look further back with --since",
            )
        return found, session, of_damage(reading)


def _remarks(found: Simulated, policy: Policy) -> list[Remark]:
    """What the answer rests on, beside damage in the lake."""
    remarks = []
    if found.findings.undecidable_calls:
        named = ", ".join(f"{rule} {calls:,}" for rule, calls in undecidable_rows(found))
        text = f"{count(found.findings.undecidable_calls, 'call')} undecidable: {named}"
        remarks.append(Remark(text, "the lake holds no content: run these rules with mode: log_only, then simulate"))
    if found.sessionless:
        text = f"{count(found.sessionless, 'call')} without a session left out: no limit counts them"
        remarks.append(Remark(text))
    if any(layer.mode == "log_only" or layer.share is not None for layer in policy.layers) or _softened(policy):
        remarks.append(Remark("all rules are in force here, also those with mode: log_only or a share"))
    return remarks


def _softened(policy: Policy) -> bool:
    controls = [item.control for layer in policy.layers for item in controlled(layer)]
    return any(control.mode == "log_only" or control.share is not None for control in controls)


def _print(
    found: Simulated,
    options: SimulateOptions,
    policy: Policy,
    chosen: Window,
    session: str | None,
    remarks: Sequence[Remark],
) -> None:
    rows = [row for row in session_rows(found) if session is None or row[0] == session]
    shown = rows[: options.limit or (None if options.json else DEFAULT_ROWS)]
    if options.json:
        emit(json_text.render(document(found, options.files, policy, chosen, shown, len(rows), remarks)))
    else:
        emit(_for_people(found, shown))
        for remark in remarks:
            if remark.text:
                say(remark.text, remark.hint)
    more(len(rows) - len(shown), len(rows))


def document(
    found: Simulated,
    files: Sequence[str],
    policy: Policy,
    chosen: Window,
    rows: Rows,
    total: int,
    remarks: Sequence[Remark],
) -> dict[str, object]:
    """The answer as JSON. Its form is a contract: members are added, never renamed or taken away."""
    findings = found.findings
    return {
        "policy": {"files": list(files), "hash": policy.hash},
        "answer": sentence(found),
        "window": window_members(chosen),
        "sessions": findings.sessions,
        "calls": findings.calls,
        "cut": len(found.cut),
        "denied": findings.denied,
        "spent_microusd": findings.spent_microusd,
        "saved_microusd": findings.saved_microusd,
        "withheld": findings.withheld_calls,
        "loops": {"found": len(found.loops), "cut": found.loops_cut},
        "normal": {"found": len(found.normal), "cut": found.normal_cut},
        **json_text.document(SESSIONS, rows),
        "total": total,
        "rules": json_text.document(RULES, rule_rows(found)),
        "tenants": json_text.document(TENANTS, tenant_rows(found)),
        "findings": json_text.document(INSPECTED, inspected_rows(found)),
        "undecidable": {
            "calls": findings.undecidable_calls,
            **json_text.document(UNDECIDABLE, undecidable_rows(found)),
        },
        **({} if found.curve is None else {"sweep": _curve_document(found.curve)}),
        "warnings": [remark.text for remark in remarks],
    }


def _curve_document(curve: Curve) -> dict[str, object]:
    return {
        "limit": curve.swept.name,
        "cap": curve.swept.cap,
        **json_text.document(curve_columns(curve), curve_rows(curve)),
    }


def _for_people(found: Simulated, rows: Rows) -> str:
    on = paper()
    text = "".join(f"{line}\n" for one in sentences(found) for line in lines_of(one, on.cells_wide or 10_000))
    parts: list[tuple[str, Sequence[Column], Rows, Chart | None]] = [
        ("", SESSIONS[:SHOWN], [row[:SHOWN] for row in rows], None),
        ("denied, by rule", RULES, rule_rows(found), None),
    ]
    parts.append(("found, by entry of inspect", INSPECTED, inspected_rows(found), None))
    if len(found.findings.tenants) > 1:
        parts.append(("by tenant", TENANTS, tenant_rows(found), None))
    if found.curve is not None:
        chart = Chart("bar", found.curve.swept.name, ("denied",)) if on.blocks else None
        parts.append((f"if {found.curve.swept.name} were", curve_columns(found.curve), curve_rows(found.curve), chart))
    for heading, columns, body, chart in parts:
        if body:
            above = f"{heading}:\n" if heading else ""
            drawn = render_table(columns, body, cells_wide=on.cells_wide, colour=on.colour, chart=chart)
            text += f"\n{above}{drawn}"
    return text


def sentences(found: Simulated) -> list[str]:
    """The answer: all of it, the worst session, and how well it separates loops from ordinary work."""
    return [sentence(found), *_worst(found), *_precision(found)]


def sentence(found: Simulated) -> str:
    findings = found.findings
    if not found.cut:
        return f"nothing would have been cut: {count(findings.sessions, 'session')}, {count(findings.calls, 'call')}"
    saved = f", {dollars(findings.saved_microusd)} of {dollars(findings.spent_microusd)} saved" * bool(
        findings.spent_microusd
    )
    return (
        f"would have cut {len(found.cut):,} of {count(findings.sessions, 'session')}: "
        f"{findings.denied:,} of {count(findings.calls, 'call')} denied{saved}"
    )


def _worst(found: Simulated) -> Iterable[str]:
    if not found.cut:
        return
    worst = found.cut[0]
    loop, session = found.loops.get(worst.pair.session), short(worst.pair.session)
    did = "stopped" if worst.halted_at is None else "halted"
    whom = f"a loop ({printable(loop)}) of session {session}" if loop is not None else f"session {session}"
    at = worst.at_call if worst.halted_at is None else worst.halted_at
    saved = f", saved {dollars(worst.saved_microusd)}" if worst.saved_microusd else ""
    yield f"would have {did} {whom} at call {at:,} of {worst.calls:,}{saved}: {printable(worst.rule)}"


def _precision(found: Simulated) -> Iterable[str]:
    parts = []
    if found.loops:
        parts.append(f"loops caught: {found.loops_cut:,} of {len(found.loops):,}")
    if found.normal:
        share = f" ({percent(found.normal_cut / len(found.normal))})" if found.normal_cut else ""
        parts.append(f"normal sessions cut: {found.normal_cut:,} of {len(found.normal):,}{share}")
    if found.findings.withheld_calls:
        parts.append(f"results withheld: {found.findings.withheld_calls:,}")
    if parts:
        yield " · ".join(parts)


def session_rows(found: Simulated) -> Rows:
    return [
        (
            cut.pair.session,
            cut.rule,
            cut.at_call,
            cut.calls,
            cut.denied,
            cut.saved_microusd,
            (loop := found.loops.get(cut.pair.session)) or ("normal" if cut.pair in found.normal else None),
            cut.service,
            cut.code,
            cut.halted_at,
            cut.tenant,
            cut.pair.key,
            loop,
            cut.pair in found.normal,
        )
        for cut in found.cut
    ]


def rule_rows(found: Simulated) -> Rows:
    rules = sorted(found.findings.rules.items(), key=lambda item: (-item[1].denied, item[0]))
    return [(rule, one.code, one.sessions, one.denied, one.halted, one.saved_microusd) for rule, one in rules]


def tenant_rows(found: Simulated) -> Rows:
    def worst(item: tuple[str | None, Denied]) -> tuple[int, int, str]:
        return -item[1].saved_microusd, -item[1].denied, item[0] or ""

    return [
        (tenant, one.sessions, one.cut, one.calls, one.denied, one.saved_microusd)
        for tenant, one in sorted(found.findings.tenants.items(), key=worst)
    ]


def inspected_rows(found: Simulated) -> Rows:
    entries = sorted(found.findings.inspected.items(), key=lambda item: (-item[1].calls, item[0]))
    return [(entry, one.action, one.calls) for entry, one in entries]


def undecidable_rows(found: Simulated) -> Sequence[tuple[str, int]]:
    return sorted(found.findings.undecidable.items(), key=lambda item: (-item[1], item[0]))


def curve_columns(curve: Curve) -> Sequence[Column]:
    """The cap in the unit of its file, then what it does."""
    name = "cap_microusd" if curve.swept.is_money else "cap"
    return (Column(name, "bigint" if curve.swept.is_money else "double", f"the cap of {curve.swept.name}"), *_CURVE)


def curve_rows(curve: Curve) -> Rows:
    return [
        (
            round(point.cap * 1_000_000) if curve.swept.is_money else point.cap,
            point.cut,
            point.cut_normal,
            point.denied,
            point.saved_microusd,
        )
        for point in curve.points
    ]
