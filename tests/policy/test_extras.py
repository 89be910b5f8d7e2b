"""A policy of typed conditions needs no optional package, and loads none; one that needs a package says which."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mcpobs.errors import UsageError
from mcpobs.installed.commands import add_extra
from mcpobs.policy.file import of_texts

PACKAGES = ("cel_expr_python", "jsonschema_rs", "sqlglot")
TYPED = """
version: 1
rules:
- {id: a, effect: allow, tools: [x], roles: [admin]}
- {id: b, effect: require, tools: [x], after: {tool: y}, window: {days: [mon]}, tenant: {arg: t}}
- {id: c, effect: require, tools: [x], path: {arg: p, under: [/data]}, url: {arg: u, hosts: [a.example.com]}}
limits: [{id: d, tools: [x], per_session: 3}]
"""
CASES = {
    "cel_expr_python": ("`when`", "when: args.a == 1"),
    "jsonschema_rs": ("`args_schema`", "args_schema: {type: object}"),
    "sqlglot": ("`sql`", "sql: {arg: q, dialect: mysql}"),
}


@pytest.mark.parametrize("package", PACKAGES)
def test_a_condition_without_its_package_says_how_to_add_it(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    from mcpobs.policy.rules import expression

    expression._environment.cache_clear()
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, package, None)
    what, written = CASES[package]
    text = f"version: 1\nrules: [{{id: a, effect: require, tools: [x], {written}}}]"
    with pytest.raises(UsageError) as refused:
        of_texts([(text.encode(), "policy")])
    assert refused.value.message.startswith(f"{what} needs {package}")
    assert refused.value.hint == add_extra("policy")


def test_inspection_without_its_package_says_how_to_add_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "re2", None)
    with pytest.raises(UsageError) as refused:
        of_texts([(b"version: 1\ninspect: [{id: a, find: email}]", "policy")])
    assert refused.value.message.startswith("`inspect` needs re2")
    assert refused.value.hint == add_extra("policy")


def test_a_policy_of_typed_conditions_loads_no_optional_package(tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(TYPED)
    blocked = "".join(f"sys.modules[{name!r}] = None\n" for name in (*PACKAGES, "re2", "mcpobs.detect"))
    code = (
        f"import sys\n{blocked}from mcpobs.policy.file import load\nprint(len(load([{str(policy)!r}]).layers[0].rules))"
    )
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ}, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("3\n", "")


def test_each_package_is_loaded_for_its_condition_alone() -> None:
    code = (
        "import sys\nfrom mcpobs.policy.file import of_texts\n"
        "for condition in sys.argv[1:]:\n"
        "    text = 'version: 1\\nrules: [{id: a, effect: require, tools: [x], ' + condition + '}]'\n"
        "    of_texts([(text.encode(), 'p')])\n"
        f"    print(*[name for name in {PACKAGES!r} if name in sys.modules])\n"
    )
    conditions = ["path: {arg: p, under: /x}", *(CASES[name][1] for name in PACKAGES)]
    done = subprocess.run([sys.executable, "-c", code, *conditions], capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines() == [" ".join(PACKAGES[:number]) for number in range(4)], done.stderr
