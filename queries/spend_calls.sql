-- question: Which model calls count for the budgets of the sessions that made them?
-- kind:     step
-- reads:    llm_calls
-- columns:
--   trace_id         varchar  trace of the span
--   span_id          varchar  its id
--   parent_span_id   varchar  the span that it is within; null if there is none
--   conversation_id  varchar  gen_ai.conversation.id as a JSON text; null if it is not sent
--   start_unix_nano  bigint   when the model was called
--   cost_microusd    bigint   cost in millionths of a US dollar; null where unknown
select
    trace_id, span_id, parent_span_id, conversation_id, start_unix_nano, cost_microusd
from llm_calls
where start_unix_nano is not null
order by start_unix_nano, trace_id, span_id
