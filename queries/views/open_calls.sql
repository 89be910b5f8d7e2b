-- question: Which tool calls did nobody answer?
-- kind:     view
-- reads:    tool_calls
-- rollup:   rows
-- params:
--   since    bigint = 0                    start of the window, unix ns
--   until    bigint = 9223372036854775807  end of the window, unix ns, itself outside
--   session  varchar = null                this session only
-- columns:
--   service_name     varchar  the MCP server
--   tool             varchar  gen_ai.tool.name
--   session_id       varchar  its session
--   start_unix_nano  bigint   when it began
--   sequence         bigint   its place in its connection
--   waited_ns        bigint   how long it waited at least
--   error_type       varchar  who went away; null where nobody did
--   outcome          varchar  unfinished, or cancelled where closing the connection says so
--   pending          boolean  true where no end was recorded: it still waits, or its recorder was killed
--   trace_id         varchar  its trace
--   span_id          varchar  its span
select
    service_name, tool, session_id, start_unix_nano, sequence,
    coalesce(duration_ns, 0) as waited_ns,
    error_type, outcome,
    coalesce(pending, false) as pending,
    trace_id, span_id
from tool_calls
where unanswered
    and start_unix_nano >= $since
    and start_unix_nano < $until
    and ($session is null or session_id = $session)
