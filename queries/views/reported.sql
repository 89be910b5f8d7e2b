-- question: What did each layer report of what MCP servers were asked?
-- kind:     view
-- reads:    spans
-- columns:
--   trace_id          varchar   trace of the span
--   span_id           varchar   its id
--   parent_span_id    varchar   its parent
--   service_name      varchar   the MCP server
--   layer             varchar   who reported it: the front where it is ours, else the instrumentation scope
--   rank              smallint  1 a proxy of ours · 2 ours, in the process · 3 FastMCP · 4 the Python SDK · 5 and on others: the less they tell the higher · 10 of kind internal
--   method            varchar   MCP method
--   tool              varchar   gen_ai.tool.name
--   request_id        varchar   JSON-RPC id; null for a notification, and where a layer does not tell it
--   protocol_version  varchar   MCP version that was agreed on, or that the request names
--   start_unix_nano   bigint    when the operation began
--   duration_ns       bigint    how long it took
--   outcome           varchar   how it ended
--   trace_flags       smallint  W3C trace flags as the caller sent them
--   service_key       varchar   the MCP server; empty where it has no name
--   sent_unix_nano    bigint    start as sent; with the ids and the service it identifies the span
select
    trace_id,
    span_id,
    parent_span_id,
    service_name,
    case when scope_name = 'mcpobs' then coalesce(front, 'proxy/stdio') else coalesce(scope_name, '?') end as layer,
    cast(case
        when scope_name = 'mcpobs' and coalesce(front, '') = 'in_process' then 2
        when scope_name = 'mcpobs' then 1
        when scope_name = 'fastmcp' then 3
        when scope_name = 'mcp-python-sdk' then 4
        when scope_name = 'logfire.mcp' then 6
        when scope_name = 'opentelemetry.instrumentation.mcp.instrumentation' then 7
        when scope_name = 'agentgateway' then 8
        when scope_name = 'mcp-gateway' then 9
        when scope_name like '%sentry%' then 5
        when sent_kind = 1 then 10
        else 5
    end as smallint) as rank,
    method,
    tool,
    request_id,
    protocol_version,
    start_unix_nano,
    duration_ns,
    outcome,
    trace_flags,
    coalesce(service_name, '') as service_key,
    coalesce(sent_start_unix_nano, start_unix_nano) as sent_unix_nano
from spans
where method is not null and kind = 'server'
