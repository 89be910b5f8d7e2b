"""What happens to an operation's row: the durable local spool, and OTLP where it is configured."""
