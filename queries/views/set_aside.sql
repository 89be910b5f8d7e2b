-- question: Which spans report a call that a better span reports too?
-- kind:     view
-- reads:    spans, reported
-- columns:
--   trace_id        varchar  trace of the span
--   span_id         varchar  its id
--   reason          varchar  same_trace: a better span of the same call is in its trace · not_authoritative: a better layer of the service was at work
--   kind            varchar  server
--   service_key     varchar  its MCP server; empty where it has no name
--   sent_unix_nano  bigint   its start as sent; with the ids and the service it identifies the span

-- Only the trace shows that two spans belong to one call. Two spans of a trace do if method, tool and (if both have one)
-- request id are equal, and either the service is the same, or they have one parent and one time, or one is the other's
-- ancestor with no MCP client between them, because each request of a client is a call of its own. An agent's trace can
-- hold thousands of calls of one tool, so spans that merely share a trace are not compared in pairs.
with shared as (
    select
        trace_id,
        -- Within one service the places below say nothing that the service does not, but of two proxies of ours.
        case
            when min(coalesce(service_name, '')) < max(coalesce(service_name, ''))
                or min(case when rank = 1 then layer end) < max(case when rank = 1 then layer end) then 1
            else 0
        end as crossing
    from reported
    group by trace_id
    having min(layer) < max(layer)
),
in_shared as (
    select
        trace_id, span_id, service_key, sent_unix_nano, rank, method, request_id,
        coalesce(tool, '') as tool_key
    from reported
    where trace_id in (select trace_id from shared)
),
crossing as (
    select
        trace_id, span_id, service_key, sent_unix_nano, parent_span_id, layer, rank, method, request_id,
        start_unix_nano, duration_ns,
        coalesce(tool, '') as tool_key
    from reported
    where trace_id in (select trace_id from shared where crossing = 1)
),
best as (
    select
        trace_id, service_key, method, tool_key,
        min(rank) as any_rank,
        min(case when request_id is null then rank end) as rank_without_id
    from in_shared
    group by trace_id, service_key, method, tool_key
),
best_of_id as (
    select trace_id, service_key, method, tool_key, request_id, min(rank) as id_rank
    from in_shared
    where request_id is not null
    group by trace_id, service_key, method, tool_key, request_id
),
of_service as (
    select
        in_shared.trace_id as trace_id,
        in_shared.span_id as span_id,
        in_shared.service_key as service_key,
        in_shared.sent_unix_nano as sent_unix_nano
    from in_shared
    inner join best
        on best.trace_id = in_shared.trace_id
        and best.service_key = in_shared.service_key
        and best.method = in_shared.method
        and best.tool_key = in_shared.tool_key
    left join best_of_id
        on best_of_id.trace_id = in_shared.trace_id
        and best_of_id.service_key = in_shared.service_key
        and best_of_id.method = in_shared.method
        and best_of_id.tool_key = in_shared.tool_key
        and best_of_id.request_id = in_shared.request_id
    where (in_shared.request_id is null and best.any_rank < in_shared.rank)
        or best.rank_without_id < in_shared.rank
        or best_of_id.id_rank < in_shared.rank
),
-- A client's span has a child for each layer below it. An agent's turn may be the parent of many calls: their times
-- separate them as well, but not those of very large groups, because that takes pairs.
crowds as (
    select trace_id, parent_span_id, method, tool_key
    from crossing
    where parent_span_id is not null
    group by trace_id, parent_span_id, method, tool_key
    having count(*) between 2 and 64 and min(layer) < max(layer)
),
siblings as (
    select
        crossing.trace_id as trace_id,
        crossing.span_id as span_id,
        crossing.service_key as service_key,
        crossing.sent_unix_nano as sent_unix_nano,
        crossing.parent_span_id as parent_span_id,
        crossing.layer as layer,
        crossing.rank as rank,
        crossing.method as method,
        crossing.tool_key as tool_key,
        crossing.request_id as request_id,
        crossing.start_unix_nano as start_unix_nano,
        crossing.start_unix_nano + coalesce(crossing.duration_ns, 0) as end_unix_nano
    from crossing
    inner join crowds
        on crowds.trace_id = crossing.trace_id
        and crowds.parent_span_id = crossing.parent_span_id
        and crowds.method = crossing.method
        and crowds.tool_key = crossing.tool_key
),
-- Of two proxies of ours, which pass the request id on, the outer one counts.
of_parent as (
    select
        worse.trace_id as trace_id,
        worse.span_id as span_id,
        worse.service_key as service_key,
        worse.sent_unix_nano as sent_unix_nano
    from siblings as worse
    inner join siblings as better
        on better.trace_id = worse.trace_id
        and better.parent_span_id = worse.parent_span_id
        and better.method = worse.method
        and better.tool_key = worse.tool_key
    where coalesce(better.request_id = worse.request_id, better.rank < worse.rank)
        and better.start_unix_nano <= worse.end_unix_nano
        and worse.start_unix_nano <= better.end_unix_nano
        and (
            better.rank < worse.rank
            or (
                better.rank = 1
                and worse.rank = 1
                and better.layer <> worse.layer
                and (
                    better.start_unix_nano < worse.start_unix_nano
                    or (better.start_unix_nano = worse.start_unix_nano and better.span_id < worse.span_id)
                )
            )
        )
),
-- Ways up a trace end at a client's span, also where the server's span has the same id (B3).
client_ids as (
    select distinct trace_id, span_id
    from spans
    where kind = 'client'
        and method is not null
        and trace_id in (select trace_id from shared where crossing = 1)
),
-- An id that several spans have leads to one parent, or there could be a way for each combination of them.
parents as (
    select trace_id, span_id, min(parent_span_id) as parent_span_id
    from spans
    where parent_span_id is not null
        and trace_id in (select trace_id from shared where crossing = 1)
    group by trace_id, span_id
),
steps as (
    select
        parents.trace_id as trace_id,
        parents.span_id as span_id,
        parents.parent_span_id as parent_span_id
    from parents
    left join client_ids on client_ids.trace_id = parents.trace_id and client_ids.span_id = parents.span_id
    where client_ids.trace_id is null
),
inner_spans as (
    select
        crossing.trace_id as trace_id,
        crossing.span_id as span_id,
        crossing.service_key as service_key,
        crossing.sent_unix_nano as sent_unix_nano,
        crossing.parent_span_id as parent_span_id,
        crossing.layer as layer,
        crossing.rank as rank,
        crossing.method as method,
        crossing.tool_key as tool_key,
        crossing.request_id as request_id
    from crossing
    left join client_ids on client_ids.trace_id = crossing.trace_id and client_ids.span_id = crossing.span_id
    where crossing.parent_span_id is not null
        and client_ids.trace_id is null
),
above as (
    select trace_id, span_id, service_key, sent_unix_nano, layer, rank, method, tool_key, request_id,
        parent_span_id as above_id
    from inner_spans
    union all
    select
        inner_spans.trace_id, inner_spans.span_id, inner_spans.service_key, inner_spans.sent_unix_nano,
        inner_spans.layer, inner_spans.rank, inner_spans.method, inner_spans.tool_key, inner_spans.request_id,
        step_1.parent_span_id as above_id
    from inner_spans
    inner join steps as step_1 on step_1.trace_id = inner_spans.trace_id and step_1.span_id = inner_spans.parent_span_id
    union all
    select
        inner_spans.trace_id, inner_spans.span_id, inner_spans.service_key, inner_spans.sent_unix_nano,
        inner_spans.layer, inner_spans.rank, inner_spans.method, inner_spans.tool_key, inner_spans.request_id,
        step_2.parent_span_id as above_id
    from inner_spans
    inner join steps as step_1 on step_1.trace_id = inner_spans.trace_id and step_1.span_id = inner_spans.parent_span_id
    inner join steps as step_2 on step_2.trace_id = inner_spans.trace_id and step_2.span_id = step_1.parent_span_id
    union all
    select
        inner_spans.trace_id, inner_spans.span_id, inner_spans.service_key, inner_spans.sent_unix_nano,
        inner_spans.layer, inner_spans.rank, inner_spans.method, inner_spans.tool_key, inner_spans.request_id,
        step_3.parent_span_id as above_id
    from inner_spans
    inner join steps as step_1 on step_1.trace_id = inner_spans.trace_id and step_1.span_id = inner_spans.parent_span_id
    inner join steps as step_2 on step_2.trace_id = inner_spans.trace_id and step_2.span_id = step_1.parent_span_id
    inner join steps as step_3 on step_3.trace_id = inner_spans.trace_id and step_3.span_id = step_2.parent_span_id
),
-- One id for very many spans says nothing: each of them would be paired with all that lie beneath it.
outer_ids as (
    select trace_id, span_id
    from crossing
    group by trace_id, span_id
    having count(*) <= 8
),
outer_spans as (
    select
        crossing.trace_id as trace_id,
        crossing.span_id as span_id,
        crossing.service_key as service_key,
        crossing.sent_unix_nano as sent_unix_nano,
        crossing.layer as layer,
        crossing.rank as rank,
        crossing.method as method,
        crossing.tool_key as tool_key,
        crossing.request_id as request_id
    from crossing
    inner join outer_ids on outer_ids.trace_id = crossing.trace_id and outer_ids.span_id = crossing.span_id
),
nested as (
    select
        above.trace_id as trace_id,
        above.span_id as inner_id,
        above.service_key as inner_service,
        above.sent_unix_nano as inner_sent,
        above.rank as inner_rank,
        outer_spans.span_id as outer_id,
        outer_spans.service_key as outer_service,
        outer_spans.sent_unix_nano as outer_sent,
        outer_spans.rank as outer_rank
    from above
    inner join outer_spans on outer_spans.trace_id = above.trace_id and outer_spans.span_id = above.above_id
    where outer_spans.method = above.method
        and outer_spans.tool_key = above.tool_key
        and outer_spans.layer <> above.layer
        and coalesce(outer_spans.request_id = above.request_id, true)
),
hours as (
    select coalesce(service_name, '') as service_key, start_unix_nano // 3600000000000 as hour, min(rank) as rank
    from reported
    where service_name is not null and service_name not like 'unknown_service%'
    group by coalesce(service_name, ''), start_unix_nano // 3600000000000
),
around as (
    select service_key, hour, rank from hours
    union all
    select service_key, hour - 1 as hour, rank from hours
    union all
    select service_key, hour + 1 as hour, rank from hours
),
authority as (
    select service_key, hour, min(rank) as best_rank
    from around
    group by service_key, hour
),
found as (
    select trace_id, span_id, service_key, sent_unix_nano, 1 as weight from of_service
    union all
    select trace_id, span_id, service_key, sent_unix_nano, 1 as weight from of_parent
    union all
    select trace_id, inner_id as span_id, inner_service as service_key, inner_sent as sent_unix_nano, 1 as weight
    from nested
    where outer_rank <= inner_rank
    union all
    select trace_id, outer_id as span_id, outer_service as service_key, outer_sent as sent_unix_nano, 1 as weight
    from nested
    where outer_rank > inner_rank
    union all
    select
        reported.trace_id as trace_id,
        reported.span_id as span_id,
        reported.service_key as service_key,
        reported.sent_unix_nano as sent_unix_nano,
        0 as weight
    from reported
    inner join authority
        on authority.service_key = reported.service_key
        and authority.hour = reported.start_unix_nano // 3600000000000
    where authority.best_rank < reported.rank
)
select
    trace_id,
    span_id,
    case when max(weight) = 1 then 'same_trace' else 'not_authoritative' end as reason,
    'server' as kind,
    service_key,
    sent_unix_nano
from found
group by trace_id, span_id, service_key, sent_unix_nano
