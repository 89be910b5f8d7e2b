"""Puts masks in place of personal data and secrets by splicing bytes: every other byte of a message stays.

`masked` finds and masks in one step; `masks_of` only says what to write in which places of which texts.
"""

from mcpobs.protocol.masks.finder import Finder
from mcpobs.protocol.masks.masked import Masked, MaskedKind, masked
from mcpobs.protocol.masks.texts import Mask, masks_of

__all__ = ["Finder", "Mask", "Masked", "MaskedKind", "masked", "masks_of"]
