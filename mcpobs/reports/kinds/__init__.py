"""Reports with peculiarities, a file for each: what they take, what they say."""

from __future__ import annotations

KINDS = {
    "all": "Everything",
    "cost": "Cost",
    "coverage": "Coverage",
    "decisions": "Decisions",
    "errors": "Errors",
    "failures": "Failures",
    "findings": "Findings",
    "http": "Http",
    "latency": "Latency",
    "loops": "Loops",
    "overview": "Overview",
    "p95": "HighestP95",
    "precursors": "Precursors",
    "sessions": "Sessions",
    "shapes": "Shapes",
}
"""The class of a report by the report's name, which is that of its module: a cold report loads its own only."""
