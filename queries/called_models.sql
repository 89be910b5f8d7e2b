-- question: Which models of which providers did agents call?
-- kind:     step
-- reads:    llm_usage
-- columns:
--   provider  varchar  gen_ai.provider.name of the calls; empty where they do not tell it
--   model     varchar  the model; null where the calls do not tell it
select distinct provider, model
from llm_usage
order by provider, model nulls last
