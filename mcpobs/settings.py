"""Where mcpobs keeps things and what the environment says. Reads the environment and config.toml; writes nothing."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mcpobs.errors import UsageError

LAKE_VARIABLE = "MCPOBS_LAKE"
CONFIG_VARIABLE = "MCPOBS_CONFIG"


def lake_folder(given: str | os.PathLike[str] | None = None, env: Mapping[str, str] = os.environ) -> Path:
    """The lake: `--lake`, else MCPOBS_LAKE, else `mcpobs` in the user's data directory."""
    chosen = given or env.get(LAKE_VARIABLE)
    if chosen:
        return Path(chosen).expanduser().absolute()
    return _user_folder(env, "XDG_DATA_HOME", ".local/share")


def config_folder(env: Mapping[str, str] = os.environ) -> Path:
    """Where config.toml and the digest keys lie: MCPOBS_CONFIG, else `mcpobs` in the user's config directory."""
    chosen = env.get(CONFIG_VARIABLE)
    if chosen:
        return Path(chosen).expanduser().absolute()
    return _user_folder(env, "XDG_CONFIG_HOME", ".config")


def _user_folder(env: Mapping[str, str], variable: str, fallback: str) -> Path:
    if env.get(variable):
        return Path(env[variable]) / "mcpobs"
    home = Path(env.get("HOME") or Path.home())
    if sys.platform == "darwin":
        return home / "Library" / "Application Support" / "mcpobs"
    return home / fallback / "mcpobs"


@dataclass(frozen=True, slots=True)
class Config:
    """config.toml. `prices` is US dollars a call, by tool; `*` stands for every tool that is not named."""

    prices: Mapping[str, float] = field(default_factory=dict)

    def price(self, tool: str) -> float | None:
        return self.prices.get(tool, self.prices.get("*"))


def load_config(folder: Path | None = None) -> Config:
    """Reads config.toml; a missing file is an empty configuration, an unknown key or a wrong value an error."""
    path = (folder or config_folder()) / "config.toml"
    try:
        raw = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return Config()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    import tomllib  # 30 ms that a user without a config.toml does not pay

    try:
        data = tomllib.loads(raw.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not valid TOML: {error}") from None
    unknown = sorted(set(data) - {"prices"})
    if unknown:
        raise UsageError(
            f"{path}: unknown key {unknown[0]!r}", "the known key is [prices]: a tool and US dollars a call"
        )
    prices = data.get("prices", {})
    if not isinstance(prices, dict):
        raise UsageError(f"{path}: prices must be a table", "write [prices] and below it: search = 0.002")
    for tool, price in prices.items():
        if isinstance(price, bool) or not isinstance(price, int | float) or not 0 <= price < 1e6:
            raise UsageError(
                f"{path}: the price of {tool!r} is not US dollars a call: {price!r}", "write e.g. search = 0.002"
            )
    return Config(prices={tool: float(price) for tool, price in prices.items()})
