-- question: Who reports the calls of each server, and what is not seen?
-- topic:    10 What is not seen?
-- answers:  service_name, layer, calls, unfinished, lost_operations, same_trace, refused_frames
-- kind:     report
-- reads:    spans, set_aside, phantoms
-- params:
--   since    bigint = 0                    start of the window, unix ns
--   until    bigint = 9223372036854775807  end of the window, unix ns, itself outside
--   tool     varchar = null                calls of this tool only
--   session  varchar = null                this session only
--   server   varchar = null                this server only
-- columns:
--   service_name       varchar  the MCP server
--   layer              varchar  who reports: mcpobs (its proxy, or inside the server), else the instrumentation scope
--   spans              bigint   spans of operations, of either side
--   calls              bigint   tool calls that are counted
--   same_trace         bigint   tool calls reported twice: a better span of the call, which counts, is in its trace
--   not_authoritative  bigint   tool calls reported twice: a better layer of the service, which counts, was at work within the hour
--   phantoms           bigint   tools/list that the server asked itself; never counted
--   not_server         bigint   tool calls that a client reports, or a server that hands them on; never counted
--   unsampled          bigint   tool calls whose caller had switched sampling off, and that are seen nevertheless
--   unfinished         bigint   tool calls without an answer
--   lost_operations    bigint   operations that could not be recorded, as the recorder says
--   first_unix_nano    bigint   start of the first operation
--   last_unix_nano     bigint   start of the last
--   agent_tools        bigint   spans of a tool without an MCP method or attribute: an agent's view; never counted
--   unread             bigint   spans with mcp.* attributes and without a method that mcpobs reads; never counted
--   denied             bigint   tool calls among `calls` that a policy refused, or whose result it withheld
--   refused_frames     bigint   messages that did not pass because they can be read in more than one way
-- chart:    bar layer calls
with observed as (
    select
        trace_id, span_id, service_name, kind, method, outcome, trace_flags, start_unix_nano,
        coalesce(service_name, '') as service_key,
        coalesce(sent_start_unix_nano, start_unix_nano) as sent_unix_nano,
        case when scope_name = 'mcpobs' then coalesce(front, 'proxy/stdio') else coalesce(scope_name, '?') end as layer,
        case
            when name = 'mcpobs.recorder.loss'
                then cast(regexp_extract(attributes, '"mcpobs.lost.operations":([0-9]+)', 1) as bigint)
        end as lost,
        case when method is null and attributes like '%"mcp.%' and coalesce(scope_name, '') <> 'mcpobs' then 1 else 0 end as unread,
        case when name = 'mcpobs.frame.refused' and scope_name = 'mcpobs' then 1 else 0 end as refused,
        case
            when method is null
                and (tool is not null or name like 'execute_tool %')
                and coalesce(attributes, '') not like '%"mcp.%' then 1
            else 0
        end as agent_tool
    from spans
    where (
            method is not null
            or tool is not null
            or name like 'execute_tool %'
            or (attributes like '%"mcp.%' and coalesce(scope_name, '') <> 'mcpobs')
            or (name in ('mcpobs.recorder.loss', 'mcpobs.frame.refused') and scope_name = 'mcpobs')
        )
        and start_unix_nano >= $since
        and start_unix_nano < $until
        and ($tool is null or tool = $tool)
        and ($session is null or session_id = $session)
        and ($server is null or service_name = $server)
),
judged as (
    select
        observed.service_name as service_name,
        observed.layer as layer,
        observed.start_unix_nano as start_unix_nano,
        observed.lost as lost,
        observed.unread as unread,
        observed.agent_tool as agent_tool,
        observed.refused as refused,
        case when observed.method = 'tools/call' and observed.kind = 'server' then 1 else 0 end as is_call,
        case when observed.method = 'tools/call' and coalesce(observed.kind, '') <> 'server' then 1 else 0 end as elsewhere,
        case when observed.method is not null then 1 else 0 end as is_span,
        case when observed.trace_flags % 2 = 0 then 1 else 0 end as off,
        case when observed.outcome = 'unfinished' then 1 else 0 end as open,
        case when observed.outcome = 'denied' then 1 else 0 end as stopped,
        set_aside.reason as reason,
        case when phantoms.span_id is not null then 1 else 0 end as phantom
    from observed
    left join set_aside
        on set_aside.trace_id = observed.trace_id
        and set_aside.span_id = observed.span_id
        and set_aside.kind = observed.kind
        and set_aside.service_key = observed.service_key
        and set_aside.sent_unix_nano = observed.sent_unix_nano
    left join phantoms
        on phantoms.trace_id = observed.trace_id
        and phantoms.span_id = observed.span_id
        and phantoms.kind = observed.kind
        and phantoms.service_key = observed.service_key
        and phantoms.sent_unix_nano = observed.sent_unix_nano
)
select
    service_name,
    layer,
    cast(sum(is_span) as bigint) as spans,
    cast(sum(case when reason is null then is_call else 0 end) as bigint) as calls,
    cast(sum(case when reason = 'same_trace' then is_call else 0 end) as bigint) as same_trace,
    cast(sum(case when reason = 'not_authoritative' then is_call else 0 end) as bigint) as not_authoritative,
    cast(sum(phantom) as bigint) as phantoms,
    cast(sum(elsewhere) as bigint) as not_server,
    cast(sum(is_call * off) as bigint) as unsampled,
    cast(sum(is_call * open) as bigint) as unfinished,
    cast(sum(coalesce(lost, 0)) as bigint) as lost_operations,
    min(start_unix_nano) as first_unix_nano,
    max(start_unix_nano) as last_unix_nano,
    cast(sum(agent_tool) as bigint) as agent_tools,
    cast(sum(unread) as bigint) as unread,
    cast(sum(case when reason is null then is_call * stopped else 0 end) as bigint) as denied,
    cast(sum(refused) as bigint) as refused_frames
from judged
group by service_name, layer
order by service_name nulls last, calls desc, layer
