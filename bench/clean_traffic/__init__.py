"""Real servers and real documents through an inspecting wrapper: what is found where nobody attacks.

    python -m bench.clean_traffic CACHE [--calls 100000] [--texts FOLDER …] [--scanners PYTHON] [--seen FILE] [--write]

CACHE is the folder of `make interop`, which has server-filesystem, server-everything and mcp-server-git;
mcp-server-fetch is installed there. The documents are those of the packages in CACHE, of this environment, of
Python and of this project, and the files of the given folders. PYTHON is an interpreter that has glassport. FILE gets
a line for each distinct text with an injection finding; `classes.tsv` beside this file has a person's judgement of
them.
"""
