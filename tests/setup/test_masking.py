"""What `init` and `doctor` print of a configuration does not depend on its secrets, wherever they stand; what they
write keeps them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mcpobs.cli.init import InitOptions, run_init
from mcpobs.setup import fronted, masking
from mcpobs.setup.clients import CODEX, OTHER_JSON, Client, Place
from mcpobs.setup.wrapping import Front

FRONT = Front(("/opt/tools/mcpobs",))
Put = Callable[[str], dict[str, Any]]


def args(*words: str) -> Put:
    return lambda secret: {"command": "npx", "args": [word.replace("%", secret) for word in words]}


def url(text: str) -> Put:
    return lambda secret: {"url": text.replace("%", secret)}


def ours(*words: str) -> Put:
    return lambda secret: {
        "command": "/opt/tools/mcpobs",
        "args": [*FRONT.words("a")[1:], "npx", *(word.replace("%", secret) for word in words)],
    }


PLACES: dict[str, Put] = {
    "behind an option": args("-y", "--api-key", "%", "server"),
    "behind a short option": args("-k", "%"),
    "in an option": args("--api-key=%"),
    "in a short option": args("-k%"),
    "behind an unknown option": args("-y", "--foo", "%", "pkg"),
    "alone": args("%"),
    "the first of several": args("%", "--port", "80"),
    "as the package of npx": args("-y", "%"),
    "KEY=VALUE": args("run", "-e", "API_KEY=%", "image"),
    "a header": args("-H", "Authorization: Bearer %"),
    "a header in one word": args("-HAuthorization:%"),
    "a URL's password": args("--dsn", "postgres://user:%@db.example.com/x"),
    "a URL's query": args("https://example.com/mcp?token=%"),
    "JSON": args("--config", '{"key": "%"}'),
    "shell": args("-c", "KEY=% exec server"),
    "behind two dashes": args("--", "%"),
    "env": lambda secret: {"command": "x", "env": {"K": secret, "N": "y"}},
    "headers": lambda secret: {"url": "https://example.com/mcp", "headers": {"Authorization": f"Bearer {secret}"}},
    "headers in a list": lambda secret: {"url": "https://example.com/mcp", "headers": [f"X-Key: {secret}"]},
    "an unknown field": lambda secret: {"command": "x", "auth2": {"deep": [{"er": secret}]}},
    "cwd": lambda secret: {"command": "x", "cwd": f"/home/{secret}"},
    "userinfo of the URL": url("https://user:%@example.com/mcp"),
    "user of the URL": url("https://%@example.com/mcp"),
    "query of the URL": url("https://example.com/mcp?key=%"),
    "path of the URL": url("https://example.com/api/mcp/s/%/mcp"),
    "fragment of the URL": url("https://example.com/mcp#%"),
    "a URL that is none": url("%"),
    "the type": lambda secret: {"url": "https://example.com/mcp", "type": secret},
    "the command before a space": lambda secret: {"command": f"npx --key {secret}"},
    "an assignment before the command": lambda secret: {"command": f"KEY={secret} npx"},
    "args that are a text": lambda secret: {"command": "x", "args": secret},
    "args that are not all texts": lambda secret: {"command": "x", "args": [secret, 1]},
    "behind mcpobs": ours("--api-key", "%"),
    "behind mcpobs, alone": ours("%"),
    "behind mcpobs by hand": lambda secret: {"command": "uvx", "args": ["mcpobs", "instrument", "x", "--key", secret]},
    "beside mcpobs by hand": lambda secret: {
        "command": "uvx",
        "args": ["mcpobs", "instrument", "--upstream", f"https://u:{secret}@example.com"],
    },
}
SECRETS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=40),
    st.text(st.sampled_from("abcdef0123456789"), min_size=8, max_size=40),
    st.text(st.sampled_from("abcdefghijklmnopqrstuvwxyz"), min_size=1, max_size=40),
    st.sampled_from(
        [
            "sk-proj-abc123",
            "ghp_0123456789abcdefghij",
            "xoxb-1-2-abc",
            "AKIAIOSFODNN7EXAMPLE",
            "eyJhb.eyJz.x",
            "hunter2",
        ]
    ),
).filter(
    lambda secret: (
        masking.argument(secret) == masking.HIDDEN
        and secret.strip("/") not in masking._SEGMENTS
        and not set(secret) & set("#?@/")
    )  # they end a URL's authority, so what is shown is another URL
)


def json_text(entry: dict[str, Any]) -> str:
    return json.dumps({"mcpServers": {"a": entry, "b": {"command": "other"}}}, indent=2)


def toml_text(entry: dict[str, Any]) -> str:
    lines = [f"{key} = {toml_value(value)}" for key, value in entry.items()]
    return "\n".join(["[mcp_servers.a]", *lines, "", "[mcp_servers.b]", 'command = "other"', ""])


def toml_value(value: object) -> str:
    match value:
        case dict():
            return "{" + ", ".join(f"{key} = {toml_value(v)}" for key, v in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(toml_value, value)) + "]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def options(path: Path, client: Client, **given_: Any) -> InitOptions:
    return InitOptions(
        paths=(str(path),),
        client=client.name if client is CODEX else None,
        servers=(),
        dry_run=given_.get("dry_run", False),
        revert=given_.get("revert", False),
        yes=True,
        command="/opt/tools/mcpobs",
        lake=None,
        json=given_.get("json", False),
    )


def printed(path: Path, client: Client, text: str, capsys: pytest.CaptureFixture[str]) -> str:
    """Everything that the commands print about a configuration. At its end it is as it was, or without mcpobs."""
    path.write_text(text, encoding="utf-8", newline="")
    capsys.readouterr()
    for given_ in ({"dry_run": True}, {"dry_run": True, "json": True}, {}, {"json": True}):
        run_init(options(path, client, **given_))
    checks = list(fronted.check([Place(client, path)], {"PATH": "/nowhere"}))
    for given_ in ({"dry_run": True}, {"dry_run": True, "json": True}, {}, {"json": True}):
        run_init(options(path, client, revert=True, **given_))
    captured = capsys.readouterr()
    return captured.out + captured.err + "".join(f"{check.line}\n{check.hint}\n" for check in checks)


@pytest.mark.parametrize("form", ["json", "toml"])
@pytest.mark.parametrize("place", PLACES)
@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(secret=SECRETS, other=SECRETS)
def test_the_printed_output_does_not_depend_on_a_secret(
    place: str, form: str, secret: str, other: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    client, write = (CODEX, toml_text) if form == "toml" else (OTHER_JSON, json_text)
    path = tmp_path / f"mcp.{form}"
    shown = [printed(path, client, write(PLACES[place](each)), capsys) for each in (secret, other)]
    assert shown[0] == shown[1]


@pytest.mark.parametrize(
    ("client", "text"),
    [
        (OTHER_JSON, '{// the key is %\n"x": "%", /* % */ "n": %%, "mcpServers": {"a": {"command": "x"}}}'),
        (OTHER_JSON, '{"mcpServers": {"a": {"command": "x" // %\n}}, "apiKey": "%", "list": ["%", ["%"], {"k": "%"}]}'),
        (OTHER_JSON, '{"url": "http://a//b", "k": "%", "mcpServers": {"a": {"command": "x"}}}'),
        (
            CODEX,
            '# %\nkey = "%"\nmore = """\n%\n"""\n[mcp_servers.a]\ncommand = "x" # %\n[[t]]\nk = [{a = "%", b = %%}]\n',
        ),
        (
            CODEX,
            "lit = '%'\nml = '''\n%'''\nd = {a.b = '%'}\nn = %%\n[mcp_servers.a]\ncommand = 'x'\n"
            "args = [ '%', # %\n]\n",
        ),
    ],
)
@pytest.mark.parametrize("secret", ["s3cretS3cret", "12345", "plain"])
def test_what_stands_around_the_servers_is_not_printed_either(
    client: Client, text: str, secret: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The difference has lines of context; an editor's settings hold keys of other extensions."""
    path = tmp_path / ("mcp.toml" if client is CODEX else "mcp.json")
    number = "".join(str(ord(c)) for c in secret)
    shown = printed(path, client, text.replace("%%", number).replace("%", secret), capsys)
    assert secret not in shown
    assert number not in shown
    assert "/opt/tools/mcpobs" in shown


@pytest.mark.parametrize("place", PLACES)
def test_the_file_keeps_the_hidden_values(place: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mcp.json"
    text = json_text(PLACES[place]("s3cr3t/S3CRET+x=="))
    path.write_text(text)
    run_init(options(path, OTHER_JSON))
    assert "s3cr3t/S3CRET+x==" in path.read_text()
    assert "s3cr3t" not in "".join(capsys.readouterr())
    run_init(options(path, OTHER_JSON, revert=True))
    assert place.startswith("behind mcpobs") or path.read_text() == text


@pytest.mark.parametrize(
    "text", ['{"mcpServers": {"a": {"command": "s3cret" "x"}}}', '{"mcpServers": "s3cret', '{"s3cret"']
)
def test_an_error_of_the_parser_quotes_nothing(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for form, client in (("json", OTHER_JSON), ("toml", CODEX)):
        path = tmp_path / f"mcp.{form}"
        path.write_text(text)
        assert run_init(options(path, client)) == 2
        assert "s3cret" not in "".join(capsys.readouterr())


def test_the_command_our_words_and_the_names_of_options_are_shown() -> None:
    words = [*FRONT.words("a"), "/usr/bin/npx", "-y", "@modelcontextprotocol/server-github", "--token", "abc", "--a=b"]
    shown = ["/usr/bin/npx", "-y", "@modelcontextprotocol/server-github", "--token", "…", "--a=…"]
    assert masking.words(words, len(words) - 6) == [*FRONT.words("a"), *shown]


@pytest.mark.parametrize(
    ("given_", "shown"),
    [
        ("npx", "npx"),
        ("/usr/local/bin/node", "/usr/local/bin/node"),
        ("./server.sh", "./server.sh"),
        ("docker run -e A=b x", "docker …"),
        ("A=b npx", "…"),
        ("sk-abcdefgh12345678", "…"),
        ("/srv/ghp_abcdefghij0123456789/run", "/srv/…/run"),
    ],
)
def test_a_command_is_shown_but_for_what_looks_like_a_secret(given_: str, shown: str) -> None:
    assert masking.command(given_) == shown


@pytest.mark.parametrize(
    ("given_", "shown"),
    [
        ("https://example.com", "https://example.com"),
        ("https://example.com/mcp", "https://example.com/mcp"),
        ("http://127.0.0.1:8080/v1/sse", "http://127.0.0.1:8080/v1/sse"),
        ("http://[::1]:8080/mcp", "http://[::1]:8080/mcp"),
        ("https://u:p@example.com/mcp?k=v", "https://example.com/mcp…"),
        ("https://example.com/s/abc", "https://example.com/…"),
        ("https://u:12/abc@example.com/mcp", "…"),
        ("https://0123456789abcdef0123.example.com/mcp", "https://….example.com/mcp"),
        ("${input:url}", "…"),
    ],
)
def test_of_a_url_the_host_and_a_usual_path_are_shown(given_: str, shown: str) -> None:
    assert masking.url(given_) == shown
