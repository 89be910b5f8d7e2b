"""Real installations by pip, without a network: the hint is followed to the letter, and the extra is there.

The package that is installed holds the real modules that compute hints; its extra is a package of one empty module.
"""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import mcpobs

VERSION = "0.1.0"
HERE = Path(mcpobs.__file__).parent
MODULES = ("errors.py", "installed", "setup/__init__.py", "setup/check.py", "setup/copies.py")
BACKEND = """
import pathlib, zipfile
HERE = pathlib.Path(__file__).parent
INFO = "mcpobs_otel-0.1.0.dist-info"

def _write(folder, files):
    name = "mcpobs_otel-0.1.0-py3-none-any.whl"
    with zipfile.ZipFile(pathlib.Path(folder) / name, "w") as wheel:
        for path, text in files.items():
            wheel.writestr(path, text)
        wheel.writestr(f"{INFO}/METADATA", (HERE / "METADATA").read_text())
        wheel.writestr(f"{INFO}/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(f"{INFO}/RECORD", "".join(f"{path},,\\n" for path in [*files, f"{INFO}/METADATA"]))
    return name

def build_wheel(folder, config_settings=None, metadata_directory=None):
    modules = sorted((HERE / "mcpobs").rglob("*.py"))
    return _write(folder, {str(path.relative_to(HERE)): path.read_text() for path in modules})

def build_editable(folder, config_settings=None, metadata_directory=None):
    return _write(folder, {"_editable_impl_mcpobs_otel.pth": f"{HERE}\\n"})
"""


class Place:
    """A virtual environment, a checkout, and a folder of wheels in place of an index."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.checkout = folder / "it's a [real]; checkout"
        self.wheels = folder / "wheels"
        self.wheels.mkdir()
        _wheel(self.wheels, "probe", {"probe.py": ""})
        metadata = _metadata("mcpobs-otel", "Provides-Extra: http\nRequires-Dist: probe; extra == 'http'\n")
        self._make_checkout(metadata)
        files = {str(path.relative_to(self.checkout)): path.read_text() for path in self.checkout.rglob("*.py")}
        self.wheel = _wheel(self.wheels, "mcpobs-otel", {k: v for k, v in files.items() if "/" in k}, metadata)
        venv.create(folder / "env", with_pip=True)
        self.python = str(folder / "env/bin/python")

    def _make_checkout(self, metadata: str) -> None:
        package = self.checkout / "mcpobs"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text(f'__version__ = "{VERSION}"\n')
        for name in MODULES:
            source, target = HERE / name, package / name
            target.parent.mkdir(exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, target)
        build = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        (self.checkout / "pyproject.toml").write_text(
            f'{build}[project]\nname = "mcpobs-otel"\nversion = "{VERSION}"\n'
        )
        (self.checkout / "METADATA").write_text(metadata)
        (self.checkout / "backend.py").write_text(BACKEND)

    def shell(self, command: str, *, fails: bool = False) -> str:
        env = {**os.environ, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": self.wheels.as_uri(), "PYTHONPATH": ""}
        env |= {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_CACHE_DIR": str(self.folder / "cache")}
        done = subprocess.run(
            ["bash", "-c", command], cwd=self.folder, env=env, capture_output=True, text=True, timeout=300
        )
        assert (done.returncode != 0) is fails, done.stderr
        return done.stdout.strip()

    def ask(self, code: str) -> str:
        (self.folder / "ask.py").write_text(code)
        return self.shell("env/bin/python -P ask.py")

    def pip(self, words: str) -> None:
        self.shell(f"cd ./*checkout && ../env/bin/python -m pip -q {words}")

    def hint(self) -> str:
        return self.ask("from mcpobs.installed.commands import add_extra; print(add_extra('http'))")

    def faults(self) -> list[str]:
        code = (
            "from mcpobs.setup import copies\n"
            "for found in copies.check():\n"
            "    if found.state != 'ok': print(found.state, found.line, found.hint, sep='\\t')\n"
        )
        return self.ask(code).splitlines()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("installations"))


@pytest.fixture(autouse=True)
def clean(place: Place) -> Iterator[None]:
    yield
    place.pip("uninstall -y mcpobs-otel probe mcpobs")


def _metadata(name: str, more: str = "") -> str:
    return f"Metadata-Version: 2.1\nName: {name}\nVersion: {VERSION}\n{more}"


def _wheel(folder: Path, name: str, files: dict[str, str], metadata: str | None = None) -> Path:
    stem = f"{name.replace('-', '_')}-{VERSION}"
    info = f"{stem}.dist-info"
    files = {**files, f"{info}/METADATA": metadata or _metadata(name)}
    files[f"{info}/WHEEL"] = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    record = "".join(f"{path},sha256={_digest(text)},{len(text.encode())}\n" for path, text in files.items())
    made = folder / f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(made, "w") as wheel:
        for path, text in {**files, f"{info}/RECORD": record}.items():
            wheel.writestr(path, text)
    return made


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


INSTALLS = {
    "from a checkout": "install .",
    "editable": "install -e .",
    "from a wheel": "install ../wheels/mcpobs_otel*.whl",
    "from an index": "install mcpobs-otel",
}


@pytest.mark.parametrize("manner", INSTALLS)
def test_the_hint_adds_the_extra_to_this_copy(place: Place, manner: str) -> None:
    place.pip(INSTALLS[manner])
    where = "import mcpobs; print(mcpobs.__file__)"
    before = place.ask(where)
    place.shell("env/bin/python -c 'import probe'", fails=True)
    command = place.hint()
    assert command.startswith(f"{place.python} -m pip install ")
    place.shell(command)
    place.ask("import probe")
    assert place.ask(where) == before
    assert place.faults() == []


def test_the_hint_for_a_checkout_on_the_path_installs_it(place: Place) -> None:
    code = f"import sys; sys.path.insert(0, {str(place.checkout)!r})\n"
    command = place.ask(f"{code}from mcpobs.installed.commands import add_extra; print(add_extra('http'))")
    place.shell(command)
    place.ask("import probe")
    assert place.ask("import mcpobs; print(mcpobs.__file__)") == str(place.checkout / "mcpobs/__init__.py")


def test_a_stranger_s_distribution_over_ours_is_found_and_the_hint_mends_it(place: Place, tmp_path: Path) -> None:
    stranger = _wheel(tmp_path, "mcpobs", {"mcpobs/__init__.py": "theirs = True\n", "mcpobs/asgi.py": ""})
    place.pip("install mcpobs-otel")
    place.pip(f"install {stranger}")
    (fault,) = place.faults()
    state, line, hint = fault.split("\t")
    assert (state, "mcpobs 0.1.0" in line, "mcpobs/__init__.py" in line) == ("fail", True, True)
    assert place.ask("from mcpobs.installed.commands import repair; print(repair())") == hint
    place.shell(hint)
    assert place.faults() == []
    assert place.ask("import mcpobs; print(mcpobs.__version__)") == VERSION


def test_an_installation_under_the_former_name_is_replaced_by_the_hint(place: Place) -> None:
    metadata = place.checkout / "METADATA"
    text = metadata.read_text()
    backend, project = place.checkout / "backend.py", place.checkout / "pyproject.toml"
    new = backend.read_text(), project.read_text()
    try:
        summary = "Summary: Observe any MCP server, answer for its calls, and turn its traffic into limits.\n"
        metadata.write_text(_metadata("mcpobs", summary))
        backend.write_text(new[0].replace("mcpobs_otel", "mcpobs"))
        project.write_text(new[1].replace("mcpobs-otel", "mcpobs"))
        place.pip("install -e .")
    finally:
        metadata.write_text(text)
        backend.write_text(new[0])
        project.write_text(new[1])
    ((_, line, hint),) = [fault.split("\t") for fault in place.faults()]
    assert "its distribution was called mcpobs" in line
    assert hint.startswith(f"{place.python} -m pip uninstall -y mcpobs && ")
    place.shell(place.hint())
    place.ask("import probe")
    assert place.faults() == []
