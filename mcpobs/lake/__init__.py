"""Owns the lake: a spool of fresh rows and a Delta table of Parquet, read as one. Imports nothing here: the wrapper
uses `backlog` without importing DuckDB."""
