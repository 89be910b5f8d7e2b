-- question: What was asked of a server in each session, and which questions and answers are the same?
-- kind:     view
-- reads:    operations
-- params:
--   until    bigint = 9223372036854775807  operations from here on are not looked at, unix ns
-- columns:
--   session_id       varchar  the session, reconstructed
--   lane             varchar  calls for tool calls, reads for what is read or listed: each has an order of its own
--   start_unix_nano  bigint   when it began
--   end_unix_nano    bigint   when it ended; its start if that is not known
--   sequence         bigint   place in wire order
--   span_id          varchar  id of the span
--   trace_id         varchar  id of its trace
--   service_name     varchar  the MCP server
--   client_name      varchar  clientInfo.name
--   tool             varchar  the tool; null for what is no tool call
--   target           varchar  the tool, or the method with its prompt
--   manner           varchar  what the tool's name says: checks (no answer is good news), steps (each call goes on), looks, or other
--   args_digest      varchar  digest of the arguments
--   result_digest    varchar  digest of the result
--   place_key        varchar  the same for one tool, prompt or method of one server
--   question_key     varchar  the same for equal arguments of one tool, volatile parts left out; null if unknown
--   exchange_key     varchar  the same for equal questions with equal answers, or that fail; null if unknown
--   outcome          varchar  how it ended
--   ok               boolean  whether it succeeded
--   empty            boolean  whether it succeeded and found nothing
--   fruitless        boolean  whether it failed, was refused, or was wrong
--   brings_nothing   boolean  whether it was fruitless, or found nothing though its tool does not only check
--   failure_key      varchar  the same for equal failures of one tool, whatever was asked; null if it is no failure, or its kind or text is not known
--   cost_microusd    bigint   what it cost

-- Lengths keep names apart that would otherwise run into each other.
with asked as (
    select
        session_id, start_unix_nano, duration_ns, sequence, span_id, trace_id, service_name, client_name, tool,
        args_digest, outcome, error_type, status_code, result_digest, result_empty, failed, cost_microusd,
        coalesce(args_stable_digest, args_digest) as args_key,
        coalesce(result_stable_digest, result_digest) as answer_key,
        case when method = 'tools/call' then 'calls' else 'reads' end as lane,
        case when method = 'tools/call' then coalesce(tool, '?') else method || coalesce(' ' || prompt, '') end as target,
        cast(length(coalesce(service_name, '')) as varchar) || ':' || coalesce(service_name, '')
            || case when method = 'tools/call' then coalesce(tool, '') else '/' || method || '/' || coalesce(prompt, '') end
            || '/' as place_key
    from operations
    where session_id is not null
        and kind = 'server'
        and method in (
            'tools/call', 'resources/read', 'prompts/get', 'tools/list', 'resources/list', 'resources/templates/list',
            'prompts/list'
        )
        and start_unix_nano < $until
),
judged as (
    select
        session_id, lane, start_unix_nano, duration_ns, sequence, span_id, trace_id, service_name, client_name, tool,
        target, args_digest, result_digest, outcome, error_type, status_code, cost_microusd, place_key, answer_key,
        place_key || args_key as question_key,
        coalesce(outcome, '') = 'ok' as ok,
        coalesce(outcome, '') = 'ok' and coalesce(result_empty, false) as empty,
        failed or coalesce(outcome, '') in ('protocol_error', 'denied') as fruitless,
        failed,
        case
            when lane <> 'calls' then 'looks'
            when regexp_matches(
                lower(target),
                'lint|check|valid|verif|diagnos|audit|scan|test|spell|format|problem|warning|issue|error|vulnerab|detect'
                || '|inspect|compil|analy'
            ) then 'checks'
            when regexp_matches(
                lower(target),
                'undo|redo|scroll|swipe|press|click|advance|rewind|increment|decrement|toggle|dequeue|page_?(up|down)'
                || '|(^|[^a-z])(next|prev|previous|back|forward|step|pop|tick|move|turn|roll|draw|skip|wait|sleep|key|tap'
                || '|zoom|up|down|left|right)([^a-z]|$)'
            ) then 'steps'
            when regexp_matches(
                lower(target), 'search|find|query|look|grep|get|list|read|fetch|show|browse|retriev|select|view|load|match'
            ) then 'looks'
            else 'other'
        end as manner
    from asked
)
select
    session_id,
    lane,
    start_unix_nano,
    start_unix_nano + coalesce(duration_ns, 0) as end_unix_nano,
    sequence,
    span_id,
    trace_id,
    service_name,
    client_name,
    tool,
    target,
    manner,
    args_digest,
    result_digest,
    place_key,
    question_key,
    case
        when ok then question_key || '=' || answer_key
        when fruitless then question_key || '!'
    end as exchange_key,
    outcome,
    ok,
    empty,
    fruitless,
    fruitless or (empty and manner <> 'checks') as brings_nothing,
    case
        when failed and (error_type is not null or status_code is not null) then place_key || outcome || '/' || coalesce(error_type, '') || '/' || coalesce(status_code, '')
            || '/' || answer_key
    end as failure_key,
    cost_microusd
from judged
