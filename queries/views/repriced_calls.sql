-- question: What would each tool call have cost by a book of prices?
-- kind:     view
-- reads:    tool_calls, price_book
-- columns:
--   tool_calls.* exclude (cost_microusd, cost_source)
--   cost_microusd  bigint   cost of the call by the book; null if it is not known
--   cost_source    varchar  parts of that cost; unrecorded if the call lacks something that the price asks for
with called as (
    select
        tool_calls.*,
        book_tool is not null
            and coalesce(outcome, '?') in (
                'cancelled', 'ok', 'server_error', 'task', 'timeout', 'tool_error', 'unfinished'
            ) as charged,
        call_microusd as of_call,
        coalesce(outcome, '?') = 'ok' and unit_nanousd is not null as asks_units,
        coalesce(outcome, '?') in ('ok', 'tool_error') and reported_place is not null as asks_reported,
        coalesce(outcome, '?') in ('ok', 'tool_error') and coalesce(counts_tokens, false) as asks_tokens,
        strpos(coalesce(cost_paths, ''), units_place) > 0 as has_units,
        strpos(coalesce(cost_paths, ''), reported_place) > 0 as has_reported,
        tokens_place is null or strpos(coalesce(cost_paths, ''), tokens_place) > 0 as has_tokens,
        unit_nanousd,
        microusd_per_mtok,
        max_tokens,
        case
            when cost_units_milli <= max_units_milli then cost_units_milli
            when cost_units_milli is not null then max_units_milli
        end as paid_units_milli,
        case
            when cost_reported_microusd <= max_reported_microusd then cost_reported_microusd
            when cost_reported_microusd is not null then max_reported_microusd
        end as paid_reported_microusd,
        -- Four bytes are a token, and no result has more than a thousand million of them.
        case
            when tokens_place is not null then tokens
            when result_bytes >= 4000000000 then 1000000000
            else (result_bytes + 3) // 4
        end as result_tokens
    from tool_calls
    left join price_book on book_tool = tool and coalesce(book_service_name, '') = coalesce(service_name, '')
        and (book_service_name is null) = (service_name is null)
),
asked as (
    select
        tool_calls.*,
        charged, of_call, asks_units, asks_reported, asks_tokens,
        (asks_units and not has_units) or (asks_reported and not has_reported) or (asks_tokens and not has_tokens)
            as unrecorded,
        case when asks_units then (paid_units_milli * unit_nanousd + 500000) // 1000000 end as of_units,
        case when asks_reported then paid_reported_microusd end as of_reported,
        case
            when asks_tokens then
                (case when result_tokens <= max_tokens then result_tokens
                    when result_tokens is not null then max_tokens end * microusd_per_mtok + 500000) // 1000000
        end as of_tokens
    from called as tool_calls
)
select
    tool_calls.* exclude (cost_microusd, cost_source),
    case
        when charged and not unrecorded and (
            coalesce(of_call, of_units, of_reported, of_tokens) is not null
            or not (asks_units or asks_reported or asks_tokens)
        ) then coalesce(of_call, 0) + coalesce(of_units, 0) + coalesce(of_reported, 0) + coalesce(of_tokens, 0)
    end as cost_microusd,
    case
        when not charged then null
        when unrecorded then 'unrecorded'
        when of_call is null and not (asks_units or asks_reported or asks_tokens) then 'price'
        else substr(
            case when of_call is not null then '+price' else '' end
            || case when asks_units then case when of_units is null then '+units?' else '+units' end else '' end
            || case
                when asks_reported then case when of_reported is null then '+reported?' else '+reported' end
                else ''
            end
            || case when asks_tokens then case when of_tokens is null then '+tokens?' else '+tokens' end else '' end,
            2
        )
    end as cost_source
from asked as tool_calls
