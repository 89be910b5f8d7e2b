"""A command that lacks an optional package: one line, the command that adds it, exit code 2, and no traceback."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from mcpobs.errors import UsageError
from mcpobs.installed.commands import add_extra, repair
from mcpobs.installed.extras import needing

ROOT = Path(__file__).parents[2]
LISTEN = ["instrument", "--listen", "localhost:0", "--upstream", "http://127.0.0.1:9"]
COMMANDS = {
    "http": ("--listen", LISTEN),
    "collect": ("`mcpobs collect`", ["collect"]),
    "demo": ("`mcpobs demo`", ["demo"]),
}
NEEDED = {
    "http": ["aiohttp", "multidict", "yarl"],
    "collect": ["aiohttp", "grpc"],
    "demo": ["mcp"],
}
CASES = [(extra, name) for extra, names in NEEDED.items() for name in names]


def _run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """A command whose process finds the modules of a folder first."""
    env = {**os.environ, "PYTHONPATH": str(folder)}
    return subprocess.run([sys.executable, "-m", "mcpobs", *words], env=env, capture_output=True, text=True, timeout=60)


def _blocked(folder: Path, name: str) -> Path:
    (folder / "sitecustomize.py").write_text(f"import sys\nsys.modules[{name!r}] = None\n")
    return folder


@pytest.mark.parametrize(("extra", "name"), CASES)
def test_a_command_without_its_extra_says_how_to_add_it(tmp_path: Path, extra: str, name: str) -> None:
    what, words = COMMANDS[extra]
    shown = _run(_blocked(tmp_path, name), *words)
    assert (shown.returncode, shown.stdout) == (2, "")
    assert shown.stderr == f"mcpobs: error: {what} needs {name}\nhint: {add_extra(extra)}\n"


@pytest.mark.parametrize(("extra", "name"), CASES)
def test_a_package_that_cannot_be_loaded_is_named_with_its_fault(tmp_path: Path, extra: str, name: str) -> None:
    what, words = COMMANDS[extra]
    (tmp_path / f"{name}.py").write_text(f"raise ImportError('libodd.so.7: no such file', name={name!r})\n")
    shown = _run(tmp_path, *words)
    assert (shown.returncode, shown.stdout) == (2, "")
    fault = f"{what} needs {name}, which cannot be loaded: libodd.so.7: no such file"
    assert shown.stderr == f"mcpobs: error: {fault}\nhint: {add_extra(extra)}\n"


@pytest.mark.parametrize("name", ["jwt", "cryptography"])
def test_verified_callers_need_the_extra_too(tmp_path: Path, home: Path, name: str) -> None:
    _identity(home)
    shown = _run(_blocked(tmp_path, name), *LISTEN)
    assert shown.returncode == 2
    assert shown.stderr == f"mcpobs: error: [identity] jwks needs {name}\nhint: {add_extra('http')}\n"


def test_an_unrelated_distribution_jwt_is_not_taken_for_pyjwt(tmp_path: Path, home: Path) -> None:
    _identity(home)
    (tmp_path / "jwt.py").write_text("class JWT: pass\n")
    shown = _run(tmp_path, *LISTEN)
    assert (shown.returncode, len(shown.stderr.splitlines())) == (2, 2)
    assert "[identity] jwks needs jwt, which cannot be loaded" in shown.stderr


def _identity(home: Path) -> None:
    config = home / ".config/mcpobs"
    config.mkdir(parents=True)
    text = 'jwks = "https://id.example.com/jwks.json"\nissuer = "https://id.example.com"\naudience = "x"\n'
    (config / "config.toml").write_text(f"[identity]\n{text}")
    (config / "config.toml").chmod(0o600)


def test_a_data_frame_needs_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    from mcpobs.queries.run import Result

    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(UsageError) as caught:
        Result((), [], 0).to_polars()
    assert (caught.value.message, caught.value.hint) == ("to_polars() needs polars", add_extra("notebooks"))


def test_a_price_of_a_model_needs_its_extra_and_reports_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mcpobs.prices import models
    from mcpobs.prices.book import Book
    from mcpobs.prices.rule import Rule

    said: list[str] = []
    monkeypatch.setitem(sys.modules, "genai_prices", None)
    book = models.resolved(Book({"search": Rule(model="gpt-4o")}), tmp_path, said.append)
    assert book.of(None, "search") is not None
    (line, hint) = said[0].splitlines()
    assert "genai-prices is not installed" in line
    assert hint.endswith(f"or {add_extra('prices')}")


def test_what_only_makes_it_faster_is_done_without(tmp_path: Path) -> None:
    code = "import mcpobs.collector.inflate, mcpobs.lake.wal; print('loaded')"
    env = {**os.environ, "PYTHONPATH": str(_blocked(tmp_path, "isal"))}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("loaded\n", "")


def test_a_module_of_ours_that_is_missing_is_no_missing_extra() -> None:
    with pytest.raises(UsageError, match="damaged") as caught, needing("x", "http"):
        import mcpobs.no_such_module  # type: ignore[import-not-found] # noqa: F401
    assert caught.value.hint == repair()


@pytest.mark.parametrize(
    ("words", "lost"),
    [
        *((["doctor"], lost) for lost in ("__init__.py", "settings.py", "cli/app.py")),
        *((["report"], lost) for lost in ("settings.py", "cli/fastpath.py")),
        (["instrument", "--", "cat"], "cli/fastpath.py"),
        *((["--version"], lost) for lost in ("__init__.py", "cli/app.py")),
    ],
)
def test_a_damaged_installation_gets_one_line_and_the_command_that_mends_it(
    tmp_path: Path, words: list[str], lost: str
) -> None:
    """As after the installation of a distribution that writes its files over ours."""
    shutil.copytree(ROOT / "mcpobs", tmp_path / "mcpobs", ignore=shutil.ignore_patterns("__pycache__"))
    if lost == "__init__.py":
        (tmp_path / "mcpobs" / lost).write_text("theirs = True\n")
    else:
        (tmp_path / "mcpobs" / lost).unlink()
    code = "import sys; sys.argv[0] = 'mcpobs'; from mcpobs.__main__ import main; main()"
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-P", "-c", code, *words], env=env, input="", capture_output=True, text=True, timeout=120
    )
    error, hint = done.stderr.splitlines()
    assert error.startswith("mcpobs: error: this installation of mcpobs is damaged: ")
    assert hint.startswith("hint: ")
    assert (done.returncode, done.stdout) == (2, "")


def test_other_faults_pass() -> None:
    with pytest.raises(LookupError), needing("x", "http"):
        raise LookupError


# -- the whole tree ---------------------------------------------------------------------------------------------

_EXTRAS = "|".join(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"])
_STRANGER = re.compile(
    r"(?:(?<!un)install|inject|add|--with|--from|--spec|-U)\s+(?:-\S+\s+)*"
    r"['\"]?mcpobs(?![\w/.…-])(?! from its checkout)"
    rf"|\bmcpobs\[(?:{_EXTRAS}|,)+\]"
)
_HERE = {"tests/installed/test_extras.py", "tests/installed/test_commands.py"}  # which write down what must not be
_FOLDERS = ("mcpobs", "queries", "docs", "notebooks", "tests", "collector-config", "bench")
_FILES = ("README.md", "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "Makefile", "pyproject.toml")


def _texts() -> list[Path]:
    inside = [path for folder in _FOLDERS for path in (ROOT / folder).rglob("*") if path.is_file()]
    read = {".py", ".md", ".sql", ".ipynb", ".yaml", ".toml", ".txt", ".json", ".html", ".mjs", ".c"}
    return [path for path in inside if path.suffix in read] + [ROOT / name for name in _FILES]


@pytest.mark.parametrize(
    "text",
    ["pip install 'mcpobs[http]'", "pip install mcpobs", "uv tool install -q mcpobs", "install mcpobs[prices] and"],
)
def test_a_search_finds_the_commands_it_looks_for(text: str) -> None:
    assert _STRANGER.search(text)


def test_no_text_of_ours_installs_the_distribution_of_somebody_else() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in _texts()
        if str(path.relative_to(ROOT)) not in _HERE
        for match in _STRANGER.finditer(path.read_text(errors="replace"))
    ]
    assert found == []


def test_no_command_is_written_down_where_it_can_be_computed() -> None:
    """Install commands in code come from `installed/commands.py` alone."""
    literal = re.compile(r"pip install|pipx install|uv (?:tool|pip) install")
    allowed = {"mcpobs/installed/commands.py", "mcpobs/setup/executable.py"}  # the second adds computed words
    lines = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in sorted((ROOT / "mcpobs").rglob("*.py"))
        if str(path.relative_to(ROOT)) not in allowed
        for line in path.read_text().splitlines()
        if literal.search(line) and '"""' not in line
    ]
    assert lines == []
