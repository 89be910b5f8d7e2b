-- question: Which sessions share a trace with model calls, or state a conversation?
-- kind:     step
-- reads:    operations, llm_usage
-- columns:
--   trace_id          varchar  a trace with model calls; null for a conversation
--   conversation_id   varchar  a conversation as a JSON text; null for a trace
--   service_name      varchar  the server of the session
--   enforcement_key   varchar  whom limits count by
--   tenant            varchar  verified tenant of the caller
--   session_id        varchar  the session
--   first_unix_nano   bigint   its first operation there

with keyed as (
    select
        trace_id,
        nullif(regexp_extract(session_candidates, '"conversation": ?"((?:[^"\\]|\\.)*)"', 1), '') as conversation_id,
        service_name, enforcement_key, tenant, session_id, start_unix_nano
    from operations
    where session_id is not null
        and enforcement_key is not null
),
sharing as (
    select
        trace_id, cast(null as varchar) as conversation_id,
        service_name, enforcement_key, tenant, session_id, start_unix_nano
    from keyed
    where trace_id in (select trace_id from llm_usage)
    union all
    select
        cast(null as varchar) as trace_id, conversation_id,
        service_name, enforcement_key, tenant, session_id, start_unix_nano
    from keyed
    where conversation_id is not null
)
select
    trace_id, conversation_id, service_name, enforcement_key, tenant, session_id,
    min(start_unix_nano) as first_unix_nano
from sharing
group by trace_id, conversation_id, service_name, enforcement_key, tenant, session_id
order by first_unix_nano, session_id, service_name, enforcement_key, tenant, trace_id, conversation_id
