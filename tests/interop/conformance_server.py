"""A server with the tools, resources and prompts that the scenarios of @modelcontextprotocol/conformance ask for, in
both eras: `conformance_server.py PORT`. The names are theirs. Tasks and skills, which are extensions, it has not.
"""

from __future__ import annotations

import base64
import json
import sys
from typing import Annotated, Any

import anyio
import mcp_types as types
import uvicorn
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.tools import Tool
from mcp.server.streamable_http import EventCallback, EventMessage, EventStore
from mcp.shared.exceptions import MCPError
from pydantic import BaseModel, Field

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
WAV = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQAAAAA="
MISSING_CAPABILITY = -32021
RETRY_MS = 100

server = MCPServer("conformance", version="1")
Asked = types.InputRequiredResult


class KeptEvents(EventStore):
    """All events of all streams, in memory; what a client missed is sent again."""

    def __init__(self) -> None:
        self._events: list[tuple[str, Any]] = []

    async def store_event(self, stream_id: str, message: Any) -> str:
        self._events.append((stream_id, message))
        return str(len(self._events))

    async def replay_events_after(self, last_event_id: str, send_callback: EventCallback) -> str | None:
        seen = int(last_event_id)
        if not 0 < seen <= len(self._events):
            return None
        wanted = self._events[seen - 1][0]
        for place, (stream, message) in enumerate(self._events[seen:], seen + 1):
            if stream == wanted and message is not None:
                await send_callback(EventMessage(message, str(place)))
        return wanted


# -- tools that answer -----------------------------------------------------------------------------------


@server.tool()
def test_simple_text() -> str:
    """Answers with text."""
    return "This is a simple text response for testing."


@server.tool()
def test_image_content() -> types.CallToolResult:
    """Answers with an image."""
    return _answer(_image())


@server.tool()
def test_audio_content() -> types.CallToolResult:
    """Answers with sound."""
    return _answer(types.AudioContent(type="audio", data=WAV, mime_type="audio/wav"))


@server.tool()
def test_embedded_resource() -> types.CallToolResult:
    """Answers with a resource."""
    return _answer(_embedded("test://embedded-resource", "text/plain", "This is an embedded resource content."))


@server.tool()
def test_multiple_content_types() -> types.CallToolResult:
    """Answers with several kinds of content."""
    return _answer(
        _text("Multiple content types test:"),
        _image(),
        _embedded("test://mixed-content-resource", "application/json", '{"test": "data", "value": 123}'),
    )


@server.tool()
def test_error_handling() -> str:
    """Fails."""
    raise RuntimeError("This tool intentionally returns an error for testing")


@server.tool()
async def test_tool_with_logging(ctx: Context) -> str:
    """Logs while it works."""
    for words in ("Tool execution started", "Tool processing data", "Tool execution completed"):
        await _log(ctx, words)
        await anyio.sleep(0.05)
    return "done"


@server.tool()
async def test_logging_tool(ctx: Context) -> str:
    """Logs, which nobody may see who did not ask for it."""
    await _log(ctx, "not asked for")
    return "done"


@server.tool()
async def test_tool_with_progress(ctx: Context) -> str:
    """Tells of its progress."""
    for progress in (0, 50, 100):
        await ctx.report_progress(progress, 100, f"Completed step {progress} of 100")
        await anyio.sleep(0.05)
    return "done"


@server.tool()
async def test_reconnection(ctx: Context) -> str:
    """Closes its stream while it works; the client has to come back for the answer."""
    await _log(ctx, "Before disconnect")
    await ctx.close_sse_stream()
    await anyio.sleep(0.3)
    await _log(ctx, "After reconnect")
    return "Reconnection test completed"


@server.tool()
async def test_trigger_tool_change(ctx: Context) -> str:
    """Tells those who listen that the tools have changed."""
    await ctx.notify_tools_changed()
    return "done"


@server.tool()
async def test_trigger_prompt_change(ctx: Context) -> str:
    """Tells those who listen that the prompts have changed."""
    await ctx.notify_prompts_changed()
    return "done"


@server.tool()
def test_custom_headers(
    region: Annotated[str, Field(json_schema_extra={"x-mcp-header": "Region"})],
    priority: Annotated[int, Field(json_schema_extra={"x-mcp-header": "Priority"}, default=0)],
) -> str:
    """Wants two of its arguments in headers too."""
    return f"{region} {priority}"


# -- tools that ask, before 2026-07-28 by requests of their own -------------------------------------------


@server.tool()
async def test_sampling(prompt: str, ctx: Context) -> str:
    """Asks the client's model."""
    message = types.SamplingMessage(role="user", content=_text(prompt))
    result = await ctx.session.create_message([message], max_tokens=100, related_request_id=ctx.request_id)
    return f"LLM response: {result.content}"


class Reply(BaseModel):
    response: str = Field(description="User's response")


class Defaults(BaseModel):
    name: str = Field(default="John Doe")
    age: int = Field(default=30)
    score: float = Field(default=95.5)
    status: str = Field(default="active", json_schema_extra={"enum": ["active", "inactive", "pending"]})
    verified: bool = Field(default=True)


def _titled(*titles: str) -> list[dict[str, str]]:
    return [{"const": f"value{place}", "title": title} for place, title in enumerate(titles, 1)]


class Choices(BaseModel):
    untitledSingle: str = Field(json_schema_extra={"enum": ["option1", "option2", "option3"]})
    titledSingle: str = Field(json_schema_extra={"oneOf": _titled("First", "Second", "Third")})  # type: ignore[dict-item]
    legacyEnum: str = Field(json_schema_extra={"enum": ["opt1", "opt2"], "enumNames": ["One", "Two"]})
    untitledMulti: list[str] = Field(json_schema_extra={"items": {"type": "string", "enum": ["option1", "option2"]}})
    titledMulti: list[str] = Field(json_schema_extra={"items": {"anyOf": _titled("First", "Second")}})  # type: ignore[dict-item]


@server.tool()
async def test_elicitation(message: str, ctx: Context) -> str:
    """Asks the user."""
    return await _elicited(ctx, message, Reply)


@server.tool()
async def test_elicitation_sep1034_defaults(ctx: Context) -> str:
    """Asks the user, with defaults."""
    return await _elicited(ctx, "Please review and update the form fields with defaults", Defaults)


@server.tool()
async def test_elicitation_sep1330_enums(ctx: Context) -> str:
    """Asks the user to choose."""
    return await _elicited(ctx, "Please select options from the enum fields", Choices)


async def _elicited(ctx: Context, message: str, schema: type[BaseModel]) -> str:
    result = await ctx.elicit(message, schema)
    content = result.data.model_dump_json() if result.action == "accept" else "{}"
    return f"User response: action={result.action}, content={content}"


# -- tools that ask since 2026-07-28: by a result that says what is wanted --------------------------------


@server.tool()
async def test_input_required_result_elicitation(ctx: Context) -> str | Asked:
    """Asks for a name."""
    answer = _accepted(ctx, "user_name", "name")
    return Asked(input_requests={"user_name": _form("name")}) if answer is None else f"Hello, {answer}!"


@server.tool()
async def test_input_required_result_sampling(ctx: Context) -> str | Asked:
    """Asks the client's model."""
    if "capital_question" not in _responses(ctx):
        return Asked(input_requests={"capital_question": _sample("What is the capital of France?")})
    return "Paris"


@server.tool()
async def test_input_required_result_list_roots(ctx: Context) -> str | Asked:
    """Asks for the client's roots."""
    if "client_roots" not in _responses(ctx):
        return Asked(input_requests={"client_roots": types.ListRootsRequest()})
    return "roots"


@server.tool()
async def test_input_required_result_request_state(ctx: Context) -> str | Asked:
    """Keeps a state with the client."""
    if ctx.request_state != "confirming":
        return Asked(input_requests={"confirm": _form("ok", "boolean")}, request_state="confirming")
    return "state-ok"


@server.tool()
async def test_input_required_result_tampered_state(ctx: Context) -> str | Asked:
    """Keeps a state with the client that the SDK seals."""
    if ctx.request_state != "sealed":
        return Asked(input_requests={"confirm": _form("ok", "boolean")}, request_state="sealed")
    return "state-ok"


@server.tool()
async def test_input_required_result_multiple_inputs(ctx: Context) -> str | Asked:
    """Asks for three things at once."""
    wanted: dict[str, Any] = {
        "user_name": _form("name"),
        "greeting": _sample("Generate a greeting"),
        "client_roots": types.ListRootsRequest(),
    }
    if not wanted.keys() <= _responses(ctx).keys():
        return Asked(input_requests=wanted, request_state="all")
    return "done"


@server.tool()
async def test_input_required_result_multi_round(ctx: Context) -> str | Asked:
    """Asks twice."""
    match ctx.request_state:
        case "first":
            return Asked(input_requests={"step2": _form("color")}, request_state="second")
        case "second":
            return "done"
    return Asked(input_requests={"step1": _form("name")}, request_state="first")


@server.tool()
async def test_input_required_result_capabilities(ctx: Context) -> str | Asked:
    """Asks for what the client says that it can do."""
    can = ctx.client_capabilities
    wanted: dict[str, Any] = {}
    if can is not None and can.elicitation is not None:
        wanted["user_name"] = _form("name")
    if can is not None and can.sampling is not None:
        wanted["greeting"] = _sample("Generate a greeting")
    return Asked(input_requests=wanted) if wanted and not _responses(ctx) else "done"


@server.tool()
async def test_streaming_elicitation(ctx: Context) -> str | Asked:
    """Tells of its progress and then asks."""
    await ctx.report_progress(1, 2)
    return "done" if _responses(ctx) else Asked(input_requests={"user_name": _form("name")})


@server.tool()
async def test_missing_capability(ctx: Context) -> str:
    """Cannot be called by a client without a model."""
    can = ctx.client_capabilities
    if can is None or can.sampling is None:
        raise MCPError(
            code=MISSING_CAPABILITY, message="needs sampling", data={"requiredCapabilities": {"sampling": {}}}
        )
    return "done"


def _responses(ctx: Context) -> dict[str, Any]:
    return dict(ctx.input_responses or {})


def _accepted(ctx: Context, key: str, name: str) -> str | None:
    answer = _responses(ctx).get(key)
    content = getattr(answer, "content", None) or {}
    value = content.get(name)
    return value if isinstance(value, str) else None


def _form(name: str, kind: str = "string") -> types.ElicitRequest:
    schema = {"type": "object", "properties": {name: {"type": kind}}, "required": [name]}
    return types.ElicitRequest(params=types.ElicitRequestFormParams(message=f"{name}?", requested_schema=schema))


def _sample(words: str) -> types.CreateMessageRequest:
    message = types.SamplingMessage(role="user", content=_text(words))
    return types.CreateMessageRequest(params=types.CreateMessageRequestParams(messages=[message], max_tokens=100))


# -- resources and prompts -------------------------------------------------------------------------------


@server.resource("test://static-text", mime_type="text/plain")
def static_text() -> str:
    """Text."""
    return "This is the content of the static text resource."


@server.resource("test://static-binary", mime_type="image/png")
def static_binary() -> bytes:
    """Bytes."""
    return base64.b64decode(PNG)


@server.resource("test://watched-resource", mime_type="text/plain")
def watched() -> str:
    """A resource to subscribe to."""
    return "watched"


@server.resource("test://template/{id}/data", mime_type="application/json")
def templated(id: str) -> str:
    """A resource with a parameter."""
    return json.dumps({"id": id, "templateTest": True, "data": f"Data for ID: {id}"})


@server.prompt()
def test_simple_prompt() -> str:
    """A prompt."""
    return "This is a simple prompt for testing."


@server.prompt()
def test_prompt_with_arguments(arg1: str, arg2: str) -> str:
    """A prompt with arguments."""
    return f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"


@server.prompt()
def test_prompt_with_embedded_resource(resourceUri: str) -> list[Any]:
    """A prompt with a resource."""
    return [
        {"role": "user", "content": _embedded(resourceUri, "text/plain", "Embedded resource content for testing.")},
        {"role": "user", "content": _text("Please process the embedded resource above.")},
    ]


@server.prompt()
def test_prompt_with_image() -> list[Any]:
    """A prompt with an image."""
    return [
        {"role": "user", "content": _image()},
        {"role": "user", "content": _text("Please analyze the image above.")},
    ]


@server.prompt()
async def test_input_required_result_prompt(ctx: Context) -> Any:
    """A prompt that asks for its context."""
    context = _accepted(ctx, "user_context", "context")
    return Asked(input_requests={"user_context": _form("context")}) if context is None else f"With {context}"


@server.completion()
async def complete(ref: Any, argument: Any, context: Any) -> types.Completion:
    return types.Completion(values=["paris", "park"], total=2, has_more=False)


# -- what a server of before 2026-07-28 has besides ------------------------------------------------------


async def _done(ctx: Any, params: Any) -> types.EmptyResult:
    return types.EmptyResult()


def _legacy() -> None:
    low = server._lowlevel_server
    low.add_request_handler("logging/setLevel", types.SetLevelRequestParams, _done)
    low.add_request_handler("resources/subscribe", types.SubscribeRequestParams, _done)
    low.add_request_handler("resources/unsubscribe", types.UnsubscribeRequestParams, _done)


def json_schema_2020_12_tool(name: str = "") -> str:
    """A tool whose schema uses what JSON Schema 2020-12 has."""
    return "done"


SCHEMA_2020_12 = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}


def _with_schema() -> None:
    tool = Tool.from_function(json_schema_2020_12_tool)
    server._tool_manager._tools[tool.name] = tool.model_copy(update={"parameters": SCHEMA_2020_12})


def _answer(*content: Any) -> types.CallToolResult:
    return types.CallToolResult(content=list(content))


def _text(words: str) -> types.TextContent:
    return types.TextContent(type="text", text=words)


def _image() -> types.ImageContent:
    return types.ImageContent(type="image", data=PNG, mime_type="image/png")


def _embedded(uri: str, kind: str, words: str) -> types.EmbeddedResource:
    return types.EmbeddedResource(
        type="resource", resource=types.TextResourceContents(uri=uri, mime_type=kind, text=words)
    )


async def _log(ctx: Context, words: str) -> None:
    await ctx.log("info", words)


if __name__ == "__main__":
    _legacy()
    _with_schema()
    app = server.streamable_http_app(event_store=KeptEvents(), retry_interval=RETRY_MS)
    # uvicorn's other parser, httptools, takes blanks behind a header's value for part of it, against RFC 9110, 5.5. A
    # proxy takes them off, so one check of http-header-validation fails before such a server and not through a proxy.
    uvicorn.run(app, port=int(sys.argv[1]), http="h11", log_level="warning")
