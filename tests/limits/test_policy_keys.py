"""A limits file may say how it is enforced: what only reads its numbers leaves those keys alone."""

from __future__ import annotations

import pytest

from mcpobs.errors import UsageError
from mcpobs.limits.file import POLICY, read_text

VALUES = {"mode": "log_only", "rules": "[]", "share": "0.1", "halt_for": "15m"}


@pytest.mark.parametrize("key", POLICY)
def test_keys_of_a_policy_do_not_hinder_reading_the_numbers(key: str) -> None:
    found = read_text(f"version: 1\n{key}: {VALUES.get(key, 'deny')}\nsession: {{calls: 3}}\n")
    assert found.session.calls is not None
    assert found.session.calls.value == 3


def test_a_wrong_key_is_still_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="unknown key") as caught:
        read_text("version: 1\nmod: log_only\n")
    assert "mode" in (caught.value.hint or "")
