"""`path`: attempts to leave the folders that are listed. None gets through."""

from __future__ import annotations

import posixpath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcpobs.errors import UsageError
from mcpobs.policy.conditions import RuleError
from tests.policy.rules.made import call, condition, holds

UNDER = ["/data/tenant-a", "/srv/shared/"]
UNSAFE = [
    "/etc/passwd",
    "/data/tenant-b/x",
    "/data/tenant-ab/x",
    "/data/tenant-a.old",
    "/data",
    "/data/",
    "/",
    "",
    ".",
    "tenant-a/x",
    "x",
    "../../etc/passwd",
    "data/tenant-a/x",
    "/data/tenant-a/../tenant-b/x",
    "/data/tenant-a/..",
    "/data/tenant-a/x/../../tenant-b",
    "/data/tenant-a/./../tenant-b",
    "/data/tenant-a//..//tenant-b",
    "/data/tenant-a/x/..",
    "/data/tenant-a/.../x",
    "/data/tenant-a/.. /tenant-b",
    "/data/tenant-a/..\t/tenant-b",
    "/data/tenant-a/ ../tenant-b",
    "/data/tenant-a/. ./tenant-b",
    "//data/tenant-a/x",
    "///data/tenant-a/x",
    "//server/share/data/tenant-a",
    "/DATA/tenant-a/x",
    "/data/Tenant-A/x",
    "/data/tenant-a\x00/../../etc/passwd",
    "/data/tenant-a/x\x00.png",
    "/data/tenant-a\\..\\tenant-b",
    "\\data\\tenant-a\\x",
    "/data/tenant-a/..\\..\\etc\\passwd",
    "C:\\data\\tenant-a",
    "C:/data/tenant-a/x",
    "c:data",
    "/data/tenant-a/%2e%2e/tenant-b",
    "/data/tenant-a/%252e%252e/x",
    "%2fetc%2fpasswd",
    "/data/tenant-a/..%2f..%2fetc",
    "/data/tenant-a/%00",
    "/data/tenant-a/%c0%ae%c0%ae/x",
    "~/x",
    "~root/x",
    "/data/tenant-a/~/x",
    "$HOME/x",
    "/data/tenant-a/$HOME",
    "/data/tenant-a/${IFS}x",
    "/data/tenant-a/$(id)",
    "file:///data/tenant-a/x",
    "file:/data/tenant-a/x",
    "http://x/data/tenant-a",
    " /data/tenant-a/x",
    "/data/tenant-a/x ",
    "/data/tenant-a/x\n",
    "/etc/passwd\n/data/tenant-a/x",
    "/data/tenant-a/\u202e/x",
    "/data/tenant\u200b-a/x",
    "/data/tenant-a/\u200b../x",
    "/data/tenant-a/\uff0e\uff0e/tenant-b",
    "/data/tenant-a/\u2024\u2024/tenant-b",
    "/data/tenant-a/..\uff0f..\uff0fetc",
    "/data/tenant-a/x\uff0fy",
    "/data/tenant-a/\uff3c..",
    "/data/tenant-a/\uff05\uff12e",
    "\uff0fdata/tenant-a",
    "/data/tenant‐a/x",
    "/data/tеnant-a/x",  # a Cyrillic letter
    "/data/tenant-a/{x,../../etc}/passwd",
    "/data/{tenant-a,tenant-b}/x",
    "/data/*/x",
    "/data/tenant-?/x",
    "/proc/self/root/etc/passwd",
    "/dev/fd/0",
    "/data/tenant-a/" + "a" * 5_000,
    "/data/tenant-a/\ud800",
    "/data/tenant-a/\x1b[0m",
    "/data/tenant-a/\u2028x",
]
SAFE = [
    "/data/tenant-a",
    "/data/tenant-a/",
    "/data/tenant-a/x",
    "/data/tenant-a//x",
    "/data/tenant-a/./x",
    "/data/./tenant-a/x",
    "/data/tenant-a/a b/c (1).txt",
    "/data/tenant-a/.hidden",
    "/data/tenant-a/..x",
    "/data/tenant-a/x..y",
    "/data/tenant-a/x.",
    "/data/tenant-a/10:30.log",
    "/data/tenant-a/Übersicht.pdf",
    "/data/tenant-a/報告.txt",
    "/srv/shared/x",
    "/srv/shared",
]


def _path(under: list[str] = UNDER):
    return condition("path", {"arg": "p", "under": under})


@pytest.mark.parametrize("text", UNSAFE)
def test_no_path_leaves_the_folders_that_are_listed(text: str) -> None:
    assert not holds(_path(), call({"p": text}))
    assert not holds(_path(), call({"p": ["/data/tenant-a/x", text]}))


@pytest.mark.parametrize("text", SAFE)
def test_a_usual_path_is_let_through(text: str) -> None:
    assert holds(_path(), call({"p": text}))
    assert holds(_path(), call({"p": [text, text]}))


def test_a_relative_path_is_let_through_below_a_relative_one_alone() -> None:
    here = _path(["reports"])
    assert holds(here, call({"p": "reports/x"}))
    assert holds(here, call({"p": "./reports/x"}))
    for text in ("/reports/x", "x", "reports/../x", "../reports", "reports2/x", "."):
        assert not holds(here, call({"p": text})), text
    anywhere = _path(["."])
    assert holds(anywhere, call({"p": "x/y"}))
    for text in ("/x", "../x", "x/../../y", "~/x"):
        assert not holds(anywhere, call({"p": text})), text


def test_the_root_allows_every_absolute_path() -> None:
    assert holds(_path(["/"]), call({"p": "/etc/hosts"}))
    assert not holds(_path(["/"]), call({"p": "etc/hosts"}))


@pytest.mark.parametrize("value", [None, 5, [], [5], {"p": "/data/tenant-a"}, True, [["/data/tenant-a"]]])
def test_what_is_no_text_is_an_error(value: object) -> None:
    with pytest.raises(RuleError):
        _path().holds(call({"p": value}))


def test_the_denial_names_the_argument_and_no_folder() -> None:
    assert _path().needs(call({"p": "/etc"})) == (
        "the argument p has to be a plain path below a folder that is allowed here"
    )


def test_a_list_is_looked_at_up_to_its_bound() -> None:
    assert holds(_path(), call({"p": ["/data/tenant-a/x"] * 256}))
    assert not holds(_path(), call({"p": ["/data/tenant-a/x"] * 257}))


@given(st.text(alphabet="./\\%~a :\x00\uff0e\uff0f", max_size=24))
def test_a_path_that_is_let_through_stays_below_its_folder_however_it_is_normalised(text: str) -> None:
    whole = "/data/tenant-a/" + text
    if holds(_path(), call({"p": whole})):
        for read in (whole, whole.replace("\uff0e", ".").replace("\uff0f", "/")):
            assert (posixpath.normpath(read) + "/").startswith("/data/tenant-a/")


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ({"under": ["/x"]}, "no `arg`"),
        ({"arg": "p"}, "no `under`"),
        ({"arg": "p", "under": []}, "an empty list"),
        ({"arg": "p", "under": ["/x/../y"]}, "'/x/../y' is no plain path"),
        ({"arg": "p", "under": ["~/x"]}, "'~/x' is no plain path"),
        ({"arg": "p", "under": "/x", "udner": "/y"}, "path.udner: unknown key"),
    ],
)
def test_a_wrong_rule_is_refused(value: object, problem: str) -> None:
    with pytest.raises(UsageError, match="policy:1: ") as refused:
        condition("path", value)
    assert problem in refused.value.message
