"""`mcpobs collect`: its options and its help. The work is in `cli/collect.py`."""

from __future__ import annotations

from typing import Annotated

import typer


def collect(
    lake: Annotated[
        str | None, typer.Option(help="Folder to store to.  [default: MCPOBS_LAKE, else mcpobs in your data folder]")
    ] = None,
    http: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where OTLP/HTTP is received; port 0 is any that is free.")
    ] = "localhost:4318",
    no_http: Annotated[bool, typer.Option("--no-http", help="Do without OTLP/HTTP.")] = False,
    grpc: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where OTLP/gRPC is received; port 0 is any that is free.")
    ] = "localhost:4317",
    no_grpc: Annotated[bool, typer.Option("--no-grpc", help="Do without OTLP/gRPC.")] = False,
    token_file: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Serve only who sends one of the bearer tokens in this file, one a line; MCPOBS_COLLECT_TOKEN may "
            "hold one instead.",
        ),
    ] = None,
    tls_cert: Annotated[
        str | None, typer.Option(metavar="FILE", help="Serve with TLS: the certificate and its chain, PEM.")
    ] = None,
    tls_key: Annotated[str | None, typer.Option(metavar="FILE", help="The certificate's private key, PEM.")] = None,
    tls_client_ca: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Serve only clients that have a certificate of this authority, PEM."),
    ] = None,
    redact: Annotated[
        bool | None,
        typer.Option(
            "--redact/--no-redact",
            help="Store spans without content: no values outside a list of names, no events, no error texts.  "
            "[default: [collect] redact in config.toml, else no]",
            show_default=False,
        ),
    ] = None,
    scrub: Annotated[
        bool | None,
        typer.Option(
            "--scrub/--no-scrub",
            help="Store spans without recognisable personal data and secrets: a mask takes the place of each, in every "
            "text. Without it that is so in error texts only.  [default: [collect] scrub in config.toml, else no]",
            show_default=False,
        ),
    ] = None,
    policy: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE",
            help="Charge what agents spend on models to the budgets of this policy; the files that the fronts enforce, "
            "by the same names.  [default: [policy] of config.toml]",
            show_default=False,
        ),
    ] = None,
    max_body: Annotated[
        str, typer.Option(metavar="SIZE", help="The largest request, as it is sent and when it is unpacked.")
    ] = "20MiB",
    max_in_flight: Annotated[
        str,
        typer.Option(
            metavar="SIZE",
            help="The most that all requests together may hold; beyond that, clients are asked to send again.",
        ),
    ] = "64MiB",
    allow_host: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Another name of this collector that a Host header may have; repeatable."),
    ] = None,
    allow_origin: Annotated[
        list[str] | None,
        typer.Option(metavar="URL", help="The origin of a web page that may send by HTTP; repeatable."),
    ] = None,
    accept_older_than: Annotated[
        str | None,
        typer.Option(
            metavar="DURATION",
            help="How long before its receipt a span may begin; an older one is placed by its receipt.  "
            "[default: accept_older_than of [collect] in config.toml, else 7d]",
        ),
    ] = None,
    accept_ahead: Annotated[
        str | None,
        typer.Option(
            metavar="DURATION",
            help="How long after its receipt a span may begin and end.  "
            "[default: accept_ahead of [collect] in config.toml, else 1h]",
        ),
    ] = None,
) -> None:
    """Receive OTLP and store it in the lake, until it is stopped.

    Takes traces by HTTP (protobuf and JSON) and gRPC from anything that speaks OTLP: other machines that run
    `mcpobs instrument`, an SDK in any language, an OpenTelemetry Collector. A request is acknowledged when its spans
    are on disk; one that is sent again is stored once. Metrics and logs are acknowledged and dropped.

    Spans are stored as sent, except personal data and secrets in error texts.
    --scrub takes these out of every text, and --redact takes out all content (docs/redaction.md).

    Only this machine is served unless you name another host. /healthz shows its state.

    On this machine and without a token, requests must name this collector in their Host header and may not come from
    a web page; --allow-host and --allow-origin make exceptions.

    \b
    Examples:
      mcpobs collect
      mcpobs collect --lake /srv/mcp/lake --no-grpc
      mcpobs collect --http 0.0.0.0:4318 --no-grpc --token-file tokens --tls-cert chain.pem --tls-key key.pem

    \b
    A sender on another machine:
      OTEL_EXPORTER_OTLP_ENDPOINT=https://lake.example:4318 \\
      OTEL_EXPORTER_OTLP_HEADERS="authorization=Bearer%20$TOKEN" mcpobs instrument -- python server.py

    Ctrl-C or SIGTERM stops it: requests in flight have ten seconds to end. A second one stops it at once, which
    loses nothing that was acknowledged.
    """
    from mcpobs.cli import collect as work

    work.collect(
        work.CollectOptions(
            lake=lake,
            http=None if no_http else http,
            grpc=None if no_grpc else grpc,
            token_file=token_file,
            tls_cert=tls_cert,
            tls_key=tls_key,
            tls_client_ca=tls_client_ca,
            redact=redact,
            scrub=scrub,
            policy=tuple(policy or ()),
            max_body=max_body,
            max_in_flight=max_in_flight,
            allow_host=tuple(allow_host or ()),
            allow_origin=tuple(allow_origin or ()),
            accept_older_than=accept_older_than,
            accept_ahead=accept_ahead,
        )
    )
