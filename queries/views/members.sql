-- question: Which sessions called a tool?
-- kind:     view
-- reads:    tool_calls
-- rollup:   calls
-- columns:
--   session_id  varchar  the session, reconstructed
select session_id
from tool_calls
where session_id is not null
group by session_id
