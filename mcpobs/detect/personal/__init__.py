"""Finds personal data and secrets: candidates by linear patterns, then validation. Keeps and logs no value."""

from mcpobs.detect.personal.fields import Fields
from mcpobs.detect.personal.found import GROUPS, KINDS, PERSONAL, SECRETS, Found, expanded
from mcpobs.detect.personal.page import Entry
from mcpobs.detect.personal.scrub import scrub
from mcpobs.detect.personal.search import find, find_each

__all__ = [
    "GROUPS",
    "KINDS",
    "PERSONAL",
    "SECRETS",
    "Entry",
    "Fields",
    "Found",
    "expanded",
    "find",
    "find_each",
    "scrub",
]
