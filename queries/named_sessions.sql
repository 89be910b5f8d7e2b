-- question: Which sessions have an id that begins with a text?
-- kind:     step
-- reads:    operations
-- params:
--   begins  varchar = ''  the beginning
--   most    bigint = 6    rows at most
-- columns:
--   session_id  varchar  the session
select distinct session_id
from operations
where session_id is not null and starts_with(session_id, $begins)
order by session_id
limit $most
