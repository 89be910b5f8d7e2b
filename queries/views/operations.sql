-- question: What was asked of each MCP server, and how did it end?
-- kind:     view
-- reads:    spans
-- columns:
--   spans.*
--   start_time               timestamptz  start_unix_nano as a time, to the microsecond
--   duration_ms              double       duration_ns in milliseconds
--   failed                   boolean      tool_error, server_error, timeout, or left unanswered by a server that exited
select
    spans.*,
    make_timestamptz(start_unix_nano // 1000) as start_time,
    duration_ns / 1000000.0 as duration_ms,
    coalesce(
        outcome in ('tool_error', 'server_error', 'timeout') or (outcome = 'unfinished' and error_type = 'server_exit'),
        false
    ) as failed
from spans
where method is not null and kind in ('server', 'client')
