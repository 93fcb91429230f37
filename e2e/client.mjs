// Checks an MCP endpoint with the official TypeScript SDKs.
//
//     client.mjs ERA URL PROFILE[=PREFIX] ...
//     client.mjs ERA sse:URL PROFILE[=PREFIX] ...
//     client.mjs ERA "stdio:COMMAND ARGUMENT ..." PROFILE[=PREFIX] ...
//
// ERA is `legacy`, the client of the first SDK, which shakes hands; or `modern`, the client of the second, which asks for
// the stateless revision first and must get it; or `pinned`, the same, which knows no other. A profile names the server whose fixtures are checked and PREFIX what stands before the names of its tools and
// prompts: `conformance` (examples/conformance-backend), `everything` and `files` (the public server-everything and
// server-filesystem). One line per check; exits with 1 if one failed. The variable E2E_GAPS names checks that are
// skipped.

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import * as second from "@modelcontextprotocol/client";
import { StdioClientTransport as SecondStdio } from "@modelcontextprotocol/client/stdio";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { SSEClientTransport } from "@modelcontextprotocol/sdk/client/sse.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import {
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema,
} from "@modelcontextprotocol/sdk/types.js";

const PATIENCE = 15_000;
const GAPS = (process.env.E2E_GAPS ?? "").split(" ");
/** Lists as they are now: the second SDK remembers them for as long as a server allows. */
const FRESH = { cacheMode: "bypass" };
const ROOT = "file:///e2e/root";

const LATEST = "2026-07-28";

/** What each of the two SDKs calls by its own name. */
const SDKS = {
  legacy: {
    stateless: false,
    Client,
    Sse: SSEClientTransport,
    Http: StreamableHTTPClientTransport,
    Stdio: StdioClientTransport,
    options: {},
    questions: [CreateMessageRequestSchema, ElicitRequestSchema, ListRootsRequestSchema],
    call: (client, params, options) => client.callTool(params, undefined, options),
  },
  modern: {
    stateless: true,
    Client: second.Client,
    Http: second.StreamableHTTPClientTransport,
    Stdio: SecondStdio,
    options: { versionNegotiation: { mode: "auto" } },
    questions: ["sampling/createMessage", "elicitation/create", "roots/list"],
    // Each request says for itself which log messages it wants.
    call: (client, params, options) =>
      client.callTool({ ...params, _meta: { [second.LOG_LEVEL_META_KEY]: "debug" } }, options),
  },
};
SDKS.pinned = { ...SDKS.modern, options: { versionNegotiation: { mode: { pin: LATEST } } } };

/** One connected client and everything that reached it. */
class Peer {
  constructor(era, url, prefix) {
    this.era = era;
    this.sdk = SDKS[era];
    this.url = url;
    this.prefix = prefix;
    this.notifications = [];
    /** What was told of the progress of each call, by its token. */
    this.steps = new Map();
    this.asked = [];
    this.waiting = [];
    const roots = this.stateless() ? {} : { listChanged: true };
    this.client = new this.sdk.Client(
      { name: "e2e-typescript", version: "1.0.0" },
      { capabilities: { sampling: {}, elicitation: {}, roots }, ...this.sdk.options },
    );
    const [sample, elicit, list] = this.sdk.questions;
    this.client.setRequestHandler(sample, () => {
      this.asked.push("sampling");
      return { role: "assistant", content: { type: "text", text: "sampled by the client" }, model: "e2e" };
    });
    this.client.setRequestHandler(elicit, (request) => {
      this.asked.push("elicitation");
      return { action: "accept", content: filled(request.params.requestedSchema) };
    });
    this.client.setRequestHandler(list, () => {
      this.asked.push("roots");
      return { roots: [{ uri: ROOT, name: "e2e" }] };
    });
    this.client.fallbackNotificationHandler = async (notification) => {
      this.notifications.push(notification);
      for (const look of this.waiting) look();
    };
  }

  stateless() {
    return this.sdk.stateless;
  }

  overHttp() {
    return this.url.startsWith("http:");
  }

  async connect() {
    const [command, ...args] = this.url.replace(/^stdio:/, "").split(" ");
    if (this.overHttp()) this.transport = new this.sdk.Http(new URL(this.url));
    else if (this.url.startsWith("sse:")) this.transport = new this.sdk.Sse(new URL(this.url.slice("sse:".length)));
    else this.transport = new this.sdk.Stdio({ command, args, env: process.env, stderr: "inherit" });
    await this.client.connect(this.transport);
    const take = this.transport.onmessage;
    this.transport.onmessage = (message, ...more) => {
      if (message.method === "notifications/progress") this.step(message.params);
      take(message, ...more);
    };
    if (this.stateless()) assert.equal(this.client.getNegotiatedProtocolVersion(), LATEST);
  }

  async close() {
    if (!this.stateless()) await this.transport.terminateSession?.();
    await this.client.close();
  }

  /** Waits until something reached this client. */
  until(holds, what) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => end(() => reject(new Error(`waited in vain for ${what}`))), PATIENCE);
      const look = () => holds() && end(resolve);
      const end = (then) => {
        clearTimeout(timer);
        this.waiting = this.waiting.filter((other) => other !== look);
        then();
      };
      this.waiting.push(look);
      look();
    });
  }

  step({ progressToken, progress, total }) {
    const steps = this.steps.get(progressToken) ?? [];
    this.steps.set(progressToken, [...steps, total === undefined ? [progress] : [progress, total]]);
  }

  /**
   * What is told of the progress of the calls that `make` makes, a list for each. Read where it comes in: the SDKs hear of
   * a response first if it is in the same piece of input as the progress before it.
   */
  async progress(make) {
    const before = new Set(this.steps.keys());
    await make({ onprogress: () => {} });
    return [...this.steps].filter(([token]) => !before.has(token)).map(([, steps]) => steps);
  }

  heard(method) {
    return this.notifications.filter((notification) => notification.method === method);
  }

  tool(name, args = {}, options = {}) {
    return this.sdk.call(this.client, { name: this.prefix + name, arguments: args }, options);
  }

  /** Changes reach this client while `look` runs. With a session it hears of lists anyway. */
  async watching(filter, look) {
    if (this.stateless()) {
      const stream = await this.client.listen(filter);
      try {
        assert.deepEqual(stream.honoredFilter, filter);
        await look();
      } finally {
        await stream.close();
      }
      return;
    }
    const uris = filter.resourceSubscriptions ?? [];
    for (const uri of uris) await this.client.subscribeResource({ uri });
    await look();
    for (const uri of uris) await this.client.unsubscribeResource({ uri });
  }

  async text(name, args = {}, options = {}) {
    const result = await this.tool(name, args, options);
    assert.ok(!result.isError, result.content[0]?.text);
    return result.content[0].text;
  }

  /** The name of a prompt, which need not have the prefix that the tools have. */
  async prompt(name) {
    const prompts = await walk((params) => this.client.listPrompts(params, FRESH), "prompts");
    const found = prompts.find((prompt) => [this.prefix + name, name].includes(prompt.name));
    assert.ok(found, `${name} is not among ${prompts.map((prompt) => prompt.name)}`);
    return found.name;
  }

  async tools() {
    const tools = await walk((params) => this.client.listTools(params, FRESH), "tools");
    return tools.map((tool) => tool.name);
  }
}

/** All pages of a list; no item may come twice. */
async function walk(page, member) {
  const items = [];
  let cursor;
  do {
    const result = await page(cursor === undefined ? {} : { cursor });
    items.push(...result[member]);
    cursor = result.nextCursor;
  } while (cursor !== undefined);
  const keys = items.map((item) => item.uri ?? item.uriTemplate ?? item.name);
  assert.equal(new Set(keys).size, keys.length, `an item came twice: ${keys}`);
  return items;
}

/** Something acceptable for each simple field of a form. */
function filled(schema) {
  const words = { string: "word", integer: 30, number: 0.5, boolean: true };
  const content = {};
  for (const [name, field] of Object.entries(schema.properties ?? {})) {
    const options = field.enum ?? field.oneOf?.map((option) => option.const);
    if (field.format || field.type === "array") continue;
    content[name] = options ? options[0] : words[field.type];
  }
  return content;
}

async function eventually(holds, what) {
  const end = Date.now() + PATIENCE;
  while (!(await holds())) {
    assert.ok(Date.now() < end, `waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

const everyServer = {
  async answers_ping(peer) {
    await peer.client.ping();
  },

  async lists_its_tools(peer) {
    const expected = ["test_simple_text", "echo", "list_directory"].map((name) => peer.prefix + name);
    const tools = await peer.tools();
    assert.ok(expected.some((name) => tools.includes(name)), String(tools));
  },

  async refuses_an_unknown_tool(peer) {
    try {
      const result = await peer.tool("no-such-tool-anywhere");
      // Servers on this SDK report it as an error of the tool.
      assert.ok(result.isError, JSON.stringify(result));
    } catch (error) {
      assert.equal(error.code, -32602, String(error));
    }
  },
};

const conformance = {
  async calls_tools_of_each_content_type(peer) {
    const kinds = {
      test_simple_text: ["text"],
      test_image_content: ["image"],
      test_audio_content: ["audio"],
      test_embedded_resource: ["resource"],
      test_multiple_content_types: ["text", "image", "resource"],
    };
    for (const [name, expected] of Object.entries(kinds)) {
      const result = await peer.tool(name);
      assert.deepEqual(result.content.map((block) => block.type), expected);
    }
  },

  async passes_structured_content(peer) {
    const result = await peer.tool("test_structured");
    assert.deepEqual(result.structuredContent, { ratio: 0.5, name: "half" });
  },

  async passes_schemas_untouched(peer) {
    const tools = await walk((params) => peer.client.listTools(params), "tools");
    const tool = tools.find((tool) => tool.name === `${peer.prefix}json_schema_2020_12_tool`);
    assert.equal(tool.inputSchema.$schema, "https://json-schema.org/draft/2020-12/schema");
    assert.equal(tool.inputSchema.$defs.address.$anchor, "addressDef");
    assert.equal(tool.inputSchema.additionalProperties, false);
  },

  async passes_errors_of_tools(peer) {
    assert.equal((await peer.tool("test_error_handling")).isError, true);
  },

  async reports_progress_in_order(peer) {
    const [steps = []] = await peer.progress((options) => peer.text("test_tool_with_progress", {}, options));
    assert.deepEqual(steps, [[0, 100], [50, 100], [100, 100]]);
  },

  async keeps_the_progress_of_parallel_calls_apart(peer) {
    const calls = [1, 2, 3, 4];
    const seen = await peer.progress((options) =>
      Promise.all(calls.map(() => peer.text("test_tool_with_progress", {}, options))),
    );
    assert.equal(seen.length, calls.length);
    for (const steps of seen) assert.deepEqual(steps, [[0, 100], [50, 100], [100, 100]]);
  },

  async delivers_log_messages(peer) {
    if (!peer.stateless()) await peer.client.setLoggingLevel("debug");
    const method = "notifications/message";
    const before = peer.heard(method).length;
    await peer.text("test_tool_with_logging");
    await peer.until(() => peer.heard(method).length >= before + 3, "three log messages");
    assert.deepEqual(peer.heard(method).slice(before).map(({ params }) => params.level), ["info", "info", "info"]);
  },

  async honours_the_log_level(peer) {
    await peer.client.setLoggingLevel("error");
    const before = peer.heard("notifications/message").length;
    await peer.text("test_tool_with_logging");
    assert.equal(peer.heard("notifications/message").length, before);
    await peer.client.setLoggingLevel("debug");
  },

  async relays_sampling(peer) {
    const text = await peer.text("test_sampling", { prompt: "hello" });
    assert.equal(text, "LLM response: sampled by the client");
  },

  async relays_elicitation(peer) {
    const text = await peer.text("test_elicitation", { message: "who?" });
    assert.ok(text.includes("action=accept") && text.includes('"username":"word"'), text);
  },

  async relays_elicitation_with_enumerations(peer) {
    const text = await peer.text("test_elicitation_sep1330_enums");
    assert.ok(text.includes('"titledSingle":"value1"') && text.includes('"legacyEnum":"opt1"'), text);
  },

  async relays_roots(peer) {
    const text = await peer.text("test_input_required_result_list_roots");
    assert.ok(text.includes(ROOT), text);
  },

  async relays_three_requests_of_one_call(peer) {
    const before = peer.asked.length;
    await peer.text("test_input_required_result_multiple_inputs");
    assert.deepEqual(peer.asked.slice(before).sort(), ["elicitation", "roots", "sampling"]);
  },

  async asks_in_the_middle_of_a_prompt(peer) {
    const result = await peer.client.getPrompt({ name: await peer.prompt("test_input_required_result_prompt") });
    assert.ok(result.messages[0].content.text.includes("word"), JSON.stringify(result));
  },

  async cancels_a_call(peer) {
    const before = Number(await peer.text("test_cancellations"));
    const abort = new AbortController();
    const call = peer.tool("test_slow", { seconds: 120 }, { signal: abort.signal });
    setTimeout(() => abort.abort("no longer wanted"), 500);
    await assert.rejects(call);
    await eventually(async () => Number(await peer.text("test_cancellations")) > before, "the cancellation");
  },

  async resumes_a_stream_that_was_closed(peer) {
    assert.equal(await peer.text("test_reconnection"), "The answer comes after the stream was closed.");
  },

  async announces_changes_of_the_tools(peer) {
    const method = "notifications/tools/list_changed";
    const name = `${peer.prefix}test_come_and_go`;
    const beforeThere = (await peer.tools()).includes(name);
    await peer.watching({ toolsListChanged: true }, async () => {
      for (const there of [!beforeThere, beforeThere]) {
        const before = peer.heard(method).length;
        await peer.text("test_trigger_tool_change");
        await peer.until(() => peer.heard(method).length > before, method);
        await eventually(async () => (await peer.tools()).includes(name) === there, `the list with or without ${name}`);
      }
    });
  },

  async announces_changes_of_the_prompts(peer) {
    const method = "notifications/prompts/list_changed";
    await peer.watching({ promptsListChanged: true }, async () => {
      for (let round = 0; round < 2; round += 1) {
        const before = peer.heard(method).length;
        await peer.text("test_trigger_prompt_change");
        await peer.until(() => peer.heard(method).length > before, method);
      }
    });
  },

  async reads_resources(peer) {
    const resources = await walk((params) => peer.client.listResources(params), "resources");
    const uris = resources.map((resource) => resource.uri);
    assert.ok(uris.includes("test://static-text") && uris.includes("test://static-binary"), String(uris));
    const [text] = (await peer.client.readResource({ uri: "test://static-text" })).contents;
    assert.equal(text.text, "This is the content of the static text resource.");
    const [binary] = (await peer.client.readResource({ uri: "test://static-binary" })).contents;
    assert.equal(binary.mimeType, "image/png");
    const templates = await walk((params) => peer.client.listResourceTemplates(params), "resourceTemplates");
    assert.ok(templates.some((template) => template.uriTemplate === "test://template/{id}/data"));
    const [data] = (await peer.client.readResource({ uri: "test://template/77/data" })).contents;
    assert.equal(JSON.parse(data.text).id, "77");
  },

  async refuses_an_unknown_resource(peer) {
    await assert.rejects(peer.client.readResource({ uri: "test://nobody-has-this" }), (error) => {
      assert.ok([-32002, -32602].includes(error.code), String(error));
      return true;
    });
  },

  async delivers_updates_of_a_subscribed_resource(peer) {
    const method = "notifications/resources/updated";
    const uri = "test://watched-resource";
    await peer.watching({ resourceSubscriptions: [uri] }, async () => {
      const before = peer.heard(method).length;
      await peer.text("test_trigger_resource_update");
      await peer.until(() => peer.heard(method).length > before, method);
      assert.equal(peer.heard(method).at(-1).params.uri, uri);
    });
    const after = peer.heard(method).length;
    await peer.text("test_trigger_resource_update");
    await peer.text("test_simple_text");
    assert.equal(peer.heard(method).length, after);
  },

  async fills_prompts(peer) {
    const name = await peer.prompt("test_prompt_with_arguments");
    const result = await peer.client.getPrompt({ name, arguments: { arg1: "one", arg2: "two" } });
    assert.equal(result.messages[0].content.text, "Prompt with arguments: arg1='one', arg2='two'");
  },

  async completes_arguments(peer) {
    const prompt = { type: "ref/prompt", name: await peer.prompt("test_prompt_with_arguments") };
    const first = await peer.client.complete({ ref: prompt, argument: { name: "arg1", value: "par" } });
    assert.deepEqual(first.completion.values, ["paris", "park", "party"]);
    const template = { type: "ref/resource", uri: "test://template/{id}/data" };
    const second = await peer.client.complete({ ref: template, argument: { name: "id", value: "te" } });
    assert.deepEqual(second.completion.values, ["test", "testing"]);
  },

  async answers_404_to_a_session_that_ended(peer) {
    if (!peer.overHttp()) return;
    const other = new Peer(peer.era, peer.url, peer.prefix);
    await other.connect();
    await other.text("test_simple_text");
    const headers = {
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      "mcp-session-id": other.transport.sessionId,
      "mcp-protocol-version": other.transport.protocolVersion,
    };
    await other.close();
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "ping" });
    const response = await fetch(peer.url, { method: "POST", headers, body });
    await response.body?.cancel();
    assert.equal(response.status, 404);
  },
};

/** server-everything adds tools once it knows what the client can do, and announces them. */
async function toolForCapability(peer, name) {
  await eventually(async () => (await peer.tools()).includes(peer.prefix + name), name);
  return name;
}

const everything = {
  async everything_echoes(peer) {
    assert.equal(await peer.text("echo", { message: "gr\u00fc\u00df" }), "Echo: gr\u00fc\u00df");
    assert.equal(await peer.text("get-sum", { a: 2, b: 3 }), "The sum of 2 and 3 is 5.");
  },

  async everything_gives_structured_content(peer) {
    const result = await peer.tool("get-structured-content", { location: "Chicago" });
    assert.deepEqual(result.structuredContent, { temperature: 36, conditions: "Light rain / drizzle", humidity: 82 });
  },

  async everything_reports_progress(peer) {
    // The server asks for the roots a moment after it met the client, if it has them not; what is asked in the midst of
    // a call is a step of it to this client.
    if (peer.stateless()) await peer.text(await toolForCapability(peer, "get-roots-list"));
    const call = { duration: 1, steps: 4 };
    const [steps = []] = await peer.progress((options) => peer.text("trigger-long-running-operation", call, options));
    assert.deepEqual(steps.map(([progress]) => progress), [1, 2, 3, 4]);
  },

  async everything_samples(peer) {
    const name = await toolForCapability(peer, "trigger-sampling-request");
    assert.ok((await peer.text(name, { prompt: "hello", maxTokens: 10 })).includes("sampled by the client"));
  },

  async everything_elicits(peer) {
    const name = await toolForCapability(peer, "trigger-elicitation-request");
    const result = await peer.tool(name);
    assert.ok(result.content.some((block) => block.text?.includes("provided the requested information")));
  },

  async everything_knows_the_roots(peer) {
    const name = await toolForCapability(peer, "get-roots-list");
    assert.ok((await peer.text(name)).includes(ROOT));
  },

  async everything_researches_in_a_task(peer) {
    const { tasks } = peer.client.experimental;
    const name = await toolForCapability(peer, "simulate-research-query");
    const seen = [];
    const before = peer.asked.length;
    const asked = { name: peer.prefix + name, arguments: { topic: "tides", ambiguous: true } };
    // Asked for as a task here: by itself the SDK does that only for tools on the page that it listed last.
    const call = tasks.callToolStream(asked, undefined, { task: {} });
    for await (const message of call) {
      assert.notEqual(message.type, "error", String(message.error));
      seen.push(message);
    }
    const [{ task }] = seen.filter(({ type }) => type === "taskCreated");
    assert.ok(seen.at(-1).result.content[0].text.includes("Research Report: tides"));
    assert.deepEqual(peer.asked.slice(before), ["elicitation"], "it asks in the midst of the task");
    assert.equal((await tasks.getTask(task.taskId)).status, "completed");
    const listed = await tasks.listTasks();
    assert.ok(listed.tasks.some(({ taskId }) => taskId === task.taskId), JSON.stringify(listed));
    await assert.rejects(tasks.cancelTask(task.taskId), ({ code }) => code === -32602);
  },

  async everything_reads_resources(peer) {
    const [resource] = await walk((params) => peer.client.listResources(params), "resources");
    const [content] = (await peer.client.readResource({ uri: resource.uri })).contents;
    assert.ok(content.text);
  },

  async everything_fills_prompts(peer) {
    const name = await peer.prompt("args-prompt");
    const result = await peer.client.getPrompt({ name, arguments: { city: "Rome" } });
    assert.ok(result.messages[0].content.text.includes("Rome"));
  },

  async everything_completes_arguments(peer) {
    const ref = { type: "ref/prompt", name: await peer.prompt("completable-prompt") };
    const result = await peer.client.complete({ ref, argument: { name: "department", value: "E" } });
    assert.deepEqual(result.completion.values, ["Engineering"]);
  },
};

const files = {
  async files_are_listed_and_read(peer) {
    const folder = (await peer.text("list_allowed_directories")).trim().split("\n").at(-1);
    assert.ok((await peer.text("list_directory", { path: folder })).includes("hello.txt"));
    assert.equal(await peer.text("read_text_file", { path: `${folder}/hello.txt` }), "hello from a file\n");
  },

  async files_outside_are_refused(peer) {
    assert.equal((await peer.tool("read_text_file", { path: "/etc/hostname" })).isError, true);
  },
};

/** What only the revisions with sessions have. */
const WITH_SESSIONS = [
  "answers_ping",
  "everything_researches_in_a_task",
  "honours_the_log_level",
  "resumes_a_stream_that_was_closed",
  "answers_404_to_a_session_that_ended",
];

const CHECKS = { conformance, everything, files };

function within(promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} took too long`)), 2 * PATIENCE);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** Runs the checks of one profile, less those in `gaps`; says how many passed and how many failed. */
export async function run(era, url, profile, gaps) {
  const [name, prefix = ""] = profile.split("=");
  const peer = new Peer(era, url, prefix);
  const checks = { connects: () => peer.connect(), ...everyServer, ...CHECKS[name], closes: () => peer.close() };
  let passed = 0;
  let failed = 0;
  for (const [check, look] of Object.entries(checks)) {
    if (peer.stateless() && WITH_SESSIONS.includes(check)) continue;
    if (gaps.includes(check)) {
      console.log(`skip typescript ${name} ${era}: ${check}`);
      continue;
    }
    try {
      await within(look(peer), check);
      passed += 1;
      console.log(`ok   typescript ${name} ${era}: ${check}`);
    } catch (error) {
      failed += 1;
      console.log(`FAIL typescript ${name} ${era}: ${check}: ${String(error?.message ?? error).split("\n")[0]}`);
      // Without a connection nothing else can be told.
      if (check === "connects") break;
    }
  }
  return [passed, failed];
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  let passed = 0;
  let failed = 0;
  const [era, url, ...profiles] = process.argv.slice(2);
  assert.ok(era in SDKS, era);
  for (const profile of profiles) {
    const counts = await run(era, url, profile, GAPS);
    passed += counts[0];
    failed += counts[1];
  }
  console.log(`typescript: ${passed} passed, ${failed} failed`);
  process.exit(failed || !passed ? 1 : 0);
}
