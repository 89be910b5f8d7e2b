"""Reads a limits file into the model and writes the model as a file. Judges nothing.

Every key is checked: otherwise a mistyped name would be a limit that silently is not enforced.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from datetime import datetime

from mcpobs import safefile
from mcpobs.errors import UsageError
from mcpobs.limits.document import MAX_BYTES, Place, parse
from mcpobs.limits.layout import Comments, lay_out
from mcpobs.limits.model import (
    VERSION,
    ArgumentLimits,
    Baseline,
    Evidence,
    Excluded,
    Limit,
    Limits,
    SessionLimits,
    ToolLimits,
)

EVIDENCE = ("factor", "rule", "observed_max", "mean", "p50", "p95", "n", "would_have_cut", "next_1000_cut")


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
    return of_place(parse(content, source))


def of_place(root: Place, others: Collection[str] = ()) -> Limits:
    """Returns the limits of a parsed document, which may have other keys at its top: those of a policy."""
    fields = root.fields(("version", "baseline", "session", "tools", *others))
    version = fields.get("version")
    if version is None:
        root.refuse("no version", f"write `version: {VERSION}` at the top")
    if version.count() != VERSION:
        version.refuse(f"{version.text()} is not known: this mcpobs reads version {VERSION}", "update mcpobs")
    return Limits(
        baseline=_baseline(fields["baseline"]) if "baseline" in fields else None,
        session=_session(fields["session"]) if "session" in fields else SessionLimits(),
        tools={name: _tool(place) for name, place in fields["tools"].entries().items()} if "tools" in fields else {},
    )


def write(limits: Limits, comments: Comments | None = None) -> str:
    """Returns the file's text. `read_text(write(limits)) == limits`, and the same limits give the same text."""
    return lay_out(limits, comments or Comments())


def _baseline(place: Place) -> Baseline:
    fields = place.fields(("server", "from", "to", "sessions", "calls", "excluded", "more_excluded"))
    for name in ("from", "to", "sessions", "calls"):
        if name not in fields:
            place.refuse(f"no `{name}`", "leave `baseline` out of a file that was not made from traffic")
    return Baseline(
        first=_moment(fields["from"]),
        last=_moment(fields["to"]),
        sessions=fields["sessions"].count(),
        calls=fields["calls"].count(),
        server=fields["server"].text() if "server" in fields else None,
        excluded=tuple(_excluded(item) for item in fields["excluded"].items()) if "excluded" in fields else (),
        more_excluded=fields["more_excluded"].count() if "more_excluded" in fields else 0,
    )


def _excluded(place: Place) -> Excluded:
    fields = place.fields(("session", "why"))
    for name in ("session", "why"):
        if name not in fields:
            place.refuse(f"no `{name}`")
    return Excluded(session=fields["session"].text(), why=fields["why"].text())


def _moment(place: Place) -> str:
    text = place.text()
    try:
        datetime.fromisoformat(text)
    except ValueError:
        place.refuse(f"{text[:80]!r} is not a day", "write e.g. 2026-11-21")
    return text


def _session(place: Place) -> SessionLimits:
    fields = place.fields(("calls", "cost_usd"))
    return SessionLimits(
        calls=_limit(fields["calls"], "limit", Place.count) if "calls" in fields else None,
        cost_usd=_limit(fields["cost_usd"], "limit", Place.number) if "cost_usd" in fields else None,
    )


def _tool(place: Place) -> ToolLimits:
    fields = place.fields(("calls_per_session", "latency_ms", "arguments", "result"))
    calls, latency = fields.get("calls_per_session"), fields.get("latency_ms")
    return ToolLimits(
        calls_per_session=_limit(calls, "limit", Place.count) if calls else None,
        latency_ms=_limit(latency, "budget", _budget) if latency else None,
        arguments=_arguments(fields["arguments"]) if "arguments" in fields else ArgumentLimits(),
        result_max_bytes=_size(fields["result"]) if "result" in fields else None,
    )


def _budget(place: Place) -> float:
    value = place.number()
    if value == 0:
        place.refuse("0 ms is not a valid budget", "leave the key out if there is no limit")
    return value


def _arguments(place: Place) -> ArgumentLimits:
    shapes = place.fields(("max_bytes", "shapes", *EVIDENCE)).get("shapes")
    return ArgumentLimits(
        max_bytes=_size(place, "shapes"),
        shapes=tuple(shape.text() for shape in shapes.items()) if shapes else None,
    )


def _size(place: Place, *beside: str) -> Limit | None:
    """Reads `max_bytes` and its evidence from a mapping that may hold other keys."""
    fields = place.fields(("max_bytes", *beside, *EVIDENCE))
    if "max_bytes" in fields:
        return Limit(fields["max_bytes"].count(), _evidence(fields))
    for name in EVIDENCE:
        if name in fields:
            place.refuse(f"`{name}` without `max_bytes`", "write `max_bytes: …` beside it")
    return None


def _limit(place: Place, key: str, number: Callable[[Place], float]) -> Limit:
    """Reads a bare number, or a mapping of the number and its evidence."""
    if place.is_scalar:
        return Limit(number(place))
    fields = place.fields((key, *EVIDENCE))
    if key not in fields:
        place.refuse(f"no `{key}`", f"write `{key}: …`, or the bare number")
    return Limit(number(fields[key]), _evidence(fields))


def _evidence(fields: dict[str, Place]) -> Evidence:
    def number(name: str) -> float | None:
        return fields[name].number() if name in fields else None

    def count(name: str) -> int | None:
        return fields[name].count() if name in fields else None

    return Evidence(
        factor=number("factor"),
        rule=fields["rule"].text() if "rule" in fields else None,
        observed_max=number("observed_max"),
        mean=number("mean"),
        p50=number("p50"),
        p95=number("p95"),
        n=count("n"),
        would_have_cut=count("would_have_cut"),
        next_1000_cut=_interval(fields["next_1000_cut"]) if "next_1000_cut" in fields else None,
    )


def _interval(place: Place) -> tuple[int, int]:
    ends = [item.count() for item in place.items()]
    if len(ends) != 2 or not ends[0] <= ends[1] <= 1000:
        place.refuse(f"{ends} is not a range from 0 to 1000", "write [least, most]")
    return ends[0], ends[1]
