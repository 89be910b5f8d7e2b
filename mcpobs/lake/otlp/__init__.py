"""OTLP trace requests as columns: what a span says, before anybody asks what it means."""
