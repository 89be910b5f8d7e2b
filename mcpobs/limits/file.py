"""Reads a limits file into the model and writes the model as a file. Judges nothing.

Every key is checked: otherwise a mistyped name would be a limit that silently is not enforced.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from typing import Final

from mcpobs import safefile
from mcpobs.errors import UsageError
from mcpobs.limits.document import MAX_BYTES, Place, parse
from mcpobs.limits.layout import Comments, lay_out
from mcpobs.limits.model import (
    STRATEGIES,
    VALUES,
    VERSION,
    ArgumentLimits,
    Baseline,
    Drift,
    Evidence,
    Excluded,
    GroupLimits,
    KeyLimits,
    Limit,
    Limits,
    SessionLimits,
    Strategy,
    Succession,
    ToolLimits,
    ValueLimits,
)

EVIDENCE = tuple(field.name for field in dataclasses.fields(Evidence))
BASELINE = (
    "server",
    "run",
    "strategy",
    "cut_rate",
    "factor_calls",
    "counted_on",
    "from",
    "to",
    "sessions",
    "calls",
    "drift",
    "excluded_share",
    "censored",
    "more_censored",
    "excluded",
    "more_excluded",
)


POLICY: Final = (
    "mode",
    "share",
    "default",
    "on_error",
    "on_exceed",
    "halt_for",
    "halt_after_denials",
    "sensitive",
    "rules",
    "limits",
    "budgets",
    "inspect",
    "server_requests",
)
"""Keys at the top of a policy. A file of numbers may have them: `mcpobs check` and `baseline` leave them alone."""


def read(path: str | os.PathLike[str]) -> Limits:
    """Returns the limits of a file. Raises UsageError with file, line, path in the file and value."""
    try:
        content = safefile.read(path, MAX_BYTES)
    except OSError as error:
        raise UsageError(
            f"cannot read {path}: {error.strerror}", "make one with `mcpobs baseline -o limits.yaml`"
        ) from None
    return read_text(content, str(path))


def read_text(content: bytes | str, source: str = "limits") -> Limits:
    """Returns the limits of a YAML text; errors name it `source`."""
    if isinstance(content, str):
        content = content.encode("utf-8", "surrogatepass")
    return of_place(parse(content, source), POLICY)


def of_place(root: Place, others: Collection[str] = ()) -> Limits:
    """Returns the limits of a parsed document, which may have other keys at its top: those of a policy."""
    fields = root.fields(("version", "baseline", "session", "key", "tools", "tenants", "roles", "sequences", *others))
    version = fields.get("version")
    if version is None:
        root.refuse("no version", f"write `version: {VERSION}` at the top")
    if version.count() != VERSION:
        version.refuse(f"{version.text()} is not known: this mcpobs reads version {VERSION}", "update mcpobs")
    everybody = _group(fields)
    return Limits(
        baseline=_baseline(fields["baseline"]) if "baseline" in fields else None,
        session=everybody.session,
        key=everybody.key,
        tools=everybody.tools,
        tenants=_groups(fields.get("tenants")),
        roles=_groups(fields.get("roles")),
        sequences=tuple(_succession(item) for item in fields["sequences"].items()) if "sequences" in fields else (),
    )


def write(limits: Limits, comments: Comments | None = None) -> str:
    """Returns the file's text. `read_text(write(limits)) == limits`, and the same limits give the same text."""
    return lay_out(limits, comments or Comments())


def _baseline(place: Place) -> Baseline:
    fields = place.fields(BASELINE)
    _require(place, fields, ("from", "to", "sessions", "calls"), "leave `baseline` out of a file not made from traffic")

    def listed(name: str) -> tuple[Excluded, ...]:
        return tuple(_excluded(item) for item in fields[name].items()) if name in fields else ()

    def text(name: str) -> str | None:
        return fields[name].text() if name in fields else None

    def number(name: str) -> float | None:
        return fields[name].number() if name in fields else None

    return Baseline(
        first=_moment(fields["from"]),
        last=_moment(fields["to"]),
        sessions=fields["sessions"].count(),
        calls=fields["calls"].count(),
        server=text("server"),
        run=text("run"),
        strategy=_strategy(fields["strategy"]) if "strategy" in fields else None,
        cut_rate=_ratio(fields["cut_rate"]) if "cut_rate" in fields else None,
        factor_calls=number("factor_calls"),
        counted_on=tuple(item.text() for item in fields["counted_on"].items()) if "counted_on" in fields else (),
        drift=_drift(fields["drift"]) if "drift" in fields else None,
        excluded_share=_ratio(fields["excluded_share"]) if "excluded_share" in fields else None,
        excluded=listed("excluded"),
        more_excluded=fields["more_excluded"].count() if "more_excluded" in fields else 0,
        censored=listed("censored"),
        more_censored=fields["more_censored"].count() if "more_censored" in fields else 0,
    )


def _require(place: Place, fields: Mapping[str, Place], names: Iterable[str], hint: str | None = None) -> None:
    for name in names:
        if name not in fields:
            place.refuse(f"no `{name}`", hint or f"write `{name}: …` beside the others")


def _strategy(place: Place) -> Strategy:
    text = place.text()
    found = next((known for known in STRATEGIES if known == text), None)
    if found is None:
        place.refuse(f"{text[:80]!r} is not a strategy", f"known here: {', '.join(STRATEGIES)}")
    return found


def _drift(place: Place) -> Drift:
    names = [field.name for field in dataclasses.fields(Drift)]
    fields = place.fields(names)
    _require(place, fields, names[:4])
    return Drift(**{name: value.count() for name, value in fields.items()})


def _excluded(place: Place) -> Excluded:
    fields = place.fields(("session", "why"))
    _require(place, fields, ("session", "why"))
    return Excluded(session=fields["session"].text(), why=fields["why"].text())


def _moment(place: Place) -> str:
    text = place.text()
    try:
        datetime.fromisoformat(text)
    except ValueError:
        place.refuse(f"{text[:80]!r} is not a day", "write e.g. 2026-11-21")
    return text


def _groups(place: Place | None) -> dict[str, GroupLimits]:
    """Reads `tenants` or `roles`: groups with any names."""
    if place is None:
        return {}
    return {name: _group(group.fields(("session", "key", "tools"))) for name, group in place.entries().items()}


def _group(fields: Mapping[str, Place]) -> GroupLimits:
    return GroupLimits(
        session=_session(fields["session"]) if "session" in fields else SessionLimits(),
        key=_key(fields["key"]) if "key" in fields else KeyLimits(),
        tools={name: _tool(place) for name, place in fields["tools"].entries().items()} if "tools" in fields else {},
    )


def _succession(place: Place) -> Succession:
    fields = place.fields(("after", "then", "share", "n"))
    _require(place, fields, ("after", "then", "share", "n"))
    return Succession(
        after=fields["after"].text(),
        then=fields["then"].text(),
        share=_ratio(fields["share"]),
        n=fields["n"].count(),
    )


def _session(place: Place) -> SessionLimits:
    fields = place.fields(("calls", "cost_usd", "duration_s", "distinct_tools"))
    return SessionLimits(
        calls=_optional(fields, "calls", Place.count),
        cost_usd=_optional(fields, "cost_usd", Place.number),
        duration_s=_optional(fields, "duration_s", Place.number),
        distinct_tools=_optional(fields, "distinct_tools", Place.count),
    )


def _key(place: Place) -> KeyLimits:
    return KeyLimits(calls_per_hour=_optional(place.fields(("calls_per_hour",)), "calls_per_hour", Place.count))


TOOL = ("calls_per_session", "calls_per_hour", "error_rate", "latency_ms", "arguments", "argument_values", "result")


def _tool(place: Place) -> ToolLimits:
    fields = place.fields(TOOL)
    latency, values = fields.get("latency_ms"), fields.get("argument_values")
    return ToolLimits(
        calls_per_session=_optional(fields, "calls_per_session", Place.count),
        calls_per_hour=_optional(fields, "calls_per_hour", Place.count),
        error_rate=_optional(fields, "error_rate", _ratio),
        latency_ms=_limit(latency, "budget", _budget) if latency else None,
        arguments=_arguments(fields["arguments"]) if "arguments" in fields else ArgumentLimits(),
        argument_values={name: _value(value) for name, value in values.entries().items()} if values else {},
        result_max_bytes=_size(fields["result"], "shapes") if "result" in fields else None,
        result_shapes=_shapes(fields["result"]) if "result" in fields else None,
    )


def _value(place: Place) -> ValueLimits:
    fields = place.fields(VALUES)
    found = ValueLimits(
        max_length=_optional(fields, "max_length", Place.count),
        max_items=_optional(fields, "max_items", Place.count),
        min=_optional(fields, "min", Place.signed_number),
        max=_optional(fields, "max", Place.signed_number),
    )
    if found.min is not None and found.max is not None and found.min.value > found.max.value:
        fields["min"].refuse(f"{found.min.value} is above max: {found.max.value}", "no value would be allowed")
    return found


def _ratio(place: Place) -> float:
    value = place.number()
    if value > 1:
        place.refuse(f"{place.text()} is above 1", "write a share, e.g. 0.05 for 5 %")
    return value


def _budget(place: Place) -> float:
    value = place.number()
    if value == 0:
        place.refuse("0 ms is not a valid budget", "leave the key out if there is no limit")
    return value


def _arguments(place: Place) -> ArgumentLimits:
    return ArgumentLimits(max_bytes=_size(place, "shapes"), shapes=_shapes(place))


def _shapes(place: Place) -> tuple[str, ...] | None:
    shapes = place.fields(("max_bytes", "shapes", *EVIDENCE)).get("shapes")
    return tuple(shape.text() for shape in shapes.items()) if shapes else None


def _size(place: Place, *beside: str) -> Limit | None:
    """Reads `max_bytes` and its evidence from a mapping that may hold other keys."""
    fields = place.fields(("max_bytes", *beside, *EVIDENCE))
    if "max_bytes" in fields:
        return Limit(fields["max_bytes"].count(), _evidence(fields))
    for name in EVIDENCE:
        if name in fields:
            place.refuse(f"`{name}` without `max_bytes`", "write `max_bytes: …` beside it")
    return None


def _optional(fields: Mapping[str, Place], name: str, number: Callable[[Place], float]) -> Limit | None:
    return _limit(fields[name], "limit", number) if name in fields else None


def _limit(place: Place, key: str, number: Callable[[Place], float]) -> Limit:
    """Reads a bare number, or a mapping of the number and its evidence."""
    if place.is_scalar:
        return Limit(number(place))
    fields = place.fields((key, *EVIDENCE))
    if key not in fields:
        place.refuse(f"no `{key}`", f"write `{key}: …`, or the bare number")
    return Limit(number(fields[key]), _evidence(fields))


def _evidence(fields: Mapping[str, Place]) -> Evidence:
    def number(name: str) -> float | None:
        return fields[name].signed_number() if name in fields else None

    def count(name: str) -> int | None:
        return fields[name].count() if name in fields else None

    return Evidence(
        factor=number("factor"),
        rule=fields["rule"].text() if "rule" in fields else None,
        order_statistic=number("order_statistic"),
        observed_max=number("observed_max"),
        observed_min=number("observed_min"),
        mean=number("mean"),
        p50=number("p50"),
        p95=number("p95"),
        n=count("n"),
        censored=count("censored"),
        cut_at=number("cut_at"),
        would_have_cut=count("would_have_cut"),
        next_1000_cut=_interval(fields["next_1000_cut"]) if "next_1000_cut" in fields else None,
        n_all=count("n_all"),
        next_1000_all=_interval(fields["next_1000_all"]) if "next_1000_all" in fields else None,
    )


def _interval(place: Place) -> tuple[int, int]:
    ends = [item.count() for item in place.items()]
    if len(ends) != 2 or not ends[0] <= ends[1] <= 1000:
        place.refuse(f"{ends} is not a range from 0 to 1000", "write [least, most]")
    return ends[0], ends[1]
