-- question: Which tools did clients call, and how did each call end?
-- kind:     view
-- reads:    operations
-- columns:
--   operations.*
select
    operations.*
from operations
where method = 'tools/call' and kind = 'server'
