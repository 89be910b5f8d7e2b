-- question: What is recorded of a decision, of all of a session, or of those of a caller before a moment?
-- kind:     step
-- reads:    operations
-- params:
--   decision  varchar = null                the beginning of a decision's id
--   session   varchar = null                all decisions of this session
--   key       varchar = null                denials of this caller but for those of a halt
--   until     bigint = 9223372036854775807  before this moment, unix ns
--   most      bigint = 200                  rows at most: the newest
-- columns:
--   start_unix_nano  bigint   when the call began
--   decision         varchar  deny or warn
--   code             varchar  why it was denied
--   rules            varchar  ids of the rules and limits that decided, as JSON
--   shadow_code      varchar  why rules in log_only would have denied it
--   shadow_rules     varchar  ids of those, as JSON
--   counters         varchar  the limits that counted it, as JSON: [before, after, most]
--   findings         varchar  what inspectors found, as JSON
--   verdicts         varchar  whether rules on content held, as JSON
--   target           varchar  the tool or prompt, else the method
--   tool             varchar  gen_ai.tool.name
--   method           varchar  MCP method
--   session_id       varchar  the session
--   service_name     varchar  the MCP server
--   enforcement_key  varchar  the caller's key
--   enforcement_source  varchar  kind of that key
--   principal        varchar  verified caller
--   tenant           varchar  its tenant
--   role             varchar  its role
--   client_name      varchar  clientInfo.name
--   decision_id      varchar  names the decision
--   policy_mode      varchar  enforce or log_only
--   policy_hash      varchar  the text of the policy
--   degraded         boolean  decided by on_error
--   args_bytes       bigint   size of the arguments
--   args_shape       varchar  keys and types of the arguments
--   args_digest      varchar  keyed digest of the arguments
--   outcome          varchar  how the call ended
--   trace_id         varchar  trace of the call
--   span_id          varchar  its span
select
    start_unix_nano,
    case when outcome = 'denied' then 'deny' else decision end as decision,
    case when decision = 'deny' or outcome = 'denied' then coalesce(decision_code, error_type) end as code,
    coalesce(rules, '["' || rule || '"]') as rules,
    shadow_code,
    shadow_rules,
    policy_counters as counters,
    findings,
    rule_verdicts as verdicts,
    coalesce(tool, prompt, method) as target,
    tool,
    method,
    session_id,
    service_name,
    enforcement_key,
    enforcement_source,
    principal,
    tenant,
    role,
    client_name,
    decision_id,
    policy_mode,
    policy_hash,
    coalesce(policy_degraded, false) as degraded,
    args_bytes,
    args_shape,
    args_digest,
    outcome,
    trace_id,
    span_id
from operations
where (decision in ('deny', 'warn') or outcome = 'denied')
    and start_unix_nano < $until
    and (
        ($decision is not null and starts_with(coalesce(decision_id, ''), $decision))
        or ($session is not null and session_id = $session)
        or (
            $key is not null
            and enforcement_key = $key
            and (decision = 'deny' or outcome = 'denied')
            and coalesce(decision_code, '') <> 'halted'
        )
    )
order by start_unix_nano desc, sequence desc nulls last, span_id, trace_id
limit $most
