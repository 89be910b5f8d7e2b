-- question: Which loops are of one session, and which are one outage that many sessions ran into?
-- kind:     view
-- reads:    found_loops, successes
-- history:  whole
-- params:
--   until    bigint = 9223372036854775807  calls from here on are not looked at, unix ns
--   session  varchar = null                an outage is shown as this session saw it
--   repeats  bigint = 3                    calls that a repeat takes at least; an outage takes as many sessions
--   pause_s  bigint = 45                   who asks no sooner again is watching, and no loop; after a failure 6 times as long
-- columns:
--   session_id       varchar  the session; null for an outage
--   service_name     varchar  the MCP server of the first call
--   tool             varchar  the tool of the first call
--   kind             varchar  outage, or that of found_loops
--   pattern          varchar  tools of one round
--   tools            varchar  the same to be searched: each as ;length:name;
--   services         varchar  servers of one round, each as ;length:name;
--   period           bigint   calls of one round
--   sessions         bigint   sessions that took part
--   calls            bigint   calls that the loop took
--   fruitless        bigint   calls among them that failed, were refused, or were wrong
--   from_call        bigint   place of its first call among those of the session; of an outage: the least
--   first_unix_nano  bigint   start of its first call
--   last_unix_nano   bigint   start of its last call
--   end_unix_nano    bigint   when the last of its calls had ended
--   cost_microusd    bigint   cost of its calls; null where no price is known
--   oks              bigint   calls of the first call's tool that succeeded, in the whole session
--   empty_oks        bigint   calls among those that found nothing
--   ending           varchar  worked, followed or open, as in found_loops

-- An outage: in several sessions at about the same time, at most 5 minutes apart, a tool fails in the same way, for
-- different questions or at once, and nobody has success with it meanwhile. Sessions whose retries worked in the end
-- count too.
with failing as (
    select
        found_loops.*,
        max(end_unix_nano) over (
            partition by failure_key order by first_unix_nano, session_id, from_call
            rows between unbounded preceding and 1 preceding
        ) as before_end
    from found_loops
),
clustered as (
    select
        found_loops.*,
        before_end,
        sum(case when first_unix_nano <= before_end + 300000000000 then 0 else 1 end) over (
            partition by failure_key order by first_unix_nano, session_id, from_call
            rows between unbounded preceding and current row
        ) as cluster
    from failing
),
counted as (
    select
        found_loops.*,
        cluster,
        case when first_unix_nano < before_end then 1 else 0 end as overlapping,
        row_number() over (
            partition by failure_key, cluster, session_id order by first_unix_nano, from_call
        ) as of_session,
        row_number() over (
            partition by failure_key, cluster, question_key order by first_unix_nano, session_id, from_call
        ) as of_question
    from clustered
),
measured as (
    select
        found_loops.*,
        cluster,
        sum(case when of_session = 1 then 1 else 0 end) over in_cluster as sessions,
        sum(case when of_question = 1 then 1 else 0 end) over in_cluster as questions,
        max(overlapping) over in_cluster as overlapping,
        min(first_unix_nano) over in_cluster as since,
        max(last_unix_nano) over in_cluster as till
    from counted
    window in_cluster as (partition by failure_key, cluster)
),
-- Clusters in which the tool had success, to the first and the last one of each minute.
answered as (
    select measured.failure_key as failure_key, measured.cluster as cluster
    from measured
    inner join successes
        on coalesce(successes.service_name, '') = coalesce(measured.service_name, '')
        and coalesce(successes.tool, '') = coalesce(measured.tool, '')
    where measured.failure_key is not null
        and measured.sessions >= $repeats
        and successes.first_unix_nano <= measured.till
        and successes.last_unix_nano >= measured.since
    group by measured.failure_key, measured.cluster
),
named as (
    select
        measured.session_id as session_id, measured.service_name as service_name, measured.tool as tool,
        measured.kind as kind, measured.pattern as pattern, measured.tools as tools, measured.services as services,
        measured.period as period, measured.calls as calls, measured.fruitless as fruitless,
        measured.from_call as from_call, measured.first_unix_nano as first_unix_nano,
        measured.last_unix_nano as last_unix_nano, measured.end_unix_nano as end_unix_nano,
        measured.cost_microusd as cost_microusd, measured.oks as oks, measured.empty_oks as empty_oks,
        measured.ending as ending,
        case
            when measured.failure_key is not null and measured.sessions >= $repeats
                and (measured.questions > 1 or measured.overlapping = 1) and answered.failure_key is null
                then measured.failure_key || '#' || cast(measured.cluster as varchar)
        end as outage
    from measured
    left join answered
        on answered.failure_key = measured.failure_key and answered.cluster = measured.cluster
)
select
    case when outage is null or $session is not null then session_id end as session_id,
    min(service_name) as service_name,
    min(tool) as tool,
    case when outage is null then min(kind) else 'outage' end as kind,
    min(pattern) as pattern,
    min(tools) as tools,
    min(services) as services,
    min(period) as period,
    cast(count(distinct session_id) as bigint) as sessions,
    cast(sum(calls) as bigint) as calls,
    cast(sum(fruitless) as bigint) as fruitless,
    min(from_call) as from_call,
    min(first_unix_nano) as first_unix_nano,
    max(last_unix_nano) as last_unix_nano,
    max(end_unix_nano) as end_unix_nano,
    cast(sum(cost_microusd) as bigint) as cost_microusd,
    max(oks) as oks,
    max(empty_oks) as empty_oks,
    case
        when max(case when ending = 'worked' then 0 else 1 end) = 0 then 'worked'
        when max(case when ending = 'open' then 1 else 0 end) = 1 then 'open'
        else 'followed'
    end as ending
from named
where $session is null or session_id = $session
group by
    outage,
    case when outage is null or $session is not null then session_id end,
    case when outage is null then kind end,
    case when outage is null then from_call end,
    case when outage is null then tools end,
    case when outage is null then first_unix_nano end
