"""The linear model of injected instructions. Judges wording without patterns. Off without its library in C."""

from mcpobs.detect.model.linear import missing, score

__all__ = ["missing", "score"]
