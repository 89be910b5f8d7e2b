"""The keys that the Collector's components take, as far as our configurations use the components.

Of the core components from the Go structs of opentelemetry-collector v0.152.0 (fields and their `mapstructure` tags):
receiver/otlpreceiver, processor/{batch,memorylimiter}processor, internal/memorylimiter, exporter/otlphttpexporter,
exporter/exporterhelper/internal/queuebatch, config/{confighttp,configgrpc,configretry,configtls,configcompression},
service, service/pipelines. Of the others from the config.schema.yaml of opentelemetry-collector-contrib:
processor/transformprocessor at 1ca0305c83b4, internal/coreinternal/attraction at 374a6ee04d3f,
processor/redactionprocessor at 3f6252b45170. The distributions are those of each component's metadata.yaml.
"""

from __future__ import annotations

import re
from typing import Any

DURATION = re.compile(r"(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+")
TEXT, INT, FLOAT, BOOL, MAP = "text", "int", "float", "bool", "map"

Shape = str | re.Pattern[str] | frozenset[str] | dict[str, Any] | list[Any]
"""A kind, a pattern, the allowed words, the keys of a mapping, or [the shape of each item]."""

_COMPRESSION = frozenset({"gzip", "zstd", "zlib", "snappy", "x-snappy-framed", "deflate", "lz4", "none"})
_SIZER = frozenset({"requests", "items", "bytes"})

_TLS: dict[str, Shape] = {
    "ca_file": TEXT, "ca_pem": TEXT, "include_system_ca_certs_pool": BOOL, "cert_file": TEXT, "cert_pem": TEXT,
    "key_file": TEXT, "key_pem": TEXT, "min_version": TEXT, "max_version": TEXT, "cipher_suites": [TEXT],
    "reload_interval": DURATION, "curve_preferences": [TEXT],
}  # fmt: skip
_CLIENT_TLS: dict[str, Shape] = _TLS | {
    "insecure": BOOL,
    "insecure_skip_verify": BOOL,
    "server_name_override": TEXT,
}
_SERVER_TLS: dict[str, Shape] = _TLS | {"client_ca_file": TEXT, "client_ca_file_reload": BOOL}
_AUTH: dict[str, Shape] = {"authenticator": TEXT}

_QUEUE: dict[str, Shape] = {
    "wait_for_result": BOOL, "sizer": _SIZER, "queue_size": INT, "block_on_overflow": BOOL,
    "storage": TEXT, "num_consumers": INT,
    "batch": {
        "flush_timeout": DURATION, "sizer": _SIZER, "min_size": INT, "max_size": INT,
        "partition": {"metadata_keys": [TEXT]},
    },
}  # fmt: skip
_RETRY: dict[str, Shape] = {
    "enabled": BOOL, "initial_interval": DURATION, "randomization_factor": FLOAT, "multiplier": FLOAT,
    "max_interval": DURATION, "max_elapsed_time": DURATION,
}  # fmt: skip
_OTLP_HTTP: dict[str, Shape] = {
    "endpoint": TEXT, "proxy_url": TEXT, "tls": _CLIENT_TLS, "read_buffer_size": INT, "write_buffer_size": INT,
    "timeout": DURATION, "headers": MAP, "auth": _AUTH, "compression": _COMPRESSION,
    "compression_params": {"level": INT}, "max_idle_conns": INT, "max_idle_conns_per_host": INT,
    "max_conns_per_host": INT, "idle_conn_timeout": DURATION, "disable_keep_alives": BOOL,
    "http2_read_idle_timeout": DURATION, "http2_ping_timeout": DURATION, "force_attempt_http2": BOOL,
    "sending_queue": _QUEUE, "retry_on_failure": _RETRY, "traces_endpoint": TEXT, "metrics_endpoint": TEXT,
    "logs_endpoint": TEXT, "encoding": frozenset({"proto", "json"}),
}  # fmt: skip
_OTLP_RECEIVER: dict[str, Shape] = {
    "protocols": {
        "grpc": {
            "endpoint": TEXT, "transport": TEXT, "tls": _SERVER_TLS, "max_recv_msg_size_mib": INT,
            "max_concurrent_streams": INT, "read_buffer_size": INT, "write_buffer_size": INT, "auth": _AUTH,
            "include_metadata": BOOL,
        },
        "http": {
            "endpoint": TEXT, "transport": TEXT, "tls": _SERVER_TLS, "auth": _AUTH, "max_request_body_size": INT,
            "include_metadata": BOOL, "response_headers": MAP, "compression_algorithms": [TEXT],
            "read_timeout": DURATION, "read_header_timeout": DURATION, "write_timeout": DURATION,
            "idle_timeout": DURATION, "keep_alives_enabled": BOOL, "traces_url_path": TEXT,
            "metrics_url_path": TEXT, "logs_url_path": TEXT,
            "cors": {"allowed_origins": [TEXT], "allowed_headers": [TEXT], "max_age": INT},
        },
    }
}  # fmt: skip
_ERROR_MODE = frozenset({"ignore", "silent", "propagate"})
_CONTEXTS = frozenset({"resource", "scope", "span", "spanevent"})
_STATEMENTS: list[Shape] = [
    {"context": _CONTEXTS, "error_mode": _ERROR_MODE, "conditions": [TEXT], "statements": [TEXT]}
]

RECEIVERS: dict[str, Shape] = {"otlp": _OTLP_RECEIVER}
PROCESSORS: dict[str, Shape] = {
    "memory_limiter": {
        "check_interval": DURATION, "min_gc_interval_when_soft_limited": DURATION,
        "min_gc_interval_when_hard_limited": DURATION, "limit_mib": INT, "spike_limit_mib": INT,
        "limit_percentage": INT, "spike_limit_percentage": INT,
    },
    "batch": {
        "timeout": DURATION, "send_batch_size": INT, "send_batch_max_size": INT, "metadata_keys": [TEXT],
        "metadata_cardinality_limit": INT,
    },
    "attributes": {
        "actions": [{
            "action": frozenset({"insert", "update", "upsert", "delete", "hash", "extract", "convert"}),
            "key": TEXT, "value": TEXT, "pattern": TEXT, "from_attribute": TEXT, "from_context": TEXT,
            "converted_type": frozenset({"int", "double", "string"}), "default_value": TEXT,
        }],
    },
    "transform": {"error_mode": _ERROR_MODE, "trace_statements": _STATEMENTS},
    "redaction": {
        "allow_all_keys": BOOL, "allowed_keys": [TEXT], "allowed_values": [TEXT], "blocked_key_patterns": [TEXT],
        "blocked_values": [TEXT], "ignored_keys": [TEXT], "ignored_key_patterns": [TEXT], "redact_all_types": BOOL,
        "hash_function": frozenset({"md5", "sha1", "sha3", "hmac-sha256", "hmac-sha512"}), "hmac_key": TEXT,
        "summary": frozenset({"debug", "info", "silent"}),
    },
}  # fmt: skip
EXPORTERS: dict[str, Shape] = {"otlp_http": _OTLP_HTTP, "nop": {}}

COMPONENTS: dict[str, dict[str, Shape]] = {
    "receivers": RECEIVERS, "processors": PROCESSORS, "exporters": EXPORTERS,
}  # fmt: skip
SIGNALS = frozenset({"traces", "metrics", "logs"})

CORE, CONTRIB, K8S = "core", "contrib", "k8s"
DISTRIBUTIONS: dict[str, frozenset[str]] = {
    "attributes": frozenset({CORE, CONTRIB, K8S}),
    "batch": frozenset({CORE, CONTRIB, K8S}),
    "memory_limiter": frozenset({CORE, CONTRIB, K8S}),
    "nop": frozenset({CORE, CONTRIB, K8S}),
    "otlp": frozenset({CORE, CONTRIB, K8S}),
    "otlp_http": frozenset({CORE, CONTRIB, K8S}),
    "redaction": frozenset({CONTRIB, K8S}),
    "transform": frozenset({CONTRIB, K8S}),
}
