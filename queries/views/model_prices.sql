-- question: What does a model take for its tokens?
-- kind:     view
-- reads:    spans
-- columns:
--   provider               varchar  gen_ai.provider.name of the calls; empty where they do not tell it
--   model                  varchar  the model, as the calls name it
--   above_tokens           bigint   for calls with more tokens of input than that
--   upto_tokens            bigint   and at most so many
--   input_microusd         bigint   millionths of a US dollar for a million tokens of input
--   cache_read_microusd    bigint   the same of those that came from a cache
--   cache_write_microusd   bigint   the same of those that went into one
--   output_microusd        bigint   the same of tokens of output

-- Empty as it stands: mcpobs/queries/pricing.py puts the prices of genai-prices here, of the models that were called.
select
    service_name as provider,
    name as model,
    start_unix_nano as above_tokens,
    start_unix_nano as upto_tokens,
    duration_ns as input_microusd,
    duration_ns as cache_read_microusd,
    duration_ns as cache_write_microusd,
    duration_ns as output_microusd
from spans
where trace_id is null
