"""OTLP in, a durable lake behind it."""
