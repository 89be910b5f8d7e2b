"""Reads labelled texts, and knows which sources may be trained on. Texts of other sources only measure."""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from typing import Final

from mcpobs.detect.evaluation import Labelled, read

LICENCES: Final = {
    "AgentDojo 0.1.35": "MIT",
    "bastioncorpus": "MIT",
    "microsoft/BIPIA": "MIT",
    "microsoft/llmail-inject": "MIT",
    "deepset/prompt-injections": "Apache-2.0",
    "S-Labs/prompt-injection-dataset": "MIT",
    "neuralchemy/Prompt-injection-dataset": "Apache-2.0",
    "yanismiraoui/prompt_injections": "Apache-2.0",
    "NotInject": "MIT",
    "InjecAgent": "MIT",
    "NVIDIA/garak": "Apache-2.0",
    "sierra-research/tau-bench": "MIT",
    "tldr-pages": "CC BY 4.0",
    "generated": "written for the set",
    "written for this model": "Apache-2.0",
    **dict.fromkeys(
        (
            *(
                "github modelcontextprotocol+python-sdk",
                "github modelcontextprotocol+servers",
                "github docker+mcp-gateway",
            ),
            *(
                "github modelcontextprotocol+modelcontextprotocol",
                "github pydantic+logfire",
                "github tconbeer+harlequin",
            ),
            *("github anthropics+anthropic-cookbook", "github mitmproxy+mitmproxy", "github hynek+structlog"),
            *("github hynek+attrs", "github hynek+svcs", "github SWE-agent+SWE-agent", "github benfred+py-spy"),
            *("github protectai+llm-guard", "github metatool-ai+metamcp", "github gitleaks+gitleaks"),
            *("github lasso-security+mcp-gateway",),
        ),
        "MIT",
    ),
    **dict.fromkeys(
        (
            *("github astral-sh+uv", "github benbjohnson+litestream", "github open-telemetry+", "github simonw+"),
            *("github jaegertracing+jaeger", "github dlt-hub+dlt", "github CtrlSpice+otel-desktop-viewer"),
            *(
                "github osquery+osquery",
                "github jlowin+fastmcp",
                "github tatsu-lab+alpaca_eval",
                "github pypa+pip-audit",
            ),
            *("github ibis-project+ibis", "github ymtdzzz+otel-tui", "github NVIDIA+", "github snyk+agent-scan"),
            *("github lukas-krecan+ShedLock", "github invariantlabs-ai+invariant", "github protectai+rebuff"),
        ),
        "Apache-2.0",
    ),
}
"""Sources that may be trained on, by the beginning of `source`."""

EXCLUDED: Final = {
    "microsoft/BIPIA table contexts": "WikiTableQuestions, CC BY-SA",
    "logpai/loghub": "for research only",
    "icip-cas/LiveMCPBench": "answers of third parties, licence unclear",
    "github mission-agi+AgentDojo": "licence unclear",
    "github encode+": "BSD",
    "github nackjicholson+aiosql": "BSD",
    "github OWASP+": "CC BY-SA",
    "github facebookresearch+wasp": "not for commerce",
}
"""Sources that are not trained on, and why. They stay in the evaluation."""


def licence(source: str) -> str | None:
    """The licence under which texts of a source may be trained on, or None."""
    if any(source.startswith(name) for name in EXCLUDED):
        return None
    return next((licence for name, licence in LICENCES.items() if source.startswith(name)), None)


def load(path: Path) -> list[Labelled]:
    """Reads JSON lines, gzip by the name's end."""
    packed = path.read_bytes()
    return read((gzip.decompress(packed) if path.suffix == ".gz" else packed).decode().split("\n"))


def repository(source: str) -> str:
    """The source without the file's name: rows of one source share it."""
    return re.split(r"[:(]| git log", source)[0].strip()
