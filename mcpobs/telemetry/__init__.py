"""Delivers an operation's row: to the durable local spool, and by OTLP if configured."""
