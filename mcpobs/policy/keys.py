"""Declares every key of a policy or limits file once: its meaning, type, default and example. Reads no file.

The JSON Schema for editors (`json_schema.py`) and the tables of docs/policy.md are made of this; a test compares it
with the keys that `file.py` reads, in both directions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from mcpobs.limits.document import LARGEST
from mcpobs.limits.model import STRATEGIES
from mcpobs.policy.file import EFFECTS, ON_ERROR, ON_EXCEED
from mcpobs.policy.inspect.section import ACTIONS, LEAST_RATE, LOOKS, MOST_RATE, ON_DEFINITION, ON_FAULT, OVERS
from mcpobs.policy.inspect.words import WORDS
from mcpobs.policy.rules.schedule import DAYS

Json = Mapping[str, object]

REQUIRED: Final = "required"
NONE: Final = "–"

TEXT: Final[Json] = {"type": ["string", "number", "boolean"]}
"""A scalar of any type: the reader takes it as it is written, so a tool may be called `yes` or `42`."""
NAMES: Final[Json] = {"anyOf": [TEXT, {"type": "array", "minItems": 1, "items": TEXT}]}
FLAG: Final[Json] = {"enum": [True, False, "true", "false"]}
DURATION: Final[Json] = {"type": "string", "pattern": r"^\s*[0-9]{1,9}[smhdSMHD]\s*$"}
_GROUPED: Final = r"^[+-]?[0-9]*[0-9_]*_[0-9_]*(\.[0-9]*)?([eE][+-]?[0-9]+)?$"  # 1_000 is a text to YAML 1.2
# A double takes LARGEST + 1 for LARGEST.
NUMBER: Final[Json] = {"type": ["number", "string"], "minimum": 0, "maximum": LARGEST + 1, "pattern": _GROUPED}
COUNT: Final[Json] = {"type": ["integer", "string"], "minimum": 0, "maximum": LARGEST + 1, "pattern": _GROUPED}
SHARE: Final[Json] = {"type": "number", "minimum": 0, "maximum": 1}
SIGNED: Final[Json] = {
    "type": ["number", "string"],
    "minimum": -LARGEST - 1,
    "maximum": LARGEST + 1,
    "pattern": _GROUPED,
}
RATIO: Final[Json] = {**NUMBER, "maximum": 1}
PATH: Final[Json] = {"type": ["string", "number", "boolean"], "pattern": r"^(args\.)?[^.]+(\.[^.]+){0,15}$"}
ID: Final[Json] = {"type": ["string", "number", "boolean"], "pattern": "^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$"}


def one_of(*values: object) -> Json:
    return {"enum": list(values)}


def several(words: Sequence[str]) -> Json:
    """One word, or a list of words."""
    return {"anyOf": [one_of(*words), {"type": "array", "minItems": 1, "items": one_of(*words)}]}


def in_section(name: str) -> Json:
    return {"$ref": f"#/$defs/{name}"}


def listed(name: str) -> Json:
    return {"type": "array", "items": in_section(name)}


def by_name(name: str) -> Json:
    return {"type": "object", "additionalProperties": in_section(name)}


def bare_or(number: Json, name: str) -> Json:
    """A bare number, or the number with its evidence."""
    return {"anyOf": [number, in_section(name)]}


@dataclass(frozen=True, slots=True)
class Key:
    """A key of the file. `type`, `default` and `example` are for people; `schema` is for editors."""

    name: str
    type: str
    meaning: str
    default: str
    example: str
    schema: Json


@dataclass(frozen=True, slots=True)
class Section:
    """A mapping of the file. `rules` are what JSON Schema needs beside the keys: which exclude or need each other."""

    name: str
    title: str
    keys: tuple[Key, ...]
    rules: Json = field(default_factory=dict)


_MODE: Final = one_of("enforce", "log_only")
_WHAT: Final = (
    Key("tools", "names", "tools, by name or with `*`; case counts", NONE, "[search, get_*]", NAMES),
    Key("unless_tools", "names", "tools that `tools` names and that are not meant", NONE, "[delete_*]", NAMES),
    Key("resources", "names", "URIs of resources, also of templates", NONE, '["file:///srv/*"]', NAMES),
    Key("prompts", "names", "prompts", NONE, "[summarise]", NAMES),
    Key("methods", "names", "MCP methods, whatever they reach", NONE, "[resources/subscribe]", NAMES),
    Key("servers", "names", "only of these servers (`--name`, `service.name`)", "every server", "[billing]", NAMES),
    Key(
        "kinds",
        "names",
        "`read` or `write`, by the tools' annotations; a tool that does not say so writes",
        "both",
        "[write]",
        {"anyOf": [one_of("read", "write"), {"type": "array", "minItems": 1, "items": one_of("read", "write")}]},
    ),
)
_WHO: Final = (
    Key("roles", "names", "verified roles, by their exact names", "anybody", "[billing]", NAMES),
    Key("scopes", "names", "verified OAuth scopes; one of them is enough", "anybody", "[orders:write]", NAMES),
    Key("principals", "names", "verified callers", "anybody", '["*@example.com"]', NAMES),
    Key("tenants", "names", "tenants of verified callers", "anybody", "[acme]", NAMES),
    Key(
        "clients",
        "names",
        "`clientInfo.name`: what a client says of itself, so no protection",
        "any",
        "[cursor]",
        NAMES,
    ),
)
_CONTROL: Final = (
    Key("mode", "choice", "`log_only`: decides and records, and refuses nothing", "the file's", "log_only", _MODE),
    Key(
        "on_error",
        "choice",
        "what a missing argument, a fault or an unreachable store means",
        "the file's",
        "deny",
        one_of(*ON_ERROR),
    ),
    Key(
        "share", "share", "enforced in this share of the sessions, `log_only` in the others", "the file's", "0.1", SHARE
    ),
)
_TARGETS: Final = ("tools", "resources", "prompts", "methods")
_NAMES_A_TARGET: Final[Json] = {"anyOf": [{"required": [name]} for name in _TARGETS]}
_ON_EXCEED: Final = one_of(*ON_EXCEED)

FILE: Final = Section(
    "file",
    "The file",
    (
        Key("version", "1", "the version of this form", REQUIRED, "1", {"const": 1}),
        Key("mode", "choice", "`enforce`, or `log_only` to record what would be refused", "enforce", "log_only", _MODE),
        Key("share", "share", "enforced in this share of the sessions, `log_only` in the others", "1", "0.1", SHARE),
        Key(
            "default",
            "choice",
            "a call that no `allow` matches",
            "deny with `rules`, else allow",
            "deny",
            one_of(*ON_ERROR),
        ),
        Key(
            "on_error",
            "choice",
            "what a missing argument, a fault or an unreachable store means",
            "deny",
            "deny",
            one_of(*ON_ERROR),
        ),
        Key("on_exceed", "choice", "what a number of `session` or `tools` does", "deny", "halt", _ON_EXCEED),
        Key(
            "halt_for",
            "duration",
            "new sessions of a halted key are refused for so long; `resume`: until it is resumed",
            "1h",
            "15m",
            {"anyOf": [{"const": "resume"}, DURATION]},
        ),
        Key(
            "halt_after_denials",
            "count",
            "so many equal denials in a row halt the session; `off`: they do not",
            "3",
            "5",
            {"anyOf": [{"const": "off"}, COUNT]},
        ),
        Key("sensitive", "names", "tools that need an `allow` also if `default` is allow", NONE, "[refund]", NAMES),
        Key("rules", "list", "who may call what, and with what", NONE, "see below", listed("rule")),
        Key("limits", "list", "how often, and how much", NONE, "see below", listed("limit")),
        Key("budgets", "mapping", "how much calls may cost", NONE, "see below", in_section("budgets")),
        Key("inspect", "list", "what to look for in messages of the server", NONE, "see below", listed("inspection")),
        Key(
            "server_requests",
            "mapping",
            "what a server may ask of its client",
            "all allowed",
            "{sampling: deny}",
            in_section("server_requests"),
        ),
        Key("baseline", "mapping", "the traffic that numbers come from", NONE, "see below", in_section("baseline")),
        Key("session", "mapping", "numbers of one session", NONE, "{calls: 150}", in_section("session")),
        Key(
            "tools", "mapping", 'numbers by tool; `"*"` for those without their own', NONE, "see below", by_name("tool")
        ),
        Key(
            "key", "mapping", "numbers of one caller's key, over all its sessions", NONE, "see below", in_section("key")
        ),
        Key("tenants", "mapping", "numbers of a tenant, in place of everybody's", NONE, "see below", by_name("group")),
        Key("roles", "mapping", "numbers of a role, in place of everybody's", NONE, "see below", by_name("group")),
        Key(
            "sequences",
            "list",
            "which tool usually follows which; refuses nothing",
            NONE,
            "see below",
            listed("succession"),
        ),
    ),
)
RULE: Final = Section(
    "rule",
    "A rule",
    (
        Key("id", "id", "names the rule in decisions; counters and verdicts go by it", REQUIRED, "readers", ID),
        Key(
            "effect",
            "choice",
            "`allow`, `require` (must hold as well), `deny`, or `log_only` (is recorded)",
            REQUIRED,
            "allow",
            one_of(*EFFECTS),
        ),
        *_WHAT,
        *_WHO,
        Key(
            "args_schema",
            "JSON Schema",
            "the arguments must be valid by it; say `required` and `additionalProperties: false`",
            NONE,
            "{type: object, required: [id]}",
            {"type": "object"},
        ),
        Key(
            "after",
            "mapping",
            "another tool succeeded before, in this session",
            NONE,
            "{tool: login}",
            in_section("after"),
        ),
        Key("window", "mapping", "days and hours", NONE, '{hours: "08:00-18:00"}', in_section("window")),
        Key(
            "path",
            "mapping",
            "an argument is a path below a folder",
            NONE,
            "{arg: path, under: [/srv]}",
            in_section("path"),
        ),
        Key(
            "url",
            "mapping",
            "an argument is a URL of a host",
            NONE,
            "{arg: url, hosts: [example.com]}",
            in_section("url"),
        ),
        Key(
            "when",
            "CEL",
            "an expression that must be true",
            NONE,
            '"args.n <= 50.0"',
            {"anyOf": [TEXT, in_section("when")]},
        ),
        Key(
            "sql",
            "mapping",
            "an argument is one harmless SQL statement",
            NONE,
            "{arg: sql, dialect: postgres}",
            in_section("sql"),
        ),
        Key("tenant", "mapping", "the data is the verified tenant's", NONE, "{arg: tenant_id}", in_section("tenant")),
        *_CONTROL,
        Key("reason", "text", "a sentence for the model that reads the denial", NONE, "Ask billing for it.", TEXT),
    ),
    {
        "required": ["id", "effect"],
        **_NAMES_A_TARGET,
        "dependentRequired": {"unless_tools": ["tools"], "kinds": ["tools"]},
        "if": {"properties": {"effect": {"const": "deny"}}, "required": ["effect"]},
        "then": {"not": {"anyOf": [{"required": [name]} for name in ("tenant", "path", "url", "sql")]}},
    },
)
AFTER: Final = Section(
    "after",
    "`after` of a rule",
    (
        Key("tool", "name", "the tool that must have succeeded", REQUIRED, "lookup_order", TEXT),
        Key("within", "duration", "at most so long ago", "any time", "10m", DURATION),
        Key(
            "same",
            "mapping",
            "arguments that must be equal: there, and here",
            NONE,
            "{order_id: order_id}",
            {"type": "object", "additionalProperties": PATH},
        ),
    ),
    {"required": ["tool"]},
)
WINDOW: Final = Section(
    "window",
    "`window` of a rule",
    (
        Key(
            "days",
            "list",
            f"{', '.join(DAYS)}",
            "every day",
            "[mon, fri]",
            {"type": "array", "items": {"type": "string", "pattern": f"^(?i:{'|'.join(DAYS)})"}},
        ),
        Key(
            "hours",
            "text",
            "from and to; they may pass midnight, and belong to the day on which they begin",
            "all day",
            '"08:00-18:00"',
            {"type": "string", "pattern": "^([01][0-9]|2[0-4]):[0-5][0-9]-([01][0-9]|2[0-4]):[0-5][0-9]$"},
        ),
        Key("zone", "text", "a time zone", "UTC", "Europe/Berlin", {"type": "string"}),
    ),
    {"anyOf": [{"required": ["days"]}, {"required": ["hours"]}]},
)
PATH_RULE: Final = Section(
    "path",
    "`path` of a rule",
    (
        Key("arg", "path", "the argument that is a path", REQUIRED, "path", PATH),
        Key("under", "names", "folders that it must lie below", REQUIRED, "[/data/reports]", NAMES),
    ),
    {"required": ["arg", "under"]},
)
_PORT: Final[Json] = {**COUNT, "minimum": 1, "maximum": 65_535}
URL: Final = Section(
    "url",
    "`url` of a rule",
    (
        Key("arg", "path", "the argument that is a URL", REQUIRED, "url", PATH),
        Key("hosts", "names", "hosts; `*.` before one for all below it", REQUIRED, "[api.example.com]", NAMES),
        Key("schemes", "names", "schemes", "https", "[https]", NAMES),
        Key(
            "ports",
            "list",
            "ports",
            "the scheme's own",
            "[443]",
            {"anyOf": [_PORT, {"type": "array", "minItems": 1, "items": _PORT}]},
        ),
    ),
    {"required": ["arg", "hosts"]},
)
WHEN: Final = Section(
    "when",
    "`when` of a rule, with a zone",
    (
        Key("expression", "CEL", "the expression", REQUIRED, '"call.local.hour < 18"', TEXT),
        Key("zone", "text", "the time zone of `call.local`", "UTC", "Europe/Berlin", {"type": "string"}),
    ),
    {"required": ["expression"]},
)
SQL: Final = Section(
    "sql",
    "`sql` of a rule",
    (
        Key("arg", "path", "the argument that is SQL", REQUIRED, "sql", PATH),
        Key("dialect", "text", "its dialect", REQUIRED, "postgres", {"type": "string"}),
        Key("read_only", "flag", "only queries", "true", "true", FLAG),
        Key("tables", "names", "tables that it may name", "any", "[orders]", NAMES),
        Key("functions", "names", "functions that it may call besides harmless ones", "none", "[lower]", NAMES),
    ),
    {"required": ["arg", "dialect"]},
)
TENANT: Final = Section(
    "tenant",
    "`tenant` of a rule",
    (
        Key("arg", "path", "the argument that must equal the caller's tenant", NONE, "customer.tenant", PATH),
        Key("result", "path", "the member that each row of the result must carry with it", NONE, "tenant_id", PATH),
        Key(
            "on_missing",
            "choice",
            "a result without that member",
            "block",
            "block",
            one_of("block", "pass"),
        ),
        Key("ids", "names", "where results hold ids, which are then that tenant's", NONE, "rows[*].order_id", NAMES),
        Key("ttl", "duration", "how long an id is remembered", "30d", "7d", DURATION),
        Key("on_unseen", "choice", "a call with an id that no result showed", "pass", "block", one_of("block", "pass")),
    ),
    {
        "anyOf": [{"required": [name]} for name in ("arg", "result", "ids")],
        "dependentRequired": {"on_missing": ["result"], "ttl": ["ids"], "on_unseen": ["ids", "arg"]},
    },
)
_CAPS: Final = ("per_session", "per_principal", "per_tenant")
_IN_SESSION: Final = ("same_args", "distinct_tools")
LIMIT: Final = Section(
    "limit",
    "A limit",
    (
        Key("id", "id", "names the limit in decisions; its counters go by it", REQUIRED, "searches", ID),
        *_WHAT,
        *_WHO,
        Key("per_session", "count", "most in one session", NONE, "15", NUMBER),
        Key("per_principal", "count", "most of one caller in `window`", NONE, "200", NUMBER),
        Key("per_tenant", "count", "most of one tenant in `window`", NONE, "2000", NUMBER),
        Key("window", "duration", "the rolling window of `per_principal` and `per_tenant`", NONE, "1h", DURATION),
        Key("sum", "path", "adds up this argument, instead of counting calls", NONE, "args.amount", PATH),
        Key("same_args", "count", "most calls of one tool with equal arguments in a session", NONE, "3", COUNT),
        Key("distinct_tools", "count", "most different tools in a session", NONE, "8", COUNT),
        Key("each_tool", "flag", "every tool that `tools` names has a counter of its own", "false", "true", FLAG),
        Key("on_exceed", "choice", "`deny` the call, `halt` the session, or `warn`", "deny", "halt", _ON_EXCEED),
        *_CONTROL,
    ),
    {
        "required": ["id"],
        "allOf": [
            _NAMES_A_TARGET,
            {"anyOf": [{"required": [name]} for name in (*_CAPS, *_IN_SESSION)]},
            {"not": {"required": ["sum", "same_args"]}},
            {"not": {"required": ["sum", "distinct_tools"]}},
            {"not": {"required": ["same_args", "distinct_tools"]}},
            {"not": {"required": ["each_tool", "distinct_tools"]}},
            {"not": {"required": ["per_session", "window"], "not": {"anyOf": [{"required": [c]} for c in _CAPS[1:]]}}},
        ],
        "dependentRequired": {
            "unless_tools": ["tools"],
            "per_principal": ["window"],
            "per_tenant": ["window"],
        },
        "dependentSchemas": {name: {"not": {"anyOf": [{"required": [cap]} for cap in _CAPS]}} for name in _IN_SESSION},
    },
)
BUDGETS: Final = Section(
    "budgets",
    "Budgets",
    (
        Key("session", "mapping", "most that one session may cost", NONE, "{usd: 0.42}", in_section("session_budget")),
        Key(
            "principal", "mapping", "most that one caller may cost", NONE, "{usd: 20, window: 1d}", in_section("budget")
        ),
        Key("tenant", "mapping", "most that one tenant may cost", NONE, "{usd: 200, window: 1d}", in_section("budget")),
    ),
)
_BUDGET: Final = (
    Key("usd", "number", "US dollars, by the prices of config.toml", REQUIRED, "0.42", NUMBER),
    Key("on_exceed", "choice", "`deny` the call, `halt` the session, or `warn`", "deny", "halt", _ON_EXCEED),
    *_CONTROL,
)
BUDGET: Final = Section(
    "budget",
    "A budget of a principal or tenant",
    (_BUDGET[0], Key("window", "duration", "the rolling window", REQUIRED, "1d", DURATION), *_BUDGET[1:]),
    {"required": ["usd", "window"]},
)
SESSION_BUDGET: Final = Section("session_budget", "A budget of a session", _BUDGET, {"required": ["usd"]})
INSPECTION: Final = Section(
    "inspection",
    "An entry of `inspect`",
    (
        Key("id", "id", "names the entry in decisions and findings", REQUIRED, "injection", ID),
        Key("find", "names", f"{', '.join(f'`{word}`' for word in WORDS)}", REQUIRED, "[email, card]", several(WORDS)),
        Key(
            "action",
            "choice",
            "`pass`: only recorded; `flag`: passes with a warning; `mask`: each place is overwritten; `block`: "
            "withheld; of `definitions`: `pass`, `flag`, or `deny`: removed from the list, and calls are refused",
            "flag",
            "mask",
            one_of(*ACTIONS, "deny"),
        ),
        *_WHAT,
        Key(
            "rate",
            "share",
            "of `injection`: the share of harmless texts that are found too, from 0.001 to 0.1",
            "0.01",
            "0.001",
            {"type": "number", "minimum": LEAST_RATE, "maximum": MOST_RATE},
        ),
        Key(
            "where",
            "names",
            "`result`: results, errors, requests of the server; `listing`: `*/list` and `initialize`; `arguments`",
            "result; `injection`: also listing",
            "[result, arguments]",
            several(LOOKS),
        ),
        Key("max_bytes", "count", "most text of one message that is inspected", "1048576", "65536", COUNT),
        Key(
            "over",
            "choice",
            "more text than that: `block`; `flag`: its two ends are inspected; `pass`: the same, without a finding",
            "block with mask or block, else flag",
            "block",
            one_of(*OVERS),
        ),
        Key(
            "new",
            "choice",
            "of `definitions`: the action for a tool that was never approved: `pass`, `flag` or `deny`",
            "the action",
            "flag",
            one_of(*ON_DEFINITION),
        ),
        Key(
            "approved",
            "text",
            "of `definitions`: the file of the approved definitions, relative to the folder of this file",
            "approved/SERVER.json beside config.toml",
            "approved/shop.json",
            TEXT,
        ),
        _CONTROL[0],
        Key(
            "on_error",
            "choice",
            "a fault while inspecting: `block` (or deny), or `flag` (or allow)",
            "block with mask or block, else flag",
            "block",
            one_of(*ON_FAULT),
        ),
        _CONTROL[2],
    ),
    {"required": ["id", "find"], "dependentRequired": {"unless_tools": ["tools"], "kinds": ["tools"]}},
)
SERVER_REQUESTS: Final = Section(
    "server_requests",
    "What a server asks of its client",
    (
        Key("sampling", "choice", "texts of the client's model", "allow", "deny", one_of("allow", "deny")),
        Key(
            "elicitation",
            "choice",
            "questions to the user; `form` or `url`: only those",
            "allow",
            "form",
            one_of("allow", "deny", "form", "url"),
        ),
        Key("roots", "choice", "the client's folders", "allow", "allow", one_of("allow", "deny")),
    ),
)
BASELINE: Final = Section(
    "baseline",
    "`baseline`, as `mcpobs baseline` writes it",
    (
        Key(
            "server",
            "name",
            "the server that the numbers come from: the whole file is for it alone",
            "every server",
            "shop",
            TEXT,
        ),
        Key("run", "text", "the label of the traffic, if only a labelled run was learned from", NONE, "nightly", TEXT),
        Key("strategy", "choice", "how numbers were derived", NONE, "seed", one_of(*STRATEGIES)),
        Key("cut_rate", "share", "the share of sessions that numbers may cut", NONE, "0.001", RATIO),
        Key("factor_calls", "number", "a ceiling as a multiple of the observed maximum", NONE, "3", NUMBER),
        Key(
            "counted_on", "list", "the columns that make a session", NONE, "[tenant]", {"type": "array", "items": TEXT}
        ),
        Key("drift", "mapping", "what predictions were worth in time", NONE, "see below", in_section("drift")),
        Key(
            "censored",
            "list",
            "sessions that a policy cut",
            NONE,
            '[{session: 9f2c, why: "denied"}]',
            listed("excluded"),
        ),
        Key("more_censored", "count", "further ones that a policy cut", "0", "12", COUNT),
        Key("from", "day", "first day", REQUIRED, "2026-11-01", {"type": ["string", "integer"]}),
        Key("to", "day", "last day", REQUIRED, "2026-11-21", {"type": ["string", "integer"]}),
        Key("sessions", "count", "sessions", REQUIRED, "1204", COUNT),
        Key("calls", "count", "calls", REQUIRED, "18231", COUNT),
        Key(
            "excluded",
            "list",
            "sessions that were left out",
            NONE,
            '[{session: 9f2c, why: "loop"}]',
            listed("excluded"),
        ),
        Key("excluded_share", "share", "share of the sessions that was left out", NONE, "0.036", RATIO),
        Key("more_excluded", "count", "further ones", "0", "12", COUNT),
    ),
    {"required": ["from", "to", "sessions", "calls"]},
)
DRIFT: Final = Section(
    "drift",
    "`drift` of a baseline",
    (
        Key("first", "count", "sessions that numbers were made of", REQUIRED, "800", COUNT),
        Key("last", "count", "later sessions that they were judged on", REQUIRED, "400", COUNT),
        Key("numbers", "count", "numbers that were judged", REQUIRED, "12", COUNT),
        Key("held", "count", "those whose cuts lay in the predicted interval", REQUIRED, "11", COUNT),
        Key("cut_more", "count", "those that cut more than predicted", "0", "1", COUNT),
    ),
    {"required": ["first", "last", "numbers", "held"]},
)
SUCCESSION: Final = Section(
    "succession",
    "`sequences`",
    (
        Key("after", "name", "a tool", REQUIRED, "search", TEXT),
        Key("then", "name", "the tool that follows", REQUIRED, "get_order", TEXT),
        Key("share", "share", "after so large a share of its calls", REQUIRED, "0.7", RATIO),
        Key("n", "count", "of so many calls", REQUIRED, "812", COUNT),
    ),
    {"required": ["after", "then", "share", "n"]},
)
EXCLUDED: Final = Section(
    "excluded",
    "`excluded` of a baseline",
    (
        Key("session", "text", "the session", REQUIRED, "9f2c", TEXT),
        Key("why", "text", "the reason", REQUIRED, '"loop: search × 100"', TEXT),
    ),
    {"required": ["session", "why"]},
)
SESSION: Final = Section(
    "session",
    "`session`: numbers of one session",
    (
        Key("calls", "number", "most tool calls", NONE, "150", bare_or(COUNT, "whole_limit")),
        Key("cost_usd", "number", "most that its calls may cost", NONE, "0.42", bare_or(NUMBER, "number_limit")),
        Key(
            "duration_s",
            "number",
            "most seconds from its first call to the begin of any other",
            NONE,
            "900",
            bare_or(NUMBER, "number_limit"),
        ),
        Key("distinct_tools", "number", "most different tools", NONE, "8", bare_or(COUNT, "whole_limit")),
    ),
)
KEY: Final = Section(
    "key",
    "`key`: numbers of one caller's key",
    (
        Key(
            "calls_per_hour",
            "number",
            "most calls of a caller in a rolling hour",
            NONE,
            "600",
            bare_or(COUNT, "whole_limit"),
        ),
    ),
)
GROUP: Final = Section(
    "group",
    "`tenants` and `roles`: numbers of one group",
    tuple(key for key in FILE.keys if key.name in ("session", "key", "tools")),
)
VALUE: Final = Section(
    "value",
    "`argument_values`: one argument",
    (
        Key("max_length", "number", "most characters", NONE, "200", bare_or(COUNT, "whole_limit")),
        Key("max_items", "number", "most items of a list", NONE, "20", bare_or(COUNT, "whole_limit")),
        Key("min", "number", "least value; may be negative", NONE, "-5", bare_or(SIGNED, "signed_limit")),
        Key("max", "number", "largest value", NONE, "50", bare_or(SIGNED, "signed_limit")),
    ),
)
TOOL: Final = Section(
    "tool",
    "`tools`: numbers of one tool",
    (
        Key("calls_per_session", "number", "most calls in a session", NONE, "15", bare_or(COUNT, "whole_limit")),
        Key(
            "calls_per_hour",
            "number",
            "most calls of a caller in a rolling hour",
            NONE,
            "60",
            bare_or(COUNT, "whole_limit"),
        ),
        Key(
            "error_rate",
            "share",
            "largest share of failed calls in a session, for `mcpobs check`",
            NONE,
            "0.2",
            bare_or(RATIO, "ratio_limit"),
        ),
        Key("argument_values", "mapping", "numbers of its arguments", NONE, "{q: {max_length: 200}}", by_name("value")),
        Key(
            "latency_ms",
            "number",
            "p95 that `mcpobs check` compares; nothing is refused for it",
            NONE,
            "930",
            bare_or({**NUMBER, "not": {"const": 0}}, "latency_limit"),
        ),
        Key(
            "arguments",
            "mapping",
            "size and shapes of the arguments",
            NONE,
            "{max_bytes: 2048}",
            in_section("arguments"),
        ),
        Key(
            "result",
            "mapping",
            "size and shapes of the result, for `mcpobs check` and `find: [shape, size]`",
            NONE,
            "{max_bytes: 65536}",
            in_section("result"),
        ),
    ),
)
_EVIDENCE: Final = (
    Key("factor", "number", "the limit as a multiple", NONE, "3", SIGNED),
    Key("rule", "text", "how the limit was derived", NONE, "3 × p95", TEXT),
    Key("order_statistic", "number", "the observed value that a cut rate chose", NONE, "12", SIGNED),
    Key("observed_min", "number", "least of normal sessions", NONE, "1", SIGNED),
    Key("censored", "count", "sessions whose demand a policy cut", NONE, "0", COUNT),
    Key("cut_at", "number", "the most that one of those reached", NONE, "15", SIGNED),
    Key("observed_max", "number", "largest of normal sessions", NONE, "5", SIGNED),
    Key("mean", "number", "mean of normal sessions", NONE, "1.4", SIGNED),
    Key("p50", "number", "median", NONE, "1", SIGNED),
    Key("p95", "number", "95th percentile", NONE, "3", SIGNED),
    Key("n", "count", "sessions (for latency: calls) that it was derived from", NONE, "812", COUNT),
    Key("would_have_cut", "count", "past sessions over the limit", NONE, "1", COUNT),
    Key(
        "next_1000_cut",
        "range",
        "90 % prediction interval for 1,000 further normal sessions",
        NONE,
        "[0, 4]",
        {"type": "array", "minItems": 2, "maxItems": 2, "items": {**COUNT, "maximum": 1000}},
    ),
    Key("n_all", "count", "all sessions, the excluded ones too", NONE, "830", COUNT),
    Key(
        "next_1000_all",
        "range",
        "90 % prediction interval for 1,000 further sessions, normal or not",
        NONE,
        "[1, 9]",
        {"type": "array", "minItems": 2, "maxItems": 2, "items": {**COUNT, "maximum": 1000}},
    ),
)
_WITH_SIZE: Final[Json] = {
    "dependentRequired": {key.name: ["max_bytes"] for key in _EVIDENCE},
}
_MAX_BYTES: Final = Key("max_bytes", "count", "most bytes, as compact JSON", NONE, "2048", COUNT)
ARGUMENTS: Final = Section(
    "arguments",
    "`arguments` of a tool",
    (
        _MAX_BYTES,
        Key(
            "shapes",
            "list",
            "known shapes; a call of another one is marked, and not refused",
            "any",
            '["{q:string}"]',
            {"type": "array", "items": TEXT},
        ),
        *_EVIDENCE,
    ),
    _WITH_SIZE,
)
RESULT: Final = Section(
    "result",
    "`result` of a tool",
    (
        _MAX_BYTES,
        Key(
            "shapes",
            "list",
            "known forms of answers: types without names",
            "any",
            '["{number,string×2}"]',
            {"type": "array", "items": TEXT},
        ),
        *_EVIDENCE,
    ),
    _WITH_SIZE,
)


def _limit(name: str, key: str, number: Json, example: str = "15") -> Section:
    title = f"A number with its evidence (`{key}`)"
    whole = Key(key, "number", "the number that holds", REQUIRED, example, number)
    return Section(name, title, (whole, *_EVIDENCE), {"required": [key]})


NUMBER_LIMIT: Final = _limit("number_limit", "limit", NUMBER)
WHOLE_LIMIT: Final = _limit("whole_limit", "limit", COUNT)
RATIO_LIMIT: Final = _limit("ratio_limit", "limit", RATIO, "0.2")
SIGNED_LIMIT: Final = _limit("signed_limit", "limit", SIGNED)
LATENCY_LIMIT: Final = _limit("latency_limit", "budget", {**NUMBER, "not": {"const": 0}})

SECTIONS: Final[Sequence[Section]] = (
    FILE,
    RULE,
    AFTER,
    WINDOW,
    TENANT,
    LIMIT,
    BUDGETS,
    BUDGET,
    SESSION_BUDGET,
    INSPECTION,
    SERVER_REQUESTS,
    BASELINE,
    EXCLUDED,
    SESSION,
    TOOL,
    ARGUMENTS,
    RESULT,
    WHOLE_LIMIT,
    NUMBER_LIMIT,
    LATENCY_LIMIT,
    RATIO_LIMIT,
    SIGNED_LIMIT,
    PATH_RULE,
    URL,
    WHEN,
    SQL,
    DRIFT,
    SUCCESSION,
    KEY,
    GROUP,
    VALUE,
)
