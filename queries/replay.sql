-- question: What was asked of the servers, in the order in which it was asked, and how did it end?
-- kind:     step
-- reads:    operations
-- params:
--   since   bigint = 0                    start of the part to read, unix ns
--   until   bigint = 9223372036854775807  end of the part, unix ns, itself outside
--   server  varchar = null                this server only
-- columns:
--   start_unix_nano  bigint    when the request was read
--   sequence         bigint    place in its connection
--   duration_ns      bigint    until its response was read
--   kind             varchar   server: asked by the client · client: asked by the server
--   service_name     varchar   the MCP server
--   resource         varchar   names the recording process
--   method           varchar   MCP method
--   tool             varchar   gen_ai.tool.name
--   prompt           varchar   requested prompt
--   client_name      varchar   the client, as it calls itself
--   session_id       varchar   the session, reconstructed
--   enforcement_key  varchar   who calls
--   principal        varchar   verified caller
--   tenant           varchar   tenant of the verified caller
--   role             varchar   role of the verified caller
--   outcome          varchar   how the call ended
--   args_digest      varchar   keyed digest of the arguments
--   args_shape       varchar   keys and types of the arguments
--   args_bytes       bigint    size of the arguments
--   args_features    varchar   what kind of values the arguments had
--   result_bytes     bigint    size of the result; null if the call was denied before the server saw it
--   cost_microusd    bigint    recorded cost
--   cost_source      varchar   parts of that cost; null if the tool had no price when it was recorded
--   policy_hash      varchar   policy in force when it was recorded
--   policy_retry     boolean   a retry that a result asked for
--   rule_verdicts    varchar   whether rules on content held, by rule@text
select
    start_unix_nano,
    sequence,
    duration_ns,
    kind,
    service_name,
    resource,
    method,
    tool,
    prompt,
    client_name,
    session_id,
    enforcement_key,
    principal,
    tenant,
    role,
    outcome,
    args_digest,
    args_shape,
    args_bytes,
    args_features,
    result_bytes,
    cost_microusd,
    cost_source,
    policy_hash,
    policy_retry,
    rule_verdicts
from operations
where session_id is not null
    and start_unix_nano >= $since
    and start_unix_nano < $until
    and ($server is null or service_name = $server)
order by start_unix_nano, sequence nulls last, span_id, trace_id
