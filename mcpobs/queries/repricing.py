"""History by another book: every report tells what the same calls would have cost. Never writes to the lake.

A cost is what was in force when the call was made, as an invoice is. `reprice` puts another book before the view
`tool_calls`; the arithmetic is that of `prices/rule.py`, and a test holds both together.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

import orjson

from mcpobs.lake.engine import Connection
from mcpobs.prices.book import Book
from mcpobs.prices.rule import ANSWERED, BYTES_A_TOKEN, CHARGED, MICRO, MOST_TOKENS, Path, Rule
from mcpobs.queries.pricing import BOOK


def text(calls: str) -> str:
    """The SQL of the view `tool_calls`, with the costs of the table that `reprice` made."""
    return _REPRICED.format(calls=calls)


def reprice(connection: Connection, book: Book) -> None:
    """From now on the connection's calls cost what they would by this book; those without what its rule asks for are
    told as `unrecorded`."""
    connection.execute(
        f"create or replace temp table {BOOK} (service_name varchar, tool varchar, call_microusd bigint, "
        "unit_nanousd bigint, units varchar, max_units_milli bigint, reported varchar, max_reported_microusd bigint, "
        "counts_tokens boolean, microusd_per_mtok bigint, tokens varchar, max_tokens bigint)"
    )
    called = connection.execute(
        "select distinct service_name, tool from spans where method = 'tools/call' and tool is not null"
    ).fetchall()
    rules = ((server, tool, book.of(server, tool)) for server, tool in called)
    rows = [[server, tool, *_entry(rule)] for server, tool, rule in rules if rule is not None]
    if rows:
        columns = [list(column) for column in zip(*rows, strict=True)]
        unnested = ", ".join(f"unnest(${number})" for number in range(1, len(columns) + 1))
        connection.execute(f"insert into {BOOK} select {unnested}", columns)


def _entry(rule: Rule) -> list[object]:
    places = rule.places
    return [
        rule.call_microusd,
        rule.unit_nanousd,
        _told("units", places.get("units")),
        rule.max_units_milli,
        _told(f"reported_{rule.reported_in}", rule.reported),
        rule.max_reported_microusd,
        rule.counts_tokens,
        rule.microusd_per_mtok,
        _told("tokens", rule.tokens),
        rule.max_tokens,
    ]


def _told(name: str, path: Path | None) -> str | None:
    """How `cost_paths` of a call says that a value was looked for there. Its texts have their quotes escaped, so
    nothing else in it can look like this."""
    return None if path is None else orjson.dumps({name: list(path)}).decode()[1:-1]


def _set(outcomes: Collection[str | None]) -> str:
    return "(" + ", ".join(f"'{outcome}'" for outcome in sorted(map(str, outcomes))) + ")"


def _micro(value: str) -> str:
    return f"({value} + {MICRO // 2}) // {MICRO}"


_REPRICED: Final = f"""
with priced as (
    select
        call.*,
        coalesce(call.outcome, '?') in {_set(CHARGED)} and book.tool is not null as charged,
        coalesce(call.outcome, '?') in {_set(ANSWERED)} as answered,
        book.call_microusd as of_call,
        answered and call.outcome = 'ok' and book.unit_nanousd is not null as asks_units,
        answered and book.reported is not null as asks_reported,
        answered and coalesce(book.counts_tokens, false) as asks_tokens,
        (asks_units and not contains(coalesce(call.cost_paths, ''), book.units))
            or (asks_reported and not contains(coalesce(call.cost_paths, ''), book.reported))
            or (asks_tokens and book.tokens is not null and not contains(coalesce(call.cost_paths, ''), book.tokens))
            as unrecorded,
        case when call.cost_units_milli <= book.max_units_milli then call.cost_units_milli
            when call.cost_units_milli is not null then book.max_units_milli end as units_milli,
        case when call.cost_reported_microusd <= book.max_reported_microusd then call.cost_reported_microusd
            when call.cost_reported_microusd is not null then book.max_reported_microusd end as reported_microusd,
        case
            when book.tokens is not null then call.tokens
            when call.result_bytes >= {MOST_TOKENS * BYTES_A_TOKEN} then {MOST_TOKENS}
            else (call.result_bytes + {BYTES_A_TOKEN - 1}) // {BYTES_A_TOKEN}
        end as result_tokens,
        case when result_tokens <= book.max_tokens then result_tokens
            when result_tokens is not null then book.max_tokens end as paid_tokens,
        case when asks_units then {_micro("units_milli * book.unit_nanousd")} end as of_units,
        case when asks_reported then reported_microusd end as of_reported,
        case when asks_tokens then {_micro("paid_tokens * book.microusd_per_mtok")} end as of_tokens,
        coalesce(of_call, of_units, of_reported, of_tokens) is not null
            or not (asks_units or asks_reported or asks_tokens) as known
    from (
{{calls}}
    ) as call
    left join {BOOK} as book on book.tool = call.tool and book.service_name is not distinct from call.service_name
)
select
    * exclude (
        charged, answered, of_call, asks_units, asks_reported, asks_tokens, unrecorded, units_milli, reported_microusd,
        result_tokens, paid_tokens, of_units, of_reported, of_tokens, known
    ) replace (
        case when charged and not unrecorded and known then
            coalesce(of_call, 0) + coalesce(of_units, 0) + coalesce(of_reported, 0) + coalesce(of_tokens, 0)
        end as cost_microusd,
        case
            when not charged then null
            when unrecorded then 'unrecorded'
            when of_call is null and not (asks_units or asks_reported or asks_tokens) then 'price'
            else concat_ws(
                '+',
                case when of_call is not null then 'price' end,
                case when asks_units then case when of_units is null then 'units?' else 'units' end end,
                case when asks_reported then case when of_reported is null then 'reported?' else 'reported' end end,
                case when asks_tokens then case when of_tokens is null then 'tokens?' else 'tokens' end end
            )
        end as cost_source
    )
from priced
"""
