-- question: Which tool calls of a session came before a moment?
-- kind:     step
-- reads:    tool_calls
-- params:
--   session  varchar = null                the session
--   until    bigint = 9223372036854775807  before this moment, unix ns
--   digest   varchar = null                digest of arguments to compare with
--   most     bigint = 10                   how many are shown: the last
-- columns:
--   nth_call         bigint   place among the session's tool calls, from 1
--   start_unix_nano  bigint   when the call began
--   tool             varchar  gen_ai.tool.name
--   outcome          varchar  how the call ended
--   code             varchar  why it was denied
--   same_arguments   boolean  whether its arguments have that digest
with placed as (
    select
        start_unix_nano, tool, outcome, decision_code, args_digest,
        row_number() over (order by start_unix_nano, sequence nulls last, span_id, trace_id) as nth_call
    from tool_calls
    where session_id = $session
        and start_unix_nano < $until
)
select
    nth_call,
    start_unix_nano,
    tool,
    outcome,
    decision_code as code,
    coalesce(args_digest = $digest, false) as same_arguments
from placed
order by nth_call desc
limit $most
