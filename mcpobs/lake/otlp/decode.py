"""The door to the decoders of OTLP trace requests. Which columns they make is said in `columns.py`.

`decode.c` decodes where it could be compiled, `plain.py` elsewhere; both take and refuse the same requests and give the
same values. MCPOBS_OTLP_DECODER=native or plain forces one.
"""

from __future__ import annotations

from mcpobs.lake.otlp.json_request import from_json
from mcpobs.lake.otlp.native import Native
from mcpobs.lake.otlp.request import Checked, MalformedError

NATIVE = True
_decoder = Native()
check = _decoder.check
decode = _decoder.decode

__all__ = ["NATIVE", "Checked", "MalformedError", "check", "decode", "from_json"]
