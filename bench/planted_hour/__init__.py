"""An hour of scripted work with real servers and six planted problems: does `mcpobs report` point to all six?

    python -m bench.planted_hour LAKE CACHE [--minutes 6] [--seed 1] [--answers FILE] [--config FOLDER]

CACHE is the folder of `make interop`, which has server-filesystem, server-everything and mcp-server-git. Agents work
with them in about 40 sessions over a temporary folder of documents and a git repository, through `mcpobs instrument`.
The hour takes the given minutes: agents wait less between calls. LAKE must be new. FILE gets the planted problems and
lies beside LAKE's folder, not in it, so that a reader of the lake does not see it.
"""
