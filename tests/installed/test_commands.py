"""The command that adds an extra: right for each origin and each tool, and never one for somebody else's `mcpobs`."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcpobs.installed import commands
from mcpobs.installed.distribution import NAME, of_this_copy, providers
from mcpobs.installed.environment import Environment
from tests.installed.made import NEEDED, distribution, editable, environment, package, program, project

COMMIT = "7fa3e0c756e3d792cfc0108c5bb57965ba963de6"
GIT = {"vcs": "git", "commit_id": COMMIT, "requested_revision": "main"}


def _installed(tmp_path: Path, direct_url: Any = None, name: str = NAME, **tools: Any) -> Environment:
    """An environment with a regular installation."""
    site = tmp_path / "env/site"
    made = package(site)
    distribution(site, name, direct_url=direct_url)
    return environment(tmp_path / "env", made, **tools)


def _pip(env: Environment, *words: str) -> str:
    return shlex.join([env.python, "-m", "pip", "install", *words])


# -- where it came from -------------------------------------------------------------------------------------


def test_from_an_index_the_same_version_is_named(tmp_path: Path) -> None:
    env = _installed(tmp_path)
    assert commands.add_extra("http", env) == _pip(env, "mcpobs-otel[http]==0.1.0")


NAMES = [
    "plain",
    "with space",
    "it's",
    "[brackets]",
    "semi;colon",
    "ha#sh",
    "per%20cent",
    "a@b",
    "dollar $HOME",
    "ünï",
    "?",
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("manner", ["editable", "folder", "wheel", "not installed"])
def test_from_this_machine_its_path_is_named_whatever_it_is_called(tmp_path: Path, name: str, manner: str) -> None:
    source = project(tmp_path / name)
    if manner == "editable":
        editable(tmp_path / "env/site", source)
        env = environment(tmp_path / "env", source / "mcpobs", source)
    elif manner == "not installed":
        env = environment(tmp_path / "env", source / "mcpobs", source)
    elif manner == "folder":
        env = _installed(tmp_path, {"url": source.as_uri(), "dir_info": {}})
    else:
        source = source / "mcpobs_otel-0.1.0-py3-none-any.whl"
        source.touch()
        env = _installed(tmp_path, {"url": source.as_uri(), "archive_info": {}})
    words = shlex.split(commands.add_extra("http", env))
    assert words[:4] == [env.python, "-m", "pip", "install"]
    if manner in ("editable", "not installed"):
        assert words[4:] == ["-e", f"{source}[http]"]
    else:
        assert words[4:] in ([f"{source}[http]"], [f"mcpobs-otel[http] @ {source.as_uri()}"])
        assert not re.search(r"[;#?%@]", words[4].removesuffix("[http]")) or "file://" in words[4]


def test_a_checkout_whose_path_ends_in_brackets_is_not_read_as_one_with_extras(tmp_path: Path) -> None:
    source = project(tmp_path / "a [b]")
    editable(tmp_path / "env/site", source)
    env = environment(tmp_path / "env", source / "mcpobs", source)
    assert commands.install_missing(env) == _pip(env, "-e", source.as_uri())


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("https://git.example/m.git", "https://git.example/m.git"),
        ("https://user:secret@git.example/m.git", "https://git.example/m.git"),
        ("https://secret@git.example:8443/m.git", "https://git.example:8443/m.git"),
        ("https://${USER}:${secret}@git.example/m.git", "https://git.example/m.git"),
        ("https://x%40y:se@secret@git.example/m.git", "https://git.example/m.git"),
        ("https://git.example/m.git?access_token=secret#secret", "https://git.example/m.git"),
        ("ssh://git@git.example/m.git", "ssh://git@git.example/m.git"),
        ("ssh://git:secret@git.example:22/m.git", "ssh://git@git.example:22/m.git"),
        ("file:///srv/m", "file:///srv/m"),
    ],
)
def test_from_a_repository_the_commit_is_named_and_no_secret(tmp_path: Path, url: str, place: str) -> None:
    env = _installed(tmp_path, {"url": url, "vcs_info": GIT})
    command = commands.add_extra("http", env)
    assert command == _pip(env, f"mcpobs-otel[http] @ git+{place}@{COMMIT}")
    below = _installed(tmp_path / "b", {"url": url, "vcs_info": GIT, "subdirectory": "a/b"})
    assert commands.add_extra("http", below) == _pip(
        below, f"mcpobs-otel[http] @ git+{place}@{COMMIT}#subdirectory=a/b"
    )


@given(st.text(min_size=1, max_size=20), st.text(max_size=10), st.sampled_from(["https", "http", "svn", "ssh"]))
def test_no_password_in_a_url_is_ever_shown(
    tmp_path_factory: pytest.TempPathFactory, secret: str, user: str, scheme: str
) -> None:
    marked = f"s3cr3t{secret}t3rc3s"
    url = f"{scheme}://{user}:{marked}@git.example/m"
    for info in ({"vcs_info": GIT}, {"archive_info": {}}):
        env = _installed(tmp_path_factory.mktemp("one"), {"url": url, **info})
        assert "s3cr3t" not in commands.add_extra("http", env)


def test_from_an_archive_its_address_is_named_and_the_packages_if_that_holds_a_key(tmp_path: Path) -> None:
    plain = _installed(tmp_path / "1", {"url": "https://u:secret@files.example/m.tar.gz", "archive_info": {}})
    assert commands.add_extra("http", plain) == _pip(plain, "mcpobs-otel[http] @ https://files.example/m.tar.gz")
    signed = _installed(tmp_path / "2", {"url": "https://files.example/m.tar.gz?sig=secret", "archive_info": {}})
    assert commands.add_extra("http", signed) == f"{_pip(signed)} {NEEDED}"


@pytest.mark.parametrize("info", [{"dir_info": {}}, {"dir_info": {"editable": True}}, {"archive_info": {}}])
def test_when_the_source_has_gone_the_packages_themselves_are_named(tmp_path: Path, info: dict[str, Any]) -> None:
    env = _installed(tmp_path, {"url": "file:///gone/mcpobs", **info})
    assert commands.add_extra("http", env) == f"{_pip(env)} {NEEDED}"
    assert commands.add_extra("demo", env) == _pip(env, "mcp<3,>=2.0; (python_version >= '3.11')")


@pytest.mark.parametrize("record", ["", "{", "[]", "null", '{"url": 7}', '{"url": "https://[::1"}', '{"dir_info": 1}'])
def test_a_damaged_record_of_its_origin_never_fails(tmp_path: Path, record: str) -> None:
    command = commands.add_extra("http", _installed(tmp_path, record))
    assert "aiohttp" in command or "mcpobs-otel[http]" in command


def test_code_that_nothing_installed_and_that_is_no_checkout_says_so(tmp_path: Path) -> None:
    env = environment(tmp_path / "env", package(tmp_path / "loose"), tmp_path / "loose")
    assert "/path/to/the/checkout[http]" in commands.add_extra("http", env)


def test_a_checkout_on_the_path_is_named_and_not_the_wheel_that_it_hides(tmp_path: Path) -> None:
    _installed(tmp_path)
    source = project(tmp_path / "checkout")
    env = environment(tmp_path / "env", source / "mcpobs", source)
    assert commands.add_extra("http", env) == _pip(env, "-e", f"{source}[http]")


# -- which tool ---------------------------------------------------------------------------------------------


def _uv_on_path(tmp_path: Path) -> str:
    return str(program(tmp_path / "tools/uv").parent)


def _externally_managed(env: Environment) -> None:
    env.stdlib.mkdir(parents=True)
    (env.stdlib / "EXTERNALLY-MANAGED").touch()


def test_pip_is_called_by_its_name_only_if_the_shell_finds_that_of_this_environment(tmp_path: Path) -> None:
    mine = program(tmp_path / "env/bin/pip").parent
    other = program(tmp_path / "other/bin/pip").parent
    assert commands.add_extra("http", _installed(tmp_path, PATH=f"{mine}:{other}")).startswith("pip install ")
    hidden = environment(tmp_path / "env", tmp_path / "env/site/mcpobs", PATH=f"{other}:{mine}")
    assert commands.add_extra("http", hidden).startswith(f"{hidden.python} -m pip install ")
    system = environment(tmp_path / "env", tmp_path / "env/site/mcpobs", PATH=str(mine), isolated=False)
    assert commands.add_extra("http", system).startswith(f"{system.python} -m pip install ")
    (tmp_path / "env/conda-meta").mkdir()
    assert commands.add_extra("http", system).startswith("pip install ")


def test_an_environment_without_pip_is_uv_s_else_it_gets_pip(tmp_path: Path) -> None:
    env = _installed(tmp_path, pip=False, PATH=_uv_on_path(tmp_path))
    assert commands.add_extra("http", env) == f"uv pip install --python {env.python} 'mcpobs-otel[http]==0.1.0'"
    active = env._replace(variables={**env.variables, "VIRTUAL_ENV": str(env.prefix)})
    assert commands.add_extra("http", active) == "uv pip install 'mcpobs-otel[http]==0.1.0'"
    bare = env._replace(variables={"PATH": "/nowhere"})
    assert commands.add_extra("http", bare) == f"{env.python} -m ensurepip && {_pip(env, 'mcpobs-otel[http]==0.1.0')}"
    (env.prefix / "pyvenv.cfg").write_text("home = /usr/bin\nuv = 0.13.9\n")
    assert commands.add_extra("http", bare).startswith("uv pip install ")


def test_an_installation_of_the_user_s_stays_one(tmp_path: Path) -> None:
    made = package(tmp_path / "env/user")
    distribution(tmp_path / "env/user")
    env = environment(tmp_path / "env", made, tmp_path / "env/user", isolated=False)
    assert commands.add_extra("http", env) == _pip(env, "--user", "mcpobs-otel[http]==0.1.0")
    _externally_managed(env)
    assert commands.add_extra("http", env) == _pip(env, "--user", "--break-system-packages", "mcpobs-otel[http]==0.1.0")


def test_a_checkout_that_a_system_s_python_runs_gets_an_environment(tmp_path: Path) -> None:
    source = project(tmp_path / "check out")
    env = environment(tmp_path / "env", source / "mcpobs", source, isolated=False)
    _externally_managed(env)
    make, install = commands.add_extra("http", env).split(" && ")
    assert shlex.split(make) == [env.python, "-m", "venv", f"{source}/.venv"]
    assert shlex.split(install) == [f"{source}/.venv/bin/pip", "install", "-e", f"{source}[http]"]


def test_a_virtual_environment_of_a_system_s_python_is_not_the_system_s(tmp_path: Path) -> None:
    env = _installed(tmp_path)
    _externally_managed(env)
    assert "--break-system-packages" not in commands.add_extra("http", env)


def test_beside_a_copy_in_a_folder_of_its_own_the_packages_are_put(tmp_path: Path) -> None:
    made = package(tmp_path / "target dir")
    distribution(tmp_path / "target dir")
    env = environment(tmp_path / "env", made, tmp_path / "target dir")
    assert commands.add_extra("http", env) == f"{_pip(env, '--target', str(made.parent))} {NEEDED}"


@pytest.mark.parametrize(
    ("cache", "start"),
    [
        ("cache/uv/archive-v0/x1", "uvx --from "),
        ("cache/uv/environments-v2/x1", "uvx --from "),
        (".cache/pipx/3f", "pipx run --spec "),
    ],
)
def test_a_copy_that_a_runner_keeps_for_one_run_is_run_with_the_extra(tmp_path: Path, cache: str, start: str) -> None:
    made = package(tmp_path / cache / "site")
    distribution(tmp_path / cache / "site")
    command = commands.add_extra("http", environment(tmp_path / cache, made, pip=False))
    assert command == f"{start}'mcpobs-otel[http]' mcpobs"


def _pipx(env: Environment, main: dict[str, Any]) -> None:
    (env.prefix / "pipx_metadata.json").write_text(json.dumps({"main_package": main}))


@pytest.mark.parametrize(
    ("main", "words"),
    [
        ({"package_or_url": "mcpobs-otel"}, ["mcpobs-otel[http]"]),
        ({"package_or_url": "mcpobs-otel[collect]"}, ["mcpobs-otel[collect,http]"]),
        ({"package_or_url": "mcpobs-otel[collect, demo]==0.1.0"}, ["mcpobs-otel[collect,demo,http]==0.1.0"]),
        ({"package_or_url": "mcpobs-otel", "suffix": "@x"}, ["--suffix", "@x", "mcpobs-otel[http]"]),
    ],
)
def test_pipx_installs_its_program_again_with_all_extras(
    tmp_path: Path, main: dict[str, Any], words: list[str]
) -> None:
    env = _installed(tmp_path, pip=False)
    _pipx(env, {"package": NAME, **main})
    assert shlex.split(commands.add_extra("http", env)) == ["pipx", "install", "--force", *words]


def test_pipx_installs_an_editable_checkout_again_as_one(tmp_path: Path) -> None:
    source = project(tmp_path / "check out")
    editable(tmp_path / "env/site", source)
    env = environment(tmp_path / "env", source / "mcpobs", source)
    _pipx(env, {"package": NAME, "package_or_url": f"{source}[demo]"})
    words = shlex.split(commands.add_extra("http", env))
    assert words == ["pipx", "install", "--force", "--editable", f"{source}[demo,http]"]


def test_pipx_injects_what_was_injected(tmp_path: Path) -> None:
    env = _installed(tmp_path)
    _pipx(env, {"package": "fastmcp", "package_or_url": "fastmcp"})
    assert commands.add_extra("http", env) == "pipx inject --force env 'mcpobs-otel[http]==0.1.0'"


def test_pipx_injects_the_packages_when_the_source_has_gone(tmp_path: Path) -> None:
    env = _installed(tmp_path, {"url": "file:///gone", "dir_info": {}})
    _pipx(env, {"package": NAME, "package_or_url": "/gone"})
    assert commands.add_extra("http", env) == f"pipx inject env {NEEDED}"


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"main_package": 7}'])
def test_damaged_metadata_of_a_tool_never_fails(tmp_path: Path, text: str) -> None:
    env = _installed(tmp_path)
    (env.prefix / "pipx_metadata.json").write_text(text)
    (env.prefix / "uv-receipt.toml").write_text(text)
    assert commands.add_extra("http", env) == _pip(env, "mcpobs-otel[http]==0.1.0")


@pytest.mark.parametrize(
    ("receipt", "words"),
    [
        ('[tool]\nrequirements = [{ name = "mcpobs-otel" }]', ["mcpobs-otel[http]"]),
        (
            '[tool]\npython = "3.12"\nrequirements = [{ name = "mcpobs-otel", extras = ["demo"], specifier = "<2" }]',
            ["--python", "3.12", "mcpobs-otel[demo,http]<2"],
        ),
        (
            '[tool]\nrequirements = [{ name = "mcpobs-otel" }, { name = "a", extras = ["x"], specifier = ">=1" },'
            ' { name = "b", editable = "/b b" }, { name = "c", git = "https://u:secret@g.example/c?rev=v1" }]',
            [
                "mcpobs-otel[http]",
                "--with",
                "a[x]>=1",
                "--with-editable",
                "/b b",
                "--with",
                "c @ git+https://g.example/c@v1",
            ],
        ),
        (
            '[tool]\nrequirements = [{ name = "fastmcp" }, { name = "mcpobs-otel" }]',
            ["fastmcp", "--with", "mcpobs-otel[http]"],
        ),
    ],
)
def test_uv_tool_gets_all_that_it_has_once_more(tmp_path: Path, receipt: str, words: list[str]) -> None:
    env = _installed(tmp_path, pip=False)
    (env.prefix / "uv-receipt.toml").write_text(receipt)
    assert shlex.split(commands.add_extra("http", env)) == ["uv", "tool", "install", *words]


def test_uv_tool_gets_an_editable_checkout_once_more(tmp_path: Path) -> None:
    source = project(tmp_path / "check out")
    editable(tmp_path / "env/site", source)
    env = environment(tmp_path / "env", source / "mcpobs", source, pip=False)
    receipt = f'[tool]\nrequirements = [{{ name = "mcpobs-otel", editable = "{source}" }}]'
    (env.prefix / "uv-receipt.toml").write_text(receipt)
    words = shlex.split(commands.add_extra("http", env))
    assert words == ["uv", "tool", "install", "--editable", f"{source}[http]"]


# -- under the former name ------------------------------------------------------------------------------------


def _former(tmp_path: Path, **tools: Any) -> tuple[Environment, Path]:
    source = project(tmp_path / "checkout")
    editable(tmp_path / "env/site", source, name="mcpobs")
    return environment(tmp_path / "env", source / "mcpobs", source, **tools), source


def test_a_copy_under_the_former_name_is_replaced(tmp_path: Path) -> None:
    env, source = _former(tmp_path)
    remove, install = commands.add_extra("http", env).split(" && ")
    assert remove == f"{env.python} -m pip uninstall -y mcpobs"
    assert install == _pip(env, "-e", f"{source}[http]")


def test_so_it_is_as_a_program_of_pipx_and_of_uv(tmp_path: Path) -> None:
    env, source = _former(tmp_path)
    _pipx(env, {"package": "mcpobs", "package_or_url": str(source)})
    assert commands.add_extra("http", env) == (f"pipx uninstall env && pipx install --editable '{source}[http]'")
    (env.prefix / "pipx_metadata.json").unlink()
    (env.prefix / "uv-receipt.toml").write_text('[tool]\nrequirements = [{ name = "mcpobs" }]')
    assert commands.add_extra("http", env) == (f"uv tool uninstall env && uv tool install --editable '{source}[http]'")


def test_a_stranger_s_distribution_is_never_taken_for_ours(tmp_path: Path) -> None:
    site = tmp_path / "env/site"
    made = package(site)
    distribution(site, "mcpobs", entry_points="", summary="MCP-native observability")
    env = environment(tmp_path / "env", made)
    assert of_this_copy(env, providers(env)) is None
    assert "/path/to/the/checkout[http]" in commands.add_extra("http", env)


# -- always ----------------------------------------------------------------------------------------------------


def _origins(tmp_path: Path) -> list[Any]:
    source = project(tmp_path / "source")
    wheel = source / "mcpobs_otel-0.1.0-py3-none-any.whl"
    wheel.touch()
    return [
        None,
        {"url": source.as_uri(), "dir_info": {}},
        {"url": wheel.as_uri(), "archive_info": {}},
        {"url": "https://git.example/mcpobs", "vcs_info": GIT},
        {"url": "https://files.example/mcpobs.whl?key=1", "archive_info": {}},
        {"url": "file:///gone/mcpobs", "dir_info": {}},
    ]


COMMANDS: list[Callable[[Environment], str]] = [
    lambda env: commands.add_extra("http", env),
    lambda env: commands.install_missing(env),
    lambda env: commands.install_again(env, of_this_copy(env, providers(env))),
    lambda env: commands.for_good(env) or "",
]


@pytest.mark.parametrize("name", [NAME, "mcpobs"])
@pytest.mark.parametrize("tool", ["pip", "uv", "pipx", "uv tool", "target"])
def test_no_command_installs_the_distribution_mcpobs(tmp_path: Path, name: str, tool: str) -> None:
    for number, origin in enumerate(_origins(tmp_path)):
        folder = tmp_path / str(number)
        env = _installed(folder, origin, name, pip=tool in ("pip", "target"))
        if tool == "pipx":
            _pipx(env, {"package": name, "package_or_url": name})
        elif tool == "uv tool":
            (env.prefix / "uv-receipt.toml").write_text(f'[tool]\nrequirements = [{{ name = "{name}" }}]')
        elif tool == "target":
            env = env._replace(sites=(tmp_path,))
        for command in COMMANDS:
            for part in command(env).split(" && "):
                if "uninstall" not in part:
                    words = [word for word in re.split(r"[\s']+", part) if re.match(r"mcpobs(?![\w-])", word)]
                    assert words in ([], ["mcpobs"] * ("install mcpobs from its checkout" in part)), part
