-- question: Which tools/list did a server ask of itself?
-- kind:     view
-- reads:    reported
-- columns:
--   trace_id        varchar  trace of the span
--   span_id         varchar  its id
--   kind            varchar  server
--   service_key     varchar  its MCP server; empty where it has no name
--   sent_unix_nano  bigint   its start as sent; all but `kind` identify the span

-- A server on mcp 2.x that does not hand out input schemas by itself lists its tools before each call over HTTP of
-- 2026-07-28 (python-sdk 2.3.0, mcp/server/_streamable_http_modern.py): a span with the id of the call that follows
-- at once, and no parent. No client uses an id twice. FastMCP tells no ids: there it is the time alone.
with asked as (
    select
        trace_id, span_id, service_key, sent_unix_nano, parent_span_id, method, request_id,
        start_unix_nano + coalesce(duration_ns, 0) as end_unix_nano,
        lead(method) over next_of_id as next_method,
        lead(start_unix_nano) over next_of_id as next_start_unix_nano
    from reported
    where method in ('tools/list', 'tools/call')
        and layer in ('mcp-python-sdk', 'fastmcp')
        and (request_id is not null or layer = 'fastmcp')
        and protocol_version >= '2026-07-28'
    window next_of_id as (
        partition by service_key, layer, coalesce(request_id, '') order by start_unix_nano, span_id, trace_id
    )
)
select trace_id, span_id, 'server' as kind, service_key, sent_unix_nano
from asked
where method = 'tools/list'
    and next_method = 'tools/call'
    and parent_span_id is null
    and next_start_unix_nano - end_unix_nano
        between 0 and case when request_id is null then 20000000 else 1000000000 end
