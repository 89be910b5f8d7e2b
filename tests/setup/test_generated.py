"""Generated configurations, with comments, spaces and styles of all kinds: only what is meant differs, and taking it
away is the identity on bytes."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mcpobs.setup import jsonc, plan, wrapping
from mcpobs.setup.backups import Backup, digest
from mcpobs.setup.clients import CLAUDE_CODE, CODEX, Client, Place
from mcpobs.setup.files import Source
from mcpobs.setup.json_document import JsonDocument
from mcpobs.setup.located import MalformedError
from tests.setup.configurations import FRONT

Draw = Callable[[st.SearchStrategy[Any]], Any]

# `~` marks what a generated text has beside its values, so that this test can take it out without a parser of ours.
TEXT = st.text(st.characters(exclude_characters="~", exclude_categories=["Cs"]), max_size=8)
WORD = TEXT.filter(lambda t: bool(t.strip()) and not any(c.isspace() for c in t))
GAP = st.sampled_from(["", " ", "\n", "\t", "\r\n", "  \n    ", '/*~ a { [ " ~*/', "//~ b } ] , ~\n", "/*~*~*/ "])
ESCAPES = st.booleans()


def _string(draw: Draw, value: str) -> str:
    return json.dumps(value, ensure_ascii=draw(ESCAPES))


def _json(draw: Draw, value: Any) -> str:
    def gap() -> str:
        return str(draw(GAP))

    def inside(parts: list[str], begin: str, end: str) -> str:
        last = ",/*~,~*/" if parts and draw(st.booleans()) else ""
        return begin + ",".join(gap() + part + gap() for part in parts) + (last or gap()) + end

    match value:
        case dict():
            pairs = [f"{_string(draw, k)}{gap()}:{gap()}{_json(draw, v)}" for k, v in value.items()]
            return inside(pairs, "{", "}")
        case list():
            return inside([_json(draw, item) for item in value], "[", "]")
        case str():
            return _string(draw, value)
    return json.dumps(value)


def _bare(text: str) -> str:
    """Strict JSON: without the commas, the comments and the mark that were put in."""
    text = text.removeprefix("\ufeff").replace(",/*~,~*/", "")
    return re.sub(r"/\*~.*?~\*/|//~.*?~\n", " ", text, flags=re.DOTALL)


SCALAR = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT
ANY = st.recursive(SCALAR, lambda v: st.lists(v, max_size=3) | st.dictionaries(TEXT, v, max_size=3), max_leaves=6)


@st.composite
def _server(draw: Draw) -> dict[str, Any]:
    kind = draw(st.sampled_from(["stdio", "stdio", "stdio", "bare", "url", "odd"]))
    own: dict[str, Any] = {}
    if kind != "url":
        own["command"] = draw(WORD)
    if kind == "stdio":
        own["args"] = draw(st.lists(TEXT, max_size=4))
    if kind == "odd":
        own["args"] = draw(st.sampled_from([None, 5, "text", [1], ["a", None], {}]))
    if kind == "url":
        own["url"] = "https://example.com/mcp"
    more = draw(st.dictionaries(TEXT.filter(lambda k: k not in RESERVED), ANY, max_size=2))
    keys = draw(st.permutations([*own, *more]))
    return {key: {**more, **own}[key] for key in keys}


RESERVED = {"command", "args", "url", "serverUrl", "httpUrl", "type", "transport", "mcpServers", "projects"}
SERVERS = st.dictionaries(TEXT, _server(), max_size=4)


@st.composite
def _json_configurations(draw: Draw) -> tuple[str, dict[str, Any]]:
    data: dict[str, Any] = draw(st.dictionaries(TEXT.filter(lambda k: k not in RESERVED), ANY, max_size=3))
    data["mcpServers"] = draw(SERVERS)
    if draw(st.booleans()):
        data["projects"] = {draw(TEXT): {"mcpServers": draw(SERVERS)}}
    keys = draw(st.permutations(list(data)))
    data = {key: data[key] for key in keys}
    mark = "\ufeff" if draw(st.booleans()) else ""
    return mark + draw(GAP) + _json(draw, data) + draw(GAP), data


def _source(content: bytes, like: Client) -> tuple[Place, Source]:
    path = Path("/nowhere/configuration")
    return Place(like, path), Source(path, path, content, 0o600, (0, 0))


def _expected(servers: dict[str, Any]) -> dict[str, Any]:
    return {name: _wrapped(name, s) if isinstance(s, dict) else s for name, s in servers.items()}


def _wrapped(name: str, server: dict[str, Any]) -> dict[str, Any]:
    args = server.get("args", [])
    if "command" not in server or not isinstance(args, list) or not all(isinstance(a, str) for a in args):
        return server
    first, *rest = FRONT.words(name)
    now: dict[str, Any] = {}
    for key, value in server.items():
        now[key] = value
        if key == "command":
            now[key] = first
            if "args" not in server:
                now["args"] = [*rest, server["command"]]
        elif key == "args":
            now[key] = [*rest, server["command"], *args]
    return now


def _there_and_back(before: bytes, client: Client) -> bytes:
    """Wraps, and holds both ways back against the bytes: with the backup, and by the text alone."""
    after = plan.wrap(*_source(before, client), FRONT, ()).content
    place, source = _source(after, client)
    assert plan.unwrap(place, source, (), Backup(before, digest(after))).content == before
    # Somebody has changed the file since: a line at its end. The servers are found in the text as it is.
    place, edited = _source(after + b"\n", client)
    assert plan.unwrap(place, edited, (), Backup(before, digest(after))).content == before + b"\n"
    assert not plan.wrap(place, source, FRONT, ()).changes
    return after


@given(_json_configurations())
def test_in_json_only_the_intended_entries_differ_and_back_is_the_identity(
    generated: tuple[str, dict[str, Any]],
) -> None:
    text, data = generated
    assert json.dumps(json.loads(_bare(text))) == json.dumps(data)  # the generator says what it means
    after = _there_and_back(text.encode(), CLAUDE_CODE).decode()
    expected = {**data, "mcpServers": _expected(data["mcpServers"])}
    if "projects" in data:
        expected["projects"] = {
            key: {"mcpServers": _expected(project["mcpServers"])} for key, project in data["projects"].items()
        }
    assert json.dumps(json.loads(_bare(after))) == json.dumps(expected)
    marks = re.compile(r"/\*~.*?~\*/|//~.*?~\n", re.DOTALL)
    assert marks.findall(after) == marks.findall(text)


# -- TOML -------------------------------------------------------------------------------------------------

TOML_TEXT = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\u2028\u2029\x85\ufeff"), max_size=8
)
TOML_WORD = TOML_TEXT.filter(lambda t: bool(t.strip()) and not any(c.isspace() for c in t))
BLANK = st.sampled_from(["", " ", "\t", "   "])
COMMENT = st.sampled_from(["", " # note", "\t# a = [ { \"'", "#"])
ARRAY_GAP = st.sampled_from(["", " ", "\n", "\n  ", " # note ] ,\n", "\n\t# other\n"])
VALUES = [
    "1",
    "-2.5e3",
    "nan",
    "true",
    "2026-11-01T10:00:00Z",
    "2026-11-01 10:00:00",
    '"a#b"',
    "[1, [2, 3]]",
    "{ x = 1 }",
]


def _toml_string(draw: Draw, value: str) -> str:
    forms = [json.dumps(value, ensure_ascii=False)]
    if "'" not in value:
        forms += [f"'{value}'", f"'''{value}'''", f"'''\n{value}'''"]
    if '"' not in value and "\\" not in value:
        forms += [
            f'"""{value}"""',
            f'"""\n{value}"""',
            f'"""\\\n   {value}"""' if value.strip() == value else f'"{value}"',
        ]
    else:
        inner = value.replace("\\", "\\\\").replace('"', '\\"')
        forms.append(f'"""{inner}"""')
    return str(draw(st.sampled_from(forms)))


def _toml_key(draw: Draw, key: str) -> str:
    if re.fullmatch(r"[A-Za-z0-9_-]+", key) and draw(st.booleans()):
        return key
    return json.dumps(key, ensure_ascii=False)


def _toml_array(draw: Draw, items: list[str]) -> str:
    parts = [draw(ARRAY_GAP) + _toml_string(draw, item) + draw(ARRAY_GAP) for item in items]
    last = "," + draw(ARRAY_GAP) if parts and draw(st.booleans()) else ""
    return "[" + ",".join(parts) + last + draw(ARRAY_GAP) + "]"


def _one_line(text: str) -> bool:
    return "\n" not in text


@st.composite
def _toml_servers(draw: Draw) -> str:
    lines: list[str] = []
    names = draw(st.lists(TOML_TEXT, max_size=4, unique=True))
    tables, inline = [], []
    for name in names:
        key = _toml_key(draw, name)
        own = [("command", _toml_string(draw, draw(TOML_WORD)))]
        if draw(st.booleans()):
            own.append(("args", _toml_array(draw, draw(st.lists(TOML_TEXT, max_size=3)))))
        if draw(st.booleans()):
            own.append(("enabled", "false"))
        own = draw(st.permutations(own))
        style = draw(st.sampled_from(["table", "dotted", "inline"]))
        if style == "inline" and all(_one_line(value) for _, value in own):
            inline.append(f"{key} = {{ {', '.join(f'{k} = {v}' for k, v in own)} }}{draw(COMMENT)}")
        elif style == "dotted":
            inline += [f"{draw(BLANK)}{key} . {k}{draw(BLANK)}={draw(BLANK)}{v}{draw(COMMENT)}" for k, v in own]
        else:
            tables.append(f"{draw(BLANK)}[ mcp_servers.{key} ]{draw(COMMENT)}")
            tables += [f"{draw(BLANK)}{k}{draw(BLANK)}={draw(BLANK)}{v}{draw(COMMENT)}" for k, v in own]
            if draw(st.booleans()):
                tables += [f"[mcp_servers.{key}.env]", f"KEY = {_toml_string(draw, draw(TOML_TEXT))}"]
    top = [f"top{n} = {draw(st.sampled_from(VALUES))}{draw(COMMENT)}" for n in range(draw(st.integers(0, 2)))]
    lines += top
    if inline or draw(st.booleans()):
        lines += ["[mcp_servers]", *inline]
    lines += tables
    if draw(st.booleans()):
        lines += [
            "[[many]]",
            f"a.b = {draw(st.sampled_from(VALUES))}",
            "[[many]]",
            "",
            "[other]",
            "command = 'not ours'",
        ]
    return "\n".join(lines) + draw(st.sampled_from(["", "\n", "\n\n# the end"]))


@given(_toml_servers(), st.booleans(), st.booleans())
def test_in_toml_only_the_intended_entries_differ_and_back_is_the_identity(text: str, crlf: bool, mark: bool) -> None:
    if crlf:
        text = text.replace("\n", "\r\n")
    data = tomllib.loads(text)
    after = _there_and_back((("\ufeff" if mark else "") + text).encode(), CODEX).decode()
    expected = {**data}
    if "mcp_servers" in data:
        expected["mcp_servers"] = _expected(data["mcp_servers"])
    assert repr(tomllib.loads(after.removeprefix("\ufeff"))) == repr(expected)
    assert after.count("#") >= text.count("#")


@given(st.text(max_size=60) | st.text("{}[]\",:\\/*\n tfn01-.eE#='", max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    """What a strict parser takes, ours takes and means the same; what ours takes can be wrapped."""
    try:
        node = jsonc.parse(text)
    except MalformedError:
        node = None
    try:
        strict = json.loads(text, parse_constant=lambda word: _no(word))
    except (ValueError, RecursionError):
        return
    assert node is not None
    assert (node.kind == "object") == isinstance(strict, dict)
    assert (node.kind == "array") == isinstance(strict, list)


def _no(word: str) -> None:
    raise ValueError(word)


@given(st.lists(TEXT, min_size=1, max_size=6))
def test_only_commands_written_by_init_count_as_its_own(words: list[str]) -> None:
    text = json.dumps({"mcpServers": {"a": {"command": words[0], "args": words[1:]}}})
    (entry,) = JsonDocument.parse(text).entries((("mcpServers",),))
    assert wrapping.own_command(entry) is None
