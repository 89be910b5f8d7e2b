"""The lake: a spool of fresh rows and a Delta table of Parquet, seen as one. Imports nothing here: the wrapper
asks `backlog` without paying for DuckDB."""
