"""Names of sessions: no secrets, bounded, and never one name for two verified callers."""

import re

from hypothesis import given
from hypothesis import strategies as st

from mcpobs.protocol.naming import MAX_CONVERSATION, caller_digest, conversation_name, qualified, session_digest

TEXTS = st.text(max_size=200)
TENANTS = st.none() | TEXTS


@given(TEXTS)
def test_a_session_id_is_recorded_as_32_hex_digits_that_do_not_hold_it(secret):
    digest = session_digest(secret)
    assert re.fullmatch("[0-9a-f]{32}", digest)
    assert digest == session_digest(secret)


@given(TEXTS | st.from_regex(r"[a-z]{0,9}~[0-9a-f]{16}", fullmatch=True))
def test_a_conversation_can_be_shown_and_never_ends_as_a_qualified_name(conversation):
    name = conversation_name(conversation)
    assert len(name) <= MAX_CONVERSATION
    assert not re.search("~[0-9a-f]{16}$", name)
    assert name == conversation or re.fullmatch("[0-9a-f]{32}", name)


@given(TEXTS, TENANTS, TEXTS, TENANTS, TEXTS, TEXTS)
def test_two_callers_have_no_session_in_common_whatever_they_call_it(
    one, its_tenant, other, others_tenant, name, named
):
    first, second = (
        qualified(conversation_name(name), one, its_tenant),
        qualified(conversation_name(named), other, others_tenant),
    )
    assert (first == second) == (
        (one, its_tenant, conversation_name(name)) == (other, others_tenant, conversation_name(named))
    )
    assert conversation_name(second) != first or second == conversation_name(name)
    assert qualified(conversation_name(first), None, None) != first, "nobody else may choose such a name"


@given(TEXTS, TEXTS)
def test_a_tenant_is_not_the_end_of_a_principal(principal, tenant):
    assert caller_digest(principal + tenant, None) != caller_digest(principal, tenant)
    assert caller_digest(principal, "") != caller_digest(principal, None)
