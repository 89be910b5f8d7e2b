-- question: Which kinds of arguments did each tool get, and how often?
-- kind:     view
-- reads:    tool_calls
-- history:  whole
-- rollup:   sides
-- params:
--   since    bigint = 0                    start of the window, unix ns; calls before it are counted apart
--   until    bigint = 9223372036854775807  end of the window, unix ns, itself outside
--   session  varchar = null                the session that `of_session` is about
-- columns:
--   service_name     varchar  the MCP server
--   tool             varchar  gen_ai.tool.name
--   args_shape       varchar  keys and types of the arguments
--   args_features    varchar  what kind of values they had
--   calls            bigint   calls with such arguments, before the window or in it, as last_unix_nano shows
--   max_bytes        bigint   size of the largest arguments
--   first_unix_nano  bigint   start of the first call
--   last_unix_nano   bigint   start of the last call
--   newest           varchar  the last call's start and session
--   of_session       integer  1 where one of `session` is among them
select
    service_name,
    tool,
    args_shape,
    args_features,
    cast(count(*) as bigint) as calls,
    max(args_bytes) as max_bytes,
    min(start_unix_nano) as first_unix_nano,
    max(start_unix_nano) as last_unix_nano,
    -- The newest call's session in one pass: the time has 19 digits from 2001 to 2286.
    max(cast(start_unix_nano as varchar) || coalesce(session_id, '')) as newest,
    max(case when session_id = $session then 1 else 0 end) as of_session
from tool_calls
where start_unix_nano < $until
group by service_name, tool, args_shape, args_features, case when start_unix_nano < $since then 1 else 0 end
