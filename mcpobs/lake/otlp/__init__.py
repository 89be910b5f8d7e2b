"""Decodes OTLP trace requests into columns, without interpreting the spans."""
