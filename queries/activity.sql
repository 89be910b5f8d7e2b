-- question: How many calls were made, step by step?
-- kind:     step
-- reads:    pace, unanswered_calls
-- params:
--   since    bigint = 0                    start of the window, unix ns
--   until    bigint = 9223372036854775807  end of the window, unix ns, itself outside
--   tool     varchar = null                this tool only
--   session  varchar = null                this session only
--   server   varchar = null                this server only
--   step     bigint = 3600000000000        length of a step, ns
-- columns:
--   from_unix_nano  bigint  start of the step, a multiple of its length; steps without calls are left out
--   calls           bigint  tool calls that began in it; one that asks for input first is one with its retry
--   failed          bigint  calls among them that failed
with steps as (
    select from_unix_nano - from_unix_nano % $step as from_unix_nano, calls, failed
    from pace
    where ($tool is null or tool = $tool)
        and ($server is null or service_name = $server)
    union all
    select start_unix_nano - start_unix_nano % $step as from_unix_nano, 0 as calls, 1 as failed
    from unanswered_calls
    where failed
        and ($tool is null or tool = $tool)
        and ($server is null or service_name = $server)
)
select
    from_unix_nano,
    cast(sum(calls) as bigint) as calls,
    cast(sum(failed) as bigint) as failed
from steps
group by from_unix_nano
order by from_unix_nano
