-- question: What was asked of each MCP server, and how did it end?
-- kind:     view
-- reads:    spans, patience
-- columns:
--   spans.*
--   start_time               timestamptz  start_unix_nano as a time, to the microsecond
--   duration_ms              double       duration_ns in milliseconds
--   failed                   boolean      tool_error, server_error, timeout, left unanswered by a server that exited, or unanswered for longer than `patience` allows
--   unanswered               boolean      nobody answered: the connection ended before, or the operation is still pending; duration_ns is how long it waited at least
--   error_template           varchar      the first line of error_message, its variable parts replaced: <n>, <id>, <name>, <path>, <url>, <time>
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
    unanswered,
    case when error_message is not null then left(
        regexp_replace(regexp_replace(regexp_replace(regexp_replace(
        regexp_replace(regexp_replace(regexp_replace(regexp_replace(
        regexp_replace(regexp_replace(regexp_replace(regexp_replace(
            substr(regexp_extract(error_message, '[^\r\n]+'), 1, 200),
            -- the hash of a mask
            '\[([a-z_]+):[0-9a-f]{8}\]', '[\1]', 'g'),
            -- URLs
            '[a-zA-Z][a-zA-Z0-9+.-]*://[^\s"<>`)\]]*', '<url>', 'g'),
            -- quoted names
            '"[^"]+"|`[^`]+`', '<name>', 'g'),
            '(^|[\s(=:,\[{])''[^'']+''', '\1<name>', 'g'),
            -- paths
            '(^|[\s(=:,\[])(?:[~.]{0,2}/|[A-Za-z]:\\)[^\s,;:)\]]+', '\1<path>', 'g'),
            -- names of files
            '\b(?:[A-Za-z0-9_.-]+/)*[A-Za-z0-9_-]+\.(?:c|cfg|conf|cpp|csv|db|docx?|gif|go|gz|h|html?|ini|java|jpe?g|jsx?|json|jsonl|lock|log|md|parquet|pdf|png|py|rs|sh|sql|sqlite|svg|tar|toml|tsx?|txt|xlsx?|xml|ya?ml|zip)\b', '<path>', 'g'),
            -- times
            '\b[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9:.]+(?:Z|[+-][0-9:]+)?)?|\b[0-9]{1,2}:[0-9]{2}(?::[0-9.]+)?\b', '<time>', 'g'),
            -- codes, which stay: an @ marks them
            '\b((?:[hH][tT][tT][pP](?:/[0-9.]+)?|[sS]tatus|[cC]ode|errno|Errno|[eE]xit)[ :=(#-]{1,3})([0-9]{1,5})\b', '\1@\2', 'g'),
            -- numbers with a unit
            '\b[0-9]+(?:[.,][0-9]+)*(ms|us|ns|s|min|m|h|d|B|[kKMGT]i?B)\b', '<n>\1', 'g'),
            -- ids: words with digits
            '\[id\]|\b[A-Za-z0-9_-]*(?:[A-Za-z_-][0-9]|[0-9][A-Za-z_-])[A-Za-z0-9_-]*\b', '<id>', 'g'),
            -- numbers
            '(^|[^0-9A-Za-z@])[0-9]+(?:[.,][0-9]+)*', '\1<n>', 'g'),
            -- the marks
            '@([0-9])', '\1', 'g'),
        120)
    end as error_template
from judged
-- The key is null for an answered operation, so that the join passes over it.
left join patience
    on patience.service_key = case when judged.unanswered then coalesce(judged.service_name, '') end
    and patience.tool_key = coalesce(judged.tool, '')
