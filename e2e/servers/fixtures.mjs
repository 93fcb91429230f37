// The handlers of the servers on the TypeScript SDKs, with the fixtures of fixtures.json; and how both listen.

import { readFileSync } from "node:fs";
import { createServer } from "node:http";

const FIXTURES = JSON.parse(readFileSync(new URL("fixtures.json", import.meta.url), "utf8"));
export const WATCHED = "test://watched-resource";

/** How long a tool works after a notification; the clients of these SDKs mind what comes at once with a response. */
const PAUSE = 30;

export const CAPABILITIES = {
  tools: { listChanged: true },
  prompts: { listChanged: true },
  resources: { subscribe: true, listChanged: true },
  logging: {},
  completions: {},
};

export const text = (text) => ({ content: [{ type: "text", text }] });

/** What all clients have in common. It tells all of them of changes. */
export class Fixtures {
  /** `Failure` is the SDK's class of protocol errors, made of a code, a message and data. */
  constructor(Failure) {
    this.Failure = Failure;
    this.extra = false;
    this.cancelled = 0;
    /** The open sessions: functions that send a notification. */
    this.sessions = new Set();
  }

  async changed(method, params, wanted = () => true) {
    const told = [...this.sessions].filter(wanted).map((session) => session.tell({ method, params }));
    await Promise.allSettled(told);
  }

  /**
   * The handlers of one session, by method, each of the parameters and the call. A call has `signal`, `log`,
   * `progress` and `ask`, which returns what becomes of the question: an answer, or a result that asks.
   */
  handlers(session) {
    return {
      "tools/list": () => ({ tools: [...FIXTURES.tools, ...(this.extra ? [FIXTURES.extraTool] : [])] }),
      "tools/call": ({ name }, call) => this.callTool(name, call),
      "prompts/list": () => ({ prompts: FIXTURES.prompts }),
      "prompts/get": ({ name, arguments: given = {} }) => {
        let messages = JSON.stringify(FIXTURES.messages[name]);
        for (const [key, value] of Object.entries(given)) messages = messages.replaceAll(`{${key}}`, value);
        return { messages: JSON.parse(messages) };
      },
      "resources/list": () => ({ resources: FIXTURES.resources }),
      "resources/templates/list": () => ({ resourceTemplates: FIXTURES.resourceTemplates }),
      "resources/read": ({ uri }) => {
        const content = FIXTURES.contents[uri];
        if (!content) throw new this.Failure(-32602, "resource not found", { uri });
        return { contents: [{ uri, ...content }] };
      },
      "completion/complete": ({ argument }) => {
        const values = FIXTURES.words.filter((word) => word.startsWith(argument.value));
        return { completion: { values, total: values.length, hasMore: false } };
      },
      "resources/subscribe": ({ uri }) => {
        session.subscribed.add(uri);
        return {};
      },
      "resources/unsubscribe": ({ uri }) => {
        session.subscribed.delete(uri);
        return {};
      },
    };
  }

  async callTool(name, call) {
    if (FIXTURES.results[name]) return FIXTURES.results[name];
    if (FIXTURES.questions[name]) return call.ask(FIXTURES.questions[name], (answer) => answered(name, answer));
    switch (name) {
      case "test_tool_with_logging":
        for (const step of ["started", "goes on", "ended"]) await call.log("info", step);
        return text("The log messages are written.");
      case "test_tool_with_progress":
        for (const step of [0, 50, 100]) {
          await call.progress(step, 100);
          await new Promise((resolve) => setTimeout(resolve, PAUSE));
        }
        return text("The progress is complete.");
      case "test_slow":
        await new Promise((resolve) => call.signal.addEventListener("abort", resolve));
        this.cancelled += 1;
        return text("cancelled");
      case "test_cancellations":
        return text(String(this.cancelled));
      case "test_trigger_tool_change":
        this.extra = !this.extra;
        await this.changed("notifications/tools/list_changed");
        return text("The tools changed.");
      case "test_trigger_resource_update":
        await this.changed("notifications/resources/updated", { uri: WATCHED }, (session) => session.hears(WATCHED));
        return text("The resource changed.");
      default:
        throw new this.Failure(-32602, `unknown tool: ${name}`);
    }
  }
}

function answered(name, answer) {
  if (name === "test_sampling") return text(`LLM response: ${answer.content.text}`);
  if (name === "test_elicitation") {
    return text(`User response: action=${answer.action}, content=${JSON.stringify(answer.content)}`);
  }
  return text(JSON.stringify(answer.roots));
}

/** Serves HTTP on loopback: `answer` gets the request, the response and the parsed body, if there is one. */
export function listen(port, answer) {
  const server = createServer(async (request, response) => {
    try {
      const chunks = [];
      if (request.method === "POST") for await (const chunk of request) chunks.push(chunk);
      await answer(request, response, chunks.length ? JSON.parse(Buffer.concat(chunks)) : undefined);
    } catch (error) {
      console.error(error);
      if (!response.headersSent) response.writeHead(500);
      response.end();
    }
  });
  server.listen(Number(port), "127.0.0.1");
}

/** Answers what names no session that exists. */
export function refuse(request, response) {
  const [status, code, message] = request.headers["mcp-session-id"]
    ? [404, -32001, "Session not found"]
    : [400, -32000, "Bad Request: Session ID required"];
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify({ jsonrpc: "2.0", error: { code, message }, id: null }));
}
