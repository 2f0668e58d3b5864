"""Replaying a capture: its messages go out over UDP as they once did, at any speed and over any network."""

import asyncio
import random
import socket
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
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
    with closing(await _connected(address)) as sock:
        began = loop.time()
        for message in messages:
            wait = began + message.offset.total_seconds() / speed - loop.time()
            if wait > _FINEST_WAIT_SECONDS:
                await asyncio.sleep(wait)
            await _send(sock, message.raw)
            on_sent(message)


@dataclass(frozen=True, kw_only=True)
class Network:
    """What a network does to messages: how much later one arrives at most, and how likely one is lost or overtaken."""

    jitter: timedelta = timedelta(0)
    loss: float = 0.0
    reorder: float = 0.0


def over(messages: Sequence[CapturedMessage], network: Network, seed: int = 0) -> list[CapturedMessage]:
    """Return messages as they leave such a network, the same for the same seed.

    One that is late holds up those behind it; one that is overtaken changes places with the next.
    """
    chance = random.Random(seed)  # noqa: S311 -- a play, not a secret
    arrived: list[CapturedMessage] = []
    at = timedelta(0)
    for message in messages:
        if chance.random() < network.loss:
            continue
        at = max(at, message.offset + network.jitter * chance.random())
        arrived.append(replace(message, offset=at))
    place = 0
    while place + 1 < len(arrived):
        if chance.random() < network.reorder:
            first, second = arrived[place : place + 2]
            arrived[place : place + 2] = [replace(second, offset=first.offset), replace(first, offset=second.offset)]
            place += 1
        place += 1
    return arrived


async def _connected(address: tuple[str, int]) -> socket.socket:
    loop = asyncio.get_running_loop()
    family, kind, protocol, _, place = (await loop.getaddrinfo(*address, type=socket.SOCK_DGRAM))[0]
    sock = socket.socket(family, kind, protocol)
    sock.setblocking(False)
    try:
        sock.connect(place)
    except OSError:
        sock.close()
        raise
    return sock


async def _send(sock: socket.socket, data: bytes) -> None:
    while True:
        try:
            # Nobody may be there yet, and a scoring program would not mind.
            with suppress(ConnectionRefusedError):
                sock.send(data)
        except BlockingIOError:
            await asyncio.sleep(_FINEST_WAIT_SECONDS)
            continue
        return


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
