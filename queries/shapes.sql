-- question: Do any tools see unusual arguments, which might be an injection attempt?
-- kind:     report
-- reads:    tool_calls
-- params:
--   since      bigint = 0                    start of the window, unix ns
--   until      bigint = 9223372036854775807  end of the window, unix ns, itself outside
--   tool       varchar = null                this tool only
--   session    varchar = null                shapes that this session used, judged among all calls
--   server     varchar = null                this server only
--   min_calls  bigint = 20                   a tool with fewer calls has no usual arguments: nothing of it is odd
--   few        bigint = 3                    calls up to which something is seldom
--   ratio      double = 0.01                 share of a tool's calls up to which it is seldom
-- columns:
--   service_name     varchar  the MCP server
--   tool             varchar  gen_ai.tool.name
--   odd              varchar  what is unusual, in words; null where nothing is
--   odd_calls        bigint   calls with this shape that are unusual
--   odd_session_id   varchar  session of the newest of them
--   args_shape       varchar  keys and types of the arguments
--   calls            bigint   calls with this shape
--   call_ratio       double   their share of the tool's calls
--   sessions         bigint   sessions that used it
--   max_args_bytes   bigint   size of its largest arguments
--   max_longest      bigint   length of its longest text, in characters
--   first_unix_nano  bigint   start of its first call
--   last_unix_nano   bigint   start of its last call
-- chart:    bar args_shape calls

-- Unusual is what a tool's own calls make unusual; a shape is judged against the other calls of its tool:
--   seldom shape     at most $few calls and $ratio of them all, of a tool whose seldom shapes together are under 3 %
--                    (a tool with many optional arguments meets a new combination every day)
--   seldom flag      a kind of text that at most $ratio of the calls hold, or at most $few calls and 5 %; one that is
--                    ordinary in long texts (a URL) only where it meets both and the tool's texts are short
--   large arguments  over 1 KiB and over four times the 99th percentile; that is taken without the tool's $few
--                    largest calls, or they would raise it themselves
with calls as (
    select
        coalesce(service_name, '') as service_key,
        coalesce(tool, '') as tool_key,
        coalesce(args_shape, '') as shape_key,
        service_name, tool, args_shape, session_id, start_unix_nano, sequence, span_id, args_bytes,
        case
            when args_features is null or args_features like '%"flags":[]%' then ''
            else regexp_extract(args_features, '"flags":.([^]]*)', 1)
        end || case when args_shape like '%#%' then '"undeclared"' else '' end as flags,
        try_cast(regexp_extract(args_features, '"longest":([0-9]+)', 1) as bigint) as longest
    from tool_calls
    where start_unix_nano >= $since
        and start_unix_nano < $until
        and ($tool is null or tool = $tool)
        and ($server is null or service_name = $server)
),
groups as (
    select service_key, tool_key, shape_key, flags, count(*) as calls
    from calls
    group by service_key, tool_key, shape_key, flags
),
tools as (
    select service_key, tool_key, sum(calls) as tool_calls
    from groups
    group by service_key, tool_key
),
shapes as (
    select
        service_key, tool_key, shape_key,
        max(service_name) as service_name,
        max(tool) as tool,
        max(args_shape) as args_shape,
        count(*) as calls,
        count(distinct session_id) as sessions,
        max(args_bytes) as max_args_bytes,
        max(longest) as max_longest,
        min(start_unix_nano) as first_unix_nano,
        max(start_unix_nano) as last_unix_nano,
        max(case when session_id = $session then 1 else 0 end) as of_session
    from calls
    group by service_key, tool_key, shape_key
),
seldom as (
    select service_key, tool_key, sum(case when calls <= $few then calls else 0 end) as seldom_calls
    from shapes
    group by service_key, tool_key
),
-- Percentiles of whole numbers by counting, once per value: no sort of all calls.
byte_counts as (
    select
        service_key, tool_key, args_bytes,
        sum(count(*)) over (
            partition by service_key, tool_key order by args_bytes rows between unbounded preceding and current row
        ) as so_far,
        sum(count(*)) over (partition by service_key, tool_key) as of_all
    from calls
    where args_bytes is not null
    group by service_key, tool_key, args_bytes
),
usual_bytes as (
    select service_key, tool_key, min(args_bytes) as p99
    from byte_counts
    where so_far * 100 >= 99 * (of_all - $few)
    group by service_key, tool_key
),
text_counts as (
    select
        service_key, tool_key, longest,
        sum(count(*)) over (
            partition by service_key, tool_key order by longest rows between unbounded preceding and current row
        ) as so_far,
        sum(count(*)) over (partition by service_key, tool_key) as of_all
    from calls
    where longest is not null
    group by service_key, tool_key, longest
),
usual_texts as (
    select
        service_key, tool_key,
        min(case when so_far * 100 >= 99 * (of_all - $few) then longest end) as p99,
        min(case when so_far * 2 >= of_all then longest end) as median
    from text_counts
    group by service_key, tool_key
),
limits as (
    select
        tools.service_key as service_key,
        tools.tool_key as tool_key,
        tools.tool_calls as tool_calls,
        case when usual_bytes.p99 * 4 > 1024 then usual_bytes.p99 * 4 else 1024 end as most_bytes,
        usual_bytes.p99 as usual_bytes,
        case when usual_texts.p99 * 4 > 1024 then usual_texts.p99 * 4 else 1024 end as most_longest,
        usual_texts.p99 as usual_longest,
        coalesce(usual_texts.median, 0) as median_longest,
        case when seldom.seldom_calls < 0.03 * tools.tool_calls then 1 else 0 end as has_usual_shapes
    from tools
    inner join seldom on seldom.service_key = tools.service_key and seldom.tool_key = tools.tool_key
    left join usual_bytes on usual_bytes.service_key = tools.service_key and usual_bytes.tool_key = tools.tool_key
    left join usual_texts on usual_texts.service_key = tools.service_key and usual_texts.tool_key = tools.tool_key
    where tools.tool_calls >= $min_calls
),
-- telling: seldom in honest arguments of any length.
flag_names as (
    select 'undeclared' as flag, 'a key that the tool does not declare' as words, 1 as telling
    union all
    select 'control' as flag, 'control characters' as words, 1 as telling
    union all
    select 'invisible' as flag, 'invisible characters' as words, 1 as telling
    union all
    select 'markup' as flag, 'chat or script markup' as words, 1 as telling
    union all
    select 'null_byte' as flag, 'a null byte' as words, 1 as telling
    union all
    select 'sql' as flag, 'a piece of SQL' as words, 1 as telling
    union all
    select 'traversal' as flag, 'a path that climbs (../)' as words, 1 as telling
    union all
    select 'long_run' as flag, 'a long encoded run' as words, 0 as telling
    union all
    select 'shell' as flag, 'a shell command' as words, 0 as telling
    union all
    select 'template' as flag, 'a template expression' as words, 0 as telling
    union all
    select 'url' as flag, 'a URL' as words, 0 as telling
),
flag_calls as (
    select groups.service_key, groups.tool_key, flag_names.flag, sum(groups.calls) as calls
    from groups
    cross join flag_names
    where groups.flags like '%"' || flag_names.flag || '"%'
    group by groups.service_key, groups.tool_key, flag_names.flag
),
odd_flags as (
    select
        flag_calls.service_key as service_key,
        flag_calls.tool_key as tool_key,
        flag_calls.flag as flag,
        '; ' || flag_names.words || ' in ' || cast(flag_calls.calls as varchar) || ' of '
            || cast(limits.tool_calls as varchar) || ' calls' as reason
    from flag_calls
    inner join flag_names on flag_names.flag = flag_calls.flag
    inner join limits on limits.service_key = flag_calls.service_key and limits.tool_key = flag_calls.tool_key
    where case
        when flag_names.telling = 1
            then flag_calls.calls <= $ratio * limits.tool_calls
            or (flag_calls.calls <= $few and flag_calls.calls <= 0.05 * limits.tool_calls)
        else flag_calls.calls <= $ratio * limits.tool_calls
            and flag_calls.calls <= $few
            and limits.median_longest < 64
    end
),
odd_groups as (
    select
        groups.service_key as service_key,
        groups.tool_key as tool_key,
        groups.shape_key as shape_key,
        groups.flags as flags,
        odd_flags.flag as flag,
        odd_flags.reason as reason
    from groups
    inner join odd_flags
        on odd_flags.service_key = groups.service_key
        and odd_flags.tool_key = groups.tool_key
        and groups.flags like '%"' || odd_flags.flag || '"%'
),
odd_texts as (
    select
        marked.service_key as service_key,
        marked.tool_key as tool_key,
        marked.shape_key as shape_key,
        coalesce(max(case when marked.flag = 'undeclared' then marked.reason end), '')
            || coalesce(max(case when marked.flag = 'control' then marked.reason end), '')
            || coalesce(max(case when marked.flag = 'invisible' then marked.reason end), '')
            || coalesce(max(case when marked.flag = 'markup' then marked.reason end), '')
            || coalesce(max(case when marked.flag = 'null_byte' then marked.reason end), '')
            || coalesce(max(case when marked.flag = 'sql' then marked.reason end), '')
            || coalesce(max(case when marked.flag = 'traversal' then marked.reason end), '')
            || coalesce(max(case when marked.flag = 'long_run' then marked.reason end), '')
            || coalesce(max(case when marked.flag = 'shell' then marked.reason end), '')
            || coalesce(max(case when marked.flag = 'template' then marked.reason end), '')
            || coalesce(max(case when marked.flag = 'url' then marked.reason end), '') as reasons
    from odd_groups as marked
    group by marked.service_key, marked.tool_key, marked.shape_key
),
judged as (
    select
        shapes.service_key as service_key,
        shapes.tool_key as tool_key,
        shapes.shape_key as shape_key,
        shapes.service_name as service_name,
        shapes.tool as tool,
        shapes.args_shape as args_shape,
        shapes.calls as calls,
        shapes.sessions as sessions,
        shapes.max_args_bytes as max_args_bytes,
        shapes.max_longest as max_longest,
        shapes.first_unix_nano as first_unix_nano,
        shapes.last_unix_nano as last_unix_nano,
        shapes.of_session as of_session,
        tools.tool_calls as tool_calls,
        case
            when shapes.calls <= $few and shapes.calls <= $ratio * limits.tool_calls and limits.has_usual_shapes = 1
                then 1
            else 0
        end as is_seldom,
        case when shapes.max_args_bytes > limits.most_bytes then limits.most_bytes end as most_bytes,
        case when shapes.max_longest > limits.most_longest then limits.most_longest end as most_longest,
        limits.usual_bytes as usual_bytes,
        limits.usual_longest as usual_longest
    from shapes
    inner join tools on tools.service_key = shapes.service_key and tools.tool_key = shapes.tool_key
    left join limits on limits.service_key = shapes.service_key and limits.tool_key = shapes.tool_key
),
-- The odd calls themselves: of a seldom shape all, else those that are large or carry an odd flag.
odd_calls as (
    select
        calls.service_key as service_key,
        calls.tool_key as tool_key,
        calls.shape_key as shape_key,
        calls.session_id as session_id,
        row_number() over (
            partition by calls.service_key, calls.tool_key, calls.shape_key
            order by calls.start_unix_nano desc, calls.sequence desc nulls last, calls.span_id desc
        ) as newest
    from calls
    inner join judged
        on judged.service_key = calls.service_key
        and judged.tool_key = calls.tool_key
        and judged.shape_key = calls.shape_key
    left join (select distinct service_key, tool_key, shape_key, flags, 1 as hit from odd_groups) as flagged
        on flagged.service_key = calls.service_key
        and flagged.tool_key = calls.tool_key
        and flagged.shape_key = calls.shape_key
        and flagged.flags = calls.flags
    where judged.is_seldom = 1
        or flagged.hit = 1
        or calls.args_bytes > judged.most_bytes
        or calls.longest > judged.most_longest
),
odd_counts as (
    select
        service_key, tool_key, shape_key,
        count(*) as odd_calls,
        max(case when newest = 1 then session_id end) as odd_session_id
    from odd_calls
    group by service_key, tool_key, shape_key
)
select
    judged.service_name as service_name,
    judged.tool as tool,
    nullif(
        substr(
            case
                when judged.is_seldom = 1
                    then '; a shape seen in ' || cast(judged.calls as varchar) || ' of '
                    || cast(judged.tool_calls as varchar) || ' calls'
                else ''
            end
            || coalesce(odd_texts.reasons, '')
            || case
                when judged.most_bytes is not null
                    then '; ' || cast(judged.max_args_bytes as varchar) || ' bytes where others have up to '
                    || cast(judged.usual_bytes as varchar)
                else ''
            end
            || case
                when judged.most_longest is not null
                    then '; a text of ' || cast(judged.max_longest as varchar) || ' characters where others have up to '
                    || cast(judged.usual_longest as varchar)
                else ''
            end,
            3
        ),
        ''
    ) as odd,
    coalesce(odd_counts.odd_calls, 0) as odd_calls,
    odd_counts.odd_session_id as odd_session_id,
    judged.args_shape as args_shape,
    judged.calls as calls,
    judged.calls / nullif(cast(judged.tool_calls as double), 0) as call_ratio,
    judged.sessions as sessions,
    judged.max_args_bytes as max_args_bytes,
    judged.max_longest as max_longest,
    judged.first_unix_nano as first_unix_nano,
    judged.last_unix_nano as last_unix_nano
from judged
left join odd_texts
    on odd_texts.service_key = judged.service_key
    and odd_texts.tool_key = judged.tool_key
    and odd_texts.shape_key = judged.shape_key
left join odd_counts
    on odd_counts.service_key = judged.service_key
    and odd_counts.tool_key = judged.tool_key
    and odd_counts.shape_key = judged.shape_key
where $session is null or judged.of_session = 1
order by
    case when coalesce(odd_counts.odd_calls, 0) > 0 then 0 else 1 end,
    case when coalesce(odd_counts.odd_calls, 0) > 0 then judged.last_unix_nano end desc nulls last,
    judged.calls desc, judged.service_key, judged.tool_key, judged.shape_key
