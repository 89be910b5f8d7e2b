"""docs/policy.md says of every key and every denial what the code says, and of no other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from mcpobs.policy import file
from mcpobs.policy.codes import Code, Said, text
from mcpobs.policy.keys import NONE, REQUIRED, SECTIONS, Key
from tests.golden import check

PAGE = Path(__file__).parents[2] / "docs" / "policy.md"
SAID = Said("search", "15", "15", "session", 90, "it needs a successful call of login before it")
SAID_OF = {
    Code.INSPECTION: Said("search", needs="The result of search is withheld by the rule mail (decision 3f9a2c10)")
}
WHEN = {
    Code.HALTED: "the session, caller, tenant, tool or server is halted",
    Code.UNKNOWN: "the caller may not even see the tool; a resource or prompt likewise",
    Code.NOT_ALLOWED: "no `allow` matches",
    Code.DENIED: "a `deny` matches",
    Code.REQUIREMENT: "a `require` is for other callers, or does not hold",
    Code.ORDER: "`after`: the other tool has not succeeded before",
    Code.SCHEDULE: "`window` of a rule: not at this time",
    Code.ARGUMENTS: "`args_schema`, `argument_values` of a tool, or arguments that cannot be read in one way only",
    Code.TENANT: "`tenant`: the argument or the result is another tenant's",
    Code.RESULT: "`tenant.ids`: a result shows too many ids",
    Code.INSPECTION: "`inspect`: an entry with `action: block` found something",
    Code.CALL_LIMIT: "calls of a session, also of one tool",
    Code.RATE_LIMIT: "calls in a window, `calls_per_hour`",
    Code.SUM_LIMIT: "`sum` of an argument",
    Code.COST_LIMIT: "a budget, or `cost_usd` of a session",
    Code.TOOL_LIMIT: "`distinct_tools`",
    Code.REPEATED: "`same_args`",
    Code.DURATION: "`duration_s` of a session",
    Code.SIZE: "`arguments.max_bytes` of a tool",
    Code.SERVER_REQUEST: "`server_requests`: the server gets this answer",
    Code.POLICY_ERROR: "a fault while deciding, with `on_error: deny`",
    Code.STORE_ERROR: "the counters could not be read or written, with `on_error: deny`",
}


def _cell(words: str) -> str:
    return words.replace("|", "\\|")


def _shown(value: str) -> str:
    return value if value in (REQUIRED, NONE) or " " in value else f"`{value}`"


def _row(key: Key) -> str:
    return f"| `{key.name}` | {key.type} | {_cell(key.meaning)} | {_shown(key.default)} | `{_cell(key.example)}` |"


def _keys() -> str:
    parts = []
    described: set[tuple[str, str]] = set()
    for section in SECTIONS:
        new = [key for key in section.keys if (key.name, key.meaning) not in described]
        described |= {(key.name, key.meaning) for key in new}
        known = [f"`{key.name}`" for key in section.keys if key not in new]
        parts.append(f"### {section.title}\n")
        if new:
            parts += ["| key | type | meaning | default | example |", "|---|---|---|---|---|", *map(_row, new), ""]
        if known:
            parts.append(f"{'Also ' if new else 'The keys '}{', '.join(known)}, as above.\n")
    return "\n".join(parts)


def _codes() -> str:
    rows = [f"| `{code}` | {WHEN[code]} | {_cell(text(code, SAID_OF.get(code, SAID)))} |" for code in Code]
    return "\n".join(["| code | when | the model reads, e.g. |", "|---|---|---|", *rows]) + "\n"


def test_the_page_has_every_key_and_every_code_as_the_code_has_them() -> None:
    page = PAGE.read_text()
    for name, written in (("keys", _keys()), ("codes", _codes())):
        page = re.sub(
            rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", lambda m, w=written: f"{m[1]}{w}{m[2]}", page, flags=re.DOTALL
        )
    check(PAGE, page)


def test_the_example_of_the_page_is_a_policy() -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    policy = file.of_texts([(example.encode(), "policy.yaml")])
    assert [rule.id for rule in policy.layers[0].rules] == ["readers", "billing", "refund-after-lookup", "refund-small"]


def test_the_example_of_the_readme_is_the_policy_that_its_output_names() -> None:
    readme = (PAGE.parents[1] / "README.md").read_text()
    (example,) = re.findall(r"```yaml\n(# yaml-language-server.*?)```", readme, re.DOTALL)
    hash_ = file.of_texts([(example.encode(), "policy.yaml")]).hash
    assert readme.count(hash_) == 2


@pytest.mark.parametrize("key", [key for section in SECTIONS for key in section.keys], ids=lambda key: key.name)
def test_an_example_of_a_key_is_valid_by_its_schema(key: Key) -> None:
    from jsonschema_rs import validator_for

    from mcpobs.policy.json_schema import json_schema

    if key.example != "see below":
        schema = {**key.schema, "$defs": json_schema()["$defs"]}
        assert validator_for(schema).is_valid(yaml.safe_load(key.example) if key.type != "day" else key.example)
