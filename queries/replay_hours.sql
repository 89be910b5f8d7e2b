-- question: How many operations began in each hour?
-- kind:     step
-- reads:    operations
-- params:
--   since   bigint = 0                    from here on, unix ns
--   until   bigint = 9223372036854775807  up to here, unix ns, itself outside
--   server  varchar = null                this server only
-- columns:
--   hour         bigint  whole hours since 1970
--   operations   bigint  operations of any session
--   sessionless  bigint  tool calls that no session is known of
select
    start_unix_nano // 3600000000000 as hour,
    cast(sum(case when session_id is not null then 1 else 0 end) as bigint) as operations,
    cast(sum(case when session_id is null and method = 'tools/call' then 1 else 0 end) as bigint) as sessionless
from operations
where start_unix_nano >= $since
    and start_unix_nano < $until
    and ($server is null or service_name = $server)
group by start_unix_nano // 3600000000000
order by hour
