"""Whether a text speaks to a model as one who gives orders: `ignore all previous instructions`, `you are now`.

Works on words by tables: no pattern, so nothing that could backtrack. A hint and no verdict: documents that quote
such phrases hold them too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

MIN_LENGTH = 16  # no shorter text was found to hold an order; a Chinese one may
MAX_WIDE, _WIDE_TAIL = 16_384, 2_048  # characters of a text beyond ASCII that are looked at, from its ends
MAX_TRIGGERS = 64  # words that are looked at more closely

_LETTERS = bytes(byte | 0x20 if 0x41 <= byte <= 0x5A else byte if 0x61 <= byte <= 0x7A else 0x20 for byte in range(256))
_WORD = re.compile(r"[^\W\d_]{1,64}")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_OVERRIDE = _words(
    "ignore ignoring disregard disregarding forget forgetting override overriding bypass bypassing overlook neglect "
    "ignorez ignorer oublie oubliez ignoriere ignorieren ignoriert vergiss vergessen missachte ignora ignorar olvida "
    "olvide olvidar ignorare dimentica dimenticate esqueça esqueca desconsidere negeer vergeet zignoruj zapomnij "
    "игнорируй игнорируйте игнорировать забудь забудьте yoksay unut تجاهل تجاهلوا"
)
_ORDERS = _words(
    "instruction instructions prompt prompts rules guidelines directives directive directions orders commands policies "
    "restrictions constraints safeguards programming "
    "consignes règles anweisungen anweisung regeln vorgaben instrucciones instrucción reglas istruzioni regole "
    "instruções instrucoes regras instructies regels instrukcje polecenia инструкции инструкций указания правила "
    "talimatları talimatlar التعليمات"
)
_EARLIER = _words(
    "previous prior above preceding earlier everything foregoing aforementioned former "
    "précédentes précédents précédente vorherigen vorigen bisherigen anteriores anterior precedenti vorige poprzednie "
    "предыдущие предыдущих önceki السابقة"
)
_TELL = _words("reveal repeat print output show display leak disclose share recite expose tell give provide summarize")
_HIDDEN = _words("prompt instructions instruction guidelines rules directives configuration")
_YOUR = _words("your system initial original hidden internal secret confidential")
_BE = _words("are must will shall should have can")
_CONCEAL = _words("tell mention reveal inform notify alert disclose say")
_USER = _words("user users anyone human customer")
_NOT = _words("not never without don dont")

_PAIRS: dict[str, frozenset[str]] = {
    "system": _words("prompt prompts override message instruction instructions note directive"),
    "developer": _words("mode message instructions"),
    "debug": _words("mode"),
    "god": _words("mode"),
    "new": _words("instruction instructions directive directives orders persona"),
    "updated": _words("instructions directives"),
    "important": _words("message instruction instructions"),
    "urgent": _words("instruction instructions message"),
    "neue": _words("anweisungen anweisung"),
    "nuevas": _words("instrucciones"),
    "nouvelles": _words("instructions consignes"),
    "nuove": _words("istruzioni"),
    "novas": _words("instruções instrucoes"),
    "hidden": _words("instruction instructions prompt"),
    "secret": _words("instruction instructions prompt"),
    "attention": _words("ai assistant model agent llm"),
    "dear": _words("ai assistant model llm"),
    "note": _words("ai assistant llm"),
    "act": _words("as"),
    "roleplay": _words("as"),
    "pretend": _words("to you that"),
    "unrestricted": _words("ai mode assistant"),
    "jailbreak": _words("mode prompt"),
}
"""A word, and those that make an order of it where they follow at once or after one other."""

_IDEOGRAPHS = (
    "忽略", "無視", "无视", "忘记", "忘掉", "忘れ", "무시", "잊어", "系统提示", "システムプロンプト", "시스템 프롬프트",
)  # fmt: skip
"""Orders in scripts that put no space between words."""
_IDEOGRAPHS_OF_ORDERS = (
    "指示",
    "指令",
    "命令",
    "规则",
    "提示",
    "ルール",
    "지시",
    "명령",
    "지침",
    "プロンプト",
    "프롬프트",
)

_TRIGGERS = _OVERRIDE | _TELL | _NOT | frozenset(_PAIRS) | _words("you now your assistant admin instructions")
_TRIGGERS_UTF8 = frozenset(word.encode() for word in _TRIGGERS)
_ARTICLES = _words("an a the dan")
_NEW = _words("task role instructions goal name")
_ROLE = re.compile(
    r"(?:^|\n)[ \t>*]{0,8}+(?:#{0,6}+ ?\[?(?:system|assistant|admin)\]? ?:|#{1,6}+ ?instructions? ?:)"
    r"|</?(?:system|assistant|important|instructions?|admin|information)>",
    re.IGNORECASE,
)


def gives_orders(text: str) -> bool:
    """Whether a text of letters and spaces holds such a phrase, or the marks of a role."""
    if text.isascii():
        raw = text.encode().translate(_LETTERS).split()
        if _TRIGGERS_UTF8.isdisjoint(raw):
            return False
        found = _any_phrase(raw)
    else:
        if len(text) > MAX_WIDE:  # words of all scripts cost four times those of ASCII
            text = text[: MAX_WIDE - _WIDE_TAIL] + "\n" + text[-_WIDE_TAIL:]
        low = text.lower()
        if any(word in low for word in _IDEOGRAPHS) and any(word in low for word in _IDEOGRAPHS_OF_ORDERS):
            return True
        if len(text) < MIN_LENGTH or len(low.split(None, 1)) < 2:
            return False
        words = _WORD.findall(low)
        if _TRIGGERS.isdisjoint(words):
            return False
        found = _any_phrase([word.encode() for word in words])
    return found or ((":" in text or ">" in text) and _ROLE.search(text) is not None)


def _any_phrase(words: Sequence[bytes]) -> bool:
    left = MAX_TRIGGERS
    for at, word in enumerate(words):
        if word in _TRIGGERS_UTF8:
            after = [one.decode() for one in words[at + 1 : at + 10]]
            if _is_phrase(word.decode(), after):
                return True
            left -= 1
            if not left:
                return False
    return False


def _is_phrase(word: str, after: Sequence[str]) -> bool:
    """Whether an order begins with the word, by the nine words after it."""
    if word in _OVERRIDE:
        return not (_ORDERS.isdisjoint(after) and _EARLIER.isdisjoint(after[:3]))
    if word in _PAIRS:
        return not _PAIRS[word].isdisjoint(after[:2]) and (word != "act" or not _ARTICLES.isdisjoint(after[1:2]))
    if word in _TELL:
        return _follows(after[:5], _YOUR, after, _HIDDEN, 2)
    if word in _NOT:
        return _follows(after[:3], _CONCEAL, after, _USER, 3)
    if word == "you":
        return after[:2] == ["are", "now"] or (not _BE.isdisjoint(after[:1]) and after[1:2] == ["now"])
    if word == "now":
        return after[:1] == ["on"] and "you" in after[1:4]
    return word == "your" and after[:1] == ["new"] and not _NEW.isdisjoint(after[1:3])


def _follows(
    near: Sequence[str], first: frozenset[str], after: Sequence[str], then: frozenset[str], within: int
) -> bool:
    return any(word in first and not then.isdisjoint(after[at + 1 : at + 1 + within]) for at, word in enumerate(near))
