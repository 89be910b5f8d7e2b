"""What `opentelemetry-instrument` finds under the name `mcpobs`. It has an instrumentor's methods and not its base
class: opentelemetry-instrumentation is no dependency of ours.
"""

from __future__ import annotations

from collections.abc import Collection

from mcpobs.instrument.switch import instrument, uninstrument


class McpobsInstrumentor:
    """Takes the keywords that a loader passes on and uses none of them: lake and name come from the environment."""

    def instrumentation_dependencies(self) -> Collection[str]:
        """None: the SDK is looked for when it is imported."""
        return ()

    def instrument(self, **_: object) -> None:
        instrument()

    def uninstrument(self, **_: object) -> None:
        uninstrument()
