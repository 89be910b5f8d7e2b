-- question: Which tools, servers or sessions are there?
-- kind:     step
-- reads:    operations
-- params:
--   of  varchar = 'tool'  tool, server or session
-- columns:
--   name  varchar  each name
with named as (
    select case $of when 'tool' then tool when 'server' then service_name when 'session' then session_id end as name
    from operations
)
select distinct name
from named
where name is not null
order by name
