-- question: What did inspection find in messages of the server, and which action was taken?
-- topic:    12 What did inspection find?
-- answers:  service_name, target, find, family, action, calls, sessions, last_unix_nano
-- kind:     report
-- reads:    operations
-- params:
--   since    bigint = 0                    start of the window, unix ns
--   until    bigint = 9223372036854775807  end of the window, unix ns, itself outside
--   tool     varchar = null                messages of this tool only
--   session  varchar = null                this session only
--   server   varchar = null                this server only
-- columns:
--   target            varchar  the tool or prompt, else the method
--   family            varchar  the family of patterns; of a kind without families the kind
--   action            varchar  pass · flag · mask · block · would …: by an entry in log_only
--   entry             varchar  the id of the entry of `inspect`
--   findings          bigint   places
--   calls             bigint   messages with such a place
--   sessions          bigint   their sessions
--   find              varchar  the kind of finding: injection, email, …
--   last_unix_nano    bigint   start of the last such call
--   first_unix_nano   bigint   start of the first such call
--   last_session_id   varchar  session of that last call
--   last_decision_id  varchar  for `mcpobs explain`
--   service_name      varchar  the MCP server
-- summary:
--   sessions  count(distinct last_session_id)
-- tally:    action, find
-- chart:    bar target findings
with places as (
    select 1 as place union all select 2 as place union all select 3 as place union all select 4 as place
    union all select 5 as place union all select 6 as place union all select 7 as place union all select 8 as place
    union all select 9 as place union all select 10 as place union all select 11 as place union all select 12 as place
    union all select 13 as place union all select 14 as place union all select 15 as place union all select 16 as place
    union all select 17 as place union all select 18 as place union all select 19 as place union all select 20 as place
    union all select 21 as place union all select 22 as place union all select 23 as place union all select 24 as place
    union all select 25 as place union all select 26 as place union all select 27 as place union all select 28 as place
    union all select 29 as place union all select 30 as place union all select 31 as place union all select 32 as place
),
-- A row holds at most 32 kinds of findings.
pieces as (
    select
        operations.service_name as service_name,
        coalesce(operations.tool, operations.prompt, operations.method) as target,
        operations.session_id as session_id,
        operations.decision_id as decision_id,
        operations.start_unix_nano as start_unix_nano,
        operations.sequence as sequence,
        operations.span_id as span_id,
        operations.trace_id as trace_id,
        split_part(operations.findings, '},{', places.place) as piece
    from operations
    cross join places
    where operations.findings is not null
        and operations.start_unix_nano >= $since
        and operations.start_unix_nano < $until
        and ($tool is null or operations.tool = $tool)
        and ($session is null or operations.session_id = $session)
        and ($server is null or operations.service_name = $server)
),
found as (
    select
        service_name, target, session_id, decision_id, start_unix_nano, sequence, span_id, trace_id,
        nullif(regexp_extract(piece, '"id":"([^"]*)"', 1), '') as entry,
        nullif(regexp_extract(piece, '"find":"([^"]*)"', 1), '') as find,
        nullif(regexp_extract(piece, '"family":"([^"]*)"', 1), '') as family,
        case when strpos(piece, '"shadow":true') > 0 then 'would ' else '' end
            || regexp_extract(piece, '"action":"([^"]*)"', 1) as action,
        try_cast(regexp_extract(piece, '"count":([0-9]+)', 1) as bigint) as places
    from pieces
    where strpos(piece, '"id":"') > 0
),
placed as (
    select
        service_name, target, session_id, decision_id, start_unix_nano, entry, find, family, action, places,
        span_id || '.' || trace_id as call,
        row_number() over (
            partition by service_name, target, entry, find, coalesce(family, find), action
            order by start_unix_nano desc, sequence desc nulls last, span_id desc, trace_id desc, places desc
        ) as newest
    from found
)
select
    target,
    coalesce(family, find) as family,
    action,
    entry,
    cast(sum(places) as bigint) as findings,
    count(distinct call) as calls,
    count(distinct session_id) as sessions,
    find,
    max(start_unix_nano) as last_unix_nano,
    min(start_unix_nano) as first_unix_nano,
    max(case when newest = 1 then session_id end) as last_session_id,
    max(case when newest = 1 then decision_id end) as last_decision_id,
    service_name
from placed
group by service_name, target, entry, find, coalesce(family, find), action
order by
    findings desc, last_unix_nano desc, target nulls last, find nulls last, family nulls last, action, entry nulls last,
    service_name nulls last
