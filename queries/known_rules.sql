-- question: Which rules and limits are there in decisions?
-- kind:     step
-- reads:    operations
-- columns:
--   name  varchar  each id of a rule or limit
with named as (
    select rule as name
    from operations
    union all
    select unnest(from_json(rules, '["varchar"]')) as name
    from operations
    where json_valid(rules)
    union all
    select unnest(from_json(shadow_rules, '["varchar"]')) as name
    from operations
    where json_valid(shadow_rules)
)
select distinct regexp_replace(name, '\.reopened$', '') as name
from named
where name is not null
order by name
