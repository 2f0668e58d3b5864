"""A crowd: as many sockets as there may be, each of them no more than a count of what it heard."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, cast
from urllib.parse import urlsplit

import orjson

from tests.support.plain import frame, hello, payload_at

_ACK = 1
_TEXT, _CLOSE, _PING = 0x1, 0x8, 0x9


class Watcher(asyncio.Protocol):
    """One client of `graphql-transport-ws` that watches one thing. It reads frames and does not parse them."""

    def __init__(self, crowd: "Crowd", hello: bytes, messages: list[bytes]) -> None:
        self._crowd = crowd
        self._hello = hello
        self._messages = messages
        self._buffer = b""
        self._is_open = False
        self.heard = 0
        self.code: int | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.transport.write(self._hello)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._is_open:
            head, separator, rest = self._buffer.partition(b"\r\n\r\n")
            if not separator:
                return
            assert b" 101 " in head.split(b"\r\n")[0], head
            self._buffer, self._is_open = rest, True
            self.transport.write(frame(_TEXT, self._messages[0]))
        while (found := payload_at(self._buffer, 0)) is not None:
            self._take(self._buffer[0] & 15, self._buffer[found[0] : found[1]])
            self._buffer = self._buffer[found[1] :]

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 -- asyncio's
        self._crowd.gone += 1
        self._crowd.wake()

    def _take(self, opcode: int, payload: bytes) -> None:
        if opcode == _PING:
            self.transport.write(frame(0xA, payload))
        elif opcode == _CLOSE:
            self.code = int.from_bytes(payload[:2])
            self.transport.write(frame(_CLOSE, payload[:2]))
            self.transport.close()
        else:
            self.heard += 1
            if self.heard == _ACK:
                self.transport.write(frame(_TEXT, self._messages[1]))
            else:
                self._crowd.count += 1
                self._crowd.wake()


class Crowd:
    """Many watchers, and how many messages they have heard together."""

    def __init__(self) -> None:
        self.watchers: list[Watcher] = []
        self.count = 0
        self.gone = 0
        # On the machine's own clock, when what was waited for had come.
        self.finished_ns = 0
        self._wanted = 0
        self._is_about_gone = False
        self._waiting: asyncio.Future[None] | None = None

    async def hear(self, messages: int) -> None:
        """Wait until so many messages were heard, by all of them together."""
        await self._wait(messages, is_about_gone=False)

    async def closed(self) -> list[int | None]:
        """Wait until all are closed; return their codes."""
        await self._wait(len(self.watchers), is_about_gone=True)
        return [watcher.code for watcher in self.watchers]

    def leave(self) -> None:
        """Hang up, all of them."""
        for watcher in self.watchers:
            watcher.transport.abort()

    def wake(self) -> None:
        if self._waiting is not None and not self._waiting.done() and self._is_enough():
            self.finished_ns = time.monotonic_ns()
            self._waiting.set_result(None)

    def _is_enough(self) -> bool:
        return (self.gone if self._is_about_gone else self.count) >= self._wanted

    async def _wait(self, wanted: int, *, is_about_gone: bool) -> None:
        self._wanted, self._is_about_gone = wanted, is_about_gone
        self._waiting = asyncio.get_running_loop().create_future()
        self.wake()
        async with asyncio.timeout(60):
            await self._waiting


async def watch(
    url: str, secret: str, operation: str, variables: Sequence[Mapping[str, Any]], *, at_once: int = 50
) -> Crowd:
    """Open a socket for each of the variables, and wait until each has heard how it stands."""
    place = urlsplit(url)
    host, port = str(place.hostname), int(str(place.port))
    greeting = hello(place.netloc)
    init = orjson.dumps({"type": "connection_init", "payload": {"token": secret}})
    crowd = Crowd()

    async def open_one(given: Mapping[str, Any]) -> Watcher:
        asked = {"query": operation, "variables": dict(given)}
        subscribe = orjson.dumps({"id": "1", "type": "subscribe", "payload": asked})
        make = partial(Watcher, crowd, greeting, [init, subscribe])
        return (await asyncio.get_running_loop().create_connection(make, host, port))[1]

    for start in range(0, len(variables), at_once):
        crowd.watchers += await asyncio.gather(*map(open_one, variables[start : start + at_once]))
        await crowd.hear(len(crowd.watchers))
    return crowd
