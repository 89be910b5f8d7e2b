"""Receives OTLP and stores it durably in a lake."""
