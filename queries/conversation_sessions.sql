-- question: Which sessions belong to a conversation?
-- kind:     step
-- reads:    operations
-- params:
--   quoted   varchar = '""'  the name of the conversation as a JSON text, in ASCII
--   spelled  varchar = '""'  the same with all characters as they are
--   most     bigint = 6      rows at most
-- columns:
--   session_id  varchar  the session

-- Candidates are a flat JSON object, in whose texts quotes are escaped, so the key cannot be a part of a value.
select distinct session_id
from operations
where session_id is not null
    and (
        strpos(session_candidates, '"conversation":' || $quoted) > 0
        or strpos(session_candidates, '"conversation": ' || $quoted) > 0
        or strpos(session_candidates, '"conversation":' || $spelled) > 0
        or strpos(session_candidates, '"conversation": ' || $spelled) > 0
    )
order by session_id
limit $most
