"""Finds personal data and secrets: candidates by linear patterns, then validation. Keeps and logs no value."""

from mcpobs.detect.personal.found import GROUPS, KINDS, PERSONAL, SECRETS, Found, expanded
from mcpobs.detect.personal.scrub import scrub
from mcpobs.detect.personal.search import find

__all__ = ["GROUPS", "KINDS", "PERSONAL", "SECRETS", "Found", "expanded", "find", "scrub"]
