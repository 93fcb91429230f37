// An MCP server on the second TypeScript SDK, with the fixtures of fixtures.json.
//
//     server-v2.mjs stdio ERA
//     server-v2.mjs http PORT ERA
//
// ERA is `legacy`, `modern` or `both`. A tool asks by its answer in either era: where there are sessions, the SDK then
// asks in the middle of the call.

import { randomUUID } from "node:crypto";
import { NodeStreamableHTTPServerTransport, toNodeHandler, toWebRequest } from "@modelcontextprotocol/node";
import {
  createMcpHandler,
  inputRequired,
  isInitializeRequest,
  isLegacyRequest,
  ProtocolError,
  Server,
} from "@modelcontextprotocol/server";
import { serveStdio, StdioServerTransport } from "@modelcontextprotocol/server/stdio";
import { CAPABILITIES, Fixtures, listen, refuse, WATCHED } from "./fixtures.mjs";

class Failure extends ProtocolError {}

const fixtures = new Fixtures(Failure);

/** A server with the handlers; `tell` is how its client hears of changes, if at all. */
function build(era, tell) {
  const server = new Server({ name: "typescript-v2-fixtures", version: "1.0.0" }, { capabilities: CAPABILITIES });
  const subscribed = new Set();
  // Without sessions, the SDK keeps whoever did not ask from hearing of it.
  const hears = (uri) => era === "modern" || subscribed.has(uri);
  const session = { subscribed, hears, tell: tell ?? ((notification) => server.notification(notification)) };
  for (const [method, handler] of Object.entries(fixtures.handlers(session))) {
    if (era === "modern" && method.endsWith("subscribe")) continue;
    server.setRequestHandler(method, ({ params = {} }, { mcpReq }) =>
      handler(params, {
        signal: mcpReq.signal,
        log: (level, data) => mcpReq.log(level, data),
        async progress(progress, total) {
          const progressToken = mcpReq._meta?.progressToken;
          if (progressToken === undefined) return;
          await mcpReq.notify({ method: "notifications/progress", params: { progressToken, progress, total } });
        },
        ask(question, answered) {
          const answer = mcpReq.inputResponses?.answer;
          return answer ? answered(answer) : inputRequired({ inputRequests: { answer: question } });
        },
      }),
    );
  }
  fixtures.sessions.add(session);
  server.onclose = () => fixtures.sessions.delete(session);
  return server;
}

const transports = new Map();

async function withSessions(request, response, body) {
  let transport = transports.get(request.headers["mcp-session-id"]);
  if (!transport && isInitializeRequest(body)) {
    transport = new NodeStreamableHTTPServerTransport({
      sessionIdGenerator: () => randomUUID(),
      onsessioninitialized: (id) => transports.set(id, transport),
      onsessionclosed: (id) => transports.delete(id),
    });
    await build("legacy").connect(transport);
  }
  if (!transport) return refuse(request, response);
  await transport.handleRequest(request, response, body);
}

function http(port, era) {
  const modern = createMcpHandler(() => build("modern", async () => {}), { legacy: "reject" });
  fixtures.sessions.add({
    hears: () => true,
    async tell({ method }) {
      if (method === "notifications/tools/list_changed") modern.notify.toolsChanged();
      else modern.notify.resourceUpdated(WATCHED);
    },
  });
  const withoutSessions = toNodeHandler(modern);
  listen(port, async (request, response, body) => {
    const legacy = await isLegacyRequest(await toWebRequest(request, body), body);
    const handle = era === "legacy" || (era === "both" && legacy) ? withSessions : withoutSessions;
    await handle(request, response, body);
  });
}

const [transport, ...rest] = process.argv.slice(2);
const era = rest.at(-1);
if (transport === "http") http(...rest);
else if (era === "legacy") await build("legacy").connect(new StdioServerTransport());
else serveStdio(({ era }) => build(era), { legacy: era === "both" ? "serve" : "reject" });
