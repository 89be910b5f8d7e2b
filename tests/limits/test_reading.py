"""A limits file is read to its last key, and what is wrong with it is named with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcpobs.errors import UsageError
from mcpobs.limits.file import read, read_text
from mcpobs.limits.model import (
    ArgumentLimits,
    Baseline,
    Evidence,
    Excluded,
    KeyLimits,
    Limit,
    SessionLimits,
    ToolLimits,
    ValueLimits,
)

WHOLE = """\
version: 1
baseline: {from: 2026-11-01, to: 2026-11-21, sessions: 1204, calls: 18231, excluded: [{session: 9f2c, why: "loop"}]}
session:
  calls:    {limit: 150, observed_max: 50, p95: 31, n: 1203, would_have_cut: 1, next_1000_cut: [0, 3]}
  cost_usd: {limit: 0.42, mean: 0.105, factor: 4, n: 1203, would_have_cut: 3, next_1000_cut: [0, 8]}
tools:
  search:
    calls_per_session: {limit: 15, observed_max: 5, p95: 3, n: 812, would_have_cut: 1, next_1000_cut: [0, 5]}
    latency_ms:        {budget: 930, rule: 3 × p95, p50: 84, p95: 310, n: 2411}
    arguments:         {max_bytes: 2048, shapes: [5d1e…, 77aa…, c03b…]}
    result:            {max_bytes: 65536}
"""


def test_every_number_comes_with_its_evidence():
    limits = read_text(WHOLE)
    assert limits.baseline == Baseline("2026-11-01", "2026-11-21", 1204, 18231, excluded=(Excluded("9f2c", "loop"),))
    assert limits.session.calls == Limit(
        150, Evidence(observed_max=50, p95=31, n=1203, would_have_cut=1, next_1000_cut=(0, 3))
    )
    assert limits.session.cost_usd is not None
    assert limits.session.cost_usd.evidence.factor == 4
    search = limits.tools["search"]
    assert search.latency_ms == Limit(930, Evidence(rule="3 × p95", p50=84, p95=310, n=2411))
    assert search.arguments == ArgumentLimits(Limit(2048), ("5d1e…", "77aa…", "c03b…"))
    assert search.result_max_bytes == Limit(65536)


def test_a_person_writes_bare_numbers():
    limits = read_text(
        "version: 1\nsession: {calls: 50, cost_usd: 1e-1}\ntools: {search: {calls_per_session: 15, latency_ms: 250.5}}"
    )
    assert limits.session.calls == Limit(50)
    assert limits.session.cost_usd == Limit(0.1)
    assert limits.tools["search"] == ToolLimits(Limit(15), Limit(250.5))


def test_a_tool_may_have_any_name():
    limits = read_text('version: 1\ntools: {yes: {}, 12: {}, "a: b": {}, ~: {}, "": {}, 1e3: {}, a.b/c: {}}')
    assert set(limits.tools) == {"yes", "12", "a: b", "~", "", "1e3", "a.b/c"}


def test_a_tool_without_a_number_of_its_own_has_that_of_any_tool():
    limits = read_text(
        """
        version: 1
        tools:
          "*": {calls_per_session: 30, latency_ms: 900, arguments: {max_bytes: 4096}, result: {max_bytes: 10}}
          search: {calls_per_session: 15, arguments: {shapes: [a]}}
        """
    )
    assert limits.of("search") == ToolLimits(Limit(15), Limit(900), ArgumentLimits(Limit(4096), ("a",)), Limit(10))
    assert limits.of("Search") == limits.of("unheard of") == limits.tools["*"]


def test_a_caller_has_the_numbers_of_its_tenant_and_of_its_role():
    limits = read_text(
        """
        version: 1
        session: {calls: 30, duration_s: 600}
        key: {calls_per_hour: 100}
        tools: {"*": {calls_per_session: 9}}
        tenants: {acme: {session: {calls: 60}, tools: {search: {calls_per_hour: 40}}}}
        roles: {billing: {key: {calls_per_hour: 10}, session: {calls: 20}}}
        """
    )
    acme, billing = limits.groups_of("acme", "billing")
    assert acme.session.backed_by(limits.session) == SessionLimits(calls=Limit(60), duration_s=Limit(600))
    assert acme.of("search").backed_by(limits.of("search")) == ToolLimits(Limit(9), calls_per_hour=Limit(40))
    assert acme.key.backed_by(limits.key) == KeyLimits(Limit(100))
    assert billing.key.backed_by(limits.key) == KeyLimits(Limit(10))
    assert limits.groups_of(None, "nobody") == limits.groups_of("ACME", None) == []


def test_a_range_of_numbers_may_begin_below_zero():
    limits = read_text(
        "version: 1\ntools: {a: {argument_values: {n: {min: -255, max: {limit: 63, observed_max: 15}}}}}"
    )
    assert limits.tools["a"].argument_values["n"] == ValueLimits(
        min=Limit(-255), max=Limit(63, Evidence(observed_max=15))
    )


def test_names_of_tools_are_matched_exactly():
    limits = read_text("version: 1\ntools: {search: 0}".replace("0", "{calls_per_session: 1}"))
    assert limits.of("search").calls_per_session == Limit(1)
    assert limits.of("search2") == limits.of("SEARCH") == ToolLimits()


def test_only_a_file_that_was_made_from_traffic_claims_to_list_every_tool():
    assert read_text("version: 1\ntools: {a: {}}").lists("b")
    made = read_text("version: 1\nbaseline: {from: 2026-01-01, to: 2026-01-02, sessions: 1, calls: 1}\ntools: {a: {}}")
    assert made.lists("a")
    assert not made.lists("b")


REFUSED = {
    "version: 2": ("limits:1: version: 2 is not known", "update mcpobs"),
    "session: {calls: 3}": ("limits:1: no version", "write `version: 1`"),
    "version: 1\nsesion: {}": ("limits:2: sesion: unknown key", "did you mean `session`?"),
    "version: 1\ntools: {a: {calls_per_sesion: 1}}": ("tools.a.calls_per_sesion: unknown key", "`calls_per_session`?"),
    "version: 1\ntools:\n  a:\n    calls_per_session: {limt: 3}": (
        "limits:4: tools.a.calls_per_session.limt",
        "`limit`",
    ),
    "version: 1\ntools: {a: {latency_ms: {limit: 3}}}": ("latency_ms.limit: unknown key", "known here: budget"),
    "version: 1\ntools: {a: {calls_per_session: {n: 3}}}": (
        "tools.a.calls_per_session: no `limit`",
        "write `limit: …`",
    ),
    "version: 1\ntools: {a: {arguments: {n: 3}}}": ("`n` without `max_bytes`", "write `max_bytes: …`"),
    "version: 1\ntools: {a: {result: 5}}": ("tools.a.result: '5' is not a mapping", "key: value"),
    "version: 1\ntools: {a: {arguments: {shapes: x}}}": ("tools.a.arguments.shapes: 'x' is not a list", "[first"),
    "version: 1\ntools: {a: {arguments: {shapes: [[x]]}}}": ("shapes[0]: a list is not a text", ""),
    "version: 1\ntools: [a, b]": ("limits:2: tools: a list is not a mapping", ""),
    "version: 1\ntools:": ("limits:2: tools: an empty value is not a mapping", ""),
    "version: 1\nsession: {calls: -3}": ("limits:2: session.calls: -3 is negative", "0 or more"),
    "version: 1\nsession: {calls: .nan}": ("session.calls: '.nan' is not a number", ""),
    "version: 1\nsession: {calls: .inf}": ("session.calls: '.inf' is not a number", ""),
    "version: 1\nsession: {calls: 1e999}": ("session.calls: 1e999 is too large", "leave the key out"),
    "version: 1\nsession: {calls: 99999999999999999999}": ("is too large", ""),
    "version: 1\nsession: {calls: " + "9" * 5000 + "}": ("is not a number", ""),
    "version: 1\nsession: {calls: true}": ("session.calls: 'true' is not a number", ""),
    "version: 1\nsession: {calls: yes}": ("session.calls: 'yes' is not a number", ""),
    "version: 1\nsession: {calls: 1:30}": ("session.calls: '1:30' is not a number", ""),
    "version: 1\nsession: {calls: 010}": ("session.calls: '010' is not a number", ""),
    "version: 1\nsession: {calls: 0x10}": ("session.calls: '0x10' is not a number", ""),
    "version: 1\nsession: {calls: e5}": ("session.calls: 'e5' is not a number", ""),
    "version: 1\nsession: {calls: '15'}": ('session.calls: "15" is a text', "without quotes"),
    "version: 1\nsession: {calls: 1.5}": ("session.calls: 1.5 is not a whole number", ""),
    "version: 1\nsession: {calls: }": ("session.calls: has no value", ""),
    "version: 1\nsession: {calls: [3]}": ("session.calls: a list is not a mapping", ""),
    "version: 1\ntools: {a: {latency_ms: 0}}": ("0 ms is not a valid budget", "leave the key out"),
    "version: 1\nsession: {calls: {limit: 1, next_1000_cut: [3, 1]}}": ("[3, 1] is not a range", "[least, most]"),
    "version: 1\nsession: {calls: {limit: 1, next_1000_cut: [0, 1001]}}": ("is not a range from 0 to 1000", ""),
    "version: 1\nsession: {calls: {limit: 1, next_1000_cut: 3}}": ("next_1000_cut: '3' is not a list", ""),
    "version: 1\nsession: {calls: {limit: 1, would_have_cut: 1.5}}": ("would_have_cut: 1.5 is not a whole", ""),
    "version: 1\nbaseline: {from: 2026-01-01}": ("limits:2: baseline: no `to`", "leave `baseline` out"),
    "version: 1\nbaseline: {from: soon, to: 2026-01-01, sessions: 1, calls: 1}": (
        "baseline.from: 'soon' is not a day",
        "",
    ),
    "version: 1\nsession: {durations: 3}": ("session.durations: unknown key", "did you mean `duration_s`?"),
    "version: 1\nkey: {calls_per_hours: 3}": ("key.calls_per_hours: unknown key", "did you mean `calls_per_hour`?"),
    "version: 1\ntools: {a: {error_rate: 1.5}}": ("tools.a.error_rate: 1.5 is above 1", "0.05 for 5 %"),
    "version: 1\ntools: {a: {argument_values: {q: {length: 3}}}}": ("argument_values.q.length: unknown", "max_length"),
    "version: 1\ntools: {a: {argument_values: {q: {max_length: -3}}}}": ("max_length: -3 is negative", "0 or more"),
    "version: 1\ntools: {a: {argument_values: {q: {min: 3, max: 2}}}}": ("q.min: 3 is above max: 2", "no value"),
    "version: 1\ntenants: {a: {sesion: {}}}": ("tenants.a.sesion: unknown key", "did you mean `session`?"),
    "version: 1\nroles: {a: {tools: {b: {calls_per_hour: x}}}}": ("roles.a.tools.b.calls_per_hour: 'x'", ""),
    "version: 1\nsequences: [{after: a, then: b}]": ("sequences[0]: no `share`", ""),
    "version: 1\nbaseline: {from: 2026-01-01, to: 2026-01-01, sessions: 1, calls: 1, strategy: sed}": (
        "baseline.strategy: 'sed' is not a strategy",
        "seed, cut-rate",
    ),
    "version: 1\nbaseline: {from: 2026-01-01, to: 2026-01-01, sessions: 1, calls: 1, drift: {first: 1}}": (
        "baseline.drift: no `last`",
        "",
    ),
    "version: 1\nversion: 1": ("limits:2: version is repeated", "keep one"),
    "version: 1\ntools:\n  a: {}\n  b: {}\n  a: {}": ("limits:5: tools.a is repeated", "keep one"),
    "version: 1\ntools: {? [a] : {}}": ("limits:2: tools.'?': a key must be a text", ""),
    "version: 1\ntools: {a: &x {}, b: *x}": ("limits:2: anchors and aliases", "write the value out"),
    "version: 1\ntools: {<<: {a: {}}}": ("tools.'<<'.a: unknown key", ""),
    "version: 1\ntools: !!python/object/apply:os.system ['true']": ("limits:2: tags are not read", ""),
    "version: !!str 1": ("limits:1: tags are not read", ""),
    "version: 1\n---\nversion: 1": ("not valid YAML", ""),
    "version: 1\ntools:\n\ta: {}": ("limits:3: not valid YAML", "YAML does not allow tabs"),
    "version: 1\ntools: {": ("not valid YAML", ""),
    "version: 1\ntools: " + "[" * 5000: ("nested deeper than 16 levels", ""),
    "version: 1\n# \x07": ("limits:2: not valid YAML", ""),
    "": ("limits is empty", "mcpobs baseline"),
    "# only a comment\n": ("limits is empty", "mcpobs baseline"),
    "just words": ("limits:1: 'just words' is not a mapping", ""),
    "- version": ("limits:1: a list is not a mapping", ""),
}


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: text[:60])
def test_a_wrong_file_is_refused_with_its_line_and_value(text: str):
    problem, hint = REFUSED[text]
    with pytest.raises(UsageError) as refused:
        read_text(text)
    assert problem in refused.value.message
    assert hint in (refused.value.hint or "")
    assert len(str(refused.value)) < 400


def test_a_bomb_of_aliases_is_refused_before_it_is_built():
    text = "version: 1\na: &a [x, x, x, x, x, x, x, x, x]\n"
    for n in range(1, 40):
        text += f"{'a' * (n + 1)}: &{'a' * (n + 1)} [{', '.join(['*' + 'a' * n] * 9)}]\n"
    with pytest.raises(UsageError, match="limits:2: anchors and aliases"):
        read_text(text)


def test_a_file_that_cannot_be_read_is_a_usage_error(tmp_path: Path):
    with pytest.raises(UsageError, match=r"cannot read .*No such file"):
        read(tmp_path / "limits.yaml")
    with pytest.raises(UsageError, match=r"cannot read .*Is a directory"):
        read(tmp_path)


def test_a_file_of_100_mb_is_not_read_to_its_end(tmp_path: Path):
    path = tmp_path / "limits.yaml"
    with path.open("wb") as file:
        file.truncate(100 << 20)
    with pytest.raises(UsageError, match="larger than 8 MiB"):
        read(path)


def test_bytes_that_are_no_text_are_refused_with_their_line(tmp_path: Path):
    path = tmp_path / "limits.yaml"
    path.write_bytes(b"version: 1\n# caf\xe9\n")
    with pytest.raises(UsageError, match=r"limits.yaml:2: not UTF-8"):
        read(path)


def test_a_byte_order_mark_is_no_part_of_the_first_key(tmp_path: Path):
    path = tmp_path / "limits.yaml"
    path.write_bytes("version: 1\nsession: {calls: 3}\n".encode("utf-8-sig"))
    assert read(path).session.calls == Limit(3)
