"""Sessions of callers over a network: which rule holds when, and that a caller cannot choose who is held to account."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcpobs.protocol.naming import conversation_name, qualified
from mcpobs.protocol.operation import Operation, Peer, Stamp, TraceContext
from mcpobs.protocol.session import Caller, Identity, Session
from mcpobs.sessions import remote
from mcpobs.sessions.remote import RemoteSessions

MODERN = "2026-07-28"
LEGACY = "2025-11-25"
GAP_S = 10.0
BEGUN_NS = 1_790_000_000_000_000_000
TRACE = "0af7651916cd43dd8448eb211c80319c"
OTHER_TRACE = "1af7651916cd43dd8448eb211c80319c"

ALICE = Identity("alice", "acme", "user")
BOB = Identity("bob", "acme", "user")
SOMEBODY = Caller("10.0.0.1:4000", "http", peer="10.0.0.1", user_agent="agent/1")
OF_ALICE = replace(SOMEBODY, identity=ALICE)


def operation(
    at_s: float = 0.0,
    *,
    took_s: float = 0.1,
    version: str | None = MODERN,
    client: str | None = "agent",
    conversation: str | None = None,
    trace: str | None = None,
) -> Operation:
    """A finished call. Operations are recorded when they end, so in the order of their ends."""
    found = Operation(0, "client", "tools/call", Stamp(BEGUN_NS + round(at_s * 1e9), 0), request_id="1")
    found.protocol_version = version
    found.client = Peer(client, "1")
    found.conversation_id = conversation
    found.parent = TraceContext(trace, "b7ad6b7169203331", 1) if trace is not None else None
    found.duration_ns = round(took_s * 1e9)
    return found


def of_alice(name: str) -> str:
    return qualified(name, "alice", "acme")


class Settled(RemoteSessions):
    """Sessions of operations that begin and end one after the other."""

    def of(self, operation: Operation, caller: Caller) -> Session:
        return self.settle(operation, self.begin(operation, caller), caller)


def sessions(gap_s: float = GAP_S) -> Settled:
    return Settled("p", gap_s)


def test_client_instances_that_follow_each_other_are_a_session_each_without_a_pause() -> None:
    found = sessions()
    ids: list[list[str]] = []
    for instance in range(12):
        calls = [operation(at_s=instance + number / 10) for number in range(4)]
        for number, call in enumerate(calls):
            call.request_id = str(number)
        ids.append([found.of(call, SOMEBODY).id for call in calls])
    assert [len(set(each)) for each in ids] == [1] * 12
    assert len({each[0] for each in ids}) == 12


def test_another_version_of_a_client_is_another_client() -> None:
    found, newer = sessions(), operation(1)
    newer.client = Peer("agent", "2")
    assert found.of(operation(), SOMEBODY).id != found.of(newer, SOMEBODY).id


# -- the order of the rules ------------------------------------------------------------------------------


def test_the_rules_hold_in_their_order() -> None:
    caller = replace(OF_ALICE, protocol_session="s", sse_endpoint="e")
    asked = operation(version=LEGACY, conversation="c", trace=TRACE)
    seen = sessions()

    def rule(of: Operation, by: Caller) -> tuple[str, str, str]:
        session = seen.of(of, by)
        return session.source, session.confidence, session.id

    assert rule(asked, caller) == ("protocol_session", "high", of_alice("s"))
    assert rule(asked, replace(caller, protocol_session=None)) == ("sse_endpoint", "high", of_alice("e"))
    assert rule(asked, OF_ALICE) == ("conversation", "high", of_alice("c"))
    one_trace_alone = ("principal", "medium", of_alice("p-1"))
    assert rule(operation(trace=TRACE), OF_ALICE) == one_trace_alone
    assert rule(operation(0.5, trace=TRACE), OF_ALICE) == one_trace_alone
    assert rule(operation(1, trace=OTHER_TRACE), OF_ALICE) == ("trace", "medium", of_alice(OTHER_TRACE))
    assert rule(operation(2), OF_ALICE) == ("principal", "medium", of_alice("p-1"))
    assert rule(operation(), SOMEBODY) == ("connection", "low", "p-2")


def test_without_a_verified_caller_a_name_that_the_caller_chose_is_at_most_medium() -> None:
    def sure(caller: Caller, conversation: str | None = None) -> str:
        return sessions().of(operation(version=LEGACY, conversation=conversation), caller).confidence

    assert sure(SOMEBODY, "c") == "medium"
    assert sure(replace(SOMEBODY, protocol_session="s")) == "medium"
    assert sure(replace(SOMEBODY, protocol_session="s", issued=True)) == "high"
    assert sure(replace(SOMEBODY, sse_endpoint="e")) == "high"


def test_every_candidate_is_kept_whichever_rule_won() -> None:
    caller = replace(OF_ALICE, protocol_session="s", sse_endpoint="e")

    found = sessions().of(operation(version=LEGACY, conversation="c"), caller)

    assert json.loads(str(found.candidates)) == {
        "protocol_session": "s",
        "sse_endpoint": "e",
        "conversation": "c",
        "principal": "alice",
        "connection": "10.0.0.1:4000",
    }


def test_since_2026_a_session_id_is_nothing() -> None:
    caller = replace(SOMEBODY, protocol_session="s", issued=True)

    assert sessions().of(operation(version=MODERN), caller).source == "connection"
    assert sessions().of(operation(version=LEGACY), caller).source == "protocol_session"
    assert sessions().of(operation(version=None), caller).source == "protocol_session"


def test_a_named_session_begins_with_its_first_operation_and_knows_no_pause() -> None:
    seen = sessions()
    first = seen.of(operation(0, conversation="c"), OF_ALICE)

    assert seen.of(operation(1000 * GAP_S, conversation="c"), OF_ALICE) is first
    assert first.start_unix_nano == BEGUN_NS


# -- who it is, with a gap -------------------------------------------------------------------------------


@pytest.mark.parametrize("caller", [OF_ALICE, SOMEBODY], ids=["principal", "connection"])
def test_a_pause_longer_than_the_gap_begins_another_session(caller: Caller) -> None:
    seen = sessions()
    first = seen.of(operation(0, took_s=0), caller)

    assert seen.of(operation(GAP_S, took_s=0), caller) is first
    second = seen.of(operation(2 * GAP_S + 0.001), caller)
    assert second.id != first.id
    assert second.start_unix_nano == BEGUN_NS + round((2 * GAP_S + 0.001) * 1e9)


def test_a_call_that_takes_longer_than_the_gap_is_no_pause() -> None:
    seen = sessions()
    first = seen.of(operation(0, took_s=5 * GAP_S), OF_ALICE)

    assert seen.of(operation(5.5 * GAP_S), OF_ALICE) is first


def test_a_call_that_ended_before_one_recorded_earlier_does_not_shorten_the_session() -> None:
    seen = sessions()
    first = seen.of(operation(0, took_s=GAP_S), OF_ALICE)
    seen.of(operation(1, took_s=0), OF_ALICE)

    assert seen.of(operation(1.5 * GAP_S), OF_ALICE) is first


def test_a_principal_is_the_same_from_any_address() -> None:
    seen = sessions()
    moved = replace(OF_ALICE, connection="10.0.0.9:4001", peer="10.0.0.9")

    assert seen.of(operation(0), OF_ALICE) is seen.of(operation(1), moved)


def test_a_principal_that_is_called_like_an_address_is_not_whoever_calls_from_there() -> None:
    seen = sessions()
    named = seen.of(operation(0), replace(SOMEBODY, peer="10.0.0.2", identity=Identity("10.0.0.1")))
    nobody = seen.of(operation(1), SOMEBODY)

    assert nobody.id != named.id
    assert nobody.identity == Identity()


@pytest.mark.parametrize("conversation", ["c", None])
def test_a_newer_token_is_recorded_as_what_it_says_in_the_same_session(conversation: str | None) -> None:
    seen = sessions()
    admin = replace(OF_ALICE, identity=Identity("alice", "acme", "admin"))
    found = [
        seen.of(operation(at, conversation=conversation), who) for at, who in enumerate([OF_ALICE, admin, OF_ALICE])
    ]

    assert [session.identity for session in found] == [ALICE, admin.identity, ALICE]
    assert len({session.id for session in found}) == 1


@pytest.mark.parametrize("conversation", ["c", None])
def test_a_principal_has_other_sessions_in_another_tenant(conversation: str | None) -> None:
    seen = sessions()
    elsewhere = replace(OF_ALICE, identity=Identity("alice", "other", "user"))
    found = [seen.of(operation(at, conversation=conversation), who) for at, who in enumerate([OF_ALICE, elsewhere] * 2)]

    assert len({session.id for session in found}) == 2
    assert [session.identity for session in found] == [ALICE, elsewhere.identity] * 2


def test_two_principals_at_one_address_are_two_sessions() -> None:
    seen = sessions()
    of_bob = replace(SOMEBODY, identity=BOB)
    turns = [seen.of(operation(at), who) for at, who in enumerate([OF_ALICE, of_bob] * 3)]

    assert len({session.id for session in turns}) == 2
    assert [session.identity for session in turns] == [ALICE, BOB] * 3


def test_nobody_at_one_address_is_one_session_and_at_another_another() -> None:
    seen = sessions()
    again = replace(SOMEBODY, connection="10.0.0.1:4001")
    elsewhere = replace(SOMEBODY, connection="10.0.0.2:4000", peer="10.0.0.2")
    found = [seen.of(operation(at), who) for at, who in enumerate([SOMEBODY, again, elsewhere])]

    assert found[0] is found[1]
    assert found[2].id != found[0].id
    assert {session.confidence for session in found} == {"low"}


def test_without_an_address_the_connection_stands_for_the_caller() -> None:
    seen = sessions()
    one, other = (Caller(name, "http") for name in ("a", "b"))

    assert seen.of(operation(0), one) is seen.of(operation(1), one)
    assert seen.of(operation(2), other).enforcement_key == "connection:b"
    assert seen.of(operation(3), one).id != seen.of(operation(4), other).id


def test_parallel_clients_of_one_principal_are_distinguished_by_name_and_user_agent() -> None:
    seen = sessions()
    desktop = seen.of(operation(0, client="desktop"), OF_ALICE)
    editor = seen.of(operation(1, client="editor"), OF_ALICE)
    script = seen.of(operation(2, client="desktop"), replace(OF_ALICE, user_agent="curl/8"))

    assert len({desktop.id, editor.id, script.id}) == 3
    assert seen.of(operation(3, client="desktop"), OF_ALICE) is desktop
    assert {desktop.enforcement_key, editor.enforcement_key, script.enforcement_key} == {"principal:alice"}


# -- traces ----------------------------------------------------------------------------------------------


def test_a_caller_with_a_trace_a_conversation_has_a_session_a_trace() -> None:
    seen = sessions()
    first = [seen.of(operation(at, trace=TRACE), OF_ALICE) for at in (0, 1, 2)]
    second = [seen.of(operation(at, trace=OTHER_TRACE), OF_ALICE) for at in (3, 5)]
    third = seen.of(operation(4, trace=TRACE), OF_ALICE)

    assert {session.id for session in [*first, third]} == {of_alice("p-1")}  # it was begun before the caller was known
    assert {session.id for session in second} == {of_alice(OTHER_TRACE)}


def test_a_caller_with_a_trace_a_call_has_one_session() -> None:
    seen = sessions()
    found = [seen.of(operation(at, trace=f"{at + 1:032x}"), OF_ALICE) for at in range(50)]

    assert {session.id for session in found} == {of_alice("p-1")}
    assert {session.source for session in found} == {"principal"}


def test_calls_of_one_trace_that_run_at_once_do_not_make_it_a_conversation() -> None:
    """One span around a fan-out of calls is one step of an agent, and the next step has another trace."""
    seen = sessions()
    for step in range(5):
        for _ in range(3):
            found = seen.of(operation(step, took_s=0.5, trace=f"{step + 1:032x}"), OF_ALICE)
            assert found.id == of_alice("p-1")


def test_what_was_learned_of_a_callers_traces_outlives_a_pause() -> None:
    seen = sessions()
    for at in (0, 1):
        seen.of(operation(at, trace=TRACE), OF_ALICE)

    assert seen.of(operation(9 * GAP_S, trace=OTHER_TRACE), OF_ALICE).id == of_alice(OTHER_TRACE)


def test_a_trace_goes_on_being_its_session_after_a_pause() -> None:
    seen = sessions()
    for at in (0, 1):
        seen.of(operation(at, trace=TRACE), OF_ALICE)
    named = seen.of(operation(2, trace=OTHER_TRACE), OF_ALICE)

    assert seen.of(operation(9 * GAP_S, trace=OTHER_TRACE), OF_ALICE) is named


def test_the_trace_of_the_request_counts_if_the_message_names_none() -> None:
    seen = sessions()
    for at in (0, 1):
        seen.of(operation(at), replace(OF_ALICE, trace=TRACE))

    assert seen.of(operation(2), replace(OF_ALICE, trace=OTHER_TRACE)).id == of_alice(OTHER_TRACE)
    assert seen.of(operation(3, trace=TRACE), replace(OF_ALICE, trace=OTHER_TRACE)).id == of_alice("p-1")


def test_one_callers_traces_say_nothing_of_anothers() -> None:
    seen = sessions()
    of_bob = replace(SOMEBODY, identity=BOB)
    for at in (0, 1):
        seen.of(operation(at, trace=TRACE), OF_ALICE)

    assert seen.of(operation(2, trace=TRACE), of_bob).source == "principal"
    assert seen.of(operation(3, trace=OTHER_TRACE), of_bob).source == "principal"


# -- who is held to account ------------------------------------------------------------------------------

IDENTITIES = st.sampled_from([Identity(), ALICE, BOB])
WORDS = st.none() | st.sampled_from(["a", "b", "principal:alice", "10.0.0.1"])


@given(
    identity=IDENTITIES,
    said=st.lists(st.tuples(WORDS, WORDS, WORDS, WORDS, WORDS, st.sampled_from([LEGACY, MODERN])), min_size=2),
)
def test_nothing_that_a_caller_says_changes_its_enforcement_key(identity: Identity, said: list[Any]) -> None:
    seen = sessions()
    keys = set()
    for at, (conversation, client, user_agent, session, trace, version) in enumerate(said):
        caller = replace(SOMEBODY, identity=identity, user_agent=user_agent, protocol_session=session)
        asked = operation(at, conversation=conversation, client=client, trace=trace, version=version)
        keys.add((seen.of(asked, caller).enforcement_key, seen.of(asked, caller).enforcement_source))

    if identity.principal is None:
        assert keys == {("connection:10.0.0.1", "connection")}
    else:
        assert keys == {(f"principal:{identity.principal}", "principal")}


def test_only_a_session_id_that_the_server_gave_out_counts_for_the_key() -> None:
    chosen = replace(SOMEBODY, protocol_session="s")

    assert chosen.enforcement == ("connection:10.0.0.1", "connection")
    assert replace(chosen, issued=True).enforcement == ("connection:10.0.0.1/s", "connection")
    assert replace(chosen, issued=True, identity=ALICE).enforcement == ("principal:alice", "principal")


def test_a_conversation_that_two_principals_name_is_one_of_each() -> None:
    seen = sessions()
    alices = seen.of(operation(0, conversation="c"), OF_ALICE)
    bobs = seen.of(operation(1, conversation="c"), replace(SOMEBODY, identity=BOB))
    nobodys = seen.of(operation(2, conversation="c"), SOMEBODY)

    assert (alices.enforcement_key, bobs.enforcement_key) == ("principal:alice", "principal:bob")
    assert (alices.identity, bobs.identity) == (ALICE, BOB)
    assert bobs.start_unix_nano > alices.start_unix_nano
    assert (alices.id, nobodys.id) == (of_alice("c"), "c")
    assert bobs.id not in (alices.id, nobodys.id)


# -- bounds ----------------------------------------------------------------------------------------------


def test_a_caller_that_names_many_conversations_does_not_make_one_in_use_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(remote, "MAX_SESSIONS", 4)
    seen = sessions()
    kept = seen.of(operation(0, conversation="kept"), OF_ALICE)
    for at in range(1, 40):
        seen.of(operation(at, conversation=f"c{at}"), SOMEBODY)
        assert seen.of(operation(at, conversation="kept"), OF_ALICE) is kept

    unused = seen.of(operation(50, conversation="c1"), SOMEBODY)
    assert unused.start_unix_nano == BEGUN_NS + 50 * 10**9  # forgotten, and begun again


def test_the_caller_that_was_seen_last_is_forgotten_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "MAX_CALLERS", 4)
    seen = sessions(gap_s=1e6)
    kept = seen.of(operation(0), OF_ALICE)
    for at in range(1, 40):
        seen.of(operation(at), replace(SOMEBODY, peer=f"10.0.1.{at}"))
        assert seen.of(operation(at), OF_ALICE) is kept

    assert seen.of(operation(50), replace(SOMEBODY, peer="10.0.1.1")).start_unix_nano == BEGUN_NS + 50 * 10**9


def test_a_callers_oldest_trace_is_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "MAX_TRACES", 4)
    seen = sessions()
    for at in (0, 1):
        seen.of(operation(at, trace=TRACE), OF_ALICE)
    for at in range(2, 8):
        seen.of(operation(at, trace=f"{at:032x}"), OF_ALICE)

    again = seen.of(operation(8, trace=TRACE), OF_ALICE)
    assert (again.source, again.start_unix_nano) == ("trace", BEGUN_NS + 8 * 10**9)


# -- all of it, against a plain model --------------------------------------------------------------------

STEPS = st.lists(
    st.tuples(
        st.sampled_from([0.0, 1.0, GAP_S - 0.1, GAP_S + 0.1, 3 * GAP_S]),  # pause before the call
        st.sampled_from([0.0, 0.5, 2 * GAP_S]),  # how long it takes
        st.sampled_from([OF_ALICE, replace(SOMEBODY, identity=BOB), SOMEBODY, replace(SOMEBODY, peer="10.0.0.2")]),
        st.sampled_from(["desktop", "editor"]),
    ),
    max_size=30,
)


@given(STEPS)
def test_callers_without_ids_or_traces_are_divided_by_their_pauses_alone(steps: list[Any]) -> None:
    seen, model = sessions(), dict[tuple[Any, ...], tuple[float, int]]()
    found: dict[int, Session] = {}
    now, made = 0.0, 0
    for pause, took, caller, client in steps:
        now += pause
        key = (caller.identity.principal or caller.peer, client)
        last, number = model.get(key, (None, 0))
        if last is None or now - last > GAP_S + 1e-6:
            made += 1
            number = made
        model[key] = (max(now + took, last or 0.0), number)

        session = seen.of(operation(now, took_s=took, client=client), caller)

        assert found.setdefault(number, session) is session
        now += took
    assert len({session.id for session in found.values()}) == made


@given(
    st.lists(
        st.tuples(
            st.floats(-50, 50),
            st.sampled_from([OF_ALICE, SOMEBODY, replace(SOMEBODY, protocol_session="s", issued=True)]),
            WORDS,
            WORDS,
            st.sampled_from([LEGACY, MODERN, None]),
        ),
        max_size=30,
    )
)
def test_any_order_of_any_operations_gets_a_session_each_and_one_key_a_session(steps: list[Any]) -> None:
    seen = sessions()
    keys: dict[tuple[str, str, str], set[str]] = {}
    for at, caller, conversation, trace, version in steps:
        session = seen.of(operation(at, conversation=conversation, trace=trace, version=version), caller)
        assert session.id
        assert session.transport == "http"
        who = caller.enforcement[0]
        keys.setdefault((session.source, session.id, who), set()).add(session.enforcement_key)
        if session.source in ("principal", "connection"):  # ids that are made here are of one caller
            assert {key for (_, name, _), found in keys.items() if name == session.id for key in found} == {who}
    assert all(len(found) == 1 for found in keys.values())


CALLERS = [
    SOMEBODY,
    replace(SOMEBODY, peer="10.0.0.2"),
    OF_ALICE,
    replace(OF_ALICE, identity=Identity("alice", "other")),
    replace(OF_ALICE, identity=Identity("alice")),
    replace(SOMEBODY, identity=BOB),
    replace(SOMEBODY, identity=BOB, peer="10.0.0.2"),
]
TRACES = st.none() | st.sampled_from([TRACE, OTHER_TRACE])


@given(
    st.lists(
        st.tuples(
            st.floats(0, 50),
            st.sampled_from(CALLERS),
            WORDS | st.sampled_from(["p-1", "p-2", TRACE, of_alice("a"), of_alice("p-1"), of_alice(TRACE)]),
            WORDS,
            WORDS,
            TRACES,
            st.booleans(),
            st.sampled_from([LEGACY, MODERN, None]),
        ),
        max_size=30,
    )
)
def test_two_verified_callers_never_have_one_session_whatever_they_name(steps: list[Any]) -> None:
    seen = sessions()
    owners: dict[str, set[tuple[str | None, str | None]]] = {}
    for at, who, conversation, session, endpoint, trace, issued, version in steps:
        caller = replace(who, protocol_session=session, sse_endpoint=endpoint, issued=issued)
        named = None if conversation is None else conversation_name(conversation)
        found = seen.of(operation(at, conversation=named, trace=trace, version=version), caller)
        owners.setdefault(found.id, set()).add((who.identity.principal, who.identity.tenant))
        if who.identity.principal is None and found.source in ("conversation", "trace"):
            assert found.confidence != "high"
    assert all(len(found) == 1 for found in owners.values())


# -- begin and end ------------------------------------------------------------------------------------------


def test_a_caller_that_waits_for_a_call_is_not_idle() -> None:
    seen = sessions()
    long, later, after = operation(0, took_s=5 * GAP_S), operation(3 * GAP_S), operation(6.5 * GAP_S)
    first = seen.begin(long, OF_ALICE)
    second = seen.begin(later, OF_ALICE)
    assert second is first
    assert seen.settle(later, second, OF_ALICE) is first
    assert seen.settle(long, first, OF_ALICE) is first
    assert seen.of(after, OF_ALICE) is not first


def test_the_session_that_an_answer_names_is_that_of_its_initialize() -> None:
    seen = sessions()
    asked = operation(version=LEGACY)
    asked.method = "initialize"
    provisional = seen.begin(asked, SOMEBODY)
    assert provisional.enforcement_key == "connection:10.0.0.1"
    named = replace(SOMEBODY, protocol_session="s", issued=True)
    settled = seen.settle(asked, provisional, named)
    assert (settled.source, settled.id) == ("protocol_session", "s")
    assert seen.of(operation(version=LEGACY), named) is settled
    assert seen.of(operation(), SOMEBODY).id == "p-1"  # nothing was counted for the provisional one


def test_an_initialize_that_nobody_names_a_session_for_begins_that_of_its_caller() -> None:
    seen = sessions()
    asked = operation(version=LEGACY)
    asked.method = "initialize"
    settled = seen.settle(asked, seen.begin(asked, SOMEBODY), SOMEBODY)
    assert seen.of(operation(1, version=LEGACY), SOMEBODY) is settled


def test_calls_of_one_trace_that_overlap_do_not_make_it_a_session() -> None:
    seen = sessions()
    one, two = operation(0, trace=TRACE), operation(0.05, trace=TRACE)
    first, second = seen.begin(one, OF_ALICE), seen.begin(two, OF_ALICE)
    assert seen.settle(two, second, OF_ALICE) is seen.settle(one, first, OF_ALICE)
    assert seen.of(operation(1, trace=OTHER_TRACE), OF_ALICE).source == "principal"
