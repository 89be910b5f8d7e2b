"""Puts masks in place of personal data and secrets by splicing bytes: every other byte of a message stays.

`masked` finds and masks in one step; `masks_of` only returns the masks and their places.
"""

from mcpobs.protocol.masks.finder import Finder
from mcpobs.protocol.masks.masked import Masked, MaskedKind, masked
from mcpobs.protocol.masks.texts import Mask, masks_of

__all__ = ["Finder", "Mask", "Masked", "MaskedKind", "masked", "masks_of"]
