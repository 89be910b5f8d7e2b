"""docs/settings.md names every setting that there is, and none that there is not."""

from __future__ import annotations

import re
from pathlib import Path

from mcpobs import settings
from mcpobs.prices import reading
from mcpobs.setup.reference import ENVIRONMENT, FILE, OUR_OWN, page
from tests.golden import check

ROOT = Path(__file__).parent.parent.parent
SOURCES = "\n".join(path.read_text() for path in sorted((ROOT / "mcpobs").rglob("*.py")) if path.name != "reference.py")
VARIABLE = re.compile(r"\b_?(?:MCPOBS|OTEL|XDG)_[A-Z_]*[A-Z]\b(?!\w)")


def test_the_page_of_settings_is_what_the_list_says() -> None:
    check(ROOT / "docs" / "settings.md", page())


def test_every_key_that_config_toml_may_have_is_listed_and_no_other() -> None:
    listed = {table: {one.name for one in keys} for table, keys in FILE.items()}
    prices, servers = listed.pop("prices"), listed.pop("servers")
    assert listed == {table: set(keys) for table, keys in settings._TABLES.items() if table in listed}
    assert set(settings._TABLES) == {*listed, "prices", "servers"}
    assert prices == {"TOOL", *(f"TOOL.{key}" for key in reading._KEYS)}
    assert servers == {"NAME.prices", "NAME.record.errors"}


def test_every_variable_that_the_code_names_is_listed_and_every_listed_one_is_in_the_code() -> None:
    listed = {one.name for one in ENVIRONMENT}
    families = tuple(name.removesuffix("*") for name in listed if name.endswith("*"))
    named = set(VARIABLE.findall(SOURCES)) - OUR_OWN
    assert {name for name in named - listed if not name.startswith(families)} <= {"OTEL_EXPORTER_OTLP", "OTEL_BSP"}
    assert {name for name in listed if not name.endswith("*") and name not in SOURCES} <= {
        # spelled from the signal: OTEL_{signal}_EXPORTER; the SDK's own
        "OTEL_TRACES_EXPORTER",
        "OTEL_METRICS_EXPORTER",
        "OTEL_LOGS_EXPORTER",
    }
