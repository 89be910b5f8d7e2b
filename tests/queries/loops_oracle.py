"""`report loops` computed plainly in Python, session by session: what the SQL is held against."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from tests.queries.oracles import failed, in_order

Row = dict[str, Any]
SECOND = 10**9
READS = (
    "resources/read", "prompts/get", "tools/list", "resources/list", "resources/templates/list", "prompts/list",
)  # fmt: skip
CHECKS = re.compile(
    "lint|check|valid|verif|diagnos|audit|scan|test|spell|format|problem|warning|issue|error|vulnerab|detect|inspect"
    "|compil|analy"
)
STEPS = re.compile(
    "undo|redo|revert|rollback|increas|decreas|backspace|scroll|swipe|press|click|advance|rewind|increment|decrement|toggle|dequeue|page_?(up|down)"
    "|(^|[^a-z])(next|prev|previous|back|forward|step|pop|tick|move|turn|roll|draw|skip|wait|sleep|key|tap|zoom|up|down"
    "|left|right)([^a-z]|$)"
)
LOOKS = re.compile("search|find|query|look|grep|get|list|read|fetch|show|browse|retriev|select|view|load|match")


@dataclass(slots=True, eq=False)
class Exchange:
    """A request with its answer, as a loop sees it."""

    row: Row
    place: int = 0

    @property
    def lane(self) -> str:
        return "calls" if self.row["method"] == "tools/call" else "reads"

    @property
    def target(self) -> str:
        if self.lane == "calls":
            return str(self.row.get("tool") or "?")
        return str(self.row["method"]) + (f" {self.row['prompt']}" if self.row.get("prompt") else "")

    @property
    def thing(self) -> tuple[str, ...]:
        if self.lane == "calls":
            return "calls", self.row.get("service_name") or "", self.row.get("tool") or ""
        return "reads", self.row.get("service_name") or "", self.row["method"], self.row.get("prompt") or ""

    @property
    def manner(self) -> str:
        if self.lane != "calls":
            return "looks"
        name = self.target.lower()
        for manner, words in (("checks", CHECKS), ("steps", STEPS), ("looks", LOOKS)):
            if words.search(name):
                return manner
        return "other"

    @property
    def question(self) -> tuple[Any, ...] | None:
        known = self.row.get("args_stable_digest") or self.row.get("args_digest")
        return None if known is None else (self.thing, known)

    @property
    def answer(self) -> str | None:
        return self.row.get("result_stable_digest") or self.row.get("result_digest")

    @property
    def exchange(self) -> tuple[Any, ...] | None:
        if self.question is None:
            return None
        if self.ok:
            return None if self.answer is None else (self.question, self.answer)
        return (self.question, None) if self.fruitless else None

    @property
    def ok(self) -> bool:
        return self.row.get("outcome") == "ok"

    @property
    def empty(self) -> bool:
        return self.ok and self.row.get("result_empty") is True

    @property
    def fruitless(self) -> bool:
        return failed(self.row) or self.row.get("outcome") in ("protocol_error", "denied")

    @property
    def nothing(self) -> bool:
        return self.fruitless or (self.empty and self.manner != "checks")

    @property
    def failure(self) -> tuple[Any, ...] | None:
        kind = self.row.get("error_type"), self.row.get("status_code")
        if not failed(self.row) or kind == (None, None) or self.answer is None:
            return None
        said = (kind[0] or "", kind[1] or "", self.answer)
        return self.thing, self.row.get("outcome"), *said

    @property
    def begin(self) -> int:
        return int(self.row["start_unix_nano"])

    @property
    def took(self) -> int:
        return int(self.row.get("duration_ns") or 0)

    @property
    def end(self) -> int:
        return self.begin + self.took


@dataclass(slots=True, eq=False)
class Part:
    """Calls that may be a loop: from its first round to its last call."""

    members: list[Exchange]
    begin: int
    end: int
    period: int
    solved: bool = False


@dataclass(slots=True, eq=False)
class Loop:
    session: str
    kind: str
    period: int
    calls: list[Exchange]
    worked: bool
    open: bool

    @property
    def failure(self) -> tuple[Any, ...] | None:
        said = {call.failure for call in self.calls}
        return said.pop() if len(said) == 1 else None

    @property
    def question(self) -> tuple[Any, ...] | None:
        asked = {call.question for call in self.calls}
        return asked.pop() if len(asked) == 1 else None

    @property
    def first(self) -> int:
        return min(call.begin for call in self.calls)

    @property
    def last(self) -> int:
        return max(call.begin for call in self.calls)

    @property
    def pattern(self) -> str:
        return " → ".join(call.target for call in self.calls[: self.period])


def loops(rows: list[Row], repeats: int = 3, pause_s: int = 45) -> list[Row]:
    lanes: dict[tuple[str, str], list[Exchange]] = defaultdict(list)
    for row in rows:
        is_call = row.get("method") == "tools/call"
        if (
            row.get("session_id") is not None
            and row.get("kind") == "server"
            and (is_call or row.get("method") in READS)
        ):
            lanes[row["session_id"], "calls" if is_call else "reads"].append(Exchange(row))
    found = [
        loop for (session, _), lane in lanes.items() for loop in Lane(session, lane, repeats, pause_s * SECOND).loops()
    ]
    calls = {session: lane for (session, name), lane in lanes.items() if name == "calls"}
    silent = _silent(calls)
    outages = _outages(found, rows, repeats)
    out = {id(loop) for members in outages for loop in members}
    result = [
        _row([loop], loop.session, loop.kind)
        for loop in found
        if id(loop) not in out
        and not loop.worked
        and not (
            loop.kind == "empty"
            and (loop.session, loop.calls[0].thing) in silent
            and not any(call.fruitless for call in loop.calls)
        )
    ]
    result += [_row(members, None, "outage") for members in outages if not all(loop.worked for loop in members)]
    result += _chains(calls, repeats, pause_s * SECOND)
    return sorted(
        result,
        key=lambda r: (
            -r["wasted"], -r["last_unix_nano"], r["session_id"] is None, r["session_id"] or "",
            r["from_call"], r["kind"], r["calls"] - r["wasted"], r["first_unix_nano"], r["pattern"],
        ),
    )  # fmt: skip


def _row(members: list[Loop], session: str | None, kind: str) -> Row:
    calls = [call for loop in members for call in loop.calls]
    services = [service for loop in members if (service := loop.calls[0].row.get("service_name")) is not None]
    costs = [call.row["cost_microusd"] for call in calls if call.row.get("cost_microusd") is not None]
    first = min(call.begin for call in calls)
    return {
        "session_id": session,
        "service_name": min(services, default=None),
        "kind": kind,
        "pattern": min(loop.pattern for loop in members),
        "calls": len(calls),
        "wasted": len(calls) - min(loop.period for loop in members),
        "from_call": min(loop.calls[0].place for loop in members),
        "first_unix_nano": first,
        "last_unix_nano": max(call.begin for call in calls),
        "duration_ms": (max(call.end for call in calls) - first) / 1e6,
        "cost_microusd": sum(costs) if costs else None,
        "state": "still going on" if any(loop.open and not loop.worked for loop in members) else "ended",
        "sessions": len({loop.session for loop in members}),
    }


class Lane:
    """The tool calls of a session, or what it reads."""

    def __init__(self, session: str, exchanges: list[Exchange], repeats: int, pause: int) -> None:
        self.session, self.repeats, self.pause = session, repeats, pause
        self.steps = _without_retries(sorted(exchanges, key=lambda exchange: in_order(exchange.row)))
        for number, step in enumerate(self.steps):
            step.place = number + 1
        self.again = {step.place: same for step in self.steps if (same := self._again(step)) is not None}

    def loops(self) -> list[Loop]:
        part_of = self._parts()
        empties = self._stretches(part_of)
        members: dict[tuple[str, Any], list[Exchange]] = defaultdict(list)
        about: dict[tuple[str, Any], tuple[int, bool]] = {}
        left = []
        for step in self.steps:
            part = part_of.get(step.place)
            if step.place in empties:
                key: tuple[str, Any] = ("empty", empties[step.place])
                about[key] = 1, False
            elif part is not None:
                key = ("repeat" if part.period == 1 else "cycle", id(part))
                about[key] = part.period, part.solved
            else:
                left.append(step)
                continue
            members[key].append(step)
        found = [self._loop(kind, *about[kind, which], calls) for (kind, which), calls in members.items()]
        return found + self._retries({step.place for step in left})

    def _loop(self, kind: str, period: int, solved: bool, calls: list[Exchange]) -> Loop:
        after, span = len(self.steps) - calls[-1].place, calls[-1].place - calls[0].place
        is_open = after == 0 or (kind == "retry" and after * (len(calls) - 1) <= span)
        return Loop(self.session, kind, period, calls, solved, is_open)

    def _before(self, step: Exchange) -> list[Exchange]:
        """Earlier calls with the same question."""
        return [one for one in self.steps[: step.place - 1] if one.question == step.question]

    def _after(self, step: Exchange) -> list[Exchange]:
        return [one for one in self.steps[step.place :] if one.question == step.question]

    def _is_free(self, step: Exchange) -> bool:
        return all(step.begin >= one.begin + one.took // 10 * 9 for one in self._before(step))

    def _again(self, step: Exchange) -> Exchange | None:
        """The same exchange shortly before a call that says nothing new."""
        if step.exchange is None:
            return None
        same = next((one for one in reversed(self._before(step)) if one.exchange == step.exchange), None)
        if same is None or step.place - same.place > 8 or not self._is_free(step):
            return None
        pause = (step.place - same.place) * self.pause * (6 if step.fruitless else 1)
        return same if step.begin - same.end <= pause else None

    def _least(self, step: Exchange) -> int:
        same = self.again[step.place]
        if step.ok and step.manner == "steps":
            return 6 * self.repeats
        here, there = step.row, same.row
        differs = here["args_digest"] != there["args_digest"]
        differs = differs or (step.ok and here["result_digest"] != there["result_digest"])
        return self.repeats + 2 if step.lane == "reads" or differs else self.repeats

    def _parts(self) -> dict[int, Part]:
        """The repeat or cycle that each call belongs to, by its place."""
        own: dict[int, Part] = {}
        for run in _consecutive(sorted(self.again), lambda one, other: other == one + 1):
            whole = self._whole(run)
            beats = (
                [whole]
                if whole is not None
                else [
                    beat
                    for places in _consecutive(run, self._same_distance)
                    if (beat := self._beat(places)) is not None
                ]
            )
            for part in beats:
                if not any(self._waits(step, part.end) for step in part.members):
                    part.solved = any(self._is_solved(step, part.end) for step in part.members)
                    own |= {step.place: part for step in part.members}
        found = dict(own)
        for step in self.steps:
            following = next((one for one in self._after(step) if one.exchange == step.exchange), None)
            if step.exchange is None or step.place in own or following is None or following.place not in own:
                continue
            if step.place >= own[following.place].begin:
                found[step.place] = own[following.place]
        return found

    def _whole(self, run: list[int]) -> Part | None:
        sames = [self.again[place].place for place in run]
        period = sum(place < run[0] for place in sames)
        begin = min(sames) if run[0] - min(sames) == period else run[0]
        steps = [self.steps[place - 1] for place in run]
        long = run[-1] - begin + 1 >= min(map(self._least, steps)) * period
        return Part(steps, begin, run[-1], period) if long else None

    def _same_distance(self, one: int, other: int) -> bool:
        return other == one + 1 and one - self.again[one].place == other - self.again[other].place

    def _beat(self, places: list[int]) -> Part | None:
        steps = [self.steps[place - 1] for place in places]
        period = places[0] - self.again[places[0]].place
        long = len(places) + period >= min(map(self._least, steps)) * period
        return Part(steps, places[0] - period, places[-1], period) if long else None

    def _waits(self, step: Exchange, end: int) -> bool:
        """Whether the question got new answers twice, and one of those before stayed as long as this."""
        after = self._after(step)
        if after and after[0].place <= end:
            return False
        stages = [0]
        before: Exchange | None = None
        for one in [*self._before(step), step]:
            if before is not None and one.ok and before.ok and None not in (one.exchange, before.exchange):
                stages += [0] * (one.exchange != before.exchange)
            stages[-1] += 1
            before = one
        return len(stages) > 2 and stages[-1] <= max(stages[:-1])

    def _is_solved(self, step: Exchange, end: int) -> bool:
        after = self._after(step)
        if step.fruitless:
            return any(one.ok for one in after)
        if not after or not end < after[0].place <= end + 8:
            return False
        return (
            step.ok
            and after[0].ok
            and None not in (step.exchange, after[0].exchange)
            and (step.exchange != after[0].exchange)
        )

    def _stretches(self, part_of: dict[int, Part]) -> dict[int, int]:
        """The number of the empty run that each call belongs to, by its place."""
        found: dict[int, int] = {}
        places = [step.place for step in self.steps if step.nothing]
        for number, stretch in enumerate(_consecutive(places, self._goes_on)):
            steps = [self.steps[place - 1] for place in stretch]
            counted = sum(step.fruitless or step.manner == "looks" for step in steps)
            pairs = pairwise(steps)
            changes = any(one.question is None or one.question != other.question for one, other in pairs)
            parts = [part_of[place] for place in stretch if place in part_of]
            longest = max((part.end - part.begin + 1 for part in parts), default=0)
            if counted >= self.repeats + 5 and changes and len(stretch) >= 2 * longest:
                found |= dict.fromkeys(stretch, number)
        return found

    def _goes_on(self, one: int, other: int) -> bool:
        before, step = self.steps[one - 1], self.steps[other - 1]
        if other != one + 1 or before.thing != step.thing:
            return False
        return (step.begin - before.begin) * 10 >= before.took * 9

    def _retries(self, left: set[int]) -> list[Loop]:
        """Streaks of failures of one question, whatever was called in between."""
        questions = dict.fromkeys(step.question for step in self.steps if step.question is not None)
        found = []
        for question in questions:
            steps = [step for step in self.steps if step.question == question]
            failing = [step.place for step in steps if step.fruitless]
            order = {step.place: number for number, step in enumerate(steps)}

            def fails_on(one: int, other: int, order: dict[int, int] = order) -> bool:
                step = self.steps[other - 1]
                late = step.begin - self.steps[one - 1].end > self.pause * 6
                return order[other] == order[one] + 1 and self._is_free(step) and not late

            for streak in _consecutive(failing, fails_on):
                calls = [self.steps[place - 1] for place in streak if place in left]
                solved = any(one.ok for one in self._after(self.steps[streak[-1] - 1]))
                if len(calls) >= 2 * self.repeats:
                    found.append(self._loop("retry", 1, solved, calls))
        return found


def _consecutive(places: list[int], follows: Callable[[int, int], bool]) -> Iterator[list[int]]:
    """The places in groups, each of which follows the one before it."""
    group: list[int] = []
    for place in places:
        if group and not follows(group[-1], place):
            yield group
            group = []
        group.append(place)
    if group:
        yield group


def _without_retries(ordered: list[Exchange]) -> list[Exchange]:
    kept: list[Exchange] = []
    before: dict[tuple[Any, ...], Any] = {}
    for exchange in ordered:
        key = (exchange.row.get("service_name"), exchange.target, exchange.row.get("args_digest"))
        outcome = exchange.row.get("outcome")
        if outcome not in ("input_required", "task") and before.get(key) != "input_required":
            kept.append(exchange)
        before[key] = outcome
    return kept


def _silent(calls: dict[str, list[Exchange]]) -> set[tuple[str, tuple[str, ...]]]:
    """(session, tool) if the tool gave almost only empty answers in at least five other sessions."""
    answers: dict[tuple[str, ...], list[tuple[str, bool]]] = defaultdict(list)
    for session, lane in calls.items():
        for exchange in lane:
            if exchange.ok:
                answers[exchange.thing].append((session, exchange.empty))
    silent = set()
    for thing, every in answers.items():
        for session in calls:
            others = [(other, empty) for other, empty in every if other != session]
            enough = len({other for other, _ in others}) >= 5
            if enough and sum(empty for _, empty in others) >= 0.95 * len(others):
                silent.add((session, thing))
    return silent


# -- across sessions --------------------------------------------------------------------------------------
def _outages(found: list[Loop], rows: list[Row], repeats: int) -> list[list[Loop]]:
    by_failure: dict[tuple[Any, ...], list[Loop]] = defaultdict(list)
    for loop in found:
        if loop.failure is not None:
            by_failure[loop.failure].append(loop)
    outages = []
    for alike in by_failure.values():
        clusters: list[list[Loop]] = []
        end = 0
        for loop in sorted(alike, key=lambda one: (one.first, one.session, one.calls[0].place)):
            if clusters and loop.first <= end + 300 * SECOND:
                clusters[-1].append(loop)
            else:
                clusters.append([loop])
            end = max(end, *(call.end for call in loop.calls))
        outages += [cluster for cluster in clusters if _is_outage(cluster, rows, repeats)]
    return outages


def _is_outage(cluster: list[Loop], rows: list[Row], repeats: int) -> bool:
    if len({loop.session for loop in cluster}) < repeats:
        return False
    end, overlapping = 0, False
    for loop in cluster:
        overlapping = overlapping or loop.first < end
        end = max(end, *(call.end for call in loop.calls))
    first, last = min(loop.first for loop in cluster), max(loop.last for loop in cluster)
    return (overlapping or len({loop.question for loop in cluster}) > 1) and not _works(cluster[0], rows, first, last)


def _works(loop: Loop, rows: list[Row], first: int, last: int) -> bool:
    """Whether the tool had success in between, to the first and the last of each minute."""
    minutes: dict[int, list[int]] = defaultdict(list)
    failing = loop.calls[0].row
    for row in rows:
        same = all((row.get(name) or "") == (failing.get(name) or "") for name in ("service_name", "tool"))
        if same and row.get("method") == "tools/call" and row.get("kind") == "server" and row.get("outcome") == "ok":
            minutes[row["start_unix_nano"] // (60 * SECOND)].append(row["start_unix_nano"])
    return any(min(starts) <= last and max(starts) >= first for starts in minutes.values())


def _chains(calls: dict[str, list[Exchange]], repeats: int, pause: int) -> list[Row]:
    singles: dict[tuple[Any, ...], list[list[Exchange]]] = defaultdict(list)
    for lane in calls.values():
        alike: dict[tuple[Any, ...], list[Exchange]] = defaultdict(list)
        for exchange in lane:
            if exchange.exchange is not None:
                alike[exchange.exchange].append(exchange)
        for group in alike.values():
            if len(lane) <= 6 and (2 * len(group) >= len(lane) or group[0].fruitless):
                clients = [one.row["client_name"] for one in group if one.row.get("client_name") is not None]
                key = group[0].row.get("service_name"), min(clients, default=None), group[0].question
                singles[key].append(sorted(group, key=lambda one: one.begin))
    found = []
    for groups in singles.values():
        groups.sort(key=lambda one: (one[0].begin, one[0].row["session_id"], _text(one[0])))
        places = list(range(len(groups)))

        def again(one: int, other: int, groups: list[list[Exchange]] = groups) -> bool:
            gap = groups[other][0].begin - max(call.end for call in groups[one])
            answered = all(call.ok for call in groups[other])
            return groups[one][0].exchange == groups[other][0].exchange and 0 <= gap <= pause * (1 if answered else 6)

        for chain in _consecutive(places, again):
            following = groups[chain[-1] + 1] if chain[-1] + 1 < len(groups) else None
            members = [groups[place] for place in chain]
            if len({group[0].row["session_id"] for group in members}) >= repeats + 2 and not _answered(
                members[-1], following, pause
            ):
                found.append(_chain(members))
    return found


def _text(exchange: Exchange) -> str:
    return f"={exchange.answer}" if exchange.ok else "!"


def _answered(last: list[Exchange], following: list[Exchange] | None, pause: int) -> bool:
    if following is None or following[0].exchange == last[0].exchange:
        return False
    soon = following[0].begin - max(call.end for call in last) <= 6 * pause
    return soon and all(call.ok for call in following)


def _chain(members: list[list[Exchange]]) -> Row:
    calls = [call for group in members for call in group]
    session = members[0][0].row["session_id"]
    row = _row([Loop(session, "sessions", 1, calls, False, True)], session, "sessions")
    return row | {"from_call": 1, "sessions": len({call.row["session_id"] for call in calls})}
