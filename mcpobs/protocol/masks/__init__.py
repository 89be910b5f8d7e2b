"""Puts masks in place of personal data and secrets by splicing bytes: every other byte of a message stays.

`masked` finds and masks in one step; `masks_with` only says what to write in which places of which texts.
"""

from mcpobs.protocol.masks.finder import Finder, keyed
from mcpobs.protocol.masks.masked import Masked, MaskedKind, masked
from mcpobs.protocol.masks.texts import Datum, Mask, masks_with

__all__ = ["Datum", "Finder", "Mask", "Masked", "MaskedKind", "keyed", "masked", "masks_with"]
