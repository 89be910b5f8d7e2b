"""Each wrong command line ends with one error that names the value, one hint, exit code 2 and no traceback."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import mcpobs
from mcpobs import keys
from mcpobs.segment import seal

SCRIPT = str(Path(sys.executable).with_name("mcpobs"))
WIDE = 80
ROW = (
    b'{"trace_id":"0af7651916cd43dd8448eb211c80319c","span_id":"b7ad6b7169203331","start_unix_nano":1799999700000000000,'
    b'"duration_ns":5,"kind":"server","name":"x","method":"tools/call","tool":"x","outcome":"ok","session_id":"s"}'
)
FOREIGN = ("Input should be", "validat", "pydantic", "Traceback", "Possible options", "argument(s)", "parse string")
COMMAND_LINES: dict[str, list[str]] = {
    "--limit": ["report --limit abc", "report --limit 1.5", "query --limit x", "report --limit -3", "report --limit 0"],
    "--min-calls": ["report --min-calls x", "report --min-calls="],
    "--min-repeats": ["report loops --min-repeats x", "report loops --min-repeats="],
    "--min-sessions": ["baseline --min-sessions abc", "baseline --min-sessions 0"],
    "--factor-calls": ["baseline --factor-calls x", "baseline --factor-calls -1", "baseline --factor-calls nan"],
    "--where": ["report --where a=b", "check --where x", "serve --where x", "lake info --where x"],
    "--since": ["report --since foo", "baseline --since 99", "check limits.yaml --since 1y", "report --since="],
    "format": ["report --format xml", "report --format=", "query x --format yaml"],
    "--lake": ["report --lake", "baseline --lake"],
    "--by": ["report cost --by nobody", "report latency --by tool"],
    "--tool": ["report --tool a --tool b", "decisions --tool a --tool=b", "report latency --tool a --tool a"],
    "--lake is given 2 times": ["lake info --lake a --lake b", "policy show x --lake a --lake b"],
    "--memory": ["query x --memory abc", "query x --memory -1GB"],
    "--timeout": ["query x --timeout abc", "query x --timeout -1"],
    "--older-than": ["lake prune", "lake prune --older-than x"],
    "--watch": ["report latency --watch=abc", "report latency --watch=0"],
    "--accept-older-than": ["collect --accept-older-than x", "collect --accept-older-than 1y"],
    "--config": [
        "instrument --config missing -- true",
        "instrument --config missing --in-process -- true",
        "instrument --config limits.yaml -- true",
        "instrument --config=missing --upstream http://127.0.0.1:1",
        "instrument --config limits.yaml/below -- true",
    ],
    "COMMAND": ["instrument", "instrument --propagate"],
    "SQL": ["query"],
    "LIMITS": ["check"],
    "extra": ["serve extra", "report latency extra", "doctor extra"],
    "nosuch": ["nosuch", "lake nosuch", "report nosuch", "init --client nosuch", "report --tool nosuch"],
    "limits.yaml": ["check limits.yaml", "init limits.yaml"],
    "missing.yaml": ["check missing.yaml", "init missing.yaml"],
    "--upstream": ["instrument --upstream foo", "instrument --upstream ftp://x"],
    "--listen": ["instrument --listen x", "instrument --listen 1:99999 --upstream http://127.0.0.1:1"],
}
CONFIGURATIONS = [
    "[prices]\nx = 'abc'\n",
    "[prices]\nx = {per_call = -1}\n",
    "[prices.x]\nper_unit = {}\n",
    "[sessions]\nidle_gap_s = []\n",
    "[http]\nheaders = [1]\n",
    "[identity]\nstatic = 1\n",
    "prices = [",
    "\udcff",
    "a = 1\na = 2\n",
]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a lake of one call, and a file that is no limits file."""
    home = tmp_path_factory.mktemp("home")
    lake = home / "lake"
    keys.digest_key(keys.open_folder(lake), home / "keys")
    (lake / "spool/00000000000001-abcdef12.1.jsonl").write_bytes(seal(ROW))
    (home / "limits.yaml").write_text("x: [1\n")
    return home


def _run(home: Path, words: list[str], **env: str) -> subprocess.CompletedProcess[str]:
    own = {"PATH": os.environ["PATH"], "HOME": str(home), "MCPOBS_LAKE": str(home / "lake"), **env}
    return subprocess.run(
        [SCRIPT, *words], env=own, cwd=home, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60
    )


def _check(done: subprocess.CompletedProcess[str], named: str) -> None:
    lines = done.stderr.splitlines()
    assert done.returncode == 2, (done.args, done.stderr)
    assert [line.partition(" ")[0] for line in lines] == ["mcpobs:", "hint:"], done.stderr
    assert lines[0].startswith("mcpobs: error: ")
    assert named in done.stderr
    assert not [word for word in FOREIGN if word in done.stderr]


@pytest.mark.parametrize(
    ("named", "line"), [(named, line) for named, lines in COMMAND_LINES.items() for line in lines], ids=lambda v: v
)
def test_a_wrong_command_line_is_one_error_with_one_hint(home: Path, named: str, line: str) -> None:
    before = sorted(home.iterdir())
    _check(_run(home, line.split(" ")), named)
    assert sorted(home.iterdir()) == before


@pytest.mark.parametrize("text", CONFIGURATIONS, ids=repr)
def test_a_wrong_configuration_is_one_error_with_one_hint(home: Path, tmp_path: Path, text: str) -> None:
    (tmp_path / "config.toml").write_bytes(text.encode(errors="surrogateescape"))
    for words in (["baseline"], ["collect", "--http", "127.0.0.1:0", "--grpc", "off"], ["report", "cost", "--reprice"]):
        _check(_run(home, words, MCPOBS_CONFIG=str(tmp_path)), "config.toml")


def test_every_error_that_the_code_raises_has_a_hint() -> None:
    bare = [
        f"{path}:{node.lineno}"
        for path in Path(mcpobs.__file__).parent.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in ("UsageError", "LakeError", "UnwritableError", "McpobsError")
        and len(node.args) + len(node.keywords) < 2
    ]
    assert bare == []


@pytest.mark.parametrize(
    "line",
    [
        "report --limit abc",
        "report --where a=b",
        "baseline --min-sessions abc",
        "report --since foo",
        "instrument",
        "instrument --config missing -- true",
        "serve extra",
        "query x --memory abc",
    ],
)
def test_an_error_with_short_values_fits_a_terminal_of_80_columns(home: Path, line: str) -> None:
    done = _run(home, line.split(" "))
    assert max(map(len, done.stderr.replace(str(home), "~").splitlines())) <= WIDE
