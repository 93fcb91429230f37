"""Writes down every JSON-RPC request that a client sends on its way to a server, which gets it untouched.

    tap.py pipe LEDGER COMMAND ARGUMENT ...
    tap.py http LEDGER PORT TARGET_PORT [LEDGER PORT TARGET_PORT ...]

A line of the ledger is the method, the name of what is called or read, and whether the request brings the answers that
an earlier one of the same call was sent back for. The parts of a connection are read as they pass; neither is held back.
"""

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Generator

Note = Callable[[bytes], None]


def noting(path: str) -> Note:
    ledger = open(path, "a", buffering=1)  # noqa: SIM115 - for as long as the process runs

    def note(body: bytes) -> None:
        try:
            parsed = json.loads(body)
        except ValueError:
            return
        for message in parsed if isinstance(parsed, list) else [parsed]:
            if isinstance(message, dict) and "method" in message and "id" in message:
                params = message.get("params") or {}
                name = params.get("name") or params.get("uri") or ""
                again = "inputResponses" in params or "requestState" in params
                ledger.write(json.dumps([message["method"], name, again]) + "\n")

    return note


def pipe(path: str, command: list[str]) -> int:
    note = noting(path)
    process = subprocess.Popen(command, stdin=subprocess.PIPE)
    assert process.stdin
    # When the server ends, this ends, whether or not its client has more to say.
    threading.Thread(target=lambda: os._exit(process.wait()), daemon=True).start()
    try:
        for line in sys.stdin.buffer:
            note(line)
            process.stdin.write(line)
            process.stdin.flush()
        process.stdin.close()
    except BrokenPipeError:
        pass
    return process.wait()


def bodies(note: Note) -> Generator[None, bytes, None]:
    """Reads what a client writes on one HTTP/1.1 connection: give it the bytes, it notes each body."""
    buffer = bytearray()

    def line() -> Generator[None, bytes, bytes]:
        while (end := buffer.find(b"\r\n")) < 0:
            buffer.extend((yield))
        found = bytes(buffer[:end])
        del buffer[: end + 2]
        return found

    def exactly(count: int) -> Generator[None, bytes, bytes]:
        while len(buffer) < count:
            buffer.extend((yield))
        found = bytes(buffer[:count])
        del buffer[:count]
        return found

    while True:
        yield from line()
        length, chunked = 0, False
        while header := (yield from line()):
            name, _, value = header.lower().partition(b":")
            if name == b"content-length":
                length = int(value)
            chunked = chunked or (name == b"transfer-encoding" and b"chunked" in value)
        body = yield from exactly(length)
        while chunked:
            size = int((yield from line()).partition(b";")[0], 16)
            body += yield from exactly(size)
            yield from line()
            chunked = size > 0
        note(body)


async def serve(path: str, port: int, target: int) -> None:
    note = noting(path)

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seen: Callable[[bytes], None]) -> None:
        while chunk := await reader.read(65536):
            seen(chunk)
            writer.write(chunk)
            await writer.drain()

    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            ahead, back = await asyncio.open_connection("127.0.0.1", target)
        except OSError:
            writer.close()
            return
        parser = bodies(note)
        next(parser)
        ways = [
            asyncio.ensure_future(pump(reader, back, parser.send)),
            asyncio.ensure_future(pump(ahead, writer, lambda _: None)),
        ]
        # A side that goes has ended the connection: its requests are taken back.
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        for side in (writer, back):
            side.close()

    server = await asyncio.start_server(connection, "127.0.0.1", port)
    await server.serve_forever()


async def proxies(words: list[str]) -> None:
    triples = zip(words[::3], words[1::3], words[2::3], strict=True)
    await asyncio.gather(*(serve(path, int(port), int(target)) for path, port, target in triples))


if __name__ == "__main__":
    kind, *rest = sys.argv[1:]
    if kind == "pipe":
        sys.exit(pipe(rest[0], rest[1:]))
    asyncio.run(proxies(rest))
