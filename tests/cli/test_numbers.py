"""Numbers of the command line: one that makes no sense is refused, with its option and a hint."""

from __future__ import annotations

import pytest

from mcpobs.errors import EXIT_USAGE, McpobsError

BAD = [
    ["report", "--p95", "--min-calls", "-1"],
    ["report", "--p95", "--min-calls", "0"],
    ["report", "--p95", "--min-calls", "1.5"],
    ["report", "--p95", "--min-calls", "ten"],
    ["report", "loops", "--limit", "0"],
    ["report", "loops", "--limit", "-3"],
    ["report", "loops", "--limit", "1e3"],
    ["report", "loops", "--watch=0"],
    ["report", "loops", "--watch=-1"],
    ["report", "loops", "--watch=nan"],
    ["report", "loops", "--watch=inf"],
    ["decisions", "--limit", "0"],
    ["query", "select 1", "--limit", "-1"],
    ["query", "select 1", "--timeout", "-1"],
    ["query", "select 1", "--timeout", "nan"],
    ["query", "select 1", "--memory", "-1"],
    ["query", "select 1", "--memory", "0"],
    ["check", "limits.yaml", "--limit", "0"],
    ["baseline", "--min-sessions", "-1"],
    ["baseline", "--min-sessions", "0"],
    ["baseline", "--cut-rate", "-0.1"],
    ["baseline", "--cut-rate", "2"],
    ["baseline", "--cut-rate", "nan"],
    ["baseline", "--factor-calls", "-1"],
    ["baseline", "--factor-calls", "nan"],
    ["baseline", "--factor-cost", "0"],
    ["baseline", "--factor-cost", "inf"],
    ["report", "loops", "--tz", "+99:00"],
]


@pytest.mark.parametrize("argv", BAD, ids=" ".join)
def test_a_number_that_makes_no_sense_is_refused(
    argv: list[str], capsys: pytest.CaptureFixture[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    from mcpobs.__main__ import _run  # the whole way of a command line, the fast path too

    folder = str(tmp_path_factory.getbasetemp() / "none")
    said = ""
    try:
        code = _run([*argv, "--lake", folder])
    except McpobsError as error:
        code, said = error.exit_code, str(error)
    assert code == EXIT_USAGE
    said += capsys.readouterr().err
    option = next(word for word in argv if word.startswith("--") and word not in ("--p95",)).partition("=")[0]
    assert option in said
    assert "no such option" not in said
    assert "hint: " in said
