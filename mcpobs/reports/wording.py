"""Numbers, names and times in sentences. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mcpobs.reports import zone
from mcpobs.terminal import printable

Record = Mapping[str, Any]
NOTHING = "no matching calls"


def count(number: int, noun: str) -> str:
    """A number with its noun in the right form."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def tool(record: Record, with_server: bool = False) -> str:
    """The tool of a row."""
    name = "(no tool name)" if record["tool"] is None else printable(str(record["tool"]))
    return f"{name} of {printable(str(record['service_name']))}" if with_server else name


def short(session: str | None) -> str:
    """The beginning of a session's id: enough for --session."""
    if session is None:
        return "unknown"
    return printable(session) if len(session) <= 16 else printable(session[:12]) + "…"


def percent(ratio: float) -> str:
    return f"{ratio * 100:.0f} %" if ratio >= 0.1 else f"{ratio * 100:.1f} %"


def dollars(microusd: float) -> str:
    """A sum of money; less than a cent to the last digit."""
    if abs(microusd) >= 1_000_000:
        return f"${microusd / 1_000_000:,.2f}"
    whole, _, digits = f"{microusd / 1_000_000:.{4 if abs(microusd) >= 10_000 else 6}f}".partition(".")
    return f"${whole}.{digits.rstrip('0'):0<2}"


def milliseconds(value: float) -> str:
    """At least three significant digits, and whole milliseconds from 100 on."""
    if value < 0:
        return "-" + milliseconds(-value)
    if value >= 99.95:
        return f"{value:,.0f}"
    if value >= 9.995:
        return f"{value:.1f}"
    if value >= 0.9995:
        return f"{value:.2f}"
    return f"{value:.3f}" if value >= 0.0995 or value == 0 else f"{value:.3g}"


def moment(unix_nano: int) -> str:
    """A time to the second, in the zone that times are shown in."""
    try:
        return zone.current().at(unix_nano // 1_000_000_000).strftime("%Y-%m-%d %H:%M:%S")
    except (ValueError, OverflowError, OSError):  # a nonsense clock is no reason to fail
        return str(unix_nano)


def zoned(unix_nano: int) -> str:
    """A time with its zone."""
    return f"{moment(unix_nano)} {zone.current().label}"
