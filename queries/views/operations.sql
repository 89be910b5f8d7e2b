-- question: What was asked of each MCP server, and how did it end?
-- kind:     view
-- reads:    spans, patience
-- columns:
--   spans.*
--   start_time               timestamptz  start_unix_nano as a time, to the microsecond
--   duration_ms              double       duration_ns in milliseconds
--   failed                   boolean      tool_error, server_error, timeout, left unanswered by a server that exited, or unanswered for longer than `patience` allows
--   unanswered               boolean      nobody answered: the connection ended before, or the operation is still pending; duration_ns is how long it waited at least
with judged as (
    select
        spans.*,
        coalesce(
            (outcome = 'unfinished' and coalesce(error_type, '') not in ('server_exit', 'redirected'))
            or (outcome = 'cancelled' and error_type = 'client_disconnect'),
            false
        ) as unanswered
    from spans
    where method is not null and kind in ('server', 'client')
)
select
    spans.*,
    make_timestamptz(start_unix_nano // 1000) as start_time,
    duration_ns / 1000000.0 as duration_ms,
    coalesce(
        outcome in ('tool_error', 'server_error', 'timeout') or (outcome = 'unfinished' and error_type = 'server_exit')
        or (unanswered and duration_ns > coalesce(patient_ns, 30000000000)),
        false
    ) as failed,
    unanswered
from judged
-- The key is null for an answered operation, so that the join passes over it.
left join patience
    on patience.service_key = case when judged.unanswered then coalesce(judged.service_name, '') end
    and patience.tool_key = coalesce(judged.tool, '')
