-- question: Which calls did a policy have to decide, by what its rules can tell apart?
-- kind:     step
-- reads:    operations
-- params:
--   since  bigint = 0                    start of the window, unix ns
--   until  bigint = 9223372036854775807  end of the window, unix ns, itself outside
--   most   bigint = 100000               rows at most: the largest
-- columns:
--   method         varchar  MCP method
--   target         varchar  the tool or prompt; of a resource only the scheme is recorded
--   service_name   varchar  the MCP server
--   client_name    varchar  clientInfo.name
--   principal      varchar  verified caller
--   tenant         varchar  its tenant
--   role           varchar  its role
--   rule_verdicts  varchar  whether rules on content held, by rule@text
--   calls          bigint   how many
--   answered       bigint   those among them that came back with success, a question or a task
select
    method,
    coalesce(tool, prompt, resource_uri) as target,
    service_name,
    client_name,
    principal,
    tenant,
    role,
    rule_verdicts,
    count(*) as calls,
    count(case when outcome in ('ok', 'input_required', 'task') then 1 end) as answered
from operations
where kind = 'server'
    and method in ('tools/call', 'prompts/get', 'resources/read')
    and start_unix_nano >= $since
    and start_unix_nano < $until
group by
    method, coalesce(tool, prompt, resource_uri), service_name, client_name, principal, tenant, role, rule_verdicts
order by
    calls desc, method, target nulls last, service_name nulls last, client_name nulls last, principal nulls last,
    tenant nulls last, role nulls last, rule_verdicts nulls last
limit $most
