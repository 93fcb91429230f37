"""Checks an MCP endpoint with the official Python SDK.

    client.py ERA URL PROFILE[=PREFIX] ...
    client.py ERA sse:URL PROFILE[=PREFIX] ...
    client.py ERA "stdio:COMMAND ARGUMENT ..." PROFILE[=PREFIX] ...

ERA is `legacy`, a client that shakes hands, or `modern`, one that asks for the stateless revision first and must get
it. A profile names the server whose fixtures are checked and PREFIX what stands before the names of its tools and
prompts: `conformance` (examples/conformance-backend), `everything` and `files` (the public server-everything and
server-filesystem). One line per check; exits with 1 if one failed. The variable E2E_GAPS names checks that are skipped.
"""

import asyncio
import json
import os
import sys
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from mcp import Client, MCPError, StdioServerParameters, stdio_client, types
from mcp.client.sse import sse_client

PATIENCE = 15.0
GAPS = os.environ.get("E2E_GAPS", "").split()
ROOT = "file:///e2e/root"

warnings.simplefilter("ignore")


class Peer:
    """One connected client and everything that reached it."""

    def __init__(self, era: str, url: str, prefix: str) -> None:
        self.prefix = prefix
        self.logs: list[Any] = []
        self.notifications: list[Any] = []
        self.asked: list[str] = []
        self._changed = asyncio.Condition()
        self.client = Client(
            self._transport(url),
            mode="legacy" if era == "legacy" else "auto",
            read_timeout_seconds=PATIENCE,
            client_info=types.Implementation(name="e2e-python", version="1.0.0"),
            sampling_callback=self._sample,
            elicitation_callback=self._elicit,
            list_roots_callback=self._roots,
            logging_callback=self._log,
            log_level="debug",
            message_handler=self._message,
        )

    @staticmethod
    def _transport(url: str) -> Any:
        if url.startswith("stdio:"):
            command, *args = url.removeprefix("stdio:").split()
            return stdio_client(StdioServerParameters(command=command, args=args))
        return sse_client(url.removeprefix("sse:")) if url.startswith("sse:") else url

    async def _note(self, log: list[Any], item: Any) -> None:
        async with self._changed:
            log.append(item)
            self._changed.notify_all()

    async def _sample(self, context: Any, params: Any) -> types.CreateMessageResult:
        await self._note(self.asked, "sampling")
        content = types.TextContent(type="text", text="sampled by the client")
        return types.CreateMessageResult(role="assistant", content=content, model="e2e")

    async def _elicit(self, context: Any, params: Any) -> types.ElicitResult:
        await self._note(self.asked, "elicitation")
        answers = {"string": "word", "integer": 30, "number": 0.5, "boolean": True}
        content = {}
        for name, schema in params.requested_schema.get("properties", {}).items():
            options = schema.get("enum") or [option["const"] for option in schema.get("oneOf", [])]
            if schema.get("format") or schema.get("type") == "array":
                continue
            content[name] = options[0] if options else answers.get(schema.get("type"), "word")
        return types.ElicitResult(action="accept", content=content)

    async def _roots(self, context: Any) -> types.ListRootsResult:
        await self._note(self.asked, "roots")
        return types.ListRootsResult(roots=[types.Root(uri=ROOT, name="e2e")])

    async def _log(self, params: Any) -> None:
        await self._note(self.logs, params)

    async def _message(self, message: Any) -> None:
        await self._note(self.notifications, message)

    async def until(self, holds: Callable[[], bool], what: str) -> None:
        """Waits until something reached this client."""
        try:
            async with asyncio.timeout(PATIENCE), self._changed:
                await self._changed.wait_for(holds)
        except TimeoutError:
            raise AssertionError(f"waited in vain for {what}") from None

    def stateless(self) -> bool:
        return self.client.protocol_version >= "2026"

    @asynccontextmanager
    async def watching(self, *, tools: bool = False, prompts: bool = False, uri: str = "") -> AsyncIterator[None]:
        """Changes reach this client meanwhile. With a session it hears of lists anyway."""
        uris = [uri] if uri else []
        if self.stateless():
            async with self.client.listen(
                tools_list_changed=tools, prompts_list_changed=prompts, resource_subscriptions=uris
            ) as stream:
                granted = [stream.honored.tools_list_changed or False, stream.honored.prompts_list_changed or False]
                equal(granted, [tools, prompts])
                equal(list(stream.honored.resource_subscriptions or []), uris)
                yield
            return
        for each in uris:
            await self.client.subscribe_resource(each)
        yield
        for each in uris:
            await self.client.unsubscribe_resource(each)

    def heard(self, method: str) -> list[Any]:
        return [item for item in self.notifications if getattr(item, "method", None) == method]

    def name(self, name: str) -> str:
        return self.prefix + name

    async def tool(self, name: str, arguments: dict[str, Any] | None = None, **more: Any) -> Any:
        return await self.client.call_tool(self.name(name), arguments or {}, **more)

    async def text(self, name: str, arguments: dict[str, Any] | None = None, **more: Any) -> str:
        result = await self.tool(name, arguments, **more)
        assert not result.is_error, result.content[0].text
        return result.content[0].text

    async def tools(self) -> list[str]:
        return [tool.name for tool in await self.walk(self.client.list_tools, "tools")]

    async def prompt(self, name: str) -> str:
        """The name of a prompt, which need not have the prefix that the tools have."""
        prompts = await self.prompts()
        found = [prompt for prompt in (self.name(name), name) if prompt in prompts]
        assert found, f"{name} is not among {prompts}"
        return found[0]

    async def prompts(self) -> list[str]:
        return [prompt.name for prompt in await self.walk(self.client.list_prompts, "prompts")]

    async def walk(self, page: Callable[..., Awaitable[Any]], member: str) -> list[Any]:
        """All pages of a list; no item may come twice."""
        items: list[Any] = []
        cursor = None
        while True:
            result = await page(cursor=cursor, cache_mode="bypass")
            items += getattr(result, member)
            cursor = result.next_cursor
            if cursor is None:
                break
        keys = [getattr(item, "uri", None) or getattr(item, "uri_template", None) or item.name for item in items]
        assert len(set(map(str, keys))) == len(keys), f"an item came twice: {keys}"
        return items


Check = Callable[[Peer], Awaitable[None]]
CHECKS: dict[str, list[tuple[str, Check]]] = {"conformance": [], "everything": [], "files": []}


def check(*profiles: str) -> Callable[[Check], Check]:
    def register(function: Check) -> Check:
        for profile in profiles:
            CHECKS[profile].append((function.__name__, function))
        return function

    return register


def with_sessions(function: Check) -> Check:
    """For what only the revisions with sessions have."""

    async def guarded(peer: Peer) -> None:
        if not peer.stateless():
            await function(peer)

    guarded.__name__ = function.__name__
    return guarded


def equal(found: Any, expected: Any) -> None:
    assert found == expected, f"expected {expected!r}, found {found!r}"


# --- every server


@check("conformance", "everything", "files")
@with_sessions
async def answers_ping(peer: Peer) -> None:
    await peer.client.send_ping()


@check("conformance", "everything", "files")
async def lists_its_tools(peer: Peer) -> None:
    tools = await peer.tools()
    expected = {"conformance": "test_simple_text", "everything": "echo", "files": "list_directory"}
    assert any(peer.name(name) in tools for name in expected.values()), tools


@check("conformance", "everything", "files")
async def refuses_an_unknown_tool(peer: Peer) -> None:
    try:
        result = await peer.tool("no-such-tool-anywhere")
    except MCPError as error:
        equal(error.error.code, -32602)
    else:
        # Servers on the TypeScript SDK report it as an error of the tool.
        assert result.is_error, result


# --- the conformance backend


@check("conformance")
async def calls_tools_of_each_content_type(peer: Peer) -> None:
    kinds = {
        "test_simple_text": ["text"],
        "test_image_content": ["image"],
        "test_audio_content": ["audio"],
        "test_embedded_resource": ["resource"],
        "test_multiple_content_types": ["text", "image", "resource"],
    }
    for name, expected in kinds.items():
        result = await peer.tool(name)
        equal([block.type for block in result.content], expected)


@check("conformance")
async def passes_structured_content(peer: Peer) -> None:
    result = await peer.tool("test_structured")
    equal(result.structured_content, {"ratio": 0.5, "name": "half"})


@check("conformance")
async def passes_errors_of_tools(peer: Peer) -> None:
    result = await peer.tool("test_error_handling")
    equal(result.is_error, True)


@check("conformance")
async def reports_progress_in_order(peer: Peer) -> None:
    steps: list[Any] = []

    async def progress(progress: float, total: float | None, message: str | None) -> None:
        steps.append((progress, total))

    await peer.text("test_tool_with_progress", progress_callback=progress)
    equal(steps, [(0, 100), (50, 100), (100, 100)])


@check("conformance")
async def keeps_the_progress_of_parallel_calls_apart(peer: Peer) -> None:
    seen: list[list[float]] = [[], [], [], []]

    async def one(index: int) -> None:
        async def progress(progress: float, total: float | None, message: str | None) -> None:
            seen[index].append(progress)

        await peer.text("test_tool_with_progress", progress_callback=progress)

    await asyncio.gather(*(one(index) for index in range(len(seen))))
    equal(seen, [[0, 50, 100]] * len(seen))


@check("conformance")
async def delivers_log_messages(peer: Peer) -> None:
    if not peer.stateless():
        await peer.client.set_logging_level("debug")
    before = len(peer.logs)
    await peer.text("test_tool_with_logging")
    await peer.until(lambda: len(peer.logs) >= before + 3, "three log messages")
    equal([log.level for log in peer.logs[before:]], ["info"] * 3)


@check("conformance")
@with_sessions
async def honours_the_log_level(peer: Peer) -> None:
    await peer.client.set_logging_level("error")
    before = len(peer.logs)
    await peer.text("test_tool_with_logging")
    equal(len(peer.logs), before)
    await peer.client.set_logging_level("debug")


@check("conformance")
async def relays_sampling(peer: Peer) -> None:
    text = await peer.text("test_sampling", {"prompt": "hello"})
    equal(text, "LLM response: sampled by the client")


@check("conformance")
async def relays_elicitation(peer: Peer) -> None:
    text = await peer.text("test_elicitation", {"message": "who?"})
    assert "action=accept" in text and '"username":"word"' in text, text


@check("conformance")
async def relays_elicitation_with_enumerations(peer: Peer) -> None:
    text = await peer.text("test_elicitation_sep1330_enums")
    assert '"titledSingle":"value1"' in text and '"legacyEnum":"opt1"' in text, text


@check("conformance")
async def relays_roots(peer: Peer) -> None:
    text = await peer.text("test_input_required_result_list_roots")
    assert ROOT in text, text


@check("conformance")
async def relays_three_requests_of_one_call(peer: Peer) -> None:
    before = len(peer.asked)
    await peer.text("test_input_required_result_multiple_inputs")
    equal(sorted(peer.asked[before:]), ["elicitation", "roots", "sampling"])


@check("conformance")
async def asks_in_the_middle_of_a_prompt(peer: Peer) -> None:
    result = await peer.client.get_prompt(await peer.prompt("test_input_required_result_prompt"))
    assert "word" in result.messages[0].content.text, result


@check("conformance")
async def cancels_a_call(peer: Peer) -> None:
    before = int(await peer.text("test_cancellations"))
    call = asyncio.create_task(peer.tool("test_slow", {"seconds": 120}))
    await asyncio.sleep(0.5)
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    async with asyncio.timeout(PATIENCE):
        while int(await peer.text("test_cancellations")) <= before:
            await asyncio.sleep(0.1)


@check("conformance")
@with_sessions
async def resumes_a_stream_that_was_closed(peer: Peer) -> None:
    text = await peer.text("test_reconnection")
    equal(text, "The answer comes after the stream was closed.")


@check("conformance")
async def announces_changes_of_the_tools(peer: Peer) -> None:
    method = "notifications/tools/list_changed"
    name = peer.name("test_come_and_go")
    before_there = name in await peer.tools()
    async with peer.watching(tools=True):
        for there in (not before_there, before_there):
            before = len(peer.heard(method))
            await peer.text("test_trigger_tool_change")
            await peer.until(lambda: len(peer.heard(method)) > before, method)
            async with asyncio.timeout(PATIENCE):
                while (name in await peer.tools()) != there:
                    await asyncio.sleep(0.1)


@check("conformance")
async def announces_changes_of_the_prompts(peer: Peer) -> None:
    method = "notifications/prompts/list_changed"
    async with peer.watching(prompts=True):
        for _ in range(2):
            before = len(peer.heard(method))
            await peer.text("test_trigger_prompt_change")
            await peer.until(lambda: len(peer.heard(method)) > before, method)


@check("conformance")
async def reads_resources(peer: Peer) -> None:
    resources = [str(resource.uri) for resource in await peer.walk(peer.client.list_resources, "resources")]
    assert "test://static-text" in resources and "test://static-binary" in resources, resources
    text = (await peer.client.read_resource("test://static-text")).contents[0]
    equal(text.text, "This is the content of the static text resource.")
    binary = (await peer.client.read_resource("test://static-binary")).contents[0]
    equal(binary.mime_type, "image/png")
    templates = await peer.walk(peer.client.list_resource_templates, "resource_templates")
    assert "test://template/{id}/data" in [template.uri_template for template in templates], templates
    data = (await peer.client.read_resource("test://template/77/data")).contents[0]
    equal(json.loads(data.text)["id"], "77")


@check("conformance")
async def refuses_an_unknown_resource(peer: Peer) -> None:
    try:
        await peer.client.read_resource("test://nobody-has-this")
    except MCPError as error:
        assert error.error.code in (-32002, -32602), error
    else:
        raise AssertionError("an unknown resource was read")


@check("conformance")
async def delivers_updates_of_a_subscribed_resource(peer: Peer) -> None:
    method = "notifications/resources/updated"
    async with peer.watching(uri="test://watched-resource"):
        before = len(peer.heard(method))
        await peer.text("test_trigger_resource_update")
        await peer.until(lambda: len(peer.heard(method)) > before, method)
        equal(str(peer.heard(method)[-1].params.uri), "test://watched-resource")
    # Over pipes this SDK writes its next request before it takes the subscription back.
    await peer.text("test_simple_text")
    after = len(peer.heard(method))
    await peer.text("test_trigger_resource_update")
    await peer.text("test_simple_text")
    equal(len(peer.heard(method)), after)


@check("conformance")
async def fills_prompts(peer: Peer) -> None:
    await peer.client.get_prompt(await peer.prompt("test_simple_prompt"))
    arguments = {"arg1": "one", "arg2": "two"}
    result = await peer.client.get_prompt(await peer.prompt("test_prompt_with_arguments"), arguments)
    equal(result.messages[0].content.text, "Prompt with arguments: arg1='one', arg2='two'")
    result = await peer.client.get_prompt(await peer.prompt("test_prompt_with_image"))
    equal(result.messages[0].content.type, "image")


@check("conformance")
async def completes_arguments(peer: Peer) -> None:
    reference = types.PromptReference(type="ref/prompt", name=await peer.prompt("test_prompt_with_arguments"))
    result = await peer.client.complete(reference, {"name": "arg1", "value": "par"})
    equal(result.completion.values, ["paris", "park", "party"])
    reference = types.ResourceTemplateReference(type="ref/resource", uri="test://template/{id}/data")
    result = await peer.client.complete(reference, {"name": "id", "value": "te"})
    equal(result.completion.values, ["test", "testing"])


# --- server-everything


@check("everything")
async def everything_echoes(peer: Peer) -> None:
    equal(await peer.text("echo", {"message": "gr\u00fc\u00df"}), "Echo: gr\u00fc\u00df")
    equal(await peer.text("get-sum", {"a": 2, "b": 3}), "The sum of 2 and 3 is 5.")


@check("everything")
async def everything_gives_structured_content(peer: Peer) -> None:
    result = await peer.tool("get-structured-content", {"location": "Chicago"})
    equal(result.structured_content, {"temperature": 36, "conditions": "Light rain / drizzle", "humidity": 82})


@check("everything")
async def everything_gives_pictures_links_and_references(peer: Peer) -> None:
    kinds = [block.type for block in (await peer.tool("get-tiny-image")).content]
    assert "image" in kinds, kinds
    kinds = [block.type for block in (await peer.tool("get-resource-links", {"count": 2})).content]
    equal(kinds.count("resource_link"), 2)
    kinds = [block.type for block in (await peer.tool("get-resource-reference")).content]
    assert "resource" in kinds, kinds


@check("everything")
async def everything_reports_progress(peer: Peer) -> None:
    steps: list[float] = []

    async def progress(progress: float, total: float | None, message: str | None) -> None:
        steps.append(progress)

    await peer.text("trigger-long-running-operation", {"duration": 1, "steps": 4}, progress_callback=progress)
    equal(steps, [1, 2, 3, 4])


async def tool_for_capability(peer: Peer, name: str) -> str:
    """server-everything adds tools once it knows what the client can do, and announces them."""
    async with asyncio.timeout(PATIENCE):
        while peer.name(name) not in await peer.tools():
            await asyncio.sleep(0.1)
    return name


@check("everything")
async def everything_samples(peer: Peer) -> None:
    name = await tool_for_capability(peer, "trigger-sampling-request")
    assert "sampled by the client" in await peer.text(name, {"prompt": "hello", "maxTokens": 10})


@check("everything")
async def everything_elicits(peer: Peer) -> None:
    name = await tool_for_capability(peer, "trigger-elicitation-request")
    result = await peer.tool(name)
    assert any("provided the requested information" in block.text for block in result.content), result


@check("everything")
async def everything_knows_the_roots(peer: Peer) -> None:
    name = await tool_for_capability(peer, "get-roots-list")
    assert ROOT in await peer.text(name)


@check("everything")
async def everything_reads_resources(peer: Peer) -> None:
    resources = await peer.walk(peer.client.list_resources, "resources")
    assert resources, "no resources"
    content = (await peer.client.read_resource(str(resources[0].uri))).contents[0]
    assert content.text, content
    content = (await peer.client.read_resource("demo://resource/dynamic/text/3")).contents[0]
    assert "3" in content.text, content


@check("everything")
async def everything_fills_prompts(peer: Peer) -> None:
    result = await peer.client.get_prompt(await peer.prompt("simple-prompt"))
    assert result.messages, result
    result = await peer.client.get_prompt(await peer.prompt("args-prompt"), {"city": "Rome"})
    assert "Rome" in result.messages[0].content.text, result


@check("everything")
async def everything_completes_arguments(peer: Peer) -> None:
    reference = types.PromptReference(type="ref/prompt", name=await peer.prompt("completable-prompt"))
    result = await peer.client.complete(reference, {"name": "department", "value": "E"})
    equal(result.completion.values, ["Engineering"])


@check("everything")
async def everything_sends_updates_of_resources(peer: Peer) -> None:
    uri = "demo://resource/dynamic/text/1"
    method = "notifications/resources/updated"
    async with peer.watching(uri=uri):
        before = len(peer.heard(method))
        await peer.text("toggle-subscriber-updates")
        await peer.until(lambda: len(peer.heard(method)) > before, method)
        await peer.text("toggle-subscriber-updates")


# --- server-filesystem


@check("files")
async def files_are_listed_and_read(peer: Peer) -> None:
    folders = await peer.text("list_allowed_directories")
    folder = folders.strip().splitlines()[-1]
    assert "hello.txt" in await peer.text("list_directory", {"path": folder})
    equal(await peer.text("read_text_file", {"path": f"{folder}/hello.txt"}), "hello from a file\n")


@check("files")
async def files_outside_are_refused(peer: Peer) -> None:
    result = await peer.tool("read_text_file", {"path": "/etc/hostname"})
    equal(result.is_error, True)


async def run(era: str, url: str, profile: str, prefix: str) -> tuple[int, int]:
    passed = failed = 0
    peer = Peer(era, url, prefix)
    async with peer.client:
        equal(peer.stateless(), era == "modern")
        title = f"python {profile} {peer.client.protocol_version}"
        for name, function in CHECKS[profile]:
            if name in GAPS:
                print(f"skip {title}: {name}", flush=True)
                continue
            try:
                async with asyncio.timeout(2 * PATIENCE):
                    await function(peer)
            except Exception as error:  # noqa: BLE001 - one failed check must not hide the others
                failed += 1
                print(f"FAIL {title}: {name}: {type(error).__name__}: {error}", flush=True)
            else:
                passed += 1
                print(f"ok   {title}: {name}", flush=True)
    return passed, failed


async def main() -> int:
    era, url, *profiles = sys.argv[1:]
    assert era in ("legacy", "modern"), era
    passed = failed = 0
    for profile in profiles:
        name, _, prefix = profile.partition("=")
        try:
            result = await run(era, url, name, prefix)
        except Exception as error:  # noqa: BLE001 - no connection at all
            result = (0, 1)
            print(f"FAIL python {name}: connect: {type(error).__name__}: {error}", flush=True)
        passed, failed = passed + result[0], failed + result[1]
    print(f"python: {passed} passed, {failed} failed", flush=True)
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
