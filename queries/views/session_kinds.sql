-- question: Which sessions are alike, and how large are they?
-- kind:     view
-- reads:    session_amounts
-- params:
--   since         bigint = 0                    start of the window, unix ns
--   until         bigint = 9223372036854775807  end of the window, unix ns, itself outside
--   tool          varchar = null                calls of this tool only
--   server        varchar = null                calls of this server only
--   kind_least    bigint = 20                   sessions that a client or a tool needs to be a kind
--   kind_times    double = 1.5                  and how many times as large, or as small, they are
--   half_least    bigint = 3                    sessions that either half of a kind has at least
--   half_ratio    double = 0.05                 and their share of the kind
--   half_gain     double = 0.15                 how much better two halves must fit, as log-likelihood of a session
--   half_apart    double = 3.3                  and how many standard deviations they must be apart
-- columns:
--   measure     varchar  calls · failures · time · cost
--   session_id  varchar  the session, reconstructed
--   server_key  varchar  MCP server of its kind; empty where it has no name
--   client_key  varchar  = and the client of its kind; empty if the kind has any client
--   tool_key    varchar  = and the main tool of its kind; empty if the kind has any main tool
--   half        varchar  low or high where the kind falls in two, else whole
--   calls       bigint   its tool calls
--   amount      double   calls, failed calls, nanoseconds, or millionths of a dollar
--   size        double   logarithm of the amount

-- Sessions of one server are alike, except those of a client, or of a client and its main tool, that are many and of
-- another size (by the mean of the logarithms). Some kinds have no label: if the sizes fall in two groups, each is a
-- kind. The cut is that of Kittler and Illingworth (Minimum Error Thresholding, 1986): the two normal distributions,
-- of any share and spread, that fit the logarithms best. 0.01 (a spread of 10 %) is added to each variance, because
-- equal sizes would fit without bound.
with levelled as (
    select
        measure, session_id, server_key, client_key, tool_key, calls, amount, size,
        avg(size) over of_server as server_size,
        avg(size) over of_client as client_size,
        count(*) over of_client as client_sessions,
        avg(size) over of_tool as tool_size,
        count(*) over of_tool as tool_sessions
    from session_amounts
    window
        of_server as (partition by measure, server_key),
        of_client as (partition by measure, server_key, client_key),
        of_tool as (partition by measure, server_key, client_key, tool_key)
),
placed as (
    select
        measure, session_id, server_key, client_key, tool_key, calls, amount, size, server_size, client_size, tool_size,
        tool_sessions,
        client_sessions >= $kind_least and abs(client_size - server_size) >= ln($kind_times) as of_client
    from levelled
),
labelled as (
    select
        measure, session_id, server_key, client_key, tool_key, calls, amount, size, of_client,
        tool_sessions >= $kind_least
            and abs(tool_size - case when of_client then client_size else server_size end) >= ln($kind_times) as of_tool
    from placed
),
kinds as (
    select
        measure, session_id, server_key, calls, amount, size,
        case when of_client or of_tool then '=' || client_key else '' end as client_key,
        case when of_tool then '=' || tool_key else '' end as tool_key
    from labelled
),
steps as (
    select measure, server_key, client_key, tool_key, size, cast(count(*) as double) as sessions
    from kinds
    group by measure, server_key, client_key, tool_key, size
),
running as (
    select
        measure, server_key, client_key, tool_key, size,
        sum(sessions) over lower as low_sessions,
        sum(sessions * size) over lower as low_sum,
        sum(sessions * size * size) over lower as low_squares,
        sum(sessions) over whole as all_sessions,
        sum(sessions * size) over whole as all_sum,
        sum(sessions * size * size) over whole as all_squares
    from steps
    window
        lower as (
            partition by measure, server_key, client_key, tool_key
            order by size rows between unbounded preceding and current row
        ),
        whole as (partition by measure, server_key, client_key, tool_key)
),
halves as (
    select
        measure, server_key, client_key, tool_key, size,
        low_sessions / nullif(all_sessions, 0) as low_ratio,
        low_sum / nullif(low_sessions, 0) as low_mean,
        (all_sum - low_sum) / nullif(all_sessions - low_sessions, 0) as high_mean,
        0.01 + greatest(0.0, all_squares / nullif(all_sessions, 0) - power(all_sum / nullif(all_sessions, 0), 2))
            as variance,
        0.01 + greatest(0.0, low_squares / nullif(low_sessions, 0) - power(low_sum / nullif(low_sessions, 0), 2))
            as low_variance,
        0.01 + greatest(
            0.0,
            (all_squares - low_squares) / nullif(all_sessions - low_sessions, 0)
            - power((all_sum - low_sum) / nullif(all_sessions - low_sessions, 0), 2)
        ) as high_variance
    from running
    where all_sessions >= $kind_least
        and low_sessions >= $half_least
        and all_sessions - low_sessions >= $half_least
        and low_sessions >= $half_ratio * all_sessions
        and all_sessions - low_sessions >= $half_ratio * all_sessions
),
cuts as (
    select
        measure, server_key, client_key, tool_key, size,
        (high_mean - low_mean) / nullif(sqrt((low_variance + high_variance) / 2.0), 0) as apart,
        -- rounded, so that of equally good cuts the lowest is taken whatever the order of a sum
        round(
            0.5 * ln(variance) - 0.5 * low_ratio * ln(low_variance) - 0.5 * (1.0 - low_ratio) * ln(high_variance)
            + low_ratio * ln(low_ratio) + (1.0 - low_ratio) * ln(1.0 - low_ratio),
            9
        ) as gain
    from halves
),
best as (
    select
        measure, server_key, client_key, tool_key, size, apart, gain,
        row_number() over (
            partition by measure, server_key, client_key, tool_key order by gain desc, size
        ) as place
    from cuts
)
select
    kinds.measure as measure,
    kinds.session_id as session_id,
    kinds.server_key as server_key,
    kinds.client_key as client_key,
    kinds.tool_key as tool_key,
    case when best.size is null then 'whole' when kinds.size <= best.size then 'low' else 'high' end as half,
    kinds.calls as calls,
    kinds.amount as amount,
    kinds.size as size
from kinds
left join best
    on best.place = 1
    and best.gain > $half_gain
    and best.apart > $half_apart
    and best.measure = kinds.measure
    and best.server_key = kinds.server_key
    and best.client_key = kinds.client_key
    and best.tool_key = kinds.tool_key
