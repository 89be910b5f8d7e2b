"""`mcpobs doctor` finds what else has the name mcpobs: distributions of others, second copies, modules that hide it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mcpobs.installed.environment import Environment
from mcpobs.setup import copies, installation
from mcpobs.setup.check import Check
from tests.installed.made import distribution, editable, environment, package, program, project

FOREIGN = {"entry_points": "", "summary": "MCP-native observability for Model Context Protocol servers"}


def _found(env: Environment, folder: Path | None = None) -> list[Check]:
    return list(copies.check(env, folder or env.prefix))


def _faults(env: Environment, folder: Path | None = None) -> list[tuple[str, str, str]]:
    return [(each.state, each.line, each.hint or "") for each in _found(env, folder) if each.state != "ok"]


def _ours(tmp_path: Path) -> Environment:
    site = tmp_path / "site"
    made = package(site)
    (made / "cli.py").write_text("")
    distribution(site, files=["mcpobs/__init__.py", "mcpobs/cli.py"])
    return environment(tmp_path, made)


def test_one_copy_alone_is_fine(tmp_path: Path) -> None:
    env = _ours(tmp_path)
    assert [(each.state, each.line) for each in _found(env)] == [
        ("ok", f"distribution mcpobs-otel 0.1.0, in {tmp_path / 'site'}")
    ]


def test_an_entry_of_the_path_that_is_there_twice_is_one_copy(tmp_path: Path) -> None:
    env = _ours(tmp_path)
    (tmp_path / "link").symlink_to(tmp_path / "site")
    assert _faults(env._replace(search=(str(tmp_path / "link"), *env.search, *env.search))) == []


def test_an_editable_checkout_is_fine(tmp_path: Path) -> None:
    source = project(tmp_path / "checkout")
    editable(tmp_path / "site", source)
    env = environment(tmp_path, source / "mcpobs", source)
    assert [(each.state, each.line) for each in _found(env)] == [
        ("ok", f"distribution mcpobs-otel 0.1.0, editable, from {source}")
    ]


def test_a_checkout_that_nothing_installed_is_reported(tmp_path: Path) -> None:
    source = project(tmp_path / "checkout")
    ((state, line, hint),) = _faults(environment(tmp_path, source / "mcpobs", source))
    assert (state, str(source / "mcpobs") in line) == ("warn", True)
    assert hint.endswith(f"-m pip install -e {source}")


# -- distributions of others ----------------------------------------------------------------------------------


def test_a_foreign_distribution_that_replaced_files_of_ours_fails(tmp_path: Path) -> None:
    env = _ours(tmp_path)
    (env.package / "__init__.py").write_text("theirs = True\n")
    distribution(tmp_path / "site", "mcpobs", "0.9", files=["mcpobs/__init__.py", "mcpobs/asgi.py"], **FOREIGN)
    ((state, line, hint),) = _faults(env)
    assert state == "fail"
    assert "mcpobs 0.9" in line
    assert "mcpobs/__init__.py" in line
    assert "mcpobs/cli.py" not in line
    remove, install = hint.split(" && ")
    assert remove == f"{env.python} -m pip uninstall -y mcpobs"
    assert install == f"{env.python} -m pip install --force-reinstall --no-deps mcpobs-otel==0.1.0"


def test_a_file_of_ours_that_went_with_a_foreign_distribution_fails(tmp_path: Path) -> None:
    env = _ours(tmp_path)
    (env.package / "cli.py").unlink()
    distribution(tmp_path / "site", "Mcp.Obs.Else", files=["mcpobs/__init__.py"], **FOREIGN)
    ((state, line, _),) = _faults(env)
    assert (state, "mcpobs/cli.py" in line) == ("fail", True)


@pytest.mark.parametrize("name", ["mcpobs", "MCPObs", "acme-tools", "mcpobs_otel_extras"])
def test_a_foreign_distribution_that_replaced_nothing_is_a_warning(tmp_path: Path, name: str) -> None:
    env = _ours(tmp_path)
    distribution(tmp_path / "site", name, "0.9", files=["mcpobs/__init__.py", "mcpobs/asgi.py"], **FOREIGN)
    ((state, line, hint),) = _faults(env)
    assert (state, f"{name} 0.9" in line) == ("warn", True)
    assert hint.startswith(f"{env.python} -m pip uninstall -y {name} && ")


def _as_a_wheel(site: Path) -> None:
    package(site)
    distribution(site, "stranger", **FOREIGN)


def _as_one_module(site: Path) -> None:
    site.mkdir()
    (site / "mcpobs.py").touch()
    distribution(site, "stranger", files=["mcpobs.py"], **FOREIGN)


def _as_a_compiled_module(site: Path) -> None:
    site.mkdir()
    distribution(site, "stranger", files=["mcpobs.cpython-311-x86_64-linux-gnu.so"], **FOREIGN)


def _without_a_record(site: Path) -> None:
    package(site)
    distribution(site, "stranger", files=None, more={"top_level.txt": "other\nmcpobs\n"}, **FOREIGN)


def _as_an_egg(site: Path) -> None:
    info = package(site).parent / "stranger.egg-info"
    info.mkdir()
    (info / "PKG-INFO").write_text("Metadata-Version: 1.0\nName: stranger\nVersion: 0.1.0\n")
    (info / "top_level.txt").write_text("mcpobs\n")


def _editable_by_a_path(site: Path) -> None:
    package(site.parent / "theirs/src")
    site.mkdir()
    (site / "theirs.pth").write_text(f"# a comment\nimport sys\n{site.parent / 'theirs/src'}\n")
    distribution(site, "stranger", files=["theirs.pth"], **FOREIGN)


def _editable_by_a_finder(site: Path) -> None:
    package(site.parent / "theirs")
    site.mkdir()
    mapping = {"mcpobs": str(site.parent / "theirs/mcpobs")}
    (site / "__editable___stranger_finder.py").write_text(f"MAPPING: dict[str, str] = {mapping!r}\n")
    distribution(site, "stranger", files=["__editable___stranger_finder.py"], **FOREIGN)


@pytest.mark.parametrize(
    "install",
    [
        *(_as_a_wheel, _as_one_module, _as_a_compiled_module, _without_a_record, _as_an_egg),
        *(_editable_by_a_path, _editable_by_a_finder),
    ],
)
def test_a_foreign_distribution_elsewhere_is_found_however_it_was_installed(tmp_path: Path, install: object) -> None:
    env = _ours(tmp_path)
    install(tmp_path / "other")  # type: ignore[operator]
    env = env._replace(search=(*env.search, str(tmp_path / "other")))
    ((state, line, hint),) = _faults(env)
    assert state == "warn"
    assert f"stranger 0.1.0 in {tmp_path / 'other'}" in line
    assert str(env.package) in line
    assert "uninstall -y stranger" in hint


def test_distributions_that_only_sound_alike_are_left_alone(tmp_path: Path) -> None:
    env = _ours(tmp_path)
    site = tmp_path / "site"
    distribution(site, "mcp-obs-tools", files=["mcpobs_tools/__init__.py", "tests/mcpobs/x.py"], **FOREIGN)
    distribution(site, "mcpobsidian", files=["mcpobsidian/__init__.py", "mcpobs.txt"], **FOREIGN)
    distribution(site, "typing-mcpobs", files=["mcpobs-stubs/__init__.pyi"], **FOREIGN)
    (site / "broken-1.0.dist-info").mkdir()
    assert _faults(env) == []


@pytest.mark.parametrize(("gone", "state"), [(True, "fail"), (False, "warn")])
def test_files_of_ours_that_are_not_as_they_were_installed_are_reported(tmp_path: Path, gone: bool, state: str) -> None:
    env = _ours(tmp_path)
    if gone:
        (env.package / "cli.py").unlink()
    else:
        (env.package / "cli.py").write_text("changed = True\n")
    ((found, line, hint),) = _faults(env)
    assert (found, "mcpobs/cli.py" in line) == (state, True)
    assert hint == f"{env.python} -m pip install --force-reinstall --no-deps mcpobs-otel==0.1.0"


# -- more than one of ours ----------------------------------------------------------------------------------------


def test_a_second_copy_in_another_folder_is_reported_with_the_one_that_is_used(tmp_path: Path) -> None:
    env = _ours(tmp_path)
    package(tmp_path / "user")
    distribution(tmp_path / "user", version="0.0.9")
    env = env._replace(search=(*env.search, str(tmp_path / "user")))
    ((state, line, hint),) = _faults(env)
    assert state == "warn"
    assert f"mcpobs-otel 0.0.9 in {tmp_path / 'user'}" in line
    assert str(env.package) in line
    remove = f"{env.python} -m pip uninstall -y mcpobs-otel"
    again = f"{env.python} -m pip install --force-reinstall --no-deps mcpobs-otel==0.1.0"
    assert hint == f"{remove} && {remove} && {again}"


def test_an_editable_and_a_regular_copy_are_two(tmp_path: Path) -> None:
    _ours(tmp_path)
    source = project(tmp_path / "checkout")
    editable(tmp_path / "user", source)
    env = environment(tmp_path, source / "mcpobs", source, tmp_path / "user")
    ((state, line, _),) = _faults(env)
    assert (state, "a second installation" in line, str(tmp_path / "site") in line) == ("warn", True, True)


def test_the_metadata_of_two_versions_in_one_folder_are_two(tmp_path: Path) -> None:
    env = _ours(tmp_path)
    distribution(tmp_path / "site", version="0.0.9")
    ((state, line, _),) = _faults(env)
    assert (state, "a second installation" in line) == ("warn", True)


def test_an_installation_that_a_checkout_hides_is_reported(tmp_path: Path) -> None:
    _ours(tmp_path)
    source = project(tmp_path / "checkout")
    env = environment(tmp_path, source / "mcpobs", source, PYTHONPATH=str(source))
    lines = [line for _, line, _ in _faults(env)]
    assert any("no distribution has installed" in line for line in lines)
    assert any(f"in {tmp_path / 'site'}, is not used" in line for line in lines)


# -- under the former name ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("known_by", ["entry points", "summary"])
def test_an_old_installation_beside_the_new_one_is_to_be_removed_first(tmp_path: Path, known_by: str) -> None:
    env = _ours(tmp_path)
    summary = "Observe any MCP server, answer for its calls, and turn its traffic into limits."
    if known_by == "summary":
        distribution(tmp_path / "site", "mcpobs", entry_points="", summary=summary)
    else:
        distribution(tmp_path / "site", "mcpobs")
    ((state, line, hint),) = _faults(env)
    assert (state, "is ours" in line) == ("warn", True)
    assert hint.startswith(f"{env.python} -m pip uninstall -y mcpobs && {env.python} -m pip install ")


def test_an_old_installation_alone_is_to_be_replaced(tmp_path: Path) -> None:
    source = project(tmp_path / "checkout")
    editable(tmp_path / "site", source, name="mcpobs")
    env = environment(tmp_path, source / "mcpobs", source)
    ((_, line, hint),) = _faults(env)
    assert "its distribution was called mcpobs" in line
    assert hint.startswith(f"{env.python} -m pip uninstall -y mcpobs && {env.python} -m pip install ")
    assert hint.endswith(f"-e {source}")


# -- modules that hide it, and other environments -------------------------------------------------------------------


@pytest.mark.parametrize("file", ["mcpobs/__init__.py", "mcpobs.py"])
def test_a_module_of_this_name_in_the_current_folder_is_reported(tmp_path: Path, file: str) -> None:
    env = _ours(tmp_path)
    (tmp_path / "here" / file).parent.mkdir(parents=True)
    (tmp_path / "here" / file).write_text("raise SystemExit('executed')\n")
    ((state, line, hint),) = _faults(env, tmp_path / "here")
    assert (state, str(tmp_path / "here") in line) == ("warn", True)
    assert "python -P" in hint


def test_the_checkout_itself_is_no_other_module(tmp_path: Path) -> None:
    source = project(tmp_path / "checkout")
    editable(tmp_path / "site", source)
    assert _faults(environment(tmp_path, source / "mcpobs", source, PYTHONPATH=f":{source}:"), source) == []


def test_a_module_of_this_name_on_pythonpath_is_reported(tmp_path: Path) -> None:
    env = _ours(tmp_path)
    package(tmp_path / "other")
    env = env._replace(variables={"PYTHONPATH": os.pathsep.join(["/nowhere", str(tmp_path / "other")])})
    ((state, line, hint),) = _faults(env)
    assert (state, str(tmp_path / "other/mcpobs") in line) == ("warn", True)
    assert str(tmp_path / "other") in hint


HEADS = {
    "plain": "#!{python}\nimport sys\n",
    "with an option": "#!{python} -I\n",
    "a space, by pip": "#!/bin/sh\n'''exec' \"{python}\" \"$0\" \"$@\"\n' '''\n",
    "too long, by pip": "#!/bin/sh\n'''exec' {python} \"$0\" \"$@\"\n' '''\n",
}


@pytest.mark.parametrize("head", HEADS)
def test_a_mcpobs_on_the_path_of_another_environment_is_reported(tmp_path: Path, head: str) -> None:
    other = program(tmp_path / "other/bin/python3")
    script = program(tmp_path / "on path/mcpobs")
    script.write_text(HEADS[head].format(python=other))
    found = list(installation.check({"PATH": str(script.parent)}, "/x/mcpobs/__main__.py"))
    (check,) = [each for each in found if "on the PATH" in each.line or "the PATH has" in each.line]
    assert check.state == "warn"
    assert str(script) in check.line


def test_the_python_of_a_script_is_read_and_nothing_is_run(tmp_path: Path) -> None:
    env = _ours(tmp_path)
    mine, other = program(Path(env.python)), program(tmp_path / "other/bin/python3")
    script = program(tmp_path / "script")
    for head in HEADS.values():
        script.write_text(head.format(python=other))
        assert copies.elsewhere(script, env) == other
        script.write_text(head.format(python=mine))
        assert copies.elsewhere(script, env) is None
    for text in ("", "#!", "#!/bin/sh\nexec true\n", "\x7fELF", "#!/usr/bin/env python3\n"):
        script.write_text(text)
        assert copies.elsewhere(script, env) is None
    assert copies.elsewhere(tmp_path / "gone", env) is None


def test_doctor_shows_them_in_json_too(tmp_path: Path) -> None:
    (tmp_path / "mcpobs.py").write_text("raise SystemExit('executed')\n")
    command = [str(Path(sys.executable).parent / "mcpobs"), "doctor", "--json", "--lake", str(tmp_path / "lake")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    checks = json.loads(done.stdout)["checks"]
    assert any(each["state"] == "warn" and str(tmp_path / "mcpobs.py") in each["line"] for each in checks)
