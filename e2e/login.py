"""Logs in to a server of the official Python SDK with `vmcp auth`, and calls it with the login.

    login.py VMCP FOLDER

The server has its own authorization server (registration, PKCE, rotated refresh tokens, revocation), whose tokens live
for three seconds, so that a call renews them. VMCP is the program, FOLDER is for its configuration and its logins. One
line per check; exits with 1 if one failed.
"""

import asyncio
import json
import os
import re
import secrets
import socket
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import httpx2
import uvicorn
from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.auth.provider import (
    AccessToken,
    AuthorizationCode,
    AuthorizationParams,
    RefreshToken,
    TokenError,
    construct_redirect_uri,
)
from mcp.server.auth.settings import AuthSettings, ClientRegistrationOptions, RevocationOptions
from mcp.server.mcpserver import MCPServer
from mcp.shared.auth import OAuthClientInformationFull, OAuthToken

warnings.simplefilter("ignore")

LIFETIME = 3
SCOPE = "notes"


class Issuer:
    """An authorization server that lets everybody in, and counts."""

    def __init__(self) -> None:
        self.clients: dict[str, OAuthClientInformationFull] = {}
        self.codes: dict[str, AuthorizationCode] = {}
        self.refresh: dict[str, RefreshToken] = {}
        self.access: dict[str, AccessToken] = {}
        self.count = {"registered": 0, "exchanged": 0, "renewed": 0, "reused": 0, "revoked": 0}

    async def get_client(self, client_id: str) -> OAuthClientInformationFull | None:
        return self.clients.get(client_id)

    async def register_client(self, client_info: OAuthClientInformationFull) -> None:
        self.count["registered"] += 1
        assert client_info.client_id
        self.clients[client_info.client_id] = client_info

    async def authorize(self, client: OAuthClientInformationFull, params: AuthorizationParams) -> str:
        code = AuthorizationCode(
            code=secrets.token_urlsafe(24),
            scopes=params.scopes or [SCOPE],
            expires_at=time.time() + 60,
            client_id=client.client_id or "",
            code_challenge=params.code_challenge,
            redirect_uri=params.redirect_uri,
            redirect_uri_provided_explicitly=params.redirect_uri_provided_explicitly,
            resource=params.resource,
        )
        self.codes[code.code] = code
        return construct_redirect_uri(str(params.redirect_uri), code=code.code, state=params.state)

    async def load_authorization_code(self, client: Any, authorization_code: str) -> AuthorizationCode | None:
        return self.codes.get(authorization_code)

    async def exchange_authorization_code(self, client: Any, authorization_code: AuthorizationCode) -> OAuthToken:
        self.count["exchanged"] += 1
        del self.codes[authorization_code.code]
        return self._issue(client.client_id, authorization_code.scopes, authorization_code.resource)

    async def load_refresh_token(self, client: Any, refresh_token: str) -> RefreshToken | None:
        return self.refresh.get(refresh_token)

    async def exchange_refresh_token(self, client: Any, refresh_token: RefreshToken, scopes: list[str]) -> OAuthToken:
        if self.refresh.pop(refresh_token.token, None) is None:
            self.count["reused"] += 1
            raise TokenError("invalid_grant", "used before")
        self.count["renewed"] += 1
        return self._issue(client.client_id, scopes or refresh_token.scopes, refresh_token.resource)

    async def load_access_token(self, token: str) -> AccessToken | None:
        known = self.access.get(token)
        return known if known and (known.expires_at or 0) > time.time() else None

    async def revoke_token(self, token: AccessToken | RefreshToken) -> None:
        self.count["revoked"] += 1
        self.access.pop(token.token, None)
        self.refresh.pop(token.token, None)

    def _issue(self, client_id: str, scopes: list[str], resource: str | None) -> OAuthToken:
        access, refresh = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
        self.access[access] = AccessToken(
            token=access,
            client_id=client_id,
            scopes=scopes,
            expires_at=int(time.time()) + LIFETIME,
            resource=resource,
            subject="ada",
        )
        self.refresh[refresh] = RefreshToken(
            token=refresh, client_id=client_id, scopes=scopes, resource=resource, subject="ada"
        )
        return OAuthToken(
            access_token=access, refresh_token=refresh, expires_in=LIFETIME, scope=" ".join(scopes), token_type="Bearer"
        )


def serve(issuer: Issuer) -> tuple[str, asyncio.Task[None]]:
    """Starts the server on a free port."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    origin = f"http://127.0.0.1:{listener.getsockname()[1]}"
    server = MCPServer(
        "guarded",
        auth_server_provider=issuer,
        auth=AuthSettings(
            issuer_url=origin,
            resource_server_url=f"{origin}/mcp",
            required_scopes=[SCOPE],
            validate_token_resource=True,
            client_registration_options=ClientRegistrationOptions(
                enabled=True, valid_scopes=[SCOPE], default_scopes=[SCOPE]
            ),
            revocation_options=RevocationOptions(enabled=True),
        ),
    )

    @server.tool()
    def whoami() -> str:
        """Says as whom it was called."""
        token = get_access_token()
        return token.subject if token and token.subject else "nobody"

    config = uvicorn.Config(server.streamable_http_app(), log_level="error", lifespan="on")
    task = asyncio.create_task(uvicorn.Server(config).serve(sockets=[listener]))
    return f"{origin}/mcp", task


class Checks:
    """Counts what holds."""

    def __init__(self) -> None:
        self.passed = self.failed = 0

    def that(self, what: str, holds: bool, shown: object = "") -> None:
        self.passed += holds
        self.failed += not holds
        print(f"{'ok  ' if holds else 'FAIL'} {what}" + ("" if holds else f": {shown}"), flush=True)


class Vmcp:
    """The program, with one configuration and its own place for logins."""

    def __init__(self, program: str, folder: Path, url: str) -> None:
        self.program = program
        self.config = folder / "mcp.json"
        self.config.write_text(json.dumps({"mcpServers": {"guarded": {"type": "http", "url": url}}}))
        self.state = folder / "state"
        self.environment = dict(os.environ, VMCP_STATE_DIR=str(self.state))

    async def start(self, *arguments: str) -> asyncio.subprocess.Process:
        pipe = asyncio.subprocess.PIPE
        return await asyncio.create_subprocess_exec(
            self.program, "--config", str(self.config), *arguments, stdout=pipe, stderr=pipe, env=self.environment
        )

    async def run(self, *arguments: str) -> tuple[int, str]:
        process = await self.start(*arguments)
        out, err = await asyncio.wait_for(process.communicate(), 30)
        return process.returncode or 0, out.decode() + err.decode()

    async def login(self) -> tuple[int, str]:
        """Logs in, playing the browser."""
        process = await self.start("auth", "login", "guarded", "--no-browser")
        assert process.stdout and process.stderr
        said: list[str] = []
        found: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        async def read(stream: asyncio.StreamReader) -> None:
            async for line in stream:
                said.append(line.decode())
                match = re.search(r"https?://\S*authorize\S*", line.decode())
                if match and not found.done():
                    found.set_result(match.group())

        readers = [asyncio.create_task(read(stream)) for stream in (process.stdout, process.stderr)]
        ended = asyncio.create_task(process.wait())
        await asyncio.wait([found, ended], timeout=30, return_when=asyncio.FIRST_COMPLETED)
        if found.done():
            async with httpx2.AsyncClient(follow_redirects=True) as browser:
                page = await browser.get(found.result())
                said.append(f"browser: {page.status_code}\n")
        await asyncio.wait_for(ended, 30)
        await asyncio.gather(*readers)
        return process.returncode or 0, "".join(said)


async def main(program: str, folder: Path) -> int:
    issuer, checks = Issuer(), Checks()
    url, server = serve(issuer)
    await asyncio.sleep(0.5)
    vmcp = Vmcp(program, folder, url)
    call = ("tools", "call", "whoami")

    status, text = await vmcp.run(*call)
    checks.that("without a login nothing is called", status != 0 and "vmcp auth login guarded" in text, text)
    checks.that("and nobody is asked", issuer.count["registered"] == 0, issuer.count)

    status, text = await vmcp.login()
    checks.that("logs in", status == 0 and "browser: 200" in text, text)
    checks.that("as a client it registered", issuer.count["registered"] == 1, issuer.count)
    tokens = [*issuer.access, *issuer.refresh]
    stored = b"".join(path.read_bytes() for path in vmcp.state.rglob("*") if path.is_file())
    checks.that("prints no token", not any(token in text for token in tokens), text)
    checks.that("stores no token that can be read", not any(token.encode() in stored for token in tokens))

    status, text = await vmcp.run(*call)
    checks.that("calls as the user", status == 0 and "ada" in text, text)
    await asyncio.sleep(LIFETIME + 1)
    status, text = await vmcp.run(*call)
    checks.that("renews what has expired", status == 0 and "ada" in text, text)
    answers = await asyncio.gather(*(vmcp.run(*call) for _ in range(4)))
    checks.that("from several processes at once", all(status == 0 for status, _ in answers), answers)
    checks.that("and never shows a token twice", issuer.count["reused"] == 0, issuer.count)

    status, text = await vmcp.run("auth", "status")
    checks.that("says which logins there are", status == 0 and "guarded" in text and SCOPE in text, text)
    status, text = await vmcp.run("auth", "logout", "guarded")
    checks.that("logs out", status == 0 and issuer.count["revoked"] > 0, (text, issuer.count))
    status, text = await vmcp.run(*call)
    checks.that("and calls no more", status != 0 and "vmcp auth login guarded" in text, text)

    server.cancel()
    await asyncio.gather(server, return_exceptions=True)
    print(f"login: {checks.passed} passed, {checks.failed} failed")
    return int(checks.failed > 0)


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1], Path(sys.argv[2]))))
