"""Why a call was denied: a closed list of codes, and the text that a model reads for each.

The codes are public: clients and reports match on them, and a test pins them. A text says which limit it is, what is
left, when to try again and what to do instead; never what the policy holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Code(StrEnum):
    """Why a call is denied."""

    HALTED = "halted"
    UNKNOWN = "unknown"
    NOT_ALLOWED = "not_allowed"
    DENIED = "denied"
    REQUIREMENT = "requirement"
    ORDER = "order"
    SCHEDULE = "schedule"
    ARGUMENTS = "arguments"
    TENANT = "tenant"
    RESULT = "result"
    INSPECTION = "inspection"
    CALL_LIMIT = "call_limit"
    RATE_LIMIT = "rate_limit"
    SUM_LIMIT = "sum_limit"
    COST_LIMIT = "cost_limit"
    TOOL_LIMIT = "tool_limit"
    REPEATED = "repeated"
    DURATION = "duration"
    SIZE = "size"
    SERVER_REQUEST = "server_request"
    POLICY_ERROR = "policy_error"
    STORE_ERROR = "store_error"


@dataclass(frozen=True, slots=True)
class Said:
    """What a text may name: the tool, numbers of the limit, and how long to wait."""

    target: str = "this"
    most: str | None = None
    used: str | None = None
    per: str | None = None
    retry_after_s: int | None = None
    needs: str | None = None
    reason: str | None = None


NOTHING_SAID = Said()


def text(code: Code, said: Said) -> str:
    """Returns the sentences for the model."""
    sentences = [_what(code, said)]
    if said.reason:
        sentences.append(said.reason)
    if said.retry_after_s is not None:
        sentences.append(f"Try again in {_duration(said.retry_after_s)}.")
    sentences.append(_instead(code))
    return " ".join(sentence for sentence in sentences if sentence)


def _what(code: Code, said: Said) -> str:
    target, used = said.target, f"{said.used} of {said.most}" if said.used and said.most else said.most or "all"
    per = f" per {said.per}" if said.per else ""
    match code:
        case Code.HALTED:
            return "This session has been stopped, and its calls are refused."
        case Code.UNKNOWN:
            return f"Unknown tool: {target}"
        case Code.NOT_ALLOWED | Code.DENIED:
            return f"{target} is not allowed here."
        case Code.REQUIREMENT | Code.ORDER | Code.SCHEDULE | Code.TENANT | Code.ARGUMENTS:
            return f"{target} was refused: {said.needs}." if said.needs else f"{target} was refused."
        case Code.RESULT:
            return f"The result of {target} is withheld."
        case Code.INSPECTION:
            return f"{said.needs or f'The result of {target} is withheld'}."
        case Code.CALL_LIMIT | Code.RATE_LIMIT:
            return f"Limit reached: {used} calls of {target} used{per}."
        case Code.SUM_LIMIT:
            return f"Limit reached: this call would exceed the total{_of(said.most)} for {target}{per}."
        case Code.COST_LIMIT:
            return f"Budget reached: {used} spent{per}."
        case Code.TOOL_LIMIT:
            return f"Limit reached: {said.most or 'all'} different tools used{per}."
        case Code.REPEATED:
            return f"{target} was called with the same arguments {used} times{per}; the answer will not change."
        case Code.DURATION:
            return f"This session has reached its longest duration{_of(said.most)}."
        case Code.SIZE:
            return f"The arguments of {target} are larger than {said.most or 'the allowed'} bytes."
        case Code.SERVER_REQUEST:
            return "The client does not take requests of this kind."
        case Code.POLICY_ERROR:
            return f"{target} was refused, because the call could not be checked."
        case Code.STORE_ERROR:
            return f"{target} was refused, because its limits could not be checked just now."


def _instead(code: Code) -> str:
    match code:
        case Code.HALTED:
            return "Do not call any more tools; end here, and tell the user."
        case Code.CALL_LIMIT | Code.RATE_LIMIT | Code.SUM_LIMIT | Code.COST_LIMIT | Code.TOOL_LIMIT | Code.DURATION:
            return "Work with the results you have, or tell the user that the limit is reached."
        case Code.REPEATED:
            return "Use the result you have, or change the arguments."
        case Code.SIZE | Code.ARGUMENTS:
            return "Correct the arguments before you call it again."
        case Code.ORDER:
            return "Do that first, then call it again."
        case (
            Code.NOT_ALLOWED
            | Code.DENIED
            | Code.TENANT
            | Code.SCHEDULE
            | Code.RESULT
            | Code.INSPECTION
            | Code.REQUIREMENT
        ):
            return "Calling it again in the same way will be refused again."
        case Code.STORE_ERROR:
            return "Try again later."
        case _:
            return ""


def _of(most: str | None) -> str:
    return f" of {most}" if most else ""


def _duration(seconds: int) -> str:
    if seconds < 120:
        return f"{seconds} s"
    return f"{-(-seconds // 60)} min" if seconds < 7_200 else f"{-(-seconds // 3_600)} h"
