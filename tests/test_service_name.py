import pytest

from mcpobs.service import service_name


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
    ],
)
def test_a_server_is_called_by_the_telling_part_of_its_command(command: str, name: str) -> None:
    assert service_name(command.split(), None, {}) == name


def test_a_name_that_was_given_wins_over_the_environment_and_that_over_the_command() -> None:
    env = {"OTEL_SERVICE_NAME": "env", "OTEL_RESOURCE_ATTRIBUTES": "service.name=attributes"}
    assert service_name(["x"], "given", env) == "given"
    assert service_name(["x"], None, env) == "env"
    assert service_name(["x"], None, {"OTEL_RESOURCE_ATTRIBUTES": "a=b, service.name=my%20name"}) == "my name"
