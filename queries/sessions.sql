-- question: Which sessions make disproportionately many calls?
-- kind:     report
-- reads:    tool_calls
-- params:
--   since         bigint = 0                    start of the window, unix ns
--   until         bigint = 9223372036854775807  end of the window, unix ns, itself outside
--   tool          varchar = null                calls of this tool only
--   session       varchar = null                this session only, compared with all
--   server        varchar = null                calls of this server only
--   min_calls     bigint = 20                   a session with fewer calls is never disproportionate
--   times_median  double = 5                    from how many times the median on a session is disproportionate
--   min_sessions  bigint = 5                    sessions that it takes to compare at all
-- columns:
--   session_id        varchar  the session, reconstructed
--   service_name      varchar  the MCP server; the first by name where there are several
--   client_name       varchar  clientInfo.name
--   session_source    varchar  which rule gave session_id
--   confidence        varchar  high, medium or low: the least of its calls
--   calls             bigint   tool calls in the window; one that asks for input first is one with its retry
--   share_ratio       double   their share of all sessions' tool calls
--   times_median      double   calls, as a multiple of the median session's
--   disproportionate  boolean  far above the median session; null where too few sessions can be compared
--   tools             bigint   distinct tools that were called
--   failed            bigint   calls that failed
--   first_unix_nano   bigint   start of its first call
--   last_unix_nano    bigint   start of its last call
--   duration_ms       double   from the start of its first call to the end of its last
--   result_bytes      bigint   size of all results
--   cost_microusd     bigint   cost of its calls; null where no price is known
-- chart:    bar session_id calls
with each as (
    select
        session_id,
        min(service_name) as service_name,
        max(client_name) as client_name,
        max(session_source) as session_source,
        min(case session_confidence when 'low' then 1 when 'medium' then 2 when 'high' then 3 end) as surety,
        sum(case when outcome = 'input_required' then 0 else 1 end) as calls,
        count(distinct tool) as tools,
        sum(case when failed then 1 else 0 end) as failed,
        min(start_unix_nano) as first_unix_nano,
        max(start_unix_nano) as last_unix_nano,
        max(start_unix_nano + coalesce(duration_ns, 0)) as end_unix_nano,
        sum(coalesce(result_bytes, 0)) as result_bytes,
        sum(cost_microusd) as cost_microusd
    from tool_calls
    where start_unix_nano >= $since
        and start_unix_nano < $until
        and session_id is not null
        and ($tool is null or tool = $tool)
        and ($server is null or service_name = $server)
    group by session_id
),
overall as (
    select
        count(*) as all_sessions,
        cast(sum(calls) as double) as all_calls,
        percentile_cont(0.5) within group (order by calls) as median_calls
    from each
)
select
    each.session_id as session_id,
    each.service_name as service_name,
    each.client_name as client_name,
    each.session_source as session_source,
    case each.surety when 1 then 'low' when 2 then 'medium' when 3 then 'high' end as confidence,
    cast(each.calls as bigint) as calls,
    each.calls / nullif(overall.all_calls, 0) as share_ratio,
    each.calls / nullif(overall.median_calls, 0) as times_median,
    case
        when overall.all_sessions >= $min_sessions
            then each.calls >= $min_calls and each.calls >= $times_median * overall.median_calls
    end as disproportionate,
    each.tools as tools,
    cast(each.failed as bigint) as failed,
    each.first_unix_nano as first_unix_nano,
    each.last_unix_nano as last_unix_nano,
    (each.end_unix_nano - each.first_unix_nano) / 1000000.0 as duration_ms,
    cast(each.result_bytes as bigint) as result_bytes,
    cast(each.cost_microusd as bigint) as cost_microusd
from each cross join overall
where $session is null or each.session_id = $session
order by each.calls desc, each.session_id
