"""Computes the command that adds an extra to this copy of mcpobs, installs it again, or removes another distribution.

The command depends on the tool that made the environment (pip, uv, pipx) and on the origin of the copy. No command ever
names the distribution `mcpobs` of the public index, which is not ours.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from mcpobs.installed.distribution import NAME, PACKAGE, Distribution, is_former, of_this_copy, providers, requirements
from mcpobs.installed.environment import Environment, current, passing, same
from mcpobs.installed.source import Source, source

_PIPX: Final = "pipx_metadata.json"
_UV: Final = "uv-receipt.toml"


def add_extra(extra: str, env: Environment | None = None) -> str:
    """Returns the command line that adds the packages of an extra to this copy."""
    env = env or current()
    own = of_this_copy(env, providers(env))
    return _installing(env, own, extra)


def install_missing(env: Environment | None = None) -> str:
    """Returns the command line that installs the packages that this copy needs and the environment lacks."""
    env = env or current()
    return _installing(env, of_this_copy(env, providers(env)), None)


def install_again(env: Environment, own: Distribution | None) -> str:
    """Returns the command line that reinstalls the files of this copy."""
    return _installing(env, own, None, again=True)


def repair(env: Environment | None = None) -> str:
    """Returns the command line that removes foreign distributions from this copy's folder and reinstalls its files."""
    env = env or current()
    found = providers(env)
    others = [each for each in found if not each.ours and each.provides(env.package)]
    again = install_again(env, of_this_copy(env, found))
    return " && ".join([*(uninstall(each, env) for each in others), again])


def install_packages(packages: Sequence[str], env: Environment | None = None) -> str:
    """Returns the command line that upgrades other packages in this environment to their newest releases."""
    env = env or current()
    if (env.prefix / _PIPX).is_file() and not env.has_pip:
        return shlex.join(["pipx", "inject", "--force", env.prefix.name, *packages])
    return shlex.join([*_install(env), "-U", *packages])


def uninstall(found: Distribution, env: Environment | None = None) -> str:
    """Returns the command line that removes a distribution."""
    env = env or current()
    name = found.name
    if not env.has_pip:
        return shlex.join(["uv", "pip", "uninstall", "--python", env.python, name])
    return shlex.join([*_pip(env), "uninstall", *_consent(env), name])


def for_good(env: Environment | None = None) -> str | None:
    """Returns the words that name this copy to `uv tool install` or `pipx install`. None if its source is unknown."""
    env = env or current()
    found = source(env, of_this_copy(env, providers(env)))
    return None if found is None else shlex.join(found.words)


def _installing(env: Environment, own: Distribution | None, extra: str | None, again: bool = False) -> str:
    for made in (_by_a_runner, _by_pipx, _by_uv_tool):
        command = made(env, own, extra, again)
        if command is not None:
            return command
    place = source(env, own, [extra] if extra else [])
    if own is None:
        return _for_a_checkout(env, place, extra)
    if extra is not None and (place is None or _aside(env, own)):
        needed = requirements(own, extra)
        return _line(env, [*_install(env, own), *needed]) if needed else _unknown(extra)
    if place is None:
        return _unknown(extra)
    words = _install(env, own)
    if again:
        words += ["--reinstall-package", NAME] if words[0] == "uv" else ["--force-reinstall", "--no-deps"]
        words += ["--upgrade"] if "--target" in words else []  # else pip keeps the existing files
    first = f"{uninstall(own, env)} && " if is_former(own) else ""
    return first + _line(env, [*words, *place.words])


def _for_a_checkout(env: Environment, place: Source | None, extra: str | None) -> str:
    """Returns the command for code that runs without being installed."""
    if place is None:
        return _unknown(extra)
    if not _managed(env):
        return _line(env, [*_install(env), *place.words])
    folder = env.package.parent / ".venv"  # pip may not install into this Python
    make = shlex.join([env.python, "-m", "venv", str(folder)])
    return f"{make} && {shlex.join([str(folder / 'bin' / 'pip'), 'install', *place.words])}"


def _unknown(extra: str | None) -> str:
    suffix = f"[{extra}]" if extra else ""
    return f"install mcpobs from its checkout: pip install '/path/to/the/checkout{suffix}'"


def _line(env: Environment, words: Sequence[str]) -> str:
    """Returns a command line. An environment without pip and uv gets pip first."""
    first = f"{shlex.join([env.python, '-m', 'ensurepip'])} && " if words[0] != "uv" and not env.has_pip else ""
    return first + shlex.join(words)


# -- pip, or uv instead - -----------------------------------------------------------------------------


def _install(env: Environment, own: Distribution | None = None) -> list[str]:
    """Returns the command up to the packages."""
    if not env.has_pip and (shutil.which("uv", path=env.variables.get("PATH")) or _made_by_uv(env)):
        here = same(env.variables.get("VIRTUAL_ENV", ""), env.prefix)
        words = ["uv", "pip", "install", *([] if here else ["--python", env.python])]
    else:
        words = [*_pip(env), "install"]
    if own is None:
        return words
    if _aside(env, own):
        return [*words, "--target", str(own.folder)]
    if _of_user(env, own):
        words.append("--user")
    return [*words, *(["--break-system-packages"] if _managed(env) else [])]


def _pip(env: Environment) -> list[str]:
    """Returns the pip command; plain `pip` only if the shell finds this environment's own."""
    found = shutil.which("pip", path=env.variables.get("PATH", ""))
    if found and env.has_pip and (env.isolated or _is_conda(env)) and same(Path(found).parent, env.prefix / "bin"):
        return ["pip"]
    return [env.python, "-m", "pip"]


def _consent(env: Environment) -> list[str]:
    return ["-y", *(["--break-system-packages"] if _managed(env) else [])]


def _managed(env: Environment) -> bool:
    """Returns whether the system's package manager owns this Python, so that pip refuses to change it (PEP 668)."""
    return not env.isolated and (env.stdlib / "EXTERNALLY-MANAGED").is_file()


def _is_conda(env: Environment) -> bool:
    return (env.prefix / "conda-meta").is_dir()


def _made_by_uv(env: Environment) -> bool:
    try:
        return re.search(r"^uv\s*=", (env.prefix / "pyvenv.cfg").read_text(), re.MULTILINE) is not None
    except OSError:
        return False


def _of_user(env: Environment, own: Distribution) -> bool:
    return not env.isolated and env.user_site is not None and same(own.folder, env.user_site)


def _aside(env: Environment, own: Distribution) -> bool:
    """Returns whether it lies in a folder that no installer of this Python uses by default: `pip install --target`."""
    places = [*env.sites, *([env.user_site] if env.user_site else [])]
    return not own.editable and not any(same(own.folder, place) for place in places)


# -- tools that own an environment for each program ----------------------------------------------------------


def _by_a_runner(env: Environment, own: Distribution | None, extra: str | None, again: bool) -> str | None:
    """Returns the command for uvx and `pipx run`, which make a separate environment for each set of words."""
    runner = passing(env.prefix)
    place = source(env, own, [extra] if extra else [], pinned=False) if runner else None
    if place is None:
        return None
    words = ["uvx", "--from"] if runner == "uvx" else ["pipx", "run", "--spec"]
    return shlex.join([*words, place.requirement, PACKAGE])


def _by_pipx(env: Environment, own: Distribution | None, extra: str | None, again: bool) -> str | None:
    """Returns the command for pipx; `pipx install --force` keeps other injected packages."""
    main = _main_of_pipx(env)
    if main is None:
        return None
    name = str(main.get("package") or "")
    given = str(main.get("package_or_url") or "")
    if own is not None and is_former(own) and name == own.name:
        return _renamed(env, own, extra, ["pipx"])
    if name != NAME:  # mcpobs was injected into the environment of another program
        place = source(env, own, [extra] if extra else [])
        words = [place.requirement] if place else requirements(own, extra) if own and extra else []
        return shlex.join(["pipx", "inject", "--force", env.prefix.name, *words]) if words else None
    place = source(env, own, {*_extras(given), *([extra] if extra else [])}, pinned="==" in given)
    if place is None:
        needed = requirements(own, extra) if own and extra else []
        return shlex.join(["pipx", "inject", env.prefix.name, *needed]) if needed else None
    suffix = str(main.get("suffix") or "")
    words = [*(["--suffix", suffix] if suffix else []), *(["--editable"] if place.editable else [])]
    return shlex.join(["pipx", "install", "--force", *words, place.requirement])


def _main_of_pipx(env: Environment) -> Mapping[str, Any] | None:
    try:
        main = json.loads((env.prefix / _PIPX).read_text())["main_package"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return main if isinstance(main, dict) else None


def _by_uv_tool(env: Environment, own: Distribution | None, extra: str | None, again: bool) -> str | None:
    """Returns the command for uv; `uv tool install` makes the environment from its words alone, so they name all
    packages that are already there."""
    receipt = _receipt(env)
    if receipt is None:
        return None
    if own is not None and is_former(own):
        return _renamed(env, own, extra, ["uv", "tool"])
    listed = [each for each in receipt.get("requirements", []) if isinstance(each, dict) and each.get("name")]
    words: list[str] = []
    for number, each in enumerate(listed):
        extras = {str(name) for name in each.get("extras", [])}
        editable = "editable" in each
        if each["name"] == NAME:
            place = source(env, own, {*extras, *([extra] if extra else [])}, pinned=False)
            if place is None:
                return None
            requirement = place.requirement
            if not own or not own.direct_url:
                requirement += str(each.get("specifier", ""))
        else:
            requirement = _received(each, extras)
        if number == 0:
            words += ["--editable", requirement] if editable else [requirement]
        else:
            words += ["--with-editable" if editable else "--with", requirement]
    if not any(each["name"] == NAME for each in listed):
        return None
    python = ["--python", str(receipt["python"])] if receipt.get("python") else []
    return shlex.join(["uv", "tool", "install", *(["--reinstall-package", NAME] if again else []), *python, *words])


def _receipt(env: Environment) -> Mapping[str, Any] | None:
    try:
        tool = tomllib.loads((env.prefix / _UV).read_text())["tool"]
    except (OSError, ValueError, KeyError):
        return None
    return tool if isinstance(tool, dict) else None


def _received(each: Mapping[str, Any], extras: set[str]) -> str:
    """Returns a requirement of a receipt in command line form."""
    suffix = f"[{','.join(sorted(extras))}]" if extras else ""
    for key in ("directory", "editable", "path"):
        if key in each:
            return f"{each[key]}{suffix}"
    for key, scheme in (("git", "git+"), ("url", "")):
        if key in each:
            place = re.sub(r"(?<=://)[^/@]*@", "", str(each[key]))
            place = re.sub(r"\?(?:rev|tag|branch)=([^&#]+)", r"@\1", place) if scheme else place
            return f"{each['name']}{suffix} @ {scheme}{place}"
    return f"{each['name']}{suffix}{each.get('specifier', '')}"


def _renamed(env: Environment, own: Distribution, extra: str | None, tool: Sequence[str]) -> str | None:
    """Returns the command that replaces the program of the former name by the new one."""
    place = source(env, own, [extra] if extra else [])
    if place is None:
        return None
    install = [*tool, "install", *(["--editable"] if place.editable else []), place.requirement]
    return f"{shlex.join([*tool, 'uninstall', env.prefix.name])} && {shlex.join(install)}"


def _extras(given: str) -> set[str]:
    match = re.search(r"\[([\w.,\s-]+)\]\s*(?:$|[@=<>!~])", given)
    return {name.strip() for name in match[1].split(",") if name.strip()} if match else set()
