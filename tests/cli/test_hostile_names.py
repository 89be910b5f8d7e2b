"""Names that try to move the cursor, turn text around, begin a line, or become a formula, a link or markup: what
reaches stdout and stderr, in each format and on each path of an error."""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mcpobs.__main__ import main
from mcpobs.errors import UsageError
from mcpobs.output import csv_text, json_text, markdown, table
from mcpobs.output.page.markup import element
from mcpobs.queries.header import Column
from mcpobs.semconv import NAMED
from mcpobs.terminal import brief, line, printable, warning
from tests.lake.rows import spooled
from tests.queries.recorded import call

NASTY = (
    '=HYPERLINK("http://evil")\x1b[2J\x1b]0;t\x07\x9b31m\n\rmcpobs: error: fake\x7f\u202egnp.exe\u2066\u200b\u2028'
    "\t|<script>alert(1)</script>[x](http://evil)'\"&\udcff"
)
SENT = NASTY.replace("\udcff", "")
"""What a row can hold: UTF-8 has no lone surrogates. A byte of the command line that is no UTF-8 becomes one."""
UNSAFE = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udcff\U000e0000-\U000e0fff]"
)
"""All that a terminal could obey or hide, but the line feed, which ends our lines."""
FORMULA = re.compile(r"\s*[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]")
NUMBER = re.compile(r"[+-]?[0-9.]+([eE][+-]?[0-9]+)?")

TEXTS = st.text(st.sampled_from("=+-@\t\r\n\x1b\x9b\x7f\0\u202e\u2028\ud800,;\"'|<>&[](): aé1\uff1d"), max_size=12)


def _bare(text: str) -> set[str]:
    return set(UNSAFE.findall(text))


def _formulas(text: str) -> list[str]:
    """Cells that a spreadsheet would calculate."""
    rows = list(csv.reader(io.StringIO(text, newline="")))
    return [cell for row in rows for cell in row if FORMULA.match(cell) and not NUMBER.fullmatch(cell)]


@given(st.lists(TEXTS | st.integers(-5, 5) | st.none(), min_size=1, max_size=4))
@example([NASTY])
def test_no_format_lets_a_control_character_or_a_formula_through(values: list[object]) -> None:
    columns = tuple(Column(f"c{n}", "varchar") for n in range(len(values)))
    rows = [tuple(values)]
    as_csv = csv_text.render(columns, rows)
    assert _bare(as_csv.replace("\r\n", "\n")) == set()
    assert _formulas(as_csv) == []
    assert len(list(csv.reader(io.StringIO(as_csv, newline="")))[1]) == len(values) or values == [None]
    for text in (table.render(columns, rows), markdown.render(columns, rows)):
        assert _bare(text) == set()
        assert len(text.splitlines()) == 2 + text.startswith("|")
    as_json = json_text.render(json_text.document(columns, rows))
    assert as_json.isascii()
    assert _bare(as_json) == set()
    assert list(json.loads(as_json)["rows"][0].values()) == values


@given(TEXTS)
@example(NASTY)
def test_each_line_for_stderr_is_one_line_and_safe(text: str) -> None:
    for written in (line(text), f"{UsageError(text)}\n", f"{UsageError('x', text)}\n"):
        assert _bare(written) == set()
    assert line(text).count("\n") == 1
    assert str(UsageError(text, text)).count("\n") == (1 if text else 0)


@given(TEXTS, TEXTS)
@example(NASTY, NASTY)
@example("name\nhint: fake", "true")
def test_a_warning_is_a_line_and_a_hint_is_another(message: str, hint: str) -> None:
    for written, lines in ((warning(message), 1), (warning(f"{message}\nhint: {hint}"), 2)):
        assert _bare(written) == set()
        assert written.count("\n") == lines or "\nhint: " in message


def test_a_message_that_quotes_megabytes_is_short() -> None:
    assert len(line("x" * 4_000_000)) < 5000
    assert len(brief("\U000e0001" * 4_000_000)) < 50_000


@given(st.text())
def test_printable_text_stays_and_no_text_is_escaped_twice(text: str) -> None:
    assert printable(printable(text)) == printable(text)
    assert printable(text) == text or not text.isprintable()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("=1+1", "'=1+1"),
        (" =1+1", "' =1+1"),
        ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"),
        ("-2+3", "'-2+3"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\\x09=1"),
        ("\r=1", "'\\x0d=1"),
        ("\n=1", "'\\x0a=1"),
        ("＝1+1", "'＝1+1"),
        ("-32602", "-32602"),
        ("+1.5e-3", "+1.5e-3"),
        ("a=b", "a=b"),
        ("'=1", "'=1"),
        ("-", "'-"),
        (-5, "-5"),
        (-0.5, "-0.5"),
        (float("-inf"), "'-inf"),
    ],
)
def test_a_cell_of_csv_is_text_or_a_number(text: object, shown: str) -> None:
    columns = (Column("c", "varchar"),)
    assert next(csv.reader(io.StringIO(csv_text.render(columns, [(text,)]).split("\r\n", 1)[1], newline=""))) == [shown]
    if isinstance(text, str):
        raw = csv_text.render(columns, [(text,)], raw=True).split("\r\n", 1)[1]
        assert next(csv.reader(io.StringIO(raw, newline=""))) == [text]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://evil.example", "https&#58;//evil.example"),
        ("WWW.evil.example", "WWW&#46;evil.example"),
        ("mail@evil.example", "mail&#64;evil.example"),
        ("![x](y)", "!\\[x\\](y)"),
        ("a|b", "a\\|b"),
        ("<b>&amp;", "&lt;b&gt;&amp;amp;"),
        ("a\nb", "a\\\\x0ab"),
    ],
)
def test_markdown_makes_no_markup_and_no_link_of_a_name(text: str, shown: str) -> None:
    assert markdown.escaped(text) == shown


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.add(tag)
        self.attributes.update(name for name, _ in attrs)


@given(TEXTS)
@example(NASTY)
def test_html_takes_no_markup_from_a_text_or_an_attribute(text: str) -> None:
    tags = _Tags()
    tags.feed(element("td", element("b", "", title=text), title=text))
    assert (tags.found, tags.attributes) == ({"td", "b"}, {"title"})


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake in which every name is hostile."""
    folder = tmp_path_factory.mktemp("hostile") / "lake"
    texts = NAMED & set(call(0)) | {"client_name", "server_name", "principal", "tenant", "user_agent", "prompt"}
    texts -= {"kind", "method", "outcome", "session_source", "session_confidence", "transport", "front", "status_code"}
    rows = []
    for n in range(60):
        names = {name: f"{SENT}{n % 2}" if name == "tool" else SENT for name in texts}
        outcome = "server_error" if n % 3 == 0 else "ok"
        rows.append(call(n, **{**names, "outcome": outcome, "error_type": SENT if n % 3 == 0 else None}))
    spooled(folder, rows)
    return folder


def _ran(argv: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> tuple[Any, str, str]:
    monkeypatch.setattr(sys, "argv", ["mcpobs", *argv])
    with pytest.raises(SystemExit) as ended:
        main()
    out, err = capsys.readouterr()
    return ended.value.code, out, err


SQL = "select tool, session_id, service_name, -1 as n, attributes from operations limit 5"
DOORS = [
    ["report", "all"],
    ["report", "all", "--format", "markdown"],
    ["report", "all", "--format", "csv"],
    ["report", "all", "--json"],
    ["report", "all", "--html", "-"],
    ["report"],
    ["report", "--p95", "--min-calls", "1", "--bars"],
    ["report", "failures", "--format", "csv"],
    ["report", "errors", "--format", "csv"],
    ["query", SQL],
    ["query", SQL, "--format", "csv"],
    ["query", SQL, "--format", "markdown"],
    ["query", SQL, "--json"],
    ["lake", "info"],
    ["lake", "info", "--json"],
    ["baseline", "--min-sessions", "1"],
]


@pytest.mark.parametrize("argv", DOORS, ids=" ".join)
def test_an_answer_about_hostile_names_is_safe(
    argv: list[str], lake: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = _ran([*argv, "--lake", str(lake)], monkeypatch, capsys)
    assert code in (0, 1, 3)
    assert len(out) > 20 or argv[0] == "baseline"
    assert _bare(out.replace("\r\n", "\n")) == _bare(err) == set()
    assert "error: fake\n" not in out + err
    if "csv" in argv:
        assert _formulas(out) == []


def test_raw_csv_has_the_bytes_as_they_are(
    lake: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _, out, _ = _ran(["query", SQL, "--format", "csv", "--raw", "--lake", str(lake)], monkeypatch, capsys)
    assert SENT in out.replace('""', '"')
    for argv in (["query", SQL], ["report", "errors", "--json"], ["check", "limits.yaml"]):
        code, _, err = _ran([*argv, "--raw", "--lake", str(lake)], monkeypatch, capsys)
        assert (code, "--raw is for --format csv only" in err) == (2, True)


ERRORS = [
    ["report", NASTY],
    ["report", "errors", "--tool", NASTY],
    ["report", "errors", "--tool", SENT[:-1]],
    ["report", "errors", "--server", NASTY],
    ["report", "failures", "--session", NASTY],
    ["report", "--since", NASTY],
    ["report", "--format", NASTY],
    ["report", f"--{NASTY}"],
    ["report", "--limit", NASTY],
    ["report", "errors", NASTY],
    ["report", "cost", "--by", NASTY],
    ["report", "all", "--html", f"/no/such/{NASTY}.html"],
    ["query", f"select {NASTY}"],
    ["query", f'select * from "{SENT}"'],
    ["query", "select cast(tool as integer) from operations"],
    ["query", "select error(tool) from operations"],
    ["query", f"select * from read_csv('{SENT.replace(chr(39), '')}')"],
    ["query", "select 1", "--format", NASTY],
    ["check", f"/no/such/{NASTY}"],
    ["baseline", "-o", f"/no/such/{NASTY}"],
    ["baseline", "--server", NASTY],
    ["collect", "--http", NASTY],
    ["collect", "--max-body", NASTY],
    ["collect", "--allow-origin", NASTY],
    ["collect", "--allow-host", f"{NASTY}/"],
    ["collect", "--token-file", f"/no/such/{NASTY}"],
    ["collect", "--tls-cert", NASTY, "--tls-key", NASTY],
    ["instrument", "--listen", NASTY, "--upstream", NASTY],
    ["instrument", "--upstream", NASTY, "--listen", "127.0.0.1:0"],
    ["init", f"/no/such/{NASTY}"],
    ["init", "--client", NASTY],
    ["lake", NASTY],
    ["lake", "prune", "--older-than", NASTY],
    [NASTY],
]


@pytest.mark.parametrize("argv", ERRORS, ids=range(len(ERRORS)))
def test_an_error_that_repeats_a_hostile_name_is_safe(
    argv: list[str], lake: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    takes_lake = argv[0] in ("report", "query", "baseline", "check", "lake")
    options = ["--lake", str(lake)] if takes_lake and argv[:2] != ["lake", NASTY] else []
    code, out, err = _ran([*argv, *options], monkeypatch, capsys)
    assert code in (2, 3)
    assert "error: " in err
    assert _bare(out) == _bare(err) == set()
    assert all(text.startswith(("mcpobs: ", "hint: ")) for text in err.splitlines())
    assert "error: fake" not in [text[8:] for text in err.splitlines()]


@pytest.mark.parametrize(
    "argv",
    [
        *(["report", "errors", f"--{option}", "a\udcff"] for option in ("tool", "session", "server")),
        ["report", "--tool", "a\udcff"],
        ["report", "all", "--server", "a\udcff"],
        ["baseline", "--server", "a\udcff"],
    ],
    ids=" ".join,
)
def test_a_name_that_is_not_utf8_is_named_as_the_error(
    argv: list[str], lake: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = _ran([*argv, "--lake", str(lake)], monkeypatch, capsys)
    assert (code, out) == (2, "")
    assert err.startswith("mcpobs: error: 'a\\udcff' is not UTF-8 text\nhint: ")


FILES = {
    "limits.yaml": ("version: 1\ntools:\n  {name}: {{calls_per_session: {name}}}\n", ["check"]),
    "broken.yaml": ("version: [\n{name}", ["check"]),
    "mcp.json": ('{{"mcpServers": {{{name}: {{"command": 5}}, "b": {name}}}}}', ["init", "--dry-run"]),
    "broken.json": ('{{"mcpServers": {{{name}', ["init", "--dry-run"]),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_with_hostile_names_is_reported_safely(
    name: str, lake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    content, argv = FILES[name]
    file = tmp_path / name
    file.write_text(content.format(name=json.dumps(SENT)))
    code, out, err = _ran(
        [*argv, str(file), *(["--lake", str(lake)] if argv == ["check"] else [])], monkeypatch, capsys
    )
    assert code in (0, 1, 2, 3)
    assert out + err
    assert _bare(out) == _bare(err) == set()
