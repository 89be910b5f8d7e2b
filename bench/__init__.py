"""Benchmarks. Run by hand or by `make bench`; each prints a table and `python -m bench` writes bench/RESULTS.md.

A time is a ratio against a rival or a control in the same run: the median of interleaved rounds.
"""
