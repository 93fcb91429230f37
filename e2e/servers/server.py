"""An MCP server on the official Python SDK, with the fixtures of fixtures.json.

    server.py stdio
    server.py http|sse PORT

It speaks both eras where its transport has both. It tells all sessions of changes, as servers do whose lists are
the same for everybody.
"""

import json
import sys
import warnings
from pathlib import Path
from typing import Any

import anyio
import uvicorn
from mcp import MCPError, types
from mcp.server.lowlevel.server import NotificationOptions, Server
from mcp.server.sse import SseServerTransport
from mcp.server.stdio import stdio_server
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler, ResourceUpdated, ToolsListChanged
from mcp.shared.message import ServerMessageMetadata
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Mount, Route

FIXTURES = json.loads((Path(__file__).parent / "fixtures.json").read_text())
WATCHED = "test://watched-resource"
LEVELS = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"]
QUESTIONS = {
    "sampling/createMessage": (types.CreateMessageRequest, types.CreateMessageResult),
    "elicitation/create": (types.ElicitRequest, types.ElicitResult),
    "roots/list": (types.ListRootsRequest, types.ListRootsResult),
}

warnings.simplefilter("ignore")


def stateless(context: Any) -> bool:
    return context.protocol_version >= "2026"


def text(text: str) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(type="text", text=text)])


class Fixtures:
    """The handlers, and what all clients have in common."""

    def __init__(self) -> None:
        self.extra = False
        self.cancelled = 0
        self.bus = InMemorySubscriptionBus()
        # By connection: each request has a session object of its own.
        self.sessions: dict[Any, Any] = {}
        self.subscribed: set[Any] = set()
        self.levels: dict[Any, str] = {}

    def key(self, context: Any) -> Any:
        """Whose request this is; from now on it hears of changes."""
        connection = context.session._connection
        if not stateless(context):
            self.sessions[connection] = context.session
        return connection

    async def list_tools(self, context: Any, params: Any) -> types.ListToolsResult:
        self.key(context)
        tools = FIXTURES["tools"] + ([FIXTURES["extraTool"]] if self.extra else [])
        return types.ListToolsResult.model_validate({"tools": tools})

    async def call_tool(self, context: Any, params: Any) -> Any:
        key, name, session = self.key(context), params.name, context.session
        if name in FIXTURES["results"]:
            return types.CallToolResult.model_validate(FIXTURES["results"][name])
        if name in FIXTURES["questions"]:
            return await self.ask(FIXTURES["questions"][name], context, params)
        match name:
            case "test_tool_with_logging":
                wanted = LEVELS.index(self.levels.get(key, "debug")) <= LEVELS.index("info")
                for step in ("started", "goes on", "ended"):
                    if wanted:
                        await session.send_log_message("info", step, related_request_id=context.request_id)
                return text("The log messages are written.")
            case "test_tool_with_progress":
                for step in (0, 50, 100):
                    await session.report_progress(step, 100)
                    # Some clients do not mind what comes at once with a response.
                    await anyio.sleep(0.03)
                return text("The progress is complete.")
            case "test_slow":
                try:
                    await anyio.sleep((params.arguments or {}).get("seconds", 60))
                except anyio.get_cancelled_exc_class():
                    self.cancelled += 1
                    raise
                return text("not cancelled")
            case "test_cancellations":
                return text(str(self.cancelled))
            case "test_trigger_tool_change":
                self.extra = not self.extra
                await self.bus.publish(ToolsListChanged())
                for other in list(self.sessions.values()):
                    await other.send_tool_list_changed()
                return text("The tools changed.")
            case "test_trigger_resource_update":
                await self.bus.publish(ResourceUpdated(uri=WATCHED))
                for other in list(self.subscribed):
                    await self.sessions[other].send_resource_updated(WATCHED)
                return text("The resource changed.")
        raise MCPError(types.INVALID_PARAMS, f"unknown tool: {name}")

    async def ask(self, question: dict[str, Any], context: Any, params: Any) -> Any:
        """Asks in the middle of the call where there are sessions, and by the answer where there are none."""
        request, result = QUESTIONS[question["method"]]
        asked = request.model_validate(question)
        if stateless(context):
            answer = (params.input_responses or {}).get("answer")
            if answer is None:
                return types.InputRequiredResult(input_requests={"answer": asked})
        else:
            related = ServerMessageMetadata(related_request_id=context.request_id)
            answer = await context.session.send_request(asked, result, metadata=related)
        found = answer.model_dump(by_alias=True, mode="json", exclude_none=True)
        match question["method"]:
            case "sampling/createMessage":
                return text(f"LLM response: {found['content']['text']}")
            case "elicitation/create":
                content = json.dumps(found.get("content"), separators=(",", ":"))
                return text(f"User response: action={found['action']}, content={content}")
        return text(json.dumps(found["roots"]))

    async def list_prompts(self, context: Any, params: Any) -> types.ListPromptsResult:
        return types.ListPromptsResult.model_validate({"prompts": FIXTURES["prompts"]})

    async def get_prompt(self, context: Any, params: Any) -> types.GetPromptResult:
        messages = json.dumps(FIXTURES["messages"][params.name])
        for name, value in (params.arguments or {}).items():
            messages = messages.replace("{" + name + "}", value)
        return types.GetPromptResult.model_validate({"messages": json.loads(messages)})

    async def list_resources(self, context: Any, params: Any) -> types.ListResourcesResult:
        return types.ListResourcesResult.model_validate({"resources": FIXTURES["resources"]})

    async def list_templates(self, context: Any, params: Any) -> types.ListResourceTemplatesResult:
        return types.ListResourceTemplatesResult.model_validate({"resourceTemplates": FIXTURES["resourceTemplates"]})

    async def read_resource(self, context: Any, params: Any) -> types.ReadResourceResult:
        uri = str(params.uri)
        if uri not in FIXTURES["contents"]:
            raise MCPError(types.INVALID_PARAMS, "resource not found", {"uri": uri})
        return types.ReadResourceResult.model_validate({"contents": [{"uri": uri, **FIXTURES["contents"][uri]}]})

    async def complete(self, context: Any, params: Any) -> types.CompleteResult:
        values = [word for word in FIXTURES["words"] if word.startswith(params.argument.value)]
        return types.CompleteResult(completion=types.Completion(values=values, total=len(values), has_more=False))

    async def subscribe(self, context: Any, params: Any) -> types.EmptyResult:
        self.subscribed.add(self.key(context))
        return types.EmptyResult()

    async def unsubscribe(self, context: Any, params: Any) -> types.EmptyResult:
        self.subscribed.discard(self.key(context))
        return types.EmptyResult()

    async def set_level(self, context: Any, params: Any) -> types.EmptyResult:
        self.levels[self.key(context)] = params.level
        return types.EmptyResult()


def build() -> Server:
    fixtures = Fixtures()
    return Server(
        "python-fixtures",
        version="1.0.0",
        on_list_tools=fixtures.list_tools,
        on_call_tool=fixtures.call_tool,
        on_list_prompts=fixtures.list_prompts,
        on_get_prompt=fixtures.get_prompt,
        on_list_resources=fixtures.list_resources,
        on_list_resource_templates=fixtures.list_templates,
        on_read_resource=fixtures.read_resource,
        on_completion=fixtures.complete,
        on_subscribe_resource=fixtures.subscribe,
        on_unsubscribe_resource=fixtures.unsubscribe,
        on_set_logging_level=fixtures.set_level,
        on_subscriptions_listen=ListenHandler(fixtures.bus),
    )


def sse(server: Server, options: Any) -> Starlette:
    transport = SseServerTransport("/message/")

    async def connect(request: Any) -> Response:
        async with transport.connect_sse(request.scope, request.receive, request._send) as streams:
            await server.run(*streams, options)
        return Response()

    posts = Mount("/message/", app=transport.handle_post_message)
    return Starlette(routes=[Route("/sse", endpoint=connect), posts])


async def main(transport: str, port: str = "0") -> None:
    server = build()
    changes = NotificationOptions(prompts_changed=True, resources_changed=True, tools_changed=True)
    options = server.create_initialization_options(changes)
    if transport == "stdio":
        async with stdio_server() as streams:
            await server.run(*streams, options)
        return
    # Sessions over HTTP are made by the SDK, which asks nobody for these.
    server.create_initialization_options = lambda *_, **__: options  # type: ignore[method-assign]
    app = server.streamable_http_app() if transport == "http" else sse(server, options)
    config = uvicorn.Config(app, host="127.0.0.1", port=int(port), log_level="warning")
    await uvicorn.Server(config).serve()


if __name__ == "__main__":
    anyio.run(main, *sys.argv[1:])
