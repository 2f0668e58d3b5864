"""Replaying a capture: its messages go out over UDP as they once did, at any speed."""

import asyncio
import socket
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

from api.capture import CapturedMessage

# Shorter waits than this are sent together: a loop cannot sleep more finely, and would fall behind.
_FINEST_WAIT_SECONDS = 0.0005


async def replay(
    messages: Sequence[CapturedMessage],
    address: tuple[str, int],
    *,
    speed: float = 1.0,
    on_sent: Callable[[CapturedMessage], None] = lambda _: None,
) -> None:
    """Send each message at its offset divided by `speed`. The time is kept from the start, so waits do not add up."""
    loop = asyncio.get_running_loop()
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    transport, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, remote_addr=address, family=family)
    try:
        began = loop.time()
        for message in messages:
            wait = began + message.offset.total_seconds() / speed - loop.time()
            if wait > _FINEST_WAIT_SECONDS:
                await asyncio.sleep(wait)
            transport.sendto(message.wire.encode())
            on_sent(message)
    finally:
        transport.close()


def length(messages: Sequence[CapturedMessage], *, speed: float = 1.0) -> timedelta:
    """Return how long a replay takes."""
    return messages[-1].offset / speed if messages else timedelta(0)


def shorten(messages: Sequence[CapturedMessage], longest: timedelta) -> list[CapturedMessage]:
    """Cut every silence down to `longest`. What is close together stays as it was, a running clock's ticks included."""
    shortened: list[CapturedMessage] = []
    cut = timedelta(0)
    before = timedelta(0)
    for message in messages:
        cut += max(timedelta(0), message.offset - before - longest)
        before = message.offset
        shortened.append(replace(message, offset=message.offset - cut))
    return shortened
