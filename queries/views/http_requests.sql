-- question: Which HTTP requests reached the servers, and how did each end?
-- kind:     view
-- reads:    spans
-- columns:
--   trace_id            varchar   trace of the span
--   span_id             varchar   id of the span; operations of the request are beneath it, or linked to it
--   service_name        varchar   the MCP server
--   session_id          varchar   the session that it belongs to
--   start_unix_nano     bigint    when its head was read
--   duration_ns         bigint    until the response was over
--   http_method         varchar   e.g. POST
--   path                varchar   path of its URL
--   stream              varchar   request or standing, where the response was an event stream
--   http_status         smallint  status of the response; null where none came
--   ended               varchar   complete, client_disconnect, server_disconnect, unreachable or shutdown
--   rejection           varchar   why the server did not let it in
--   http_connect_ns     bigint    time to connect to the server; null where a connection was there
--   http_first_byte_ns  bigint    until the head of the response was read
--   http_stream_ns      bigint    how long the response was being read
--   request_bytes       bigint    size of the request's body
--   response_bytes      bigint    size of the response's body
--   user_agent          varchar   User-Agent of the request
select
    trace_id,
    span_id,
    service_name,
    session_id,
    start_unix_nano,
    duration_ns,
    nullif(regexp_extract(attributes, '"http.request.method":"([^"]+)"', 1), '') as http_method,
    nullif(regexp_extract(attributes, '"url.path":"([^"]+)"', 1), '') as path,
    nullif(regexp_extract(attributes, '"mcpobs.http.stream":"([a-z]+)"', 1), '') as stream,
    http_status,
    nullif(regexp_extract(attributes, '"mcpobs.http.ended":"([a-z_]+)"', 1), '') as ended,
    nullif(regexp_extract(attributes, '"mcpobs.http.rejection":"([a-z_]+)"', 1), '') as rejection,
    http_connect_ns,
    http_first_byte_ns,
    http_stream_ns,
    cast(nullif(regexp_extract(attributes, '"http.request.body.size":([0-9]{1,18})', 1), '') as bigint) as request_bytes,
    cast(nullif(regexp_extract(attributes, '"http.response.body.size":([0-9]{1,18})', 1), '') as bigint)
        as response_bytes,
    user_agent
from spans
where method is null
    and kind = 'server'
    and attributes like '%"http.request.method":"%'
