"""Every setting of mcpobs, for the page docs/settings.md: config.toml and the environment. Pure data.

A test holds the list equal to what `settings.py` accepts and to the variables that the code reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mcpobs.settings import HEADERS, IDLE_GAP_S


@dataclass(frozen=True, slots=True)
class Setting:
    """A key below a table of config.toml, or a variable of the environment."""

    name: str
    default: str
    meaning: str


FILE: dict[str, tuple[Setting, ...]] = {
    "prices": (
        Setting("TOOL", "none", "US dollars a call of the tool, or a table of the keys below; `*` is every other tool"),
        Setting("TOOL.per_call", "none", "US dollars a call"),
        Setting("TOOL.per_unit", "none", "US dollars a unit that the result reports"),
        Setting("TOOL.units", "none", "path of the number of units in the result"),
        Setting("TOOL.max_units", "none", "units of a call at most; needs `units`"),
        Setting("TOOL.reported", "none", "path of the cost in the result"),
        Setting("TOOL.reported_in", "usd", "unit of that cost"),
        Setting("TOOL.max_reported", "none", "reported cost of a call at most"),
        Setting("TOOL.per_million_tokens", "none", "US dollars for a million tokens of the result"),
        Setting("TOOL.model", "none", "model whose price the tokens have"),
        Setting("TOOL.tokens", "none", "path of the number of tokens in the result; without it they are estimated"),
        Setting("TOOL.max_tokens", "none", "tokens of a call at most"),
    ),
    "servers": (
        Setting("NAME.prices", "none", "prices of one server, as in [prices]: they go before those"),
        Setting("NAME.record.errors", "that of [record]", "texts of failures of one server, as in [record]"),
    ),
    "record": (
        Setting(
            "errors",
            "off",
            "one line of a failure's text: `off`, `masked` (without personal data, secrets and long ids) or `full` "
            "(without secrets)",
        ),
    ),
    "sessions": (
        Setting(
            "idle_gap_s",
            f"{IDLE_GAP_S:g}",
            "seconds without a call after which a caller without a session id begins a new session",
        ),
    ),
    "http": (Setting("headers", ", ".join(HEADERS), "request headers that the HTTP proxy records, by name"),),
    "identity": (
        Setting("jwks", "none", "file or URL with the keys that sign the callers' tokens"),
        Setting("issuer", "any", "`iss` that a token must have"),
        Setting("audience", "any", "`aud` that a token must have"),
        Setting("principal", "sub", "claim that names the caller; with `static` the caller itself"),
        Setting("tenant", "tenant", "claim that names the tenant; with `static` the tenant itself"),
        Setting("role", "role", "claim that names the role; with `static` the role itself"),
        Setting("static", "false", "every caller is the one named here, without a token"),
    ),
    "collect": (
        Setting("accept_older_than", "7d", "time between a span's start and its receipt, at most"),
        Setting("accept_ahead", "1h", "time that a span may begin after its receipt, at most"),
        Setting("redact", "false", "received spans are stored without content"),
        Setting("scrub", "false", "received spans are stored without personal data and secrets"),
    ),
    "policy": (
        Setting("files", "none", "policy and limits files that `mcpobs instrument` enforces, unless it names its own"),
        Setting("state", "policy/state.db below the lake", "file in which counters are kept, or `memory`"),
    ),
}
"""The tables of config.toml and their keys."""

ENVIRONMENT: tuple[Setting, ...] = (
    Setting("MCPOBS_LAKE", "`mcpobs` in the user's data folder", "folder of the lake, unless --lake names one"),
    Setting(
        "MCPOBS_CONFIG", "`mcpobs` in the user's config folder", "folder of config.toml, unless --config names one"
    ),
    Setting("MCPOBS_RUN", "none", "label of the recorded traffic, unless --run names one"),
    Setting("MCPOBS_IDLE_GAP_S", "config.toml", "[sessions] idle_gap_s"),
    Setting("MCPOBS_ACCEPT_OLDER_THAN", "config.toml", "[collect] accept_older_than"),
    Setting("MCPOBS_ACCEPT_AHEAD", "config.toml", "[collect] accept_ahead"),
    Setting("MCPOBS_COLLECT_TOKEN", "none", "a bearer token that `mcpobs collect` accepts"),
    Setting("MCPOBS_OTLP_DECODER", "native if it is built", "decoder of OTLP: native or plain"),
    Setting("OTEL_SERVICE_NAME", "by the server's command", "name of the MCP server, unless --name gives one"),
    Setting("OTEL_RESOURCE_ATTRIBUTES", "none", "resource of exported spans; its service.name names the server"),
    Setting("OTEL_EXPORTER_OTLP_*", "no export", "endpoint, protocol and headers of OTLP export, as specified"),
    Setting("OTEL_TRACES_EXPORTER", "otlp if there is an endpoint", "otlp or none"),
    Setting("OTEL_METRICS_EXPORTER", "otlp if there is an endpoint", "otlp or none"),
    Setting("OTEL_LOGS_EXPORTER", "none", "logs are not exported"),
    Setting("OTEL_SDK_DISABLED", "false", "true: nothing is exported"),
    Setting("OTEL_BSP_*", "as specified", "queue, batch and delay of the export of spans"),
    Setting("OTEL_METRIC_EXPORT_INTERVAL", "60000", "milliseconds between two exports of metrics"),
    Setting("OTEL_EXPERIMENTAL_RESOURCE_DETECTORS", "none", "detectors of the SDK for the resource"),
    Setting("XDG_DATA_HOME", "~/.local/share", "user's data folder on Linux"),
    Setting("XDG_CONFIG_HOME", "~/.config", "user's config folder on Linux"),
    Setting("TZ", "UTC", "zone of times in tables and pages, unless --tz names one"),
    Setting("COLUMNS", "the terminal's", "width of tables on a terminal"),
    Setting("NO_COLOR", "none", "any value: no colour"),
    Setting("TERM", "the terminal's", "dumb: no colour, no bars and no progress"),
)

OUR_OWN = frozenset({"MCPOBS_INHERITED", "MCPOBS_IN_PROCESS", "_MCPOBS_COMPLETE"})
"""Variables that mcpobs sets for its own processes, and those of a shell's completion."""


def page() -> str:
    """The text of docs/settings.md."""
    lines = [
        "# Settings",
        "",
        "Generated from `mcpobs/setup/reference.py`. An option of a command goes before a variable, and a variable",
        "before `config.toml`; `mcpobs COMMAND --help` lists the options. An unknown key or a wrong value is an error",
        "that names its line and the nearest right key.",
        "",
        "## config.toml",
        "",
    ]
    for table, settings in FILE.items():
        lines += [f"### [{table}]", "", *_rows("key", settings), ""]
    return "\n".join([*lines, "## Environment", "", *_rows("variable", ENVIRONMENT), ""])


def _rows(head: str, settings: Sequence[Setting]) -> list[str]:
    rows = [f"| `{one.name}` | {one.default} | {one.meaning} |" for one in settings]
    return [f"| {head} | default | meaning |", "|---|---|---|", *rows]
