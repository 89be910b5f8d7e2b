-- question: Do any tools see unusual arguments, which might be an injection attempt?
-- topic:    7 Is any input unusual?
-- answers:  service_name, tool, odd, args_shape, odd_session_id, calls
-- kind:     report
-- reads:    inputs, input_sessions
-- history:  whole
-- params:
--   since       bigint = 0                    start of the window, unix ns
--   until       bigint = 9223372036854775807  end of the window, unix ns, itself outside
--   tool        varchar = null                this tool only
--   session     varchar = null                what this session did, judged among all calls
--   server      varchar = null                this server only
--   min_calls   bigint = 20                   a tool with fewer calls has no usual arguments: nothing of it is odd
--   min_before  bigint = 200                  from so many calls before the window on, those alone are the usual
--   few         bigint = 3                    calls of a tool that may be odd beside $ratio of them
--   ratio       double = 0.01                 share of a tool's calls that may be odd; of more, only what exceeds it
--   min_bits    double = 3                    surprise from which on arguments are reported as odd
-- columns:
--   service_name     varchar  the MCP server
--   tool             varchar  gen_ai.tool.name
--   odd              varchar  what is unusual of the most surprising call, in words; null where nothing is
--   bits             double   its surprise above that of the tool's other calls: one more is twice as rare
--   odd_calls        bigint   calls with this shape that are unusual in the same way
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

-- Unusual is what a tool's own calls make unusual. A call is looked at in its parts: its shape, its size, and of each
-- argument that it is there, its type, its size, how varied it is, its kinds of characters and its flags: the letters
-- of the code words in args_features (mcpobs/protocol/codeword.py). A part has as many bits of surprise as
--     -log2(share of the calls whose part is as rare as this or rarer, the call itself among them).
-- For a part that no other call has this is the estimate of Good (1953) for what was never seen, n1 / N. It is also a
-- conformal p-value (Vovk, Gammerman, Shafer 2005): whatever the distribution, of calls like the others at most 2^-b
-- have b bits. So free text, in which nearly every call is the only one of its kind, surprises nobody.
-- Of sizes only those count that lie two powers of two or more from all common ones (a number that grows passes them
-- one by one); each further step is a bit more.
-- Honest parts surprise too: from each the bits of its kind are taken off (`allowance`: tuned on one half of recorded
-- agent runs, measured on the other, bench/shapes.py), and what is left adds up. From the sum is taken what all but
-- the $ratio and $few most surprising calls of the tool stay below: what a tool does often is not odd.
-- The usual are the tool's other calls, or its calls before the window where there are $min_before of them.
with groups as (
    select
        service_name, tool, args_shape, args_features,
        cast(sum(case when last_unix_nano >= $since then calls else 0 end) as bigint) as calls,
        cast(sum(case when last_unix_nano < $since then calls else 0 end) as bigint) as calls_before,
        max(max_bytes) as max_bytes,
        max(case when last_unix_nano >= $since then max_bytes end) as max_args_bytes,
        min(case when last_unix_nano >= $since then first_unix_nano end) as first_unix_nano,
        max(case when last_unix_nano >= $since then last_unix_nano end) as last_unix_nano,
        max(case when last_unix_nano >= $since then newest end) as newest,
        max(case when last_unix_nano >= $since then of_session else 0 end) as of_session
    from inputs
    where ($tool is null or tool = $tool)
        and ($server is null or service_name = $server)
    group by service_name, tool, args_shape, args_features
),
shape_sessions as (
    select
        coalesce(service_name, '') as service_key,
        coalesce(tool, '') as tool_key,
        coalesce(args_shape, '') as shape_key,
        cast(sum(sessions) as bigint) as sessions
    from input_sessions
    where ($tool is null or tool = $tool)
        and ($server is null or service_name = $server)
    group by coalesce(service_name, ''), coalesce(tool, ''), coalesce(args_shape, '')
),
tools as (
    select
        coalesce(service_name, '') as service_key,
        coalesce(tool, '') as tool_key,
        max(service_name) as service_name,
        max(tool) as tool,
        row_number() over (order by coalesce(service_name, ''), coalesce(tool, '')) as tool_id,
        cast(sum(calls) as bigint) as tool_calls,
        case when sum(calls_before) >= $min_before then 1 else 0 end as is_before,
        cast(case when sum(calls_before) >= $min_before then sum(calls_before) else sum(calls) end as bigint) as usual
    from groups
    group by coalesce(service_name, ''), coalesce(tool, '')
),
-- `weight`: how many of the usual calls are of the group.
parsed as (
    select
        tools.tool_id as tool_id,
        coalesce(groups.args_shape, '') as shape_key,
        groups.args_shape as args_shape,
        groups.calls as calls,
        case when tools.is_before = 1 then groups.calls_before else groups.calls end as weight,
        groups.max_args_bytes as max_args_bytes,
        groups.first_unix_nano as first_unix_nano,
        groups.last_unix_nano as last_unix_nano,
        groups.newest as newest,
        groups.of_session as of_session,
        case
            when groups.max_bytes >= 1024
                then cast(floor(log2(cast(groups.max_bytes as double))) as bigint) + 1
            else 10
        end as bytes_step,
        try_cast(regexp_extract(groups.args_features, '"longest":([0-9]+)', 1) as bigint) as longest,
        coalesce(groups.args_features, '') like '%"values":%' as has_values,
        coalesce(regexp_extract(groups.args_features, '"values":.([^}]*)', 1), '') as worded,
        case
            when groups.args_features is null or groups.args_features like '%"flags":[]%' then ''
            else coalesce(regexp_extract(groups.args_features, '"flags":.([^]]*)', 1), '')
        end as flags
    from groups
    inner join tools
        on tools.service_key = coalesce(groups.service_name, '')
        and tools.tool_key = coalesce(groups.tool, '')
),
-- The parts of a group's text are its arguments' words; the first, without a name, is of the call as a whole. Features
-- without words (written by earlier versions) have all that they tell in that one.
worded as (
    select
        tool_id, shape_key, calls, weight, bytes_step, newest, of_session,
        '"":"s'
        || case
            when has_values or longest is null then '-'
            when longest < 1 then '0'
            else substr(
                '0123456789abcdefghijklmnopqrstuvwxyz', cast(floor(log2(cast(longest as double))) as integer) + 2, 1
            )
        end
        || '-'
        || case when has_values or flags = '' then '' else
            case when flags like '%"control"%' then 'C' else '' end
            || case when flags like '%"traversal"%' then 'D' else '' end
            || case when flags like '%"invisible"%' then 'I' else '' end
            || case when flags like '%"long_run"%' then 'L' else '' end
            || case when flags like '%"markup"%' then 'M' else '' end
            || case when flags like '%"null_byte"%' then 'N' else '' end
            || case when flags like '%"instruction"%' then 'O' else '' end
            || case when flags like '%"sql"%' then 'Q' else '' end
            || case when flags like '%"shell"%' then 'S' else '' end
            || case when flags like '%"template"%' then 'T' else '' end
            || case when flags like '%"url"%' then 'U' else '' end
        end
        || case when shape_key like '%#%' then '#' else '' end
        || '"'
        || case when worded = '' then '' else ',' || worded end as parts
    from parsed
),
judged_tools as (
    select tool_id, is_before, usual, case when is_before = 1 then ' earlier calls' else ' calls' end as calls_named
    from tools
    where usual >= $min_calls
),
-- What differs in nothing that is judged.
kinds as (
    select
        worded.tool_id as tool_id,
        worded.shape_key as shape_key,
        worded.parts as parts,
        worded.bytes_step as bytes_step,
        cast(sum(worded.calls) as bigint) as calls,
        cast(sum(worded.weight) as bigint) as weight,
        max(worded.newest) as newest,
        max(worded.of_session) as of_session
    from worded
    inner join judged_tools on judged_tools.tool_id = worded.tool_id
    group by worded.tool_id, worded.shape_key, worded.parts, worded.bytes_step
),
texts as (
    select
        tool_id, parts,
        length(parts) - length(replace(parts, ',', '')) + 1 as pieces,
        cast(sum(weight) as bigint) as weight
    from kinds
    group by tool_id, parts
),
places as (
    select 1 as place union all select 2 as place union all select 3 as place union all select 4 as place
    union all select 5 as place union all select 6 as place union all select 7 as place union all select 8 as place
    union all select 9 as place union all select 10 as place union all select 11 as place union all select 12 as place
    union all select 13 as place union all select 14 as place union all select 15 as place union all select 16 as place
    union all select 17 as place
),
pieces as (
    select
        texts.tool_id as tool_id,
        texts.parts as parts,
        texts.weight as weight,
        split_part(texts.parts, ',', places.place) as piece
    from texts
    cross join places
    where places.place <= texts.pieces
),
spoken as (
    select
        tool_id, parts, weight,
        replace(split_part(piece, ':', 1), '"', '') as argument,
        replace(split_part(piece, ':', 2), '"', '') as word
    from pieces
),
words as (
    select
        tool_id, argument, word, substr(word, 1, 1) as type,
        strpos('0123456789abcdefghijklmnopqrstuvwxyz', substr(word, 2, 1)) - 1 as size,
        case
            when substr(word, 1, 1) = 'n' then -1
            else strpos('0123456789abcdefghijklmnopqrstuvwxyz', substr(word, 3, 1)) - 1
        end as variety,
        substr(word, case when substr(word, 1, 1) = 'n' then 3 else 4 end) as letters,
        cast(sum(weight) as bigint) as weight
    from spoken
    where word <> ''
    group by tool_id, argument, word
),
arguments as (
    select
        tool_id, argument, cast(sum(weight) as bigint) as seen,
        cast(
            sum(sum(weight)) over (
                partition by tool_id order by sum(weight)
                range between unbounded preceding and current row
            ) as bigint
        ) as as_rare
    from words
    where argument <> ''
    group by tool_id, argument
),
types as (
    select
        tool_id, argument, type, cast(sum(weight) as bigint) as seen,
        cast(
            sum(sum(weight)) over (
                partition by tool_id, argument order by sum(weight)
                range between unbounded preceding and current row
            ) as bigint
        ) as as_rare,
        cast(sum(sum(weight)) over (partition by tool_id, argument) as bigint) as of_all,
        row_number() over (partition by tool_id, argument order by sum(weight) desc, type) as place
    from words
    group by tool_id, argument, type
),
measured as (
    select tool_id, argument, type, 'size' as kind, size as step, weight
    from words
    where size >= 0
    union all
    select tool_id, argument, type, 'variety' as kind, variety as step, weight
    from words
    where variety >= 0
    union all
    select tool_id, '' as argument, 'c' as type, 'bytes' as kind, bytes_step as step, weight
    from kinds
),
steps as (
    select
        tool_id, argument, type, kind, step, cast(sum(weight) as bigint) as seen,
        cast(
            sum(sum(weight)) over (
                partition by tool_id, argument, type, kind order by step
                range between 1 preceding and 1 following
            ) as bigint
        ) as near,
        cast(sum(sum(weight)) over (partition by tool_id, argument, type, kind) as bigint) as of_all
    from measured
    group by tool_id, argument, type, kind, step
),
neighbours as (
    select
        tool_id, argument, type, kind, step, seen, near, of_all,
        cast(
            sum(seen) over (
                partition by tool_id, argument, type, kind order by near
                range between unbounded preceding and current row
            ) as bigint
        ) as as_rare,
        max(case when near * 100 >= of_all and near > 0 then step end) over (
            partition by tool_id, argument, type, kind order by step
            rows between unbounded preceding and 1 preceding
        ) as below,
        min(case when near * 100 >= of_all and near > 0 then step end) over (
            partition by tool_id, argument, type, kind order by step
            rows between 1 following and unbounded following
        ) as above
    from steps
),
-- Steps that lie two or more from all that are common: those of one call in a hundred, their neighbours with them.
far_steps as (
    select
        tool_id, argument, type, kind, step, seen, of_all,
        case when as_rare < near then near else as_rare end as rare,
        case
            when above is null or step - below < above - step then step - below
            else above - step
        end - 2 as far,
        case when above is null then '>' else '<' end as side
    from neighbours
    where near * 100 < of_all + 100
        and coalesce(step - below, 99) > 1
        and coalesce(above - step, 99) > 1
        and (above is not null or below is not null)
),
-- telling: seldom in honest arguments of any length.
letters as (
    select '#' as letter, 'flag' as kind, 100 as allowance, 'a key that the tool does not declare' as named
    union all
    select 'C' as letter, 'flag' as kind, 100 as allowance, 'control characters' as named
    union all
    select 'D' as letter, 'flag' as kind, 100 as allowance, 'a path that climbs (../)' as named
    union all
    select 'I' as letter, 'flag' as kind, 100 as allowance, 'invisible characters' as named
    union all
    select 'M' as letter, 'flag' as kind, 100 as allowance, 'chat or script markup' as named
    union all
    select 'N' as letter, 'flag' as kind, 100 as allowance, 'a null byte' as named
    union all
    select 'O' as letter, 'flag' as kind, 100 as allowance, 'orders to a model' as named
    union all
    select 'Q' as letter, 'flag' as kind, 100 as allowance, 'a piece of SQL' as named
    union all
    select 'L' as letter, 'flag' as kind, 400 as allowance, 'a long encoded run' as named
    union all
    select 'S' as letter, 'flag' as kind, 400 as allowance, 'a shell command' as named
    union all
    select 'T' as letter, 'flag' as kind, 400 as allowance, 'a template expression' as named
    union all
    select 'U' as letter, 'flag' as kind, 400 as allowance, 'a URL' as named
    union all
    select 'a' as letter, 'class' as kind, 300 as allowance, 'small letters' as named
    union all
    select 'b' as letter, 'class' as kind, 300 as allowance, 'brackets' as named
    union all
    select 'c' as letter, 'class' as kind, 300 as allowance, 'colons, ! or ?' as named
    union all
    select 'd' as letter, 'class' as kind, 300 as allowance, 'digits' as named
    union all
    select 'e' as letter, 'class' as kind, 300 as allowance, 'an @' as named
    union all
    select 'f' as letter, 'class' as kind, 300 as allowance, 'full-width or private characters' as named
    union all
    select 'g' as letter, 'class' as kind, 300 as allowance, 'Greek or Cyrillic letters' as named
    union all
    select 'h' as letter, 'class' as kind, 300 as allowance, 'letters of South Asia and others' as named
    union all
    select 'i' as letter, 'class' as kind, 300 as allowance, 'hyphens or underscores' as named
    union all
    select 'j' as letter, 'class' as kind, 300 as allowance, 'Chinese, Japanese or Korean letters' as named
    union all
    select 'k' as letter, 'class' as kind, 300 as allowance, 'control characters' as named
    union all
    select 'l' as letter, 'class' as kind, 300 as allowance, 'capital letters' as named
    union all
    select 'm' as letter, 'class' as kind, 300 as allowance, 'signs like # % * + =' as named
    union all
    select 'n' as letter, 'class' as kind, 300 as allowance, 'line breaks or tabs' as named
    union all
    select 'o' as letter, 'class' as kind, 300 as allowance, 'emoji and the like' as named
    union all
    select 'p' as letter, 'class' as kind, 300 as allowance, 'slashes' as named
    union all
    select 'q' as letter, 'class' as kind, 300 as allowance, 'quotes' as named
    union all
    select 'r' as letter, 'class' as kind, 300 as allowance, 'Hebrew or Arabic letters' as named
    union all
    select 's' as letter, 'class' as kind, 300 as allowance, 'signs of a shell (; | & $ `)' as named
    union all
    select 't' as letter, 'class' as kind, 300 as allowance, 'dots or commas' as named
    union all
    select 'u' as letter, 'class' as kind, 300 as allowance, 'accented letters' as named
    union all
    select 'w' as letter, 'class' as kind, 300 as allowance, 'blanks' as named
    union all
    select 'y' as letter, 'class' as kind, 300 as allowance, 'typographic signs' as named
    union all
    select '+' as letter, 'class' as kind, 300 as allowance, 'a number that is not negative' as named
    union all
    select '-' as letter, 'class' as kind, 300 as allowance, 'a negative number' as named
),
lettered as (
    select
        words.tool_id as tool_id,
        words.argument as argument,
        words.word as word,
        case when letters.kind = 'flag' then '' else words.type end as type,
        words.weight as weight,
        letters.letter as letter,
        letters.kind as kind,
        letters.allowance as allowance,
        case when words.type = 'n' and letters.letter = 't' then 'a fraction' else letters.named end as named
    from words
    inner join letters on strpos(words.letters, letters.letter) > 0
),
marks as (
    select
        tool_id, argument, type, letter, kind, cast(sum(weight) as bigint) as seen,
        cast(
            sum(sum(weight)) over (
                partition by tool_id, argument, type, kind order by sum(weight)
                range between unbounded preceding and current row
            ) as bigint
        ) as as_rare
    from lettered
    group by tool_id, argument, type, letter, kind
),
-- Characters are held against values of the same type, flags against all.
totals as (
    select tool_id, argument, type, seen as total
    from types
    union all
    select tool_id, argument, '' as type, of_all as total
    from types
    where place = 1
),
type_names as (
    select 's' as type, 'a text' as named, 'texts' as others
    union all
    select 'n' as type, 'a number' as named, 'numbers' as others
    union all
    select 'b' as type, 'a boolean' as named, 'booleans' as others
    union all
    select 'z' as type, 'null' as named, 'null' as others
    union all
    select 'l' as type, 'a list' as named, 'lists' as others
    union all
    select 'o' as type, 'an object' as named, 'objects' as others
    union all
    select 'x' as type, 'a value that cannot be read' as named, 'values that cannot be read' as others
),
-- In how many of how many usual calls each part of a word is found; `rare` of them are as rare.
seen_words as (
    select
        types.tool_id as tool_id,
        types.argument as argument,
        words.word as word,
        'type' as kind,
        '' as letter,
        200 as allowance,
        types.seen as seen,
        types.as_rare as rare,
        types.of_all as of_all,
        0 as far,
        type_names.named || ' where most are ' || usual_names.others as phrase
    from types
    inner join words
        on words.tool_id = types.tool_id
        and words.argument = types.argument
        and words.type = types.type
    inner join types as usual_types
        on usual_types.tool_id = types.tool_id
        and usual_types.argument = types.argument
        and usual_types.place = 1
    inner join type_names on type_names.type = types.type
    inner join type_names as usual_names on usual_names.type = usual_types.type
    where types.place > 1 and types.type <> 'z'
    union all
    select
        arguments.tool_id as tool_id,
        arguments.argument as argument,
        words.word as word,
        'argument' as kind,
        '' as letter,
        400 as allowance,
        arguments.seen as seen,
        case when arguments.as_rare > judged_tools.usual then judged_tools.usual else arguments.as_rare end as rare,
        judged_tools.usual as of_all,
        0 as far,
        'an argument' as phrase
    from arguments
    inner join judged_tools
        on judged_tools.tool_id = arguments.tool_id
    inner join words
        on words.tool_id = arguments.tool_id
        and words.argument = arguments.argument
    where arguments.as_rare * 16 < judged_tools.usual
    union all
    select
        far_steps.tool_id as tool_id,
        far_steps.argument as argument,
        words.word as word,
        far_steps.kind as kind,
        far_steps.side as letter,
        case when far_steps.kind = 'size' then 300 else 500 end as allowance,
        far_steps.seen as seen,
        far_steps.rare as rare,
        far_steps.of_all as of_all,
        far_steps.far as far,
        case
            when far_steps.kind = 'variety' and far_steps.type = 's' then 'a text as varied as'
            when far_steps.step = 0 and far_steps.type <> 'n' then 'nothing in it, as'
            else
                case
                    when far_steps.kind = 'variety' then 'its longest text of '
                    else ''
                end
                || case
                    when far_steps.type = 'n' and far_steps.step = 0 then '0'
                    when far_steps.type = 'n'
                        then cast(cast(power(2, 2 * far_steps.step + 2) as bigint) as varchar)
                    else cast(cast(power(2, far_steps.step - 1) as bigint) as varchar)
                end
                || ' to '
                || case
                    when far_steps.step = 35 then 'any number'
                    when far_steps.type = 'n'
                        then cast(cast(power(2, 2 * far_steps.step + 4) as bigint) - 1 as varchar)
                    else cast(cast(power(2, far_steps.step) as bigint) - 1 as varchar)
                end
                || case
                    when far_steps.kind = 'variety' or far_steps.type = 's' then ' characters'
                    when far_steps.type = 'l' then ' items'
                    when far_steps.type = 'o' then ' members'
                    else ''
                end
        end as phrase
    from far_steps
    inner join words
        on words.tool_id = far_steps.tool_id
        and words.argument = far_steps.argument
        and words.type = far_steps.type
        and case when far_steps.kind = 'size' then words.size else words.variety end = far_steps.step
    where far_steps.kind <> 'bytes'
    union all
    select
        marks.tool_id as tool_id,
        marks.argument as argument,
        lettered.word as word,
        marks.kind as kind,
        marks.letter as letter,
        lettered.allowance as allowance,
        marks.seen as seen,
        case
            when marks.kind = 'flag' then marks.seen
            when marks.as_rare > totals.total then totals.total
            else marks.as_rare
        end as rare,
        totals.total as of_all,
        0 as far,
        lettered.named as phrase
    from marks
    inner join totals
        on totals.tool_id = marks.tool_id
        and totals.argument = marks.argument
        and totals.type = marks.type
    inner join lettered
        on lettered.tool_id = marks.tool_id
        and lettered.argument = marks.argument
        and lettered.type = marks.type
        and lettered.letter = marks.letter
    where marks.seen * 2 < totals.total + 2
),
-- Hundredths of a bit, whole numbers: sums come out the same in any order.
charged_words as (
    select
        seen_words.tool_id as tool_id,
        seen_words.argument as argument,
        seen_words.word as word,
        seen_words.kind as kind,
        seen_words.letter as letter,
        cast(
            floor(
                100 * log2(
                    cast(seen_words.of_all + judged_tools.is_before as double)
                    / nullif(cast(seen_words.rare + judged_tools.is_before as double), 0)
                ) + 0.5
            ) as bigint
        ) + 100 * seen_words.far - seen_words.allowance as charge,
        case when seen_words.argument = '' then '' else seen_words.argument || ': ' end
        || seen_words.phrase || ' in ' || cast(seen_words.seen as varchar) || ' of '
        || cast(seen_words.of_all as varchar) || judged_tools.calls_named as reason
    from seen_words
    inner join judged_tools
        on judged_tools.tool_id = seen_words.tool_id
),
-- Characters of several kinds come together: the most surprising kind stands for all.
odd_words as (
    select tool_id, argument, word, kind, letter, charge, reason
    from (
        select
            tool_id, argument, word, kind, letter, charge, reason,
            row_number() over (
                partition by tool_id, argument, word, kind, case when kind = 'flag' then letter else '' end
                order by charge desc, letter
            ) as place
        from charged_words
        where charge > 0
    ) as candidates
    where place = 1
),
odd_texts as (
    select
        spoken.tool_id as tool_id,
        spoken.parts as parts,
        odd_words.argument as argument,
        odd_words.kind as kind,
        odd_words.letter as letter,
        odd_words.charge as charge,
        odd_words.reason as reason
    from spoken
    inner join odd_words
        on odd_words.tool_id = spoken.tool_id
        and odd_words.argument = spoken.argument
        and odd_words.word = spoken.word
),
text_scores as (
    select tool_id, parts, cast(sum(charge) as bigint) as charge
    from odd_texts
    group by tool_id, parts
),
shapes as (
    select
        kinds.tool_id as tool_id,
        kinds.shape_key as shape_key,
        cast(sum(kinds.weight) as bigint) as seen,
        cast(
            sum(sum(kinds.weight)) over (
                partition by kinds.tool_id order by sum(kinds.weight)
                range between unbounded preceding and current row
            ) as bigint
        ) as as_rare
    from kinds
    group by kinds.tool_id, kinds.shape_key
),
odd_shapes as (
    select
        shapes.tool_id as tool_id,
        shapes.shape_key as shape_key,
        cast(
            floor(
                100 * log2(
                    cast(judged_tools.usual + judged_tools.is_before as double)
                    / nullif(cast(shapes.as_rare + judged_tools.is_before as double), 0)
                ) + 0.5
            ) as bigint
        ) - 400 as charge,
        'a shape seen in ' || cast(shapes.seen as varchar) || ' of ' || cast(judged_tools.usual as varchar)
        || judged_tools.calls_named as reason
    from shapes
    inner join judged_tools
        on judged_tools.tool_id = shapes.tool_id
),
odd_sizes as (
    select
        far_steps.tool_id as tool_id,
        far_steps.step as step,
        cast(
            floor(
                100 * log2(
                    cast(far_steps.of_all + judged_tools.is_before as double)
                    / nullif(cast(far_steps.rare + judged_tools.is_before as double), 0)
                ) + 0.5
            ) as bigint
        ) + 100 * far_steps.far - 600 as charge,
        cast(cast(power(2, far_steps.step - 1) as bigint) as varchar) || ' to '
        || cast(cast(power(2, far_steps.step) as bigint) - 1 as varchar) || ' bytes in '
        || cast(far_steps.seen as varchar) || ' of ' || cast(far_steps.of_all as varchar)
        || judged_tools.calls_named as reason
    from far_steps
    inner join judged_tools
        on judged_tools.tool_id = far_steps.tool_id
    where far_steps.kind = 'bytes' and far_steps.step > 10 and far_steps.side = '>'
),
scored as (
    select
        kinds.tool_id as tool_id,
        kinds.shape_key as shape_key,
        kinds.parts as parts,
        kinds.bytes_step as bytes_step,
        kinds.calls as calls,
        kinds.newest as newest,
        kinds.of_session as of_session,
        kinds.weight as weight,
        coalesce(text_scores.charge, 0)
        + case when odd_shapes.charge > 0 then odd_shapes.charge else 0 end
        + case when odd_sizes.charge > 0 then odd_sizes.charge else 0 end as score
    from kinds
    inner join odd_shapes
        on odd_shapes.tool_id = kinds.tool_id
        and odd_shapes.shape_key = kinds.shape_key
    left join text_scores
        on text_scores.tool_id = kinds.tool_id
        and text_scores.parts = kinds.parts
    left join odd_sizes
        on odd_sizes.tool_id = kinds.tool_id
        and odd_sizes.step = kinds.bytes_step
),
score_counts as (
    select
        tool_id, score,
        sum(sum(weight)) over (
            partition by tool_id order by score desc range between unbounded preceding and current row
        ) as so_far
    from scored
    where score > 0
    group by tool_id, score
),
usual_scores as (
    select
        judged_tools.tool_id as tool_id,
        max(
            case when score_counts.so_far > $few + $ratio * judged_tools.usual then score_counts.score end
        ) as usual_score
    from judged_tools
    inner join score_counts
        on score_counts.tool_id = judged_tools.tool_id
    group by judged_tools.tool_id
),
odd_groups as (
    select
        scored.tool_id as tool_id,
        scored.shape_key as shape_key,
        scored.parts as parts,
        scored.bytes_step as bytes_step,
        scored.calls as calls,
        scored.newest as newest,
        scored.of_session as of_session,
        scored.score - coalesce(usual_scores.usual_score, 0) as excess
    from scored
    inner join usual_scores
        on usual_scores.tool_id = scored.tool_id
    where scored.calls > 0 and scored.score - coalesce(usual_scores.usual_score, 0) >= 100 * $min_bits
),
reasons as (
    select
        odd_groups.tool_id as tool_id,
        odd_groups.shape_key as shape_key,
        odd_groups.parts as parts,
        odd_groups.bytes_step as bytes_step,
        odd_texts.argument as argument,
        odd_texts.kind as kind,
        odd_texts.letter as letter,
        odd_texts.charge as charge,
        odd_texts.reason as reason
    from odd_groups
    inner join odd_texts
        on odd_texts.tool_id = odd_groups.tool_id
        and odd_texts.parts = odd_groups.parts
    union all
    select
        odd_groups.tool_id as tool_id,
        odd_groups.shape_key as shape_key,
        odd_groups.parts as parts,
        odd_groups.bytes_step as bytes_step,
        '' as argument,
        'shape' as kind,
        '' as letter,
        odd_shapes.charge as charge,
        odd_shapes.reason as reason
    from odd_groups
    inner join odd_shapes
        on odd_shapes.tool_id = odd_groups.tool_id
        and odd_shapes.shape_key = odd_groups.shape_key
    where odd_shapes.charge > 0
    union all
    select
        odd_groups.tool_id as tool_id,
        odd_groups.shape_key as shape_key,
        odd_groups.parts as parts,
        odd_groups.bytes_step as bytes_step,
        '' as argument,
        'bytes' as kind,
        '' as letter,
        odd_sizes.charge as charge,
        odd_sizes.reason as reason
    from odd_groups
    inner join odd_sizes
        on odd_sizes.tool_id = odd_groups.tool_id
        and odd_sizes.step = odd_groups.bytes_step
    where odd_sizes.charge > 0
),
ranked_reasons as (
    select
        tool_id, shape_key, parts, bytes_step, argument, kind, letter,
        reason || ', +' || cast(cast(floor(charge / 100) as bigint) as varchar) || ' bits' as reason,
        row_number() over (
            partition by tool_id, shape_key, parts, bytes_step
            order by charge desc, case when argument = '' then 1 else 0 end, argument, kind, letter
        ) as place
    from reasons
),
explained as (
    select
        tool_id, shape_key, parts, bytes_step,
        max(case when place = 1 then argument || ' ' || kind || ' ' || letter end) as lead,
        max(case when place = 1 then reason end)
        || coalesce(max(case when place = 2 then '; ' || reason end), '')
        || coalesce(max(case when place = 3 then '; ' || reason end), '')
        || case when max(place) > 3 then '; and ' || cast(max(place) - 3 as varchar) || ' more' else '' end as odd
    from ranked_reasons
    group by tool_id, shape_key, parts, bytes_step
),
-- What is unusual in the same way is one finding: its most surprising call tells why.
placed as (
    select
        odd_groups.tool_id as tool_id,
        odd_groups.shape_key as shape_key,
        explained.lead as lead,
        explained.odd as odd,
        odd_groups.excess as excess,
        odd_groups.calls as calls,
        odd_groups.newest as newest,
        odd_groups.of_session as of_session,
        row_number() over (
            partition by odd_groups.tool_id, odd_groups.shape_key, explained.lead
            order by odd_groups.excess desc, odd_groups.newest desc, odd_groups.parts, odd_groups.bytes_step
        ) as place
    from odd_groups
    inner join explained
        on explained.tool_id = odd_groups.tool_id
        and explained.shape_key = odd_groups.shape_key
        and explained.parts = odd_groups.parts
        and explained.bytes_step = odd_groups.bytes_step
    where $session is null or odd_groups.of_session = 1
),
findings as (
    select
        tool_id, shape_key, lead,
        max(case when place = 1 then odd end) as odd,
        max(excess) as excess,
        cast(sum(calls) as bigint) as odd_calls,
        max(newest) as newest
    from placed
    group by tool_id, shape_key, lead
),
used as (
    select
        tool_id, shape_key,
        max(args_shape) as args_shape,
        cast(sum(calls) as bigint) as calls,
        max(max_args_bytes) as max_args_bytes,
        max(case when calls > 0 then longest end) as max_longest,
        min(first_unix_nano) as first_unix_nano,
        max(last_unix_nano) as last_unix_nano,
        max(of_session) as of_session
    from parsed
    group by tool_id, shape_key
)
select
    tools.service_name as service_name,
    tools.tool as tool,
    findings.odd as odd,
    cast(findings.excess as double) / 100 as bits,
    coalesce(findings.odd_calls, 0) as odd_calls,
    nullif(substr(findings.newest, 20), '') as odd_session_id,
    used.args_shape as args_shape,
    used.calls as calls,
    used.calls / nullif(cast(tools.tool_calls as double), 0) as call_ratio,
    shape_sessions.sessions as sessions,
    used.max_args_bytes as max_args_bytes,
    used.max_longest as max_longest,
    used.first_unix_nano as first_unix_nano,
    used.last_unix_nano as last_unix_nano
from used
inner join tools on tools.tool_id = used.tool_id
inner join shape_sessions
    on shape_sessions.service_key = tools.service_key
    and shape_sessions.tool_key = tools.tool_key
    and shape_sessions.shape_key = used.shape_key
left join findings on findings.tool_id = used.tool_id and findings.shape_key = used.shape_key
where used.calls > 0 and ($session is null or used.of_session = 1)
order by
    findings.excess desc nulls last, findings.newest desc nulls last,
    used.calls desc, used.tool_id, used.shape_key, findings.lead
