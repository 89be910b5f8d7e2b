-- question: What do calls of each tool cost by a book of prices?
-- kind:     view
-- reads:    spans
-- columns:
--   book_service_name      varchar  the MCP server
--   book_tool              varchar  the tool
--   call_microusd          bigint   price of a call, in millionths of a US dollar; null if it has none
--   unit_nanousd           bigint   price of a unit, in billionths of a US dollar; null if units cost nothing
--   units_place            varchar  where a result holds its units, as cost_paths records it
--   max_units_milli        bigint   most units of a call, in thousandths
--   reported_place         varchar  where a result holds its cost, as cost_paths records it; null if that is not asked
--   max_reported_microusd  bigint   most that a result's own cost may be
--   counts_tokens          boolean  true if tokens cost something
--   microusd_per_mtok      bigint   price of a million tokens
--   tokens_place           varchar  where a result holds its tokens; null if they are estimated from its size
--   max_tokens             bigint   most tokens of a call

-- Empty as it stands: mcpobs/queries/pricing.py puts the rules of the book here, for the tools that were called.
select
    service_name as book_service_name,
    tool as book_tool,
    start_unix_nano as call_microusd,
    duration_ns as unit_nanousd,
    name as units_place,
    start_unix_nano as max_units_milli,
    name as reported_place,
    start_unix_nano as max_reported_microusd,
    result_empty as counts_tokens,
    duration_ns as microusd_per_mtok,
    name as tokens_place,
    start_unix_nano as max_tokens
from spans
where trace_id is null
