-- question: Which tool follows which?
-- kind:     step
-- reads:    tool_calls
-- params:
--   since   bigint = 0                    start of the window, unix ns
--   until   bigint = 9223372036854775807  end of the window, unix ns, itself outside
--   server  varchar = null                this server only
--   least   bigint = 1                    sessions that a pair must occur in
-- columns:
--   after_tool  varchar  the tool that was called first
--   then_tool   varchar  the tool of the session's next call
--   calls       bigint   how often the one followed the other
--   followed    bigint   calls of the first tool that any call followed
--   sessions    bigint   sessions with such a pair

with ordered as (
    select
        session_id,
        enforcement_key,
        tool as after_tool,
        lead(tool) over (
            partition by session_id, enforcement_key, tenant order by start_unix_nano, sequence, span_id, trace_id
        ) as then_tool
    from tool_calls
    where start_unix_nano >= $since
        and start_unix_nano < $until
        and session_id is not null
        and tool is not null
        and coalesce(outcome, '?') not in ('denied', 'protocol_error')
        and coalesce(decision, '?') <> 'deny'
        and ($server is null or service_name = $server)
),
each as (
    select after_tool, then_tool, session_id, enforcement_key, count(*) as calls
    from ordered
    where then_tool is not null
    group by after_tool, then_tool, session_id, enforcement_key
),
pairs as (
    select after_tool, then_tool, sum(calls) as calls, count(*) as sessions
    from each
    group by after_tool, then_tool
),
shares as (
    select
        after_tool, then_tool, calls, sessions,
        sum(calls) over (partition by after_tool) as followed
    from pairs
)
select
    after_tool,
    then_tool,
    cast(calls as bigint) as calls,
    cast(followed as bigint) as followed,
    sessions
from shares
where sessions >= $least
order by calls desc, after_tool, then_tool
