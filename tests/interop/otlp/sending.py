"""Starts the senders. What each of them can say is said here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.interop.otlp.expected import Ids
from tests.interop.otlp.packages import Senders
from tests.interop.otlp.plan import Feature, plan

HERE = Path(__file__).parent
SEND_S = 300
COMPRESSIONS = ("none", "gzip")
_JAVASCRIPT: frozenset[Feature] = frozenset({"schema url", "sampled flag", "link states"})
_PYTHON: frozenset[Feature] = frozenset({"int64", "whole doubles"})
_RICH: frozenset[Feature] = frozenset({"mixed arrays", "maps", "bytes"})
SAYS: dict[str, frozenset[Feature]] = {
    "javascript 2": _JAVASCRIPT,
    "javascript 3": _JAVASCRIPT | _RICH,
    "python": _PYTHON | _RICH | {"everywhere", "scope attributes", "schema url"},
    "python of 2022": _PYTHON,
}
"""A JavaScript number has no kind: a whole one is sent as an integer, and beyond 2^53 it is none that was meant.
Python leaves out the W3C flags and the trace state of links, and in 2022 the schema URL too."""


@dataclass(frozen=True)
class Sent:
    """What a sender sent."""

    plan: dict[str, Any]
    ids: Ids


def command(sender: str, senders: Senders) -> list[str]:
    match sender:
        case "javascript 2" | "javascript 3":
            return ["node", str(HERE / "send.mjs"), str(senders.npm / f"sdk{sender[-1]}")]
        case "python":
            return [sys.executable, str(HERE / "send.py")]
        case "python of 2022":
            return [str(senders.python / "bin" / "python"), "-W", "ignore", str(HERE / "send.py")]
    raise AssertionError(sender)


def started(
    sender: str, senders: Senders, folder: Path, endpoint: str, protocol: str, compression: str, **more: int
) -> tuple[subprocess.Popen[str], Path]:
    """A sender that is sending, and the ledger that it writes at its end."""
    planned, ledger = folder / "plan.json", folder / "ledger.json"
    planned.write_text(json.dumps(plan(SAYS[sender], **more)))
    process = subprocess.Popen(
        [*command(sender, senders), str(planned), str(ledger), endpoint, protocol, compression],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={"PATH": os.environ["PATH"], "HOME": os.environ["HOME"]},
    )
    return process, ledger


def finished(process: subprocess.Popen[str], ledger: Path) -> Sent:
    out, err = process.communicate(timeout=SEND_S)
    assert process.returncode == 0, f"{out}\n{err}"
    ids = [(trace_id, span_id) for trace_id, span_id in json.loads(ledger.read_text())]
    return Sent(json.loads((ledger.parent / "plan.json").read_text()), ids)
