-- question: Who came, for how long, and what did each session ask for?
-- kind:     view
-- reads:    operations
-- columns:
--   session_id          varchar      the session, reconstructed
--   session_source      varchar      which rule gave session_id
--   session_confidence  varchar      high, medium or low
--   service_name        varchar      the MCP server; the first by name where there are several
--   services            bigint       MCP servers that the session used
--   enforcement_key     varchar      who calls; the first by name where there are several
--   enforcement_keys    bigint       enforcement keys that the session used
--   client_name         varchar      clientInfo.name
--   client_version      varchar      clientInfo.version
--   protocol_version    varchar      newest MCP version that was spoken
--   start_unix_nano     bigint       when the session began
--   end_unix_nano       bigint       when its last operation ended
--   start_time          timestamptz  start_unix_nano as a time, to the microsecond
--   end_time            timestamptz  end_unix_nano as a time, to the microsecond
--   duration_ms         double       from start to end
--   operations          bigint       requests and notifications, of either side
--   tool_calls          bigint       operations that called a tool
--   tools               bigint       distinct tools that were called
--   failed              bigint       tool calls that failed
--   caller_faults       bigint       tool calls that were wrong: protocol_error
--   args_bytes          bigint       size of all arguments of tool calls
--   result_bytes        bigint       size of all results of tool calls
--   cost_microusd       bigint       cost of all tool calls; null where no price is known
with marked as (
    select
        session_id, session_source, session_confidence, service_name, enforcement_key, client_name, client_version,
        protocol_version, start_unix_nano, failed, outcome, tool, args_bytes, result_bytes, cost_microusd,
        coalesce(session_start_unix_nano, start_unix_nano) as began_unix_nano,
        start_unix_nano + coalesce(duration_ns, 0) as ended_unix_nano,
        method = 'tools/call' and coalesce(kind = 'server', false) as is_call
    from operations
    where session_id is not null
),
gathered as (
    select
        session_id,
        max(session_source) as session_source,
        max(session_confidence) as session_confidence,
        min(service_name) as service_name,
        count(distinct service_name) as services,
        min(enforcement_key) as enforcement_key,
        count(distinct enforcement_key) as enforcement_keys,
        max(client_name) as client_name,
        max(client_version) as client_version,
        max(protocol_version) as protocol_version,
        -- A session's first operation can be older than the start that was noted for it, never younger.
        case when min(began_unix_nano) < min(start_unix_nano) then min(began_unix_nano) else min(start_unix_nano) end
            as start_unix_nano,
        max(ended_unix_nano) as end_unix_nano,
        count(*) as operations,
        sum(case when is_call then 1 else 0 end) as tool_calls,
        count(distinct case when is_call then tool end) as tools,
        sum(case when is_call and failed then 1 else 0 end) as failed,
        sum(case when is_call and outcome = 'protocol_error' then 1 else 0 end) as caller_faults,
        sum(case when is_call then coalesce(args_bytes, 0) else 0 end) as args_bytes,
        sum(case when is_call then coalesce(result_bytes, 0) else 0 end) as result_bytes,
        sum(case when is_call then cost_microusd end) as cost_microusd
    from marked
    group by session_id
)
select
    session_id,
    session_source,
    session_confidence,
    service_name,
    services,
    enforcement_key,
    enforcement_keys,
    client_name,
    client_version,
    protocol_version,
    start_unix_nano,
    end_unix_nano,
    make_timestamptz(start_unix_nano // 1000) as start_time,
    make_timestamptz(end_unix_nano // 1000) as end_time,
    (end_unix_nano - start_unix_nano) / 1000000.0 as duration_ms,
    operations,
    cast(tool_calls as bigint) as tool_calls,
    tools,
    cast(failed as bigint) as failed,
    cast(caller_faults as bigint) as caller_faults,
    cast(args_bytes as bigint) as args_bytes,
    cast(result_bytes as bigint) as result_bytes,
    cast(cost_microusd as bigint) as cost_microusd
from gathered
