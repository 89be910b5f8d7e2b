"""Puts masks in place of personal data and secrets by splicing bytes: every other byte of a message stays.

`masked` finds and masks in one step. A caller that finds itself uses `masks_of` (which places of which texts, and the
mask for each) and `edited` (writes them into the bytes).
"""

from mcpobs.protocol.masks.edits import Edit, edited
from mcpobs.protocol.masks.finder import Finder
from mcpobs.protocol.masks.masked import Masked, MaskedKind, masked
from mcpobs.protocol.masks.texts import Mask, masks_of

__all__ = ["Edit", "Finder", "Mask", "Masked", "MaskedKind", "edited", "masked", "masks_of"]
