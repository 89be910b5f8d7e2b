"""The HTML page in a real browser, opened from disk: it asks for nothing, complains of nothing, and fits a phone."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.queries.recorded import call, spool

pytestmark = pytest.mark.interop

DRIVER = Path(__file__).with_name("page_driver.py")
PLAYWRIGHT = "playwright==1.65.2"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
HOSTILE = '"><img src=http://192.0.2.1/x onerror=alert(1)><script>document.title="bad"</script>'


@pytest.fixture(scope="module")
def python(request: pytest.FixtureRequest) -> str:
    """A Python with playwright, which is no dependency of ours."""
    folder = Path(request.config.cache.mkdir("interop")) / PLAYWRIGHT.replace("==", "-")
    found = folder / "bin" / "python"
    if not (folder / "installed").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True, timeout=300)
        install = [str(found), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", PLAYWRIGHT]
        subprocess.run(install, check=True, timeout=900)
        (folder / "installed").touch()
    return str(found)


@pytest.fixture(scope="module")
def browser() -> str:
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"no browser: install one of {', '.join(BROWSERS)}")
    return found


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shown") / "lake"
    rows = [call(n, tool=f"tool-{n % 7}", session_id=f"s-{n % 11}", ms=5 + n % 97 * (n % 7)) for n in range(400)]
    rows += [call(500 + n, tool="x" * 300, session_id="y" * 300, outcome="tool_error", ms=80_000) for n in range(8)]
    rows += [call(600 + n, tool=HOSTILE, session_id=HOSTILE, service_name=HOSTILE, ms=3) for n in range(30)]
    spool(folder, rows)
    return folder


@pytest.mark.parametrize("report", ["all", "latency", "sessions", "failures"])
def test_a_page_opens_from_disk_and_asks_for_nothing(
    report: str, python: str, browser: str, lake: Path, tmp_path: Path
) -> None:
    page = tmp_path / f"{report}.html"
    words = ["report", report, "--html", str(page), "--lake", str(lake)]
    subprocess.run([sys.executable, "-m", "mcpobs", *words], check=True, timeout=60)
    command = [python, str(DRIVER), browser, str(page), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stderr
    views: dict[str, dict[str, Any]] = json.loads(done.stdout)
    for name, page_facts in views.items():
        assert page_facts["requests"] == [page.as_uri()], name
        assert (page_facts["complaints"], page_facts["resources"], page_facts["scripts"]) == ([], 0, 1)
        assert page_facts["wide"] <= page_facts["room"], f"{name} scrolls sideways"
        assert page_facts["outside"] == 0
        assert page_facts["sorted"] == ["descending", "ascending"], name
        assert page_facts["ordered"], name
        assert page_facts["explained"], name
        assert page_facts["first_column_stays"], name
        assert page_facts["sorted_by_key"], name
        assert page_facts.get("moved", report != "all"), name
        assert page_facts.get("opened", report == "latency"), name
        assert page_facts["tables"] >= 1
        assert page_facts["charts"] >= (0 if report == "failures" else 1)
        assert (tmp_path / f"{report}-{name}.png").stat().st_size > 10_000
    assert views["light"]["back"] != views["dark"]["back"]
    if report in ("all", "latency"):
        assert HOSTILE in views["light"]["text"]
