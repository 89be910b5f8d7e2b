"""The codings that are undone, one level deep."""

from mcpobs.detect.injection.codings import bases, ciphers, escapes, spellings
from mcpobs.detect.injection.codings.coding import Coding

CODINGS: tuple[Coding, ...] = (*bases.CODINGS, *escapes.CODINGS, *ciphers.CODINGS, *spellings.CODINGS)
