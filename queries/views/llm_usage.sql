-- question: Which model calls of agents reached the lake, and how many tokens did they use?
-- kind:     view
-- reads:    spans
-- columns:
--   trace_id            varchar  trace of the span
--   span_id             varchar  its id
--   parent_span_id      varchar  the span that it is within; null if there is none
--   service_name        varchar  the agent, or whoever called the model
--   conversation_id     varchar  gen_ai.conversation.id; null if it is not sent
--   start_unix_nano     bigint   when the model was called
--   provider            varchar  gen_ai.provider.name, else gen_ai.system; empty if neither is sent
--   model               varchar  the model that answered, else the one that was asked
--   input_tokens        bigint   tokens of input, those from and for a cache among them
--   cache_read_tokens   bigint   tokens of input that came from a cache
--   cache_write_tokens  bigint   tokens of input that went into one
--   output_tokens       bigint   tokens of output

-- Left out: the span of an agent or a workflow, which holds the sums of the spans below it, and the outer of two spans
-- of one call from two instrumentations.
with called as (
    select
        trace_id,
        span_id,
        parent_span_id,
        kind,
        service_name,
        start_unix_nano,
        nullif(regexp_extract(attributes, '"gen_ai.operation.name":"([^"]*)"', 1), '') as operation,
        nullif(regexp_extract(attributes, '"gen_ai.conversation.id":"([^"]*)"', 1), '') as conversation_id,
        nullif(regexp_extract(attributes, '"gen_ai.provider.name":"([^"]*)"', 1), '') as provider_name,
        nullif(regexp_extract(attributes, '"gen_ai.system":"([^"]*)"', 1), '') as system_name,
        nullif(regexp_extract(attributes, '"gen_ai.response.model":"([^"]*)"', 1), '') as response_model,
        nullif(regexp_extract(attributes, '"gen_ai.request.model":"([^"]*)"', 1), '') as request_model,
        cast(nullif(regexp_extract(attributes, '"gen_ai.usage.input_tokens":([0-9]{1,9})[,}]', 1), '') as bigint)
            as input_tokens,
        cast(nullif(regexp_extract(attributes, '"gen_ai.usage.prompt_tokens":([0-9]{1,9})[,}]', 1), '') as bigint)
            as prompt_tokens,
        cast(nullif(regexp_extract(attributes, '"gen_ai.usage.cache_read.input_tokens":([0-9]{1,9})[,}]', 1), '') as bigint)
            as cache_read_tokens,
        cast(nullif(regexp_extract(attributes, '"gen_ai.usage.cache_creation.input_tokens":([0-9]{1,9})[,}]', 1), '') as bigint)
            as cache_write_tokens,
        cast(nullif(regexp_extract(attributes, '"gen_ai.usage.output_tokens":([0-9]{1,9})[,}]', 1), '') as bigint)
            as output_tokens,
        cast(nullif(regexp_extract(attributes, '"gen_ai.usage.completion_tokens":([0-9]{1,9})[,}]', 1), '') as bigint)
            as completion_tokens
    from spans
    where method is null
        and attributes like '%"gen_ai.usage.%'
),
named as (
    select
        trace_id, span_id, parent_span_id, kind, service_name, conversation_id, start_unix_nano,
        coalesce(provider_name, system_name, '') as provider,
        coalesce(response_model, request_model) as model,
        coalesce(input_tokens, prompt_tokens, 0) as sent_tokens,
        coalesce(cache_read_tokens, 0) as cache_read_tokens,
        coalesce(cache_write_tokens, 0) as cache_write_tokens,
        coalesce(output_tokens, completion_tokens, 0) as output_tokens
    from called
    where coalesce(operation, 'chat') in ('chat', 'text_completion', 'generate_content', 'embeddings')
),
-- A server's span with the id of its client's (B3) is the same model call.
served as (
    select distinct trace_id, span_id
    from named
    where kind = 'server'
),
inside as (
    select distinct trace_id, parent_span_id
    from named
    where parent_span_id is not null
)
select
    named.trace_id as trace_id,
    named.span_id as span_id,
    named.parent_span_id as parent_span_id,
    named.service_name as service_name,
    named.conversation_id as conversation_id,
    named.start_unix_nano as start_unix_nano,
    named.provider as provider,
    named.model as model,
    -- Some tell the tokens of a cache beside the others, though the conventions count them in.
    case
        when named.sent_tokens < named.cache_read_tokens + named.cache_write_tokens
            then named.sent_tokens + named.cache_read_tokens + named.cache_write_tokens
        else named.sent_tokens
    end as input_tokens,
    named.cache_read_tokens as cache_read_tokens,
    named.cache_write_tokens as cache_write_tokens,
    named.output_tokens as output_tokens
from named
left join inside on inside.trace_id = named.trace_id and inside.parent_span_id = named.span_id
left join served
    on served.trace_id = named.trace_id
    and served.span_id = named.span_id
    and coalesce(named.kind, '') <> 'server'
where inside.trace_id is null
    and served.trace_id is null
