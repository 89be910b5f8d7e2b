"""The linear model of injected instructions. Looks at wording alone and knows no pattern; off without the library in C."""

from mcpobs.detect.model.linear import missing, score

__all__ = ["missing", "score"]
