"""A Result for people and for machines: table, JSON, CSV, Markdown. Does no I/O of its own."""
