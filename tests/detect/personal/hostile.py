"""Texts that make a careless recogniser slow: repeated beginnings of what it looks for, and what never ends."""

SIZE = 20_000
PARTS = (
    "1", "1 ", "1-", "12 34 56 ", "4111 1111 1111 1111 ", "@", "a@", "a@b.", "@a.b@", "a.", "1.", "1.1.1.1.",
    "a:", ":",
    "::1", "abcd:", "DE", "DE89", "GB82 WEST ", "password=", "password: ", "secret", "token:", "key", "api_key=a1",
    "https://", "://a:", "://a:b@", "bearer ", "basic a1", "eyJ", "eyJa.", "AKIA", "xoxb-", "sk-", "ghp_",
    "123456789:AA",
    "-----BEGIN PRIVATE KEY-----", "-----BEGIN ", "[", "[email:", "[email:0a1b2c3d]", "{", '{"', '{"a":',
    '[{"a":', '"',
    "\\", "\\u0040", "\n[", "\n{\"a\":1}", "a,b\n", "| a | b |\n|---|---|\n", "phone ", "phone 1234567 ", "+1",
    "(", "(1)",
    "\ud800", "😀", "ä", "\x00", "\u200b", "tel:+4930901820;", "/", "x1", "0x", "2026-05-20 ", "12:34:56 ",
)  # fmt: skip


def texts(size: int = SIZE) -> list[str]:
    return [(part * (size // len(part) + 1))[:size] for part in PARTS]
