"""Decides which session an operation belongs to: known when it begins, settled when it ends. Pure."""
