"""Requests as no well-behaved client sends them: byte by byte, for as long as the server listens."""

import asyncio
from collections.abc import Iterable

import orjson

from tests.support.house import PATIENCE_SECONDS, RunningHouse

HEAD = b"POST /graphql HTTP/1.1\r\nHost: localhost\r\n"


async def send(house: RunningHouse, parts: Iterable[bytes]) -> tuple[int, str]:
    """Send parts until the server hangs up; return the status and the code it answered, 0 if it said nothing."""
    reader, writer = await asyncio.open_connection("127.0.0.1", house.port)

    async def sending() -> None:
        for part in parts:
            writer.write(part)
            await writer.drain()

    sender = asyncio.create_task(sending())
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            answer = await reader.read()
    except ConnectionError:
        return 0, "reset"
    finally:
        sender.cancel()
        await asyncio.wait([sender])
        _ = sender.cancelled() or sender.exception()
        writer.transport.abort()
    if not answer:
        return 0, ""
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), orjson.loads(body)["errors"][0]["extensions"]["code"]
