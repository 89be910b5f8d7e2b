import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcpobs.service import NAMELESS, service_name


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("npx -y @modelcontextprotocol/server-filesystem /data", "server-filesystem"),
        ("npx -y @modelcontextprotocol/server-everything@2026.8.31", "server-everything"),
        ("uvx mcp-server-git --repository /tmp", "mcp-server-git"),
        ("uvx --from mcp-server-time mcp-server-time", "mcp-server-time"),
        ("uv run --directory /srv server.py", "server"),
        ("python -m mcp_server_git", "mcp_server_git"),
        ("/usr/bin/python3.12 /srv/weather.py --fast", "weather"),
        ("node dist/index.js", "index"),
        ("/opt/bin/mcp-time -v", "mcp-time"),
        ("env TOKEN=x node server.mjs", "server"),
        ("python -c pass", "python"),
        ("sh", "sh"),
        ("npx --package=@acme/notes@1 notes", "notes"),
        ("npx -p @acme/notes notes", "notes"),
        ("npx tsx server.ts", "server"),
        ("npm exec -- @acme/notes --fast", "notes"),
        ("npm run start:mcp", "start:mcp"),
        ("npm start", "npm"),
        ("pnpm dlx @acme/notes", "notes"),
        ("bun run src/notes.ts", "notes"),
        ("bun notes.ts", "notes"),
        ("deno run -A --allow-net=example.com npm:@acme/notes@2", "notes"),
        ("deno run -A https://deno.example/x/notes/mod.ts?key=k", "mod"),
        ("uv --directory /srv run notes.py", "notes"),
        ("uv run -m notes", "notes"),
        ("uv run python -u notes.py", "notes"),
        ("uv tool run --python 3.12 notes==1.2", "notes"),
        ("python -um notes", "notes"),
        ("python -Xutf8 -W ignore notes.py", "notes"),
        ("pipx run --spec notes[http]==1 notes", "notes"),
        ("bash -e notes.sh", "notes"),
        ("java -Xmx1g -Dkey=secret -jar build/notes.jar", "notes"),
        ("java -cp lib org.example.Notes", "org.example.Notes"),
        ("go run -race ./cmd/notes", "notes"),
        ("dotnet run --project src/Notes.csproj", "Notes"),
        ("dotnet bin/Notes.dll", "Notes"),
        ("dnx Notes@1.0 --yes", "Notes"),
        ("docker run -i --rm mcp/notes", "notes"),
        ("docker run -it --rm -p 8000:8000 ghcr.io/acme/notes:1.2 serve", "notes"),
        ("podman run -i registry.example:5000/notes@sha256:0123456789abcdef0123456789abcdef", "notes"),
        ("docker --context far container exec -i notes python server.py", "notes"),
        # secrets in places where a name was looked for
        ("npx -y --api-key KEY pkg", "npx"),
        ("npx -y pkg --api-key KEY", "pkg"),
        ("npx --api-key=KEY pkg", "pkg"),
        ("npx -y mcp-remote https://host.example/path?token=KEY", "mcp-remote"),
        ("npx https://user:KEY@host.example/notes.tgz?key=KEY", "notes"),
        ("npx https://user:KEY@host.example", "npx"),
        ("npx git+ssh://git:KEY@host.example/acme/notes.git#KEY", "notes"),
        ("npx sk-ant-api03-0123456789abcdef", "npx"),
        ("npx 0123456789abcdef0123456789abcdef", "npx"),
        ("node --token=KEY index.js", "index"),
        ("node --token KEY index.js", "node"),
        ("uvx --from git+https://user:KEY@host.example/acme/notes notes", "notes"),
        ("uvx --index-url https://user:KEY@host.example/simple notes", "notes"),
        ("docker run -e API_KEY=KEY notes", "notes"),
        ("docker run -eAPI_KEY=KEY --env=B=KEY notes", "notes"),
        ("docker run --unheard-of KEY notes", "docker"),
        ("python -m notes --key KEY", "notes"),
        ("python --unheard-of KEY notes.py", "python"),
        ("env -u A KEY=KEY B=KEY notes", "notes"),
        ("env -S KEY notes", "env"),
        ("bash -lc KEY", "bash"),
        ("sh -s KEY", "sh"),
        ("java -javaagent:a.jar=KEY -jar notes.jar", "notes"),
        ("dotnet run KEY", "dotnet"),
        ("java @KEY -jar notes.jar", "java"),
        ("notes --key KEY", "notes"),
        ("/srv/0123456789abcdef0123456789abcdef/notes", "notes"),
        ("/srv/0123456789abcdef0123456789abcdef", NAMELESS),
    ],
)
def test_a_server_is_called_by_the_telling_part_of_its_command(command: str, name: str) -> None:
    assert service_name(command.split(), None, {}) == name


def test_a_command_that_is_one_word_with_blanks_and_a_key_names_nothing() -> None:
    assert service_name(["API_KEY=KEY node server.js"], None, {}) == NAMELESS
    assert service_name(["sh", "-c", "API_KEY=KEY node server.js"], None, {}) == "sh"


COMMANDS = [
    "npx -y notes",
    "npm exec notes",
    "pnpm dlx notes",
    "bunx notes",
    "bun run notes.ts",
    "deno run -A notes.ts",
    "uvx notes",
    "uv run notes.py",
    "uv tool run notes",
    "pipx run notes",
    "python notes.py",
    "python -m notes",
    "node notes.js",
    "tsx notes.ts",
    "bash notes.sh",
    "env notes",
    "java -jar notes.jar",
    "ruby notes.rb",
    "go run ./notes",
    "dotnet run --project notes.csproj",
    "docker run -i notes",
    "podman run --rm notes",
    "notes",
]
SECRETS = st.text(st.sampled_from("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"), min_size=8)
OPTIONS = [
    "--api-key {}", "--api-key={}", "--token {}", "-K {}", "-K={}", "-K{}", "--header Authorization:{}", "KEY={}",
    "https://user:{}@host.example", "https://host.example/?key={}", "--url https://host.example/x?key={}",
]  # fmt: skip


@settings(max_examples=300)
@given(st.sampled_from(COMMANDS), st.sampled_from(OPTIONS), SECRETS, st.data())
def test_a_secret_that_an_option_carries_is_never_the_name(command, option, secret, data):
    words = command.split()
    at = data.draw(st.integers(1, len(words)))
    if words[at - 1] in ("-m", "-jar", "--project"):
        at -= 1  # what follows these is the name, by the runner's own rules
    words[at:at] = option.format(secret).split()
    assert secret not in service_name(words, None, {})


def test_a_name_that_was_given_wins_over_the_environment_and_that_over_the_command() -> None:
    env = {"OTEL_SERVICE_NAME": "env", "OTEL_RESOURCE_ATTRIBUTES": "service.name=attributes"}
    assert service_name(["x"], "given", env) == "given"
    assert service_name(["x"], None, env) == "env"
    assert service_name(["x"], None, {"OTEL_RESOURCE_ATTRIBUTES": "a=b, service.name=my%20name"}) == "my name"
