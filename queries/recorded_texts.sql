-- question: Which texts does the lake hold that came from clients, servers and other senders?
-- kind:     step
-- reads:    spans
-- params:
--   since  bigint = 0                    start of the window, unix ns
--   until  bigint = 9223372036854775807  end of the window, unix ns, itself outside
-- columns:
--   service_name  varchar  the MCP server
--   field         varchar  the column of the lake
--   text          varchar  the text, or JSON
--   spans         bigint   spans that have it
--   span_id       varchar  one of them
with fields as (
    select 'name' as field
    union all select 'tool' as field
    union all select 'prompt' as field
    union all select 'resource_uri' as field
    union all select 'client_name' as field
    union all select 'server_name' as field
    union all select 'error_type' as field
    union all select 'error_message' as field
    union all select 'user_agent' as field
    union all select 'http_headers' as field
    union all select 'attributes' as field
    union all select 'resource' as field
    union all select 'events' as field
    union all select 'links' as field
    union all select 'scope' as field
    union all select 'trace_state' as field
),

pieces as (
    select
        service_name,
        field,
        case field
            when 'name' then name
            when 'tool' then tool
            when 'prompt' then prompt
            when 'resource_uri' then resource_uri
            when 'client_name' then client_name
            when 'server_name' then server_name
            when 'error_type' then error_type
            when 'error_message' then error_message
            when 'user_agent' then user_agent
            when 'http_headers' then http_headers
            when 'attributes' then attributes
            when 'resource' then resource
            when 'events' then events
            when 'links' then links
            when 'scope' then scope
            when 'trace_state' then trace_state
        end as text,
        span_id
    from spans
    cross join fields
    where start_unix_nano >= $since and start_unix_nano < $until
)

select
    service_name,
    field,
    text,
    count(*) as spans,
    min(span_id) as span_id
from pieces
where text is not null
group by service_name, field, text
order by service_name nulls last, field, text
