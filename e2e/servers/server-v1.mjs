// An MCP server on the first TypeScript SDK, which shakes hands, with the fixtures of fixtures.json.
//
//     server-v1.mjs stdio
//     server-v1.mjs http|sse PORT

import { randomUUID } from "node:crypto";
import { Server } from "@modelcontextprotocol/sdk/server/index.js";
import { SSEServerTransport } from "@modelcontextprotocol/sdk/server/sse.js";
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import * as types from "@modelcontextprotocol/sdk/types.js";
import { CAPABILITIES, Fixtures, listen, refuse } from "./fixtures.mjs";

const LEVELS = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"];
const REQUESTS = [
  types.ListToolsRequestSchema,
  types.CallToolRequestSchema,
  types.ListPromptsRequestSchema,
  types.GetPromptRequestSchema,
  types.ListResourcesRequestSchema,
  types.ListResourceTemplatesRequestSchema,
  types.ReadResourceRequestSchema,
  types.CompleteRequestSchema,
  types.SubscribeRequestSchema,
  types.UnsubscribeRequestSchema,
];
const ANSWERS = {
  "sampling/createMessage": types.CreateMessageResultSchema,
  "elicitation/create": types.ElicitResultSchema,
  "roots/list": types.ListRootsResultSchema,
};

const fixtures = new Fixtures(types.McpError);

/** One session, until its transport closes. */
async function serve(transport) {
  const server = new Server({ name: "typescript-v1-fixtures", version: "1.0.0" }, { capabilities: CAPABILITIES });
  const subscribed = new Set();
  const hears = (uri) => subscribed.has(uri);
  const session = { subscribed, hears, tell: (notification) => server.notification(notification) };
  let level = "debug";
  const handlers = fixtures.handlers(session);
  for (const schema of REQUESTS) {
    const handler = handlers[schema.shape.method.value];
    server.setRequestHandler(schema, ({ params = {} }, { signal, _meta, sendNotification, sendRequest }) =>
      handler(params, {
        signal,
        async log(at, data) {
          if (LEVELS.indexOf(at) < LEVELS.indexOf(level)) return;
          await sendNotification({ method: "notifications/message", params: { level: at, data } });
        },
        async progress(progress, total) {
          const progressToken = _meta?.progressToken;
          if (progressToken === undefined) return;
          await sendNotification({ method: "notifications/progress", params: { progressToken, progress, total } });
        },
        ask: async (question, answered) => answered(await sendRequest(question, ANSWERS[question.method])),
      }),
    );
  }
  server.setRequestHandler(types.SetLevelRequestSchema, ({ params }) => {
    level = params.level;
    return {};
  });
  fixtures.sessions.add(session);
  server.onclose = () => fixtures.sessions.delete(session);
  await server.connect(transport);
}

const sessions = new Map();

async function streamable(request, response, body) {
  let transport = sessions.get(request.headers["mcp-session-id"]);
  if (!transport && types.isInitializeRequest(body)) {
    transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: () => randomUUID(),
      onsessioninitialized: (id) => sessions.set(id, transport),
      onsessionclosed: (id) => sessions.delete(id),
    });
    await serve(transport);
  }
  if (!transport) return refuse(request, response);
  await transport.handleRequest(request, response, body);
}

async function sse(request, response, body) {
  const url = new URL(request.url, "http://127.0.0.1");
  if (request.method === "GET" && url.pathname === "/sse") {
    const transport = new SSEServerTransport("/message", response);
    sessions.set(transport.sessionId, transport);
    response.on("close", () => sessions.delete(transport.sessionId));
    return serve(transport);
  }
  const transport = sessions.get(url.searchParams.get("sessionId"));
  if (!transport) return refuse(request, response);
  await transport.handlePostMessage(request, response, body);
}

const [transport, port] = process.argv.slice(2);
if (transport === "stdio") await serve(new StdioServerTransport());
else listen(port, transport === "http" ? streamable : sse);
