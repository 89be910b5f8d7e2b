"""Every configuration that we ship is one that the Collector takes, and says what it needs."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from mcpobs.collector.limits import Limits
from mcpobs.collector.options import GRPC_PORT, HTTP_PORT
from mcpobs.resources import shipped
from mcpobs.semconv import NAMES
from tests.collector_config.checking import problems, variables
from tests.collector_config.schema import CONTRIB, CORE, DISTRIBUTIONS, K8S

FOLDER = shipped("collector-config")
FILES = sorted(path.name for path in FOLDER.glob("*.yaml"))
OURS = f"http://127.0.0.1:{HTTP_PORT}"
README = (FOLDER / "README.md").read_text()
CONTENT = (
    "gen_ai.tool.call.arguments", "gen_ai.tool.call.result", "gen_ai.prompt.variable.city", "gen_ai.input.messages",
    "gen_ai.output.messages", "gen_ai.system_instructions", "exception.message", "exception.stacktrace",
)  # fmt: skip


def read(name: str) -> str:
    return (FOLDER / name).read_text()


def config_of(name: str) -> dict[str, Any]:
    return yaml.safe_load(read(name))


def test_there_is_a_plain_one_a_fan_out_and_a_redacting_one() -> None:
    assert FILES == ["otelcol-fanout.yaml", "otelcol-redact.yaml", "otelcol.yaml"]


@pytest.mark.parametrize("name", FILES)
def test_a_configuration_has_no_problem(name: str) -> None:
    assert problems(read(name)) == []


@pytest.mark.parametrize("name", FILES)
def test_a_collector_sends_to_where_we_listen_and_listens_elsewhere_on_loopback(name: str) -> None:
    config = config_of(name)
    assert config["exporters"]["otlp_http/mcpobs"]["endpoint"] == "${env:MCPOBS_ENDPOINT:-" + OURS + "}"
    protocols = config["receivers"]["otlp"]["protocols"]
    assert protocols["grpc"]["endpoint"] == "${env:OTLP_GRPC_LISTEN:-127.0.0.1:14317}"
    assert protocols["http"]["endpoint"] == "${env:OTLP_HTTP_LISTEN:-127.0.0.1:14318}"
    assert not {14317, 14318} & {GRPC_PORT, HTTP_PORT}


@pytest.mark.parametrize("name", FILES)
def test_a_collector_takes_and_sends_no_larger_requests_than_we_take(name: str) -> None:
    config, ours = config_of(name), Limits().body_bytes
    batch = config["exporters"]["otlp_http/mcpobs"]["sending_queue"]["batch"]
    assert batch["sizer"] == "bytes"
    assert batch["max_size"] <= ours / 2  # a span or two may come on top
    assert config["receivers"]["otlp"]["protocols"]["grpc"]["max_recv_msg_size_mib"] * 2**20 == ours


@pytest.mark.parametrize("name", FILES)
def test_a_collector_never_gives_up_on_us(name: str) -> None:
    retry = config_of(name)["exporters"]["otlp_http/mcpobs"]["retry_on_failure"]
    assert retry["enabled"] is True
    assert retry["max_elapsed_time"] == "0s"


@pytest.mark.parametrize("name", FILES)
def test_the_head_and_the_readme_name_each_variable_with_its_default(name: str) -> None:
    head = read(name).split("receivers:")[0]
    for variable, default in variables(read(name)).items():
        assert variable in head
        documented = re.search(rf"\| `{variable}` \| (?P<default>[^|]+) \| (?P<by>[^|]+) \|", README)
        assert documented is not None
        assert (
            documented["default"] == f"`{default}`"
            if default is not None
            else documented["default"].startswith("none: needed")
        )
        assert documented["by"] in ("all", f"`{name}`")


@pytest.mark.parametrize(
    ("name", "distributions", "words"),
    [
        ("otelcol.yaml", {CORE, CONTRIB, K8S}, "any"),
        ("otelcol-fanout.yaml", {CORE, CONTRIB, K8S}, "any"),
        ("otelcol-redact.yaml", {CONTRIB, K8S}, "`contrib` or `k8s`"),
    ],
)
def test_the_readme_names_the_distributions_that_have_all_of_its_components(
    name: str, distributions: set[str], words: str
) -> None:
    config = config_of(name)
    kinds = {one.split("/")[0] for part in ("receivers", "processors", "exporters") for one in config[part]}
    assert set.intersection(*(set(DISTRIBUTIONS[kind]) for kind in kinds)) == distributions
    row = next(line for line in README.splitlines() if line.startswith(f"| `{name}` |"))
    assert row.split("|")[3].strip().startswith(words)


def test_a_fan_out_lets_no_exporter_share_a_pipeline_or_answer_the_sender() -> None:
    pipelines = config_of("otelcol-fanout.yaml")["service"]["pipelines"]
    to = {name: pipeline["exporters"] for name, pipeline in pipelines.items() if name.startswith("traces")}
    assert sorted(to.values()) == [["otlp_http/backend"], ["otlp_http/mcpobs"]]
    batches = [pipelines[name]["processors"][-1] for name in to]
    assert all(batch.startswith("batch/") for batch in batches)
    assert len(set(batches)) == 2


# -- what is redacted --------------------------------------------------------------------------------------


def redacting() -> dict[str, Any]:
    return config_of("otelcol-redact.yaml")["processors"]


def patterns_on_spans() -> list[str]:
    actions = redacting()["attributes/content"]["actions"]
    assert {action["action"] for action in actions} == {"delete"}
    return [action["pattern"].replace("$$", "$") for action in actions]


def statements(context: str) -> list[str]:
    groups = redacting()["transform/content"]["trace_statements"]
    return [line for group in groups if group["context"] == context for line in group["statements"]]


def patterns_in(lines: list[str], function: str) -> list[str]:
    """The regular expressions of an OTTL function, with the escapes of the file and of OTTL taken away."""
    found = [re.search(rf'{function}\([^"]+(?:"[^"]+"\], )?"([^"]+)"', line) for line in lines]
    return [match[1].replace("$$", "$").replace("\\\\", "\\") for match in found if match is not None]


@pytest.mark.parametrize("attribute", CONTENT)
def test_content_goes_from_spans_and_from_their_events(attribute: str) -> None:
    assert any(re.search(pattern, attribute) for pattern in patterns_on_spans())
    in_events = patterns_in(statements("spanevent"), "delete_matching_keys")
    assert any(re.search(pattern, attribute) for pattern in in_events)


@pytest.mark.parametrize("name", [name.attribute for name in NAMES if name.attribute is not None])
def test_no_attribute_that_the_lake_reads_goes(name: str) -> None:
    everywhere = [
        *patterns_on_spans(),
        *patterns_in([*statements("spanevent"), *statements("resource")], "delete_\\w+"),
    ]
    assert len(everywhere) >= 8
    assert not any(re.search(pattern, name) for pattern in everywhere)


@pytest.mark.parametrize(
    ("uri", "kept"),
    [
        ("file:///home/ann/salaries.csv", "file"),
        ("demo+x.1://a\nb", "demo+x.1"),
        ("urn:isbn:0451450523", "urn"),
        ("C:\\secret.txt", "C"),
        ("/no/scheme", None),
        ("no scheme: at all", None),
        ("", None),
    ],
)
def test_of_a_resource_only_the_scheme_stays(uri: str, kept: str | None) -> None:
    (replaced,) = patterns_in(statements("span"), "replace_pattern")
    (valid,) = patterns_in(statements("span"), "IsMatch")
    left = re.sub(replaced, r"\1", uri)
    assert (left if re.search(valid, left) else None) == kept


def test_the_text_of_a_status_goes_and_a_name_with_an_address_in_it() -> None:
    lines = statements("span")
    assert 'set(span.status.message, "")' in lines
    renamed = next(line for line in lines if line.startswith("set(span.name,"))
    # before the address is shortened, else there would be none to tell it by
    assert lines.index(renamed) < next(i for i, line in enumerate(lines) if line.startswith("replace_pattern("))
    assert renamed.endswith('span.attributes["mcp.resource.uri"] != nil')


def test_redaction_fails_closed() -> None:
    assert redacting()["transform/content"]["error_mode"] == "propagate"
    order = config_of("otelcol-redact.yaml")["service"]["pipelines"]["traces"]["processors"]
    assert order == ["memory_limiter", "attributes/content", "transform/content", "redaction/users"]


def test_a_user_is_a_keyed_pseudonym_and_nothing_else_is_changed_with_it() -> None:
    redaction = redacting()["redaction/users"]
    assert redaction["allow_all_keys"] is True
    assert redaction["hash_function"] == "hmac-sha256"
    assert redaction["hmac_key"] == "${env:REDACT_KEY}"  # without a default: nobody runs with a key that all know
    (pattern,) = redaction["blocked_key_patterns"]
    names = {name.attribute for name in NAMES if name.attribute is not None}
    assert {name for name in names if re.search(pattern.replace("$$", "$"), name)} == {"enduser.id"}


# -- the check itself --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("otelcol.yaml", "queue_size:", "queue_sise:"),
        ("otelcol.yaml", "sending_queue:", "sending-queue:"),
        ("otelcol.yaml", "flush_timeout: 1s", "timeout: 1s"),
        ("otelcol.yaml", "compression: gzip", "compression: gz"),
        ("otelcol.yaml", "sizer: items", "sizer: spans"),
        ("otelcol.yaml", "sizer: bytes", "sizer: byte"),
        ("otelcol.yaml", "check_interval: 1s", "check_interval: 1"),
        ("otelcol.yaml", "limit_mib: 512", "limit_mib: many"),
        ("otelcol.yaml", "spike_limit_mib: 128", "spike_limit_mib: 512"),
        ("otelcol.yaml", "min_size: 1000000", "min_size: 9000000"),
        ("otelcol.yaml", "enabled: true", "enable: true"),
        ("otelcol.yaml", "  memory_limiter:", "  memory_limit:"),
        ("otelcol.yaml", "  otlp_http/mcpobs:\n", "  otlp_https/mcpobs:\n"),
        ("otelcol.yaml", "receivers: [otlp]", "receivers: [otlp/other]"),
        ("otelcol.yaml", "exporters: [nop]", "exporters: [otlp_http/mcpobs]"),
        ("otelcol.yaml", "exporters: [nop]", "exporters: []"),
        ("otelcol.yaml", "processors: [memory_limiter]", "processors: []"),
        ("otelcol.yaml", "    metrics:", "    metric:"),
        ("otelcol.yaml", "service:", "services:"),
        ("otelcol.yaml", "${env:MCPOBS_ENDPOINT:-", "${env:mcpobs-endpoint:-"),
        ("otelcol.yaml", "${env:MCPOBS_ENDPOINT:-", "${MCPOBS_ENDPOINT:-"),
        ("otelcol.yaml", "${env:MCPOBS_ENDPOINT:-http://127.0.0.1:4318}", "${env:MCPOBS_ENDPOINT:-http://127.0.0.1:4318"),
        ("otelcol-fanout.yaml", "[memory_limiter, batch/mcpobs]", "[batch/mcpobs, memory_limiter]"),
        ("otelcol-fanout.yaml", "send_batch_max_size: 2000", "send_batch_max_size: 500"),
        ("otelcol-fanout.yaml", "  batch/backend:", "  batch/mcpobs:"),
        ("otelcol-redact.yaml", "error_mode: propagate", "error_mode: fail"),
        ("otelcol-redact.yaml", "trace_statements:", "traces_statements:"),
        ("otelcol-redact.yaml", "context: spanevent", "context: event"),
        ("otelcol-redact.yaml", "action: delete", "action: remove"),
        ("otelcol-redact.yaml", "hmac_key:", "hmac-key:"),
        ("otelcol-redact.yaml", "(arguments|result)$$", "(arguments|result)$"),
        ("otelcol-redact.yaml", "hash_function: hmac-sha256", "hash_function: sha256"),
    ],
)  # fmt: skip
def test_a_mistake_is_found(name: str, right: str, wrong: str) -> None:
    text = read(name)
    assert right in text
    assert problems(text.replace(right, wrong)) != []
