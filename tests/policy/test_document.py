"""The document of a policy: who may call what, and what it says plainly that is not covered."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mcpobs.cli.policy import PolicyOptions, run_check, run_schema, run_show
from mcpobs.errors import UsageError
from mcpobs.output.document import markdown, text
from mcpobs.policy import file
from mcpobs.policy.document import Document, document
from mcpobs.policy.json_schema import json_schema
from mcpobs.policy.text import Texts
from mcpobs.policy.traffic import History, Traffic
from tests.golden import check
from tests.policy.test_lint import TRAFFIC
from tests.queries.recorded import call, spool

GOLDEN = Path(__file__).parent / "golden"
POLICY = """version: 1
sensitive: [refund]
rules:
- {id: readers, effect: allow, tools: [search, get_*], unless_tools: [get_secret]}
- {id: billing, effect: allow, tools: [refund], roles: [billing], reason: Ask billing.}
- id: small
  effect: require
  tools: [refund]
  args_schema:
    type: object
    required: [amount]
- {id: night, effect: deny, tools: [refund], window: {hours: "22:00-06:00", zone: Europe/Berlin}, mode: log_only}
- {id: files, effect: allow, resources: ["file:///srv/*"], clients: [cursor]}
limits:
- {id: searches, tools: [search], per_session: 15, per_principal: 200, window: 90m}
- {id: refunds, tools: [refund], sum: args.amount, per_tenant: 1000, window: 1d, on_exceed: halt}
budgets:
  session: {usd: 0.42, on_exceed: halt}
server_requests: {sampling: deny}
"""
LIMITS = """version: 1
session: {calls: 150}
tools:
  search:
    calls_per_session: {limit: 15, observed_max: 5}
    latency_ms: 930
    arguments: {max_bytes: 2048, shapes: ["{q:string}"]}
    result: {max_bytes: 65536}
"""
CONTENTS = [(POLICY.encode(), "policy.yaml"), (LIMITS.encode(), "limits.yaml")]


def documented(*contents: tuple[bytes, str], history: bool = False) -> Document:
    policy = file.of_texts(contents)
    return document(policy, Texts(contents), History(policy, TRAFFIC) if history else None)


def test_a_document_says_what_is_inspected_and_what_is_not() -> None:
    written = (
        b"version: 1\ninspect:\n- {id: orders, find: injection, rate: 0.005, action: block, on_error: flag}\n"
        b"- {id: pii, tools: [crm], find: [email, card], action: mask, mode: log_only}\n"
    )
    found = documented((written, "policy.yaml"))
    (part,) = [part for part in found.parts if part.title == "Inspection"]
    assert part.rows == (
        ("orders", "all messages", "injection (also in 0.5 % of harmless texts)", "result, listing", "block", ""),
        ("pii", "tools crm", "email, card", "result", "mask", "log only"),
    )
    assert "Messages that cannot be inspected pass with a warning: orders." in part.words[0]
    (left,) = [words for words in found.not_covered if words.startswith("Contents of results")]
    assert left.startswith("Contents of results other than injection, email, card")
    assert "Inspection" not in [part.title for part in documented(*CONTENTS).parts]


def test_a_document_in_both_forms() -> None:
    found = documented(*CONTENTS, history=True)
    check(GOLDEN / "document.md", markdown(found))
    check(GOLDEN / "document.txt", text(found, 100))


def test_no_line_for_a_terminal_is_wider_than_it() -> None:
    for width in (60, 100):
        assert max(map(len, text(documented(*CONTENTS), width).splitlines())) <= width


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("rules:\n- {id: a, effect: allow, tools: [search]}", "so they are refused: refund."),
        ("limits:\n- {id: a, tools: [search], per_session: 1}", "so their calls pass unlimited: refund."),
        ("limits: []", "Tools, resources and prompts that no rule names: they pass."),
        ("limits: []", "Resources: no rule is about them"),
        ("limits: []", "Prompts: no rule is about them."),
        ("limits: []", "sampling, elicitation, roots pass."),
        ("limits: []", "Callers without a verified identity"),
        ("tools: {x: {latency_ms: 9}}", "no call is refused: latency budgets (known after the call)."),
        ("tools: {x: {result: {max_bytes: 9}}}", "no call is refused: sizes of results (known after the call)."),
        ("tools: {x: {error_rate: 0.5}}", "no call is refused: error rates (known when a session is over)."),
        ("tenants: {acme: {tools: {x: {error_rate: 0.5}}}}", "no call is refused: error rates (known"),
        ("tools: {x: {arguments: {shapes: []}}}", "Shapes of arguments"),
        ("rules:\n- {id: a, effect: allow, tools: [x], mode: log_only}", "In log_only, or for a share of the"),
        ("rules:\n- {id: a, effect: allow, tools: [x], clients: [c]}", "a go by the client's own word"),
        ("baseline: {server: s, from: 2026-11-01, to: 2026-11-01, sessions: 1, calls: 1}", "Servers other than s"),
    ],
)  # fmt: skip
def test_what_is_not_covered_is_said(content: str, said: str) -> None:
    found = documented((f"version: 1\n{content}".encode(), "policy.yaml"), history=True)
    assert [one for one in found.not_covered if said in one]


def test_what_is_covered_is_not_said_to_be_uncovered() -> None:
    content = (
        "version: 1\nrules:\n- {id: a, effect: allow, tools: [search, refund], resources: [x], prompts: [y]}\n"
        "server_requests: {sampling: deny, roots: deny, elicitation: url}\n"
    )
    found = documented((content.encode(), "policy.yaml"), history=True)
    assert found.uncovered_tools == ()
    assert not [
        one for one in found.not_covered if one.startswith(("Recorded tools", "Resources", "Prompts", "What the"))
    ]


def test_a_name_in_a_file_is_no_markup_in_the_document() -> None:
    content = "version: 1\nrules:\n- {id: a, effect: allow, tools: ['<b>x|y\\u202e'], reason: \"\\e[31m\"}\n"
    found = documented((content.replace("'", '"').encode(), "policy.yaml"))
    assert "<b>" not in markdown(found)
    assert "\u202e" not in markdown(found) + text(found, 80)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for content, name in CONTENTS:
        (tmp_path / name).write_bytes(content)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("MCPOBS_CONFIG", str(tmp_path / "config"))
    spool(tmp_path / "lake", [*(call(n) for n in range(5)), call(7, tool="refund"), call(8, tool="delete_all")])
    return tmp_path


def test_the_command_prints_the_document_of_the_files_and_the_lake(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_show(PolicyOptions(("policy.yaml", "limits.yaml"), lake="lake", json=True))
    found = json.loads(capsys.readouterr().out)
    assert found["hash"] == file.of_texts(CONTENTS).hash
    assert found["uncovered_tools"] == []  # limits.yaml bounds each tool of a session
    run_show(PolicyOptions(("policy.yaml",), format="markdown"))
    assert capsys.readouterr().out.startswith("# Policy ")


def test_the_command_lists_findings_and_says_whether_one_is_a_warning(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_check(PolicyOptions(("policy.yaml", "limits.yaml"), lake="lake"))
    out = capsys.readouterr().out
    assert (
        "policy.yaml:5: warning: billing: names `roles`, and config.toml has no [identity] [nobody-verified]\n" in out
    )
    assert out.endswith("compared with 7 recorded calls\n")
    assert not run_check(PolicyOptions(("limits.yaml",), json=True))
    found = json.loads(capsys.readouterr().out)
    assert (found["findings"], found["calls"]) == ([], None)


def test_tools_of_a_list_are_known(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "rules.yaml").write_text("version: 1\nrules:\n- {id: a, effect: allow, tools: [search, serch]}\n")
    (folder / "tools.json").write_text('{"result": {"tools": [{"name": "search"}, {"name": "refund"}]}}')
    assert run_check(PolicyOptions(("rules.yaml",), tools="tools.json"))
    assert "rules.yaml:3: warning: a: no tool `serch` was seen; did you mean `search`?" in capsys.readouterr().out
    for content in ("nothing", '{"tools": 3}'):
        (folder / "tools.json").write_text(content)
        with pytest.raises(UsageError, match=r"tools\.json"):
            run_check(PolicyOptions(("rules.yaml",), tools="tools.json"))


def test_without_a_file_those_of_the_configuration_are_read(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError, match="no policy file is named"):
        run_check(PolicyOptions(()))
    (folder / "config").mkdir()
    (folder / "config" / "config.toml").write_text('[policy]\nfiles = ["../limits.yaml"]\n')
    assert not run_check(PolicyOptions(()))
    assert "limits.yaml (policy " in capsys.readouterr().out


def test_the_schema_is_printed_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    run_schema()
    assert json.loads(capsys.readouterr().out) == json_schema()


def test_the_text_of_a_rule_is_that_of_its_file() -> None:
    texts = Texts(CONTENTS)
    small = texts.of("small")
    assert small is not None
    assert (small.line, small.lines[0], small.lines[-1]) == (6, "- id: small", "    required: [amount]")
    assert small.conditions == ("args_schema {type: object, required: [amount]}",)
    for id_, line in {
        "searches.reopened": 15,
        "budgets.session": 18,
        "session.calls": 2,
        "tools.search.calls_per_session": 5,
        "tools.search.arguments.max_bytes": 7,
    }.items():
        said = texts.of(id_)
        assert said is not None
        assert said.line == line, id_
    assert texts.of("tools.other.calls_per_session") is None
    assert texts.of("default") is None


def test_a_name_that_no_call_was_answered_by_is_listed_as_no_tool() -> None:
    policy = file.of_texts([(b"version: 1\nsession: {calls: 9}\n", "policy.yaml")])
    calls = [Traffic("tools/call", "real", answered=3), Traffic("tools/call", "made up", calls=9, answered=0)]
    found = document(policy, Texts([]), History(policy, calls))
    (tools,) = [part for part in found.parts if part.title == "Tools"]
    assert [row[0] for row in tools.rows] == ["real", "any other tool"]
    assert not any("made up" in words for words in found.not_covered)
