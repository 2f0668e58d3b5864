"""A crowd: as many sockets as there may be, each of them no more than a count of what it heard."""

import asyncio
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import urlsplit

import orjson

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
            self.transport.write(_frame(_TEXT, self._messages[0]))
        while (size := _size(self._buffer)) is not None and len(self._buffer) >= size[1]:
            self._take(self._buffer[0] & 15, self._buffer[size[0] : size[1]])
            self._buffer = self._buffer[size[1] :]

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 -- asyncio's
        self._crowd.gone += 1
        self._crowd.wake()

    def _take(self, opcode: int, payload: bytes) -> None:
        if opcode == _PING:
            self.transport.write(_frame(0xA, payload))
        elif opcode == _CLOSE:
            self.code = int.from_bytes(payload[:2])
            self.transport.write(_frame(_CLOSE, payload[:2]))
            self.transport.close()
        else:
            self.heard += 1
            if self.heard == _ACK:
                self.transport.write(_frame(_TEXT, self._messages[1]))
            else:
                self._crowd.count += 1
                self._crowd.wake()


class Crowd:
    """Many watchers, and how many messages they have heard together."""

    def __init__(self) -> None:
        self.watchers: list[Watcher] = []
        self.count = 0
        self.gone = 0
        self._wanted = 0
        self._is_about_gone = False
        self._waiting: asyncio.Future[None] | None = None

    async def hear(self, messages: int) -> None:
        """Wait until each has heard so many messages, counted together."""
        await self._wait(messages * len(self.watchers), is_about_gone=False)

    async def closed(self) -> list[int | None]:
        """Wait until all are closed; return their codes."""
        await self._wait(len(self.watchers), is_about_gone=True)
        return [watcher.code for watcher in self.watchers]

    def wake(self) -> None:
        if self._waiting is not None and not self._waiting.done() and self._is_enough():
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
    url: str, secret: str, operation: str, variables: Mapping[str, Any], *, clients: int, at_once: int = 50
) -> Crowd:
    """Open sockets that all watch the same."""
    place = urlsplit(url)
    host, port = str(place.hostname), int(str(place.port))
    hello = (
        f"GET /graphql HTTP/1.1\r\nHost: {place.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
    ).encode()
    messages = [
        orjson.dumps({"type": "connection_init", "payload": {"token": secret}}),
        orjson.dumps({"type": "subscribe", "id": "1", "payload": {"query": operation, "variables": dict(variables)}}),
    ]
    crowd = Crowd()
    loop = asyncio.get_running_loop()
    for start in range(0, clients, at_once):
        opened = [
            loop.create_connection(lambda: Watcher(crowd, hello, messages), host, port)
            for _ in range(min(at_once, clients - start))
        ]
        crowd.watchers += [watcher for _, watcher in await asyncio.gather(*opened)]
        await crowd.hear(1)
    return crowd


def _frame(opcode: int, payload: bytes) -> bytes:
    """Return a frame as a client sends it; a mask of zeros leaves the payload as it is."""
    size = len(payload)
    head = bytes((0x80 | opcode, 0x80 | size)) if size < 126 else bytes((0x80 | opcode, 0xFE)) + size.to_bytes(2)
    return head + bytes(4) + payload


def _size(buffer: bytes) -> tuple[int, int] | None:
    """Return where the payload of the first frame begins and ends."""
    if len(buffer) < 2:
        return None
    size = buffer[1] & 127
    if size < 126:
        return 2, 2 + size
    if len(buffer) < 4:
        return None
    return 4, 4 + int.from_bytes(buffer[2:4])
