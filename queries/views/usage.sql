-- question: What did each session do with each tool?
-- kind:     view
-- reads:    tool_calls
-- rollup:   calls
-- params:
--   since  bigint = 0                    start of the window, unix ns
--   until  bigint = 9223372036854775807  end of the window, unix ns, itself outside
-- columns:
--   session_id       varchar  the session, reconstructed
--   service_name     varchar  the MCP server
--   tool             varchar  gen_ai.tool.name
--   tenant           varchar  tenant of the verified caller
--   client_name      varchar  clientInfo.name; the last by name where there are several
--   session_source   varchar  which rule gave session_id
--   surety           bigint   how sure that is: 1 low, 2 medium, 3 high; the least
--   calls            bigint   tool calls; one that asks for input first is one with its retry
--   failed           bigint   calls that failed; unanswered ones not counted: see unanswered_calls
--   oks              bigint   calls that succeeded
--   empty_oks        bigint   calls among them that answered with nothing
--   first_unix_nano  bigint   start of the first call
--   last_unix_nano   bigint   start of the last call
--   end_unix_nano    bigint   end of the call that ended last
--   duration_ns      bigint   how long the calls took, all together
--   result_bytes     bigint   size of all results
--   priced           bigint   calls whose cost is known
--   unpriced         bigint   calls that the tool ran for, and whose cost is not known
--   incomplete       bigint   calls whose result lacks a value that their price needs: they cost more than is known
--   unrecorded       bigint   calls that cannot be priced anew, for what the price asks for was not recorded
--   cost_microusd    bigint   cost of the calls; null where none is known
--   most_microusd    bigint   cost of the dearest call
select
    session_id,
    service_name,
    tool,
    tenant,
    max(client_name) as client_name,
    max(session_source) as session_source,
    cast(min(case session_confidence when 'low' then 1 when 'medium' then 2 when 'high' then 3 end) as bigint) as surety,
    cast(sum(case when outcome = 'input_required' then 0 else 1 end) as bigint) as calls,
    cast(sum(case when failed and not unanswered then 1 else 0 end) as bigint) as failed,
    cast(sum(case when outcome = 'ok' then 1 else 0 end) as bigint) as oks,
    cast(sum(case when outcome = 'ok' and coalesce(result_empty, false) then 1 else 0 end) as bigint) as empty_oks,
    min(start_unix_nano) as first_unix_nano,
    max(start_unix_nano) as last_unix_nano,
    max(start_unix_nano + coalesce(duration_ns, 0)) as end_unix_nano,
    cast(sum(coalesce(duration_ns, 0)) as bigint) as duration_ns,
    cast(sum(coalesce(result_bytes, 0)) as bigint) as result_bytes,
    cast(count(cost_microusd) as bigint) as priced,
    cast(sum(case
        when cost_microusd is null
            and coalesce(outcome, '?') not in ('denied', 'protocol_error', 'input_required') then 1
        else 0
    end) as bigint) as unpriced,
    cast(sum(case when cost_source like '%?%' then 1 else 0 end) as bigint) as incomplete,
    cast(sum(case when cost_source = 'unrecorded' then 1 else 0 end) as bigint) as unrecorded,
    cast(sum(cost_microusd) as bigint) as cost_microusd,
    max(cost_microusd) as most_microusd
from tool_calls
where start_unix_nano >= $since
    and start_unix_nano < $until
group by session_id, service_name, tool, tenant
