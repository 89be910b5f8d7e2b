"""Folds letters of other scripts and styled letters that look like Latin ones."""

from __future__ import annotations

import re
import unicodedata
from string import ascii_uppercase

from mcpobs.detect.injection.regex import compiled

_PAIRS = {
    "a": "аɑαａ∂ӑạąàáâãäåāă",
    "b": "ЬƄьɓ",
    "c": "сϲⅽçćč",
    "d": "ԁɗđď",
    "e": "еҽєεéèêëēęəѐ",
    "f": "ƒғ",
    "g": "ɡցğ",
    "h": "һհнħ",
    "i": "іıɩìíîïīӏǀ",
    "j": "јϳ",
    "k": "κкķ",
    "|": "ι",
    "l": "ⅼłľḷ",
    "m": "мⅿṃ",
    "n": "ոпηñńňṇ",
    "o": "оοօσöóòôõøōọ᧐",
    "p": "рρþ",
    "q": "ԛզ",
    "r": "гɼřŕṛ",
    "s": "ѕꜱśšşș",
    "t": "тτţťțṭ",
    "u": "υսцüúùûūµ",
    "v": "ѵνⅴ",
    "w": "ԝωѡшẃ",
    "x": "хχ×ⅹ",
    "y": "уүγýÿ",
    "z": "ᴢźžż",
    "A": "АΑᎪÀÁÂÄ",
    "B": "ВΒᏴ",
    "C": "СϹᏟⅭ",
    "D": "ᎠⅮ",
    "E": "ЕΕᎬÉÈÊË",
    "F": "Ϝ",
    "G": "ԌᏀ",
    "H": "НΗᎻ",
    "I": "ІΙӀⅠ",
    "J": "ЈᎫ",
    "K": "КΚᏦ",
    "L": "ᏞⅬ",
    "M": "МΜᎷⅯ",
    "N": "ΝՆ",
    "O": "ОΟՕ",
    "P": "РΡᏢ",
    "Q": "Ԛ",
    "R": "ᎡᏒ",
    "S": "ЅՏᏚ",
    "T": "ТΤᎢ",
    "U": "Ս",
    "V": "ѴᏙⅤ",
    "W": "ԜᏔ",
    "X": "ХΧⅩ",
    "Y": "ҮΥ",
    "Z": "ΖᏃ",
}
_SMALL_CAPITALS = dict(zip("ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀᴛᴜᴠᴡʏᴢ", "abcdefghijklmnoprtuvwyz", strict=True))
_UPSIDE_DOWN = dict(zip("ɐɔǝɟƃɥᴉɾʞɯɹʇʌʍʎ", "acefghijkmrtvwy", strict=True))
_TILES = {base + place: letter for base in (0x1F130, 0x1F150, 0x1F170) for place, letter in enumerate(ascii_uppercase)}
_FOLDED = (
    str.maketrans({look: letter for letter, looks in _PAIRS.items() for look in looks} | _SMALL_CAPITALS | _UPSIDE_DOWN)
    | _TILES
)

_LOOKS = "".join(
    chr(each) for each in _FOLDED if each > 0x7F and not 0x1D00 <= each <= 0x1D7F and not 0x250 <= each <= 0x2AF
)
_FOREIGN = "".join(
    look
    for look in _LOOKS
    if not unicodedata.name(look, "").startswith(("LATIN", "MULTIPLICATION", "MICRO", "PARTIAL"))
)
_MIXED = re.compile(f"[a-zA-Z][{_FOREIGN}]|[{_FOREIGN}][a-zA-Z]")
_WORD = re.compile(f"[a-zA-Z{_FOREIGN}]+")
_ANY_MIXED = compiled(_MIXED.pattern)
_ANY_STYLED = compiled("[\ua730\u0262\u029c\u026a\u1d00-\u1d22]{3}|[\U0001f130-\U0001f189]{3}")
_ANY_LOOK = compiled(f"[{_FOREIGN}\ua730\u0262\u029c\u026a\u1d00-\u1d22\U0001f130-\U0001f189]")
_ASCII = bytes(range(128))
SHORTEST_WORD = 3


def mixed(text: str, data: bytes) -> bool:
    """Whether a word mixes Latin letters with look-alikes, or is written in small capitals or tiles. `data` is the
    text in UTF-8."""
    foreign = data.translate(None, _ASCII)
    if not _ANY_LOOK.search(foreign):
        return False
    if _ANY_STYLED.search(data):
        return True
    if not _ANY_MIXED.search(data):  # RE2 needs a hundredth of the time that `re` does
        return False
    return any(_is_mixed(word) for found in _MIXED.finditer(text) for word in _WORD.findall(_around(text, found)))


def _around(text: str, found: re.Match[str]) -> str:
    return text[max(0, found.start() - 20) : found.end() + 20]


def _is_mixed(word: str) -> bool:
    plain = sum(each.isascii() for each in word)
    return len(word) >= SHORTEST_WORD and 0 < plain < len(word)


def latin(text: str) -> str:
    return text.translate(_FOLDED)
