"""Measures recorded texts of failures: ids that masking misses, messages that it changes for nothing, and the cost.

Ids are random, in five sentences. Messages are those of `errno` and all literals that the standard library raises.

python -m bench.error_texts
"""

from __future__ import annotations

import ast
import os
import random
import string
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb

from mcpobs.detect.errors import MAX_LINE, MAX_TEXT, recorded_line
from mcpobs.queries import catalog

TEXTS = {
    "plain, 40 characters": "no such file in the folder of the report",
    "ids, path, URL, 130": (
        "cannot read /srv/orders/4711.json of 6f1c2b3a-9d4e-4f5a-8b6c-7d8e9f0a1b2c: "
        "GET https://api.calc.org/v1/orders?id=4711 gave HTTP 503"
    ),
    "one line of 100,000": "a.b://1-2_" * 10_000,
    "digits, 100,000": "12 34-56.78/" * 8_334,
}
ROWS = 20_000
IDS = 500
SHOWN = 8
"""Characters of an id that a line must not have in a row."""
SENTENCES = ("no order {}", "item '{}' not found", "id={} is unknown", "{}: gone", "cannot read /srv/{}/x")
_BASE62 = string.ascii_letters + string.digits
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def ids(chance: random.Random) -> dict[str, Callable[[], str]]:
    def of(characters: str, length: int, prefix: str = "") -> Callable[[], str]:
        return lambda: prefix + "".join(chance.choices(characters, k=length))

    return {
        "UUID": lambda: str(uuid.UUID(int=chance.getrandbits(128), version=4)),
        "hex, 12": of("0123456789abcdef", 12),
        "hex, 16": of("0123456789abcdef", 16),
        "hex, 32": of("0123456789abcdef", 32),
        "ULID": of(_CROCKFORD, 26),
        "digits, 9": of("123456789", 9),
        "digits, 18": of("123456789", 18),
        "base62, 12": of(_BASE62, 12),
        "base62, 16": of(_BASE62, 16),
        "base62, 22": of(_BASE62, 22),
        "base62, 14, with a prefix": of(_BASE62, 14, "cus_"),
        "base64, 40": of(_BASE62 + "+/", 40),
        "letters, 32": of(string.ascii_letters, 32),
    }


def missed_ratio(make: Callable[[], str], chance: random.Random) -> float:
    """The share of ids of which a line still has SHOWN characters in a row."""
    missed = 0
    for _ in range(IDS):
        value = make()
        line = recorded_line(chance.choice(SENTENCES).format(value), "masked") or ""
        missed += any(value[at : at + SHOWN] in line for at in range(len(value) - SHOWN + 1))
    return missed / IDS


def messages() -> Iterator[str]:
    yield from (os.strerror(number) for number in range(1, 134))
    for path in Path(os.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(errors="replace"))):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
                yield from (
                    argument.value
                    for argument in node.exc.args
                    if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
                )


def best_us(work: Callable[[], object], times: int) -> float:
    """The best time of several, in microseconds."""
    found = []
    for _ in range(times):
        begun = time.perf_counter_ns()
        work()
        found.append((time.perf_counter_ns() - begun) / 1000)
    return min(found)


def main() -> None:
    begun = time.perf_counter_ns()
    recorded_line("the first failure", "masked")
    took_ms = (time.perf_counter_ns() - begun) / 1e6
    print(f"first failure of a process: {took_ms:.1f} ms (looks at {MAX_TEXT:,} characters)")
    chance = random.Random(7)
    for name, make in ids(chance).items():
        print(f"missed of {IDS} ids, {name}: {missed_ratio(make, chance):.1%}")
    stripped = {text.strip() for text in messages()}
    known = [text for text in sorted(stripped) if text and "\n" not in text and len(text) <= MAX_LINE]
    changed = [text for text in known if recorded_line(text, "masked") != " ".join(text.split())]
    print(f"messages that are changed: {len(changed)} of {len(known):,}")
    for name, text in TEXTS.items():
        print(f"{name}: {best_us(lambda text=text: recorded_line(text, 'masked'), 50):,.0f} µs")  # type: ignore[misc]
    sql = catalog.view("operations").sql
    expression = sql[sql.index("case when error_message") : sql.index(" as error_template\nfrom")]
    connection = duckdb.connect()
    connection.execute("set threads = 1")
    connection.execute(
        f"create table t as select 'no order ' || i || ' in /srv/orders/' || i || '.json' as error_message "
        f"from range({ROWS}) as r(i)"
    )
    templates = f"select count(distinct {expression}) from t"
    each_us = best_us(lambda: connection.execute(templates).fetchall(), 5) / ROWS
    [(kinds,)] = connection.execute(templates).fetchall()
    print(f"a template: {each_us:.1f} µs; {ROWS:,} texts have {kinds}")
    connection.execute("create table n as select cast(null as varchar) as error_message from range(1000000)")
    nulls_us = best_us(lambda: connection.execute(f"select count({expression}) from n").fetchall(), 3)
    print(f"a million calls without a text: {nulls_us / 1000:.1f} ms")


if __name__ == "__main__":
    main()
