-- question: Which of the calls that nobody answered failed, and which were abandoned?
-- kind:     view
-- reads:    open_calls, patience
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
--   patient_ns       bigint   a call of the tool that waited longer has failed
--   answered         bigint   calls of the tool that were answered
--   failed           boolean  whether it did; else it was abandoned, or still waits
--   error_type       varchar  who went away; null where nobody did
--   outcome          varchar  unfinished, or cancelled where closing the connection says so
--   pending          boolean  true where no end was recorded: it still waits, or its recorder was killed
--   trace_id         varchar  its trace
--   span_id          varchar  its span
select
    open_calls.service_name as service_name,
    open_calls.tool as tool,
    open_calls.session_id as session_id,
    open_calls.start_unix_nano as start_unix_nano,
    open_calls.sequence as sequence,
    open_calls.waited_ns as waited_ns,
    coalesce(patience.patient_ns, 30000000000) as patient_ns,
    coalesce(patience.answered, 0) as answered,
    open_calls.waited_ns > coalesce(patience.patient_ns, 30000000000) as failed,
    open_calls.error_type as error_type,
    open_calls.outcome as outcome,
    open_calls.pending as pending,
    open_calls.trace_id as trace_id,
    open_calls.span_id as span_id
from open_calls
left join patience
    on patience.service_key = coalesce(open_calls.service_name, '')
    and patience.tool_key = coalesce(open_calls.tool, '')
where open_calls.start_unix_nano >= $since
    and open_calls.start_unix_nano < $until
