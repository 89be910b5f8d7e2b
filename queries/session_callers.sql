-- question: Who is held to account for a session?
-- kind:     step
-- reads:    operations
-- params:
--   session  varchar = ''  the session
-- columns:
--   enforcement_key  varchar  whom limits count by
--   tenant           varchar  verified tenant of the caller
select distinct
    enforcement_key,
    tenant
from operations
where session_id = $session and enforcement_key is not null
order by enforcement_key, tenant
