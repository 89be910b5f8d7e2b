-- question: What do calls cost, and who spends it?
-- topic:    8 What does it cost?
-- answers:  item, service_name, model, calls, unpriced, cost_microusd, share_ratio, mean_microusd
-- kind:     report
-- reads:    usage, llm_calls
-- params:
--   since    bigint = 0                    start of the window, unix ns
--   until    bigint = 9223372036854775807  end of the window, unix ns, itself outside
--   tool     varchar = null                this tool only
--   session  varchar = null                this session only
--   server   varchar = null                this server only
--   by       varchar = 'tool'              what a row is of: tool, session or tenant
-- columns:
--   item           varchar  the tool, session or tenant
--   service_name   varchar  the MCP server, where rows are of tools
--   model          varchar  the model, where rows are of tools and this one is of model calls
--   calls          bigint   tool calls; one that asks for input first is one with its retry
--   priced         bigint   calls whose cost is known
--   unpriced       bigint   calls that the tool ran for, and whose cost is not known
--   incomplete     bigint   calls whose result lacks a value that their price needs: they cost more than is known
--   unrecorded     bigint   calls that cannot be repriced, because a value that the price needs was not recorded
--   cost_microusd  bigint   cost of the calls; null where none is known
--   share_ratio    double   its share of the cost of all calls
--   mean_microusd  double   cost of a call, the mean of those whose cost is known
--   most_microusd  bigint   cost of the dearest call
--   llm_calls      bigint   model calls of agents that reached the lake; of their sessions, where rows are of those
--   llm_tokens     bigint   tokens that those used, input and output
--   llm_microusd   bigint   what those cost by today's prices of the models; null where none is known
-- summary:
--   calls             sum(calls)
--   priced            sum(priced)
--   unpriced          sum(unpriced)
--   incomplete        sum(incomplete)
--   unrecorded        sum(unrecorded)
--   cost_microusd     sum(cost_microusd)
--   llm_calls         sum(llm_calls)
--   llm_microusd      sum(llm_microusd)
-- chart:    bar item cost_microusd
with used as (
    select
        session_id, service_name, tool, tenant, calls, unpriced, incomplete, unrecorded, cost_microusd,
        most_microusd,
        cast(priced as bigint) as priced  -- a count, which some engines have without a sign
    from usage
    where ($tool is null or tool = $tool)
        and ($session is null or session_id = $session)
        and ($server is null or service_name = $server)
),
called as (
    select
        session_id, tenant, model,
        cast(count(*) as bigint) as llm_calls,
        cast(sum(input_tokens + output_tokens) as bigint) as llm_tokens,
        cast(sum(cost_microusd) as bigint) as llm_microusd
    from llm_calls
    where start_unix_nano >= $since
        and start_unix_nano < $until
        and $tool is null
        and ($session is null or session_id = $session)
        and $server is null
    group by session_id, tenant, model
),
placed as (
    select
        case $by when 'session' then session_id when 'tenant' then tenant else tool end as item,
        case when $by = 'tool' then service_name end as service_name,
        cast(null as varchar) as model,
        calls, priced, unpriced, incomplete, unrecorded, cost_microusd, most_microusd,
        cast(null as bigint) as llm_calls, cast(null as bigint) as llm_tokens, cast(null as bigint) as llm_microusd
    from used
    union all
    select
        case $by when 'session' then session_id when 'tenant' then tenant end as item,
        cast(null as varchar) as service_name,
        case when $by = 'tool' then coalesce(model, '?') end as model,
        cast(0 as bigint) as calls, cast(0 as bigint) as priced, cast(0 as bigint) as unpriced,
        cast(0 as bigint) as incomplete, cast(0 as bigint) as unrecorded,
        cast(null as bigint) as cost_microusd, cast(null as bigint) as most_microusd,
        llm_calls, llm_tokens, llm_microusd
    from called
),
spent as (
    select
        item, service_name, model,
        cast(sum(calls) as bigint) as calls,
        cast(sum(priced) as bigint) as priced,
        cast(sum(unpriced) as bigint) as unpriced,
        cast(sum(incomplete) as bigint) as incomplete,
        cast(sum(unrecorded) as bigint) as unrecorded,
        cast(sum(cost_microusd) as bigint) as cost_microusd,
        max(most_microusd) as most_microusd,
        cast(sum(llm_calls) as bigint) as llm_calls,
        cast(sum(llm_tokens) as bigint) as llm_tokens,
        cast(sum(llm_microusd) as bigint) as llm_microusd
    from placed
    group by item, service_name, model
),
overall as (
    select cast(sum(cost_microusd) as double) as all_microusd
    from spent
)
select
    spent.item as item,
    spent.service_name as service_name,
    spent.model as model,
    spent.calls as calls,
    spent.priced as priced,
    spent.unpriced as unpriced,
    spent.incomplete as incomplete,
    spent.unrecorded as unrecorded,
    spent.cost_microusd as cost_microusd,
    spent.cost_microusd / nullif(overall.all_microusd, 0) as share_ratio,
    spent.cost_microusd / nullif(cast(spent.priced as double), 0) as mean_microusd,
    spent.most_microusd as most_microusd,
    spent.llm_calls as llm_calls,
    spent.llm_tokens as llm_tokens,
    spent.llm_microusd as llm_microusd
from spent cross join overall
order by
    spent.cost_microusd desc nulls last, spent.llm_microusd desc nulls last, spent.calls desc, spent.item nulls last,
    spent.service_name nulls last, spent.model nulls last
