-- question: Which model calls of agents belong to which session, and what did they cost?
-- kind:     view
-- reads:    llm_usage, model_prices, operations
-- columns:
--   trace_id            varchar  trace of the span
--   span_id             varchar  its id
--   parent_span_id      varchar  the span that it is within; null if there is none
--   service_name        varchar  the agent, or whoever called the model
--   conversation_id     varchar  gen_ai.conversation.id; null if it is not sent
--   session_id          varchar  session with a call in the same trace, else in the same conversation; null where none
--   tenant              varchar  tenant of that session
--   start_unix_nano     bigint   when the model was called
--   provider            varchar  gen_ai.provider.name, else gen_ai.system; empty if neither is sent
--   model               varchar  the model that answered, else the one that was asked
--   input_tokens        bigint   tokens of input, those from and for a cache among them
--   cache_read_tokens   bigint   tokens of input that came from a cache
--   cache_write_tokens  bigint   tokens of input that went into one
--   output_tokens       bigint   tokens of output
--   cost_microusd       bigint   cost in millionths of a US dollar by today's price of the model; null where unknown

-- A trace or a conversation may hold several sessions, one a server: its model calls are of the one that began first.
with of_trace as (
    select
        trace_id, session_id, tenant,
        row_number() over (partition by trace_id order by start_unix_nano, session_id, span_id) as place
    from operations
    where session_id is not null
        and trace_id in (select trace_id from llm_usage)
),
stated as (
    select
        nullif(regexp_extract(session_candidates, '"conversation": ?"([^"]*)"', 1), '') as conversation_id,
        session_id, tenant, start_unix_nano, span_id
    from operations
    where session_id is not null
        and session_candidates like '%"conversation"%'
        and (select max(conversation_id) from llm_usage) is not null
),
of_conversation as (
    select
        conversation_id, session_id, tenant,
        row_number() over (partition by conversation_id order by start_unix_nano, session_id, span_id) as place
    from stated
    where conversation_id in (select conversation_id from llm_usage)
)
select
    called.trace_id as trace_id,
    called.span_id as span_id,
    called.parent_span_id as parent_span_id,
    called.service_name as service_name,
    called.conversation_id as conversation_id,
    coalesce(of_trace.session_id, of_conversation.session_id) as session_id,
    case when of_trace.session_id is not null then of_trace.tenant else of_conversation.tenant end as tenant,
    called.start_unix_nano as start_unix_nano,
    called.provider as provider,
    called.model as model,
    called.input_tokens as input_tokens,
    called.cache_read_tokens as cache_read_tokens,
    called.cache_write_tokens as cache_write_tokens,
    called.output_tokens as output_tokens,
    cast((
        (called.input_tokens - called.cache_read_tokens - called.cache_write_tokens) * price.input_microusd
        + called.cache_read_tokens * price.cache_read_microusd
        + called.cache_write_tokens * price.cache_write_microusd
        + called.output_tokens * price.output_microusd
        + 500000
    ) // 1000000 as bigint) as cost_microusd
from llm_usage as called
left join of_trace on of_trace.trace_id = called.trace_id and of_trace.place = 1
left join of_conversation
    on of_conversation.conversation_id = called.conversation_id and of_conversation.place = 1
left join model_prices as price
    on price.provider = called.provider
    and price.model = called.model
    and called.input_tokens > price.above_tokens
    and called.input_tokens <= price.upto_tokens
