-- question: Which tools of which servers were called?
-- kind:     step
-- reads:    spans
-- columns:
--   service_name  varchar  the MCP server
--   tool          varchar  gen_ai.tool.name
select distinct service_name, tool
from spans
where method = 'tools/call' and tool is not null
order by service_name nulls last, tool
