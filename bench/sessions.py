"""How well the HTTP front finds the sessions of clients that speak 2026-07-28 and so have none, by the rule it found.

    python -m bench.sessions [--seed 1]

A fleet of agents calls a server through the real front; each call says in its tool which session it is of, which the
front does not look at. Pairs of calls are what is counted: precision is the share of pairs in one found session that
are of one true session, recall the share of pairs of one true session that are in one found session. A call is in the
right session where its true session and the found one have most of their calls from each other.

The idle gap is a second, so that it does not take hours: what matters is how pauses compare with it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ed25519

from mcpobs.lake.reader import open_reading

GAP_S = 1.0
CALLS = 8
CONVERSATIONS = 5
AGENTS = 4
THINKING_S = (0.02, 0.15)  # between the calls of a conversation
SHORT_S = (0.3, 0.6)  # a pause below the gap
LONG_S = (1.5, 2.0)  # and one above it
VERSION = "2026-07-28"

Found = list[tuple[str, str, str]]  # true session, found session, rule


@dataclass(frozen=True)
class Agent:
    """One client: its conversations follow each other, with pauses between them."""

    name: str
    principal: str | None = None
    client: str = "agent"
    pause_s: tuple[float, float] = LONG_S
    nap_s: tuple[float, float] | None = None  # a pause in the middle of each conversation
    trace: str | None = None  # a conversation | a call
    names_conversation: bool = False
    counts: bool = False  # a client instance a conversation, which numbers its requests as SDKs do


@dataclass(frozen=True)
class Scenario:
    name: str
    agents: list[Agent] = field(default_factory=list)


def scenarios() -> list[Scenario]:
    def each(name: str, make: Callable[[int], Agent]) -> Scenario:
        return Scenario(name, [make(number) for number in range(AGENTS)])

    def own(number: int, **more: object) -> Agent:
        return Agent(f"a{number}", principal=f"user{number}", **more)  # type: ignore[arg-type]

    def shared(number: int, **more: object) -> Agent:
        return Agent(f"a{number}", principal="user", **more)  # type: ignore[arg-type]

    return [
        each("a principal each, pauses above the gap", own),
        each("a principal each, pauses below the gap", lambda n: own(n, pause_s=SHORT_S)),
        each("a principal each, pauses above the gap within conversations too", lambda n: own(n, nap_s=LONG_S)),
        Scenario("two principals in turn, one address", [own(0), own(1)]),
        each("parallel clients of one principal, of several names", lambda n: shared(n, client=f"client{n}")),
        each("parallel clients of one principal, of one name", shared),
        each("nobody known, one address, clients of several names", lambda n: Agent(f"a{n}", client=f"client{n}")),
        each("nobody known, one address, clients of one name", lambda n: Agent(f"a{n}")),
        each("a trace a conversation, parallel clients of one principal", lambda n: shared(n, trace="conversation")),
        each("a trace a conversation, pauses below the gap", lambda n: own(n, trace="conversation", pause_s=SHORT_S)),
        each("a trace a conversation, nobody known", lambda n: Agent(f"a{n}", trace="conversation")),
        each("a trace a call, pauses above the gap", lambda n: own(n, trace="call")),
        each("an SDK's client a conversation, pauses below the gap", lambda n: own(n, pause_s=SHORT_S, counts=True)),
        Scenario(
            "an SDK's client a conversation, one after the other, nobody known",
            [Agent("a0", pause_s=SHORT_S, counts=True)],
        ),
        each(
            "SDKs' clients in parallel, one principal, of one name", lambda n: shared(n, pause_s=SHORT_S, counts=True)
        ),
        each("SDKs' clients in parallel, nobody known", lambda n: Agent(f"a{n}", pause_s=SHORT_S, counts=True)),
        each("conversations named, parallel clients of one principal", lambda n: shared(n, names_conversation=True)),
    ]


# -- the fleet -------------------------------------------------------------------------------------------


@dataclass
class Fleet:
    url: str
    tokens: Callable[[str], str]
    random: random.Random

    async def play(self, agent: Agent) -> None:
        await asyncio.sleep(self.random.uniform(0, 0.3))
        async with aiohttp.ClientSession() as client:
            for number in range(CONVERSATIONS):
                if number:
                    await asyncio.sleep(self.random.uniform(*agent.pause_s))
                async with aiohttp.ClientSession() if agent.counts else nullcontext(client) as own:
                    await self._converse(own, agent, f"{agent.name}-{number}")

    async def _converse(self, client: aiohttp.ClientSession, agent: Agent, name: str) -> None:
        trace = self._trace()
        for number in range(CALLS):
            if number:
                await asyncio.sleep(self.random.uniform(*THINKING_S))
            if number == CALLS // 2 and agent.nap_s:
                await asyncio.sleep(self.random.uniform(*agent.nap_s))
            if agent.trace == "call":
                trace = self._trace()
            meta: dict[str, object] = {
                "io.modelcontextprotocol/protocolVersion": VERSION,
                "io.modelcontextprotocol/clientInfo": {"name": agent.client, "version": "1"},
                "io.modelcontextprotocol/clientCapabilities": {},
            }
            if agent.trace:
                meta["traceparent"] = f"00-{trace}-{self.random.getrandbits(64) | 1:016x}-01"
            if agent.names_conversation:
                meta["gen_ai.conversation.id"] = name
            message = {
                "jsonrpc": "2.0",
                "id": number if agent.counts else self.random.getrandbits(53),
                "method": "tools/call",
                "params": {"name": name, "arguments": {"query": f"{number}"}, "_meta": meta},
            }
            headers = {"MCP-Protocol-Version": VERSION, "Mcp-Method": "tools/call", "Mcp-Name": name}
            if agent.principal is not None:
                headers["Authorization"] = f"Bearer {self.tokens(agent.principal)}"
            async with client.post(self.url, json=message, headers=headers) as answer:
                assert answer.status == 200
                await answer.read()

    def _trace(self) -> str:
        return f"{self.random.getrandbits(128) | 1:032x}"


async def _answer(request: web.BaseRequest) -> web.StreamResponse:
    asked = await request.json()
    result = {"resultType": "complete", "content": [{"type": "text", "text": "found"}]}
    return web.json_response({"jsonrpc": "2.0", "id": asked["id"], "result": result})


async def _observe(scenario: Scenario, folder: Path, seed: int) -> Found:
    tokens = _identify(folder)
    runner = web.ServerRunner(web.Server(_answer))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    upstream = f"http://127.0.0.1:{runner.addresses[0][1]}"
    front, url = _front(upstream, folder)
    fleet = Fleet(f"{url}/mcp", tokens, random.Random(seed))
    try:
        await asyncio.gather(*(fleet.play(agent) for agent in scenario.agents))
    finally:
        front.terminate()
        await asyncio.to_thread(front.wait)
        await runner.cleanup()
    with open_reading(folder / "lake") as reading:
        asked = "select tool, session_id, session_source from spans where method = 'tools/call'"
        rows = reading.connection.execute(asked).fetchall()
    found = [(true, session, rule) for true, session, rule in rows]
    assert len(found) == len(scenario.agents) * CONVERSATIONS * CALLS, "a call was lost, or there twice"
    return found


def _front(upstream: str, folder: Path) -> tuple[subprocess.Popen[str], str]:
    """The front, and where it says that it listens."""
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "mcpobs", "instrument", "--listen", "127.0.0.1:0", "--upstream", upstream),
            *("--lake", str(folder / "lake"), "--name", "bench"),
        ],
        env={**os.environ, "MCPOBS_CONFIG": str(folder)},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    said = process.stderr.readline()
    return process, next(word for word in said.split() if word.startswith("http://"))


def _identify(folder: Path) -> Callable[[str], str]:
    """Configures the front to verify tokens, and gives what makes one for a principal."""
    key = ed25519.Ed25519PrivateKey.generate()
    public = json.loads(jwt.algorithms.OKPAlgorithm.to_jwk(key.public_key()))
    (folder / "keys.json").write_text(json.dumps({"keys": [{**public, "kid": "1", "alg": "EdDSA"}]}))
    (folder / "config.toml").write_text(
        f'[identity]\njwks = "{folder / "keys.json"}"\nissuer = "bench"\n\n[sessions]\nidle_gap_s = {GAP_S}\n'
    )
    tokens: dict[str, str] = {}

    def of(principal: str) -> str:
        if principal not in tokens:
            claims = {"sub": principal, "iss": "bench", "exp": int(time.time()) + 3600}
            tokens[principal] = jwt.encode(claims, key, algorithm="EdDSA", headers={"kid": "1"})
        return tokens[principal]

    return of


# -- what was found --------------------------------------------------------------------------------------


def precision(found: Found) -> float:
    return _share(Counter((true, session) for true, session, _ in found), Counter(session for _, session, _ in found))


def recall(found: Found) -> float:
    return _share(Counter((true, session) for true, session, _ in found), Counter(true for true, _, _ in found))


def _share(both: Counter[tuple[str, str]], of: Counter[str]) -> float:
    pairs = sum(count * (count - 1) for count in of.values())
    return sum(count * (count - 1) for count in both.values()) / pairs if pairs else 1.0


def in_right_session(found: Found) -> float:
    both = Counter((true, session) for true, session, _ in found)
    best_session: dict[str, str] = {}
    best_true: dict[str, str] = {}
    for (true, session), _ in sorted(both.items(), key=lambda item: (item[1], item[0])):  # the largest comes last
        best_session[true], best_true[session] = session, true
    right = sum(best_session[true] == session and best_true[session] == true for true, session, _ in found)
    return right / len(found)


def _line(name: str, rules: str, found: Found) -> str:
    true, made = len({row[0] for row in found}), len({row[1] for row in found})
    shares = " | ".join(f"{share(found):.3f}" for share in (precision, recall, in_right_session))
    return f"| {name} | {rules} | {len(found)} | {true} | {made} | {shares} |"


def _rules(found: Found) -> str:
    counted = Counter(rule for _, _, rule in found)
    return ", ".join(f"{rule} {count / len(found):.0%}" for rule, count in counted.most_common())


_HEAD = "| calls | true sessions | found | precision | recall | calls in the right session |\n"


def run(seed: int) -> str:
    lines = [f"| scenario | rule {_HEAD}|---|---|---|---|---|---|---|---|"]
    by_rule: dict[str, Found] = {}
    for number, scenario in enumerate(scenarios()):
        with tempfile.TemporaryDirectory() as made:
            found = asyncio.run(_observe(scenario, Path(made), seed + number))
        lines.append(_line(scenario.name, _rules(found), found))
        for true, session, rule in found:
            by_rule.setdefault(rule, []).append((f"{number}/{true}", f"{number}/{session}", rule))
    lines += ["", f"| rule, over all scenarios | confidence {_HEAD}|---|---|---|---|---|---|---|---|"]
    confidence = {"conversation": "high", "trace": "medium", "principal": "medium", "connection": "low"}
    lines += [_line(rule, confidence[rule], by_rule[rule]) for rule in confidence if rule in by_rule]
    head = (
        f"{AGENTS} agents (two where the scenario says so) of {CONVERSATIONS} conversations of {CALLS} calls; idle gap "
        f"{GAP_S:g} s. Pauses within a conversation {_span(THINKING_S)}, between conversations {_span(LONG_S)}, below "
        f"the gap {_span(SHORT_S)}.\n"
    )
    return "\n".join([head, *lines])


def _span(seconds: tuple[float, float]) -> str:
    return f"{seconds[0]:g} to {seconds[1]:g} s"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    print(run(parser.parse_args().seed))
