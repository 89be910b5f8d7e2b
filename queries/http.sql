-- question: How do requests reach the servers over HTTP, and which do not get in?
-- topic:    9 What does not get in by HTTP?
-- answers:  service_name, http_method, path, requests, rejected, top_rejection, server_errors, first_byte_p95_ms
-- kind:     report
-- reads:    http_requests, operations
-- params:
--   since    bigint = 0                    start of the window, unix ns
--   until    bigint = 9223372036854775807  end of the window, unix ns, itself outside
--   tool     varchar = null                requests that carried an operation of this tool only
--   session  varchar = null                this session only
--   server   varchar = null                this server only
-- columns:
--   service_name        varchar  the MCP server
--   http_method         varchar  e.g. POST
--   path                varchar  path of the URL
--   stream              varchar  request or standing, where the response was an event stream
--   requests            bigint   HTTP requests
--   rejected            bigint   not let in: a status from 400 to 499
--   top_rejection       varchar  the most frequent reason of those
--   server_errors       bigint   a status from 500 on, or a server that could not be reached
--   client_disconnects  bigint   ended because the client went away
--   server_disconnects  bigint   broken off by the server in the middle of its response
--   first_byte_p50_ms   double   until the head of the response, half of the requests
--   first_byte_p95_ms   double   until the head of the response, 95 %
--   duration_p95_ms     double   until the response was over, 95 %
--   connections         bigint   requests that had to connect to the server
--   connect_p95_ms      double   time to connect, 95 % of those
--   request_bytes       bigint   size of all bodies of requests
--   response_bytes      bigint   size of all bodies of responses
-- chart:    bar path requests
with requests as (
    select
        service_name, http_method, path, stream, http_status, ended, rejection, http_connect_ns, http_first_byte_ns,
        duration_ns, request_bytes, response_bytes
    from http_requests
    where start_unix_nano >= $since
        and start_unix_nano < $until
        and ($session is null or session_id = $session)
        and ($server is null or service_name = $server)
        and (
            $tool is null
            or span_id in (
                -- an operation with a parent of its own is linked to the request, else it is beneath it
                select coalesce(nullif(regexp_extract(links, '"span_id":"([0-9a-f]{16})"', 1), ''), parent_span_id)
                from operations
                where tool = $tool and parent_span_id is not null
            )
        )
),
reasons as (
    select
        coalesce(service_name, '') as service_key, coalesce(http_method, '') as method_key,
        coalesce(path, '') as path_key, coalesce(stream, '') as stream_key, rejection,
        row_number() over (
            partition by coalesce(service_name, ''), coalesce(http_method, ''), coalesce(path, ''), coalesce(stream, '')
            order by count(*) desc, rejection
        ) as place
    from requests
    where rejection is not null
    group by
        coalesce(service_name, ''), coalesce(http_method, ''), coalesce(path, ''), coalesce(stream, ''), rejection
),
grouped as (
    select
        service_name, http_method, path, stream,
        count(*) as requests,
        sum(case when http_status between 400 and 499 then 1 else 0 end) as rejected,
        sum(case when http_status >= 500 or ended = 'unreachable' then 1 else 0 end) as server_errors,
        sum(case when ended = 'client_disconnect' then 1 else 0 end) as client_disconnects,
        sum(case when ended = 'server_disconnect' then 1 else 0 end) as server_disconnects,
        percentile_cont(0.5) within group (order by http_first_byte_ns) as first_byte_p50_ns,
        percentile_cont(0.95) within group (order by http_first_byte_ns) as first_byte_p95_ns,
        percentile_cont(0.95) within group (order by duration_ns) as duration_p95_ns,
        count(http_connect_ns) as connections,
        percentile_cont(0.95) within group (order by http_connect_ns) as connect_p95_ns,
        sum(coalesce(request_bytes, 0)) as request_bytes,
        sum(coalesce(response_bytes, 0)) as response_bytes
    from requests
    group by service_name, http_method, path, stream
)
select
    grouped.service_name as service_name,
    grouped.http_method as http_method,
    grouped.path as path,
    grouped.stream as stream,
    grouped.requests as requests,
    cast(grouped.rejected as bigint) as rejected,
    reasons.rejection as top_rejection,
    cast(grouped.server_errors as bigint) as server_errors,
    cast(grouped.client_disconnects as bigint) as client_disconnects,
    cast(grouped.server_disconnects as bigint) as server_disconnects,
    grouped.first_byte_p50_ns / 1000000.0 as first_byte_p50_ms,
    grouped.first_byte_p95_ns / 1000000.0 as first_byte_p95_ms,
    grouped.duration_p95_ns / 1000000.0 as duration_p95_ms,
    grouped.connections as connections,
    grouped.connect_p95_ns / 1000000.0 as connect_p95_ms,
    cast(grouped.request_bytes as bigint) as request_bytes,
    cast(grouped.response_bytes as bigint) as response_bytes
from grouped
left join reasons
    on reasons.place = 1
    and reasons.service_key = coalesce(grouped.service_name, '')
    and reasons.method_key = coalesce(grouped.http_method, '')
    and reasons.path_key = coalesce(grouped.path, '')
    and reasons.stream_key = coalesce(grouped.stream, '')
order by
    grouped.requests desc, grouped.service_name nulls last, grouped.http_method nulls last, grouped.path nulls last,
    grouped.stream nulls last
