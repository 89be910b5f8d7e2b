"""The Collector, for the tests of this folder."""

from tests.interop.otelcol.collector import otelcol as otelcol
