"""Owns the optional OTLP decoder in C: its source, its loader and their documentation (README.md)."""
