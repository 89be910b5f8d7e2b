-- question: What is known of one session as a whole?
-- kind:     step
-- reads:    sessions
-- params:
--   session  varchar = null  the session
-- columns:
--   session_id          varchar  the session, reconstructed
--   session_source      varchar  which rule gave session_id
--   session_confidence  varchar  high, medium or low
--   service_name        varchar  the MCP server; the first by name where there are several
--   services            bigint   MCP servers that the session used
--   client_name         varchar  clientInfo.name
--   client_version      varchar  clientInfo.version
--   start_unix_nano     bigint   when the session began
--   duration_ms         double   from start to end
--   tool_calls          bigint   operations that called a tool
--   failed              bigint   tool calls that failed
--   cost_microusd       bigint   cost of all tool calls; null where no price is known
select
    session_id, session_source, session_confidence, service_name, services, client_name, client_version,
    start_unix_nano, duration_ms, tool_calls, failed, cost_microusd
from sessions
where session_id = $session
order by session_id
