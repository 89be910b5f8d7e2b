"""Owns mcpobs's folders: the lake and the configuration. Reads the environment; writes nothing.

The wrapper loads this module before it starts the server, so it imports only the standard library, without
dataclasses.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

LAKE_VARIABLE = "MCPOBS_LAKE"
CONFIG_VARIABLE = "MCPOBS_CONFIG"


def lake_folder(given: str | os.PathLike[str] | None = None, env: Mapping[str, str] = os.environ) -> Path:
    """Returns the lake: `--lake`, else MCPOBS_LAKE, else `mcpobs` in the user's data directory."""
    chosen = given or env.get(LAKE_VARIABLE)
    if chosen:
        return Path(chosen).expanduser().absolute()
    return _user_folder(env, "XDG_DATA_HOME", ".local/share")


def config_folder(env: Mapping[str, str] = os.environ) -> Path:
    """Returns the folder of config.toml and the digest keys: MCPOBS_CONFIG, else `mcpobs` in the user's config
    directory."""
    chosen = env.get(CONFIG_VARIABLE)
    if chosen:
        return Path(chosen).expanduser().absolute()
    return _user_folder(env, "XDG_CONFIG_HOME", ".config")


def use_config_folder(folder: str) -> None:
    """Makes the folder of `--config` that of this process."""
    os.environ[CONFIG_VARIABLE] = str(Path(folder).expanduser().absolute())


def names_policy(env: Mapping[str, str] = os.environ) -> bool:
    """Returns whether config.toml may name a policy. Does not parse the file: true also for a broken one."""
    try:
        return b"policy" in (config_folder(env) / "config.toml").read_bytes()
    except OSError:
        return False


def _user_folder(env: Mapping[str, str], variable: str, fallback: str) -> Path:
    if env.get(variable):
        return Path(env[variable]) / "mcpobs"
    home = Path(env.get("HOME") or Path.home())
    if sys.platform == "darwin":
        return home / "Library" / "Application Support" / "mcpobs"
    return home / fallback / "mcpobs"
