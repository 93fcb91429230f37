"""What the matrix is made of: its clients, its servers, what a pair cannot express, and how the result is written."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Client:
    """A client program in one mode of one SDK."""

    sdk: str
    era: str
    transport: str
    program: str
    mode: str

    @property
    def name(self) -> str:
        return f"{self.sdk} {self.era} {self.transport}"

    def meets(self, server: "Server") -> bool:
        """Whether the two can speak without vmcp between."""
        spoken = "legacy" if self.era == "legacy" else "modern"
        return self.transport == server.transport and server.speaks in (spoken, "both") and server.alone


@dataclass(frozen=True)
class Server:
    """A server of one SDK on one transport, and the family of revisions that vmcp speaks to it."""

    sdk: str
    transport: str
    era: str
    # What it speaks if nobody is in between. A server that cannot be held to one family is told apart by vmcp's
    # `protocol` alone, and needs to be met directly only once.
    speaks: str
    profile: str = "conformance"

    @property
    def name(self) -> str:
        return f"{self.sdk} {self.transport} {self.era}"

    @property
    def alone(self) -> bool:
        return self.era == "both" or self.speaks != "both"

    @property
    def protocol(self) -> str:
        return self.era if self.speaks == "both" and self.era != "both" else "auto"

    def command(self, python: str, node: Path, servers: Path, examples: Path) -> list[str]:
        return {
            "python": [python, str(servers / "server.py")],
            "typescript-v1": ["node", str(node / "server-v1.mjs")],
            "typescript-v2": ["node", str(node / "server-v2.mjs")],
            "rmcp": [str(examples / "conformance-backend")],
            "everything": ["node", f"{node}/node_modules/@modelcontextprotocol/server-everything/dist/index.js"],
        }[self.sdk]

    @property
    def pipe_arguments(self) -> list[str]:
        if self.sdk == "rmcp":
            return ["--stdio", "--era", self.speaks]
        return ["stdio", self.speaks] if self.sdk == "typescript-v2" else ["stdio"]

    def port_arguments(self, port: int) -> list[str]:
        if self.sdk == "rmcp":
            return ["--port", str(port), "--era", self.speaks]
        if self.sdk == "everything":
            return ["streamableHttp" if self.transport == "http" else "sse"]
        words = [self.transport, str(port)]
        return [*words, self.speaks] if self.sdk == "typescript-v2" else words


def _clients() -> Iterable[Client]:
    for transport in ("http", "stdio"):
        yield Client("python", "legacy", transport, "python", "legacy")
        yield Client("python", "modern", transport, "python", "modern")
        yield Client("typescript-v1", "legacy", transport, "typescript", "legacy")
        yield Client("typescript-v2", "modern", transport, "typescript", "pinned")
        yield Client("typescript-v2", "auto", transport, "typescript", "modern")
        yield Client("rmcp", "legacy", transport, "rmcp", "legacy")
        yield Client("rmcp", "modern", transport, "rmcp", "modern")
    yield Client("python", "legacy", "sse", "python", "legacy")
    yield Client("typescript-v1", "legacy", "sse", "typescript", "legacy")


def _servers() -> Iterable[Server]:
    for transport in ("http", "stdio"):
        for era in ("legacy", "modern", "both"):
            yield Server("python", transport, era, "both")
            yield Server("typescript-v2", transport, era, era)
            yield Server("rmcp", transport, era, era)
    yield Server("python", "sse", "legacy", "legacy")
    for transport in ("http", "stdio", "sse"):
        yield Server("typescript-v1", transport, "legacy", "legacy")
        yield Server("everything", transport, "legacy", "legacy", "everything")


CLIENTS = list(_clients())
SERVERS = sorted(_servers(), key=lambda server: (server.sdk, ("stdio", "http", "sse").index(server.transport), server.era))

# Checks of fixtures that not all of our servers have; e2e/run has them for the one that does.
GAPS = {
    "conformance": [
        "passes_schemas_untouched",
        "relays_elicitation_with_enumerations",
        "relays_three_requests_of_one_call",
        "asks_in_the_middle_of_a_prompt",
        "announces_changes_of_the_prompts",
        "resumes_a_stream_that_was_closed",
    ],
    "everything": ["everything_researches_in_a_task"],
}

# What a pair cannot express: a pattern of `CLIENT/SERVER`, the check, the reason.
EXCLUDED: list[tuple[str, str, str]] = []
# The same without vmcp between: what the two SDKs do to each other.
EXCLUDED_DIRECTLY: list[tuple[str, str, str]] = []


def excluded(client: Client, server: Server, direct: bool) -> list[tuple[str, str]]:
    pair = f"{client.name}/{server.name}"
    rules = EXCLUDED_DIRECTLY if direct else EXCLUDED
    return [(check, reason) for pattern, check, reason in rules if fnmatchcase(pair, pattern)]


def covering(pairs: list[tuple[Client, Server]]) -> list[tuple[Client, Server]]:
    """Every server with a client of each family and transport, in turns, so that all clients come about equally."""
    chosen = []
    turns: dict[tuple[str, str], int] = {}
    for server in dict.fromkeys(server for _, server in pairs):
        for kind in (("legacy", "http"), ("modern", "http"), ("legacy", "stdio"), ("modern", "stdio"), ("legacy", "sse")):
            alike = [
                client
                for client in CLIENTS
                if ("legacy" if client.era == "legacy" else "modern", client.transport) == kind
            ]
            turn = turns[kind] = turns.get(kind, -1) + 1
            chosen.append((alike[turn % len(alike)], server))
    return [pair for pair in pairs if pair in chosen]


def _versions() -> str:
    packages = json.loads((HERE / "package.json").read_text())["dependencies"]
    pins = dict(line.split("==") for line in (HERE / "requirements.txt").read_text().split())
    rmcp = next(line for line in (HERE.parent / "Cargo.toml").read_text().splitlines() if line.startswith("rmcp = "))
    named = {
        "Python `mcp`": pins["mcp"],
        "TypeScript v1 `sdk`": packages["@modelcontextprotocol/sdk"],
        "TypeScript v2 `client`": packages["@modelcontextprotocol/client"],
        "TypeScript v2 `server`": packages["@modelcontextprotocol/server"],
        "`rmcp`": rmcp.split('"')[1].lstrip("="),
        "`server-everything`": packages["@modelcontextprotocol/server-everything"],
    }
    return ", ".join(f"{name} {version}" for name, version in named.items())


def report(outcomes: dict[tuple[Client, Server], Any], direct: bool) -> str:
    """The table: a row for each client, a column for each server."""
    clients = [client for client in CLIENTS if any(pair[0] == client for pair in outcomes)]
    servers = [server for server in SERVERS if any(pair[1] == server for pair in outcomes)]
    rows = [["client \\ server", *(server.name.replace("typescript", "ts") for server in servers)]]
    for client in clients:
        row = [client.name.replace("typescript", "ts")]
        for server in servers:
            outcome = outcomes.get((client, server))
            if outcome is None:
                row.append("")
                continue
            count = f"{len(outcome.passed)}/{len(outcome.passed) + len(outcome.failed)}"
            row.append("<br>".join([count, *outcome.failed]))
        rows.append(row)
    table = ["| " + " | ".join(row) + " |" for row in rows]
    table.insert(1, "| --- " * len(rows[0]) + "|")
    calls = sum(outcome.calls for outcome in outcomes.values())
    exchanges = sum(outcome.exchanges for outcome in outcomes.values())
    text = [
        "# Official clients and servers",
        "",
        "<!-- written by e2e/matrix; do not edit -->",
        "",
        f"By `e2e/matrix {'--direct' if direct else '--all'}`. Every client with every server, "
        + ("without vmcp between." if direct else "through vmcp: checks passed, of checks that the pair can express.")
        + f" {_versions()}.",
        "",
        *table,
        "",
    ]
    if not direct:
        text += [
            f"{calls} calls of the clients were {exchanges} requests to the servers, aside from those that only bring the",
            "answers a server asked for: a call costs one, and none if vmcp knows that there is no such tool or prompt. In no",
            "cell did one cost more. A client's `auto` asks which revision there is, `modern` knows no other. A server's `both`",
            "speaks to each client as the client does.",
            "",
        ]
    rules = EXCLUDED_DIRECTLY if direct else EXCLUDED
    if rules:
        text += ["Left out:", "", "| client / server | check | reason |", "| --- | --- | --- |"]
        text += [f"| `{pattern}` | `{check}` | {reason} |" for pattern, check, reason in rules]
        text.append("")
    else:
        text += ["No check is left out.", ""]
    return "\n".join(text)
