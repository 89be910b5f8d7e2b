-- question: How many calls were made, step by step?
-- kind:     step
-- reads:    tool_calls
-- params:
--   since    bigint = 0                    start of the window, unix ns
--   until    bigint = 9223372036854775807  end of the window, unix ns, itself outside
--   tool     varchar = null                this tool only
--   session  varchar = null                this session only
--   server   varchar = null                this server only
--   bucket   bigint = 3600000000000        length of a step, ns
-- columns:
--   from_unix_nano  bigint  start of the step, a multiple of its length; steps without calls are left out
--   calls           bigint  tool calls that began in it; one that asks for input first is one with its retry
--   failed          bigint  calls among them that failed
select
    start_unix_nano - start_unix_nano % $bucket as from_unix_nano,
    cast(sum(case when outcome = 'input_required' then 0 else 1 end) as bigint) as calls,
    cast(sum(case when failed then 1 else 0 end) as bigint) as failed
from tool_calls
where start_unix_nano >= $since
    and start_unix_nano < $until
    and ($tool is null or tool = $tool)
    and ($session is null or session_id = $session)
    and ($server is null or service_name = $server)
group by start_unix_nano - start_unix_nano % $bucket
order by from_unix_nano
