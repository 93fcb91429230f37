"""Runs the checks of client.py for one endpoint after another, so that the SDK is loaded once.

Each line of the input is a list: the era, the URL, the profile, its prefix, and the checks to leave out. The output is
that of client.py, with the line `end` after each endpoint.
"""

import asyncio
import json
import sys

import client


async def cell(era: str, url: str, profile: str, prefix: str, gaps: list[str]) -> None:
    client.GAPS = gaps
    try:
        await client.run(era, url, profile, prefix)
    except Exception as error:  # noqa: BLE001 - no connection at all
        print(f"FAIL python {profile}: connects: {type(error).__name__}: {error}", flush=True)
    print("end", flush=True)


for line in sys.stdin:
    asyncio.run(cell(*json.loads(line)))
