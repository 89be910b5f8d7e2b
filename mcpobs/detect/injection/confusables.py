"""Folds letters of other scripts and styled letters that look like Latin ones."""

from __future__ import annotations

import re

_PAIRS = {
    "a": "аɑαａ∂ӑạąàáâãäåāă", "b": "ЬƄьɓ", "c": "сϲⅽçćč", "d": "ԁɗđď", "e": "еҽєεéèêëēęəѐ", "f": "ƒғ", "g": "ɡցğ", "h": "һհнħ", "i": "іıɩιìíîïīӏǀ", "j": "јϳ",
    "k": "κкķ", "l": "ⅼłľḷ", "m": "мⅿṃ", "n": "ոпηñńňṇ", "o": "оοօσöóòôõøōọ᧐", "p": "рρþ", "q": "ԛզ", "r": "гɼřŕṛ", "s": "ѕꜱśšşș", "t": "тτţťțṭ", "u": "υսцüúùûūµ",
    "v": "ѵνⅴ", "w": "ԝωѡшẃ", "x": "хχ×ⅹ", "y": "уүγýÿ", "z": "ᴢźžż", "A": "АΑᎪÀÁÂÄ", "B": "ВΒᏴ", "C": "СϹᏟⅭ", "D": "ᎠⅮ", "E": "ЕΕᎬÉÈÊË", "F": "Ϝ", "G": "ԌᏀ", "H": "НΗᎻ",
    "I": "ІΙӀⅠ", "J": "ЈᎫ", "K": "КΚᏦ", "L": "ᏞⅬ", "M": "МΜᎷⅯ", "N": "ΝՆ", "O": "ОΟՕ", "P": "РΡᏢ", "Q": "Ԛ", "R": "ᎡᏒ", "S": "ЅՏᏚ", "T": "ТΤᎢ", "U": "Ս", "V": "ѴᏙⅤ",
    "W": "ԜᏔ", "X": "ХΧⅩ", "Y": "ҮΥ", "Z": "ΖᏃ",
}  # fmt: skip
_SMALL_CAPITALS = dict(zip("ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀᴛᴜᴠᴡʏᴢ", "abcdefghijklmnoprtuvwyz", strict=True))
_UPSIDE_DOWN = dict(zip("ɐɔǝɟƃɥᴉɾʞɯɹʇʌʍʎ", "acefghijkmrtvwy", strict=True))
_FOLDED = str.maketrans(
    {look: letter for letter, looks in _PAIRS.items() for look in looks} | _SMALL_CAPITALS | _UPSIDE_DOWN
    | {0x1F130 + place: letter for base in (0x1F130, 0x1F150, 0x1F170) for place, letter in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZ")}
    | {base + place: letter for base in (0x1F150, 0x1F170) for place, letter in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZ")}
)  # fmt: skip

_MIXED = re.compile(
    "[a-zA-Z][\u0370-\u03ff\u0400-\u052f\u0531-\u0587\u13a0-\u13ff\u0250-\u02af\u1d00-\u1d7f]|[\u0370-\u03ff\u0400-\u052f\u0531-\u0587\u13a0-\u13ff\u0250-\u02af\u1d00-\u1d7f][a-zA-Z]"
    "|[\ua730\u0262\u029c\u026a\u1d00-\u1d22\U0001f130-\U0001f189]"
)
FEWEST_MIXED = 2


def mixed(text: str) -> bool:
    """Whether words mix Latin letters with those of a script that has look-alikes."""
    found = _MIXED.finditer(text)
    return all(next(found, None) for _ in range(FEWEST_MIXED))


def folded(text: str) -> str:
    return text.translate(_FOLDED)
