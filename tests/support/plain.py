"""Plain clients: a socket and a connection that do as little as can be, so that thousands of them fit on one processor.

A client library's work for each message takes longer than a server's. These read frames and answers as they come, on
this machine only, and know no more of the protocols than our server says.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, cast
from urllib.parse import urlsplit

import orjson

_TEXT, _CLOSE, _PING, _PONG = 0x1, 0x8, 0x9, 0xA
_ACK = b'{"type":"connection_ack"'
_NEXT = b'{"id":"1","type":"next"'
# Whoever was not admitted by then tries again: a server that starts has much to do.
_PATIENCE_SECONDS = 30.0


class PlainSocket(asyncio.Protocol):
    """One client of `graphql-transport-ws` with one subscription: `heard` is called with each answer's payload.

    It hangs up at anything else that is said to it: an error, the end of the subscription, a close.
    """

    def __init__(
        self, place: str, secret: str, asked: Mapping[str, Any], heard: Callable[[dict[str, Any]], None]
    ) -> None:
        loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[None] = loop.create_future()
        self.is_admitted = False
        # What was said to it at the last, that was no answer.
        self.last_words = b""
        self._hello = hello(place)
        self._init = orjson.dumps({"type": "connection_init", "payload": {"token": secret}})
        self._asked = orjson.dumps({"id": "1", "type": "subscribe", "payload": asked})
        self._heard = heard
        self._buffer = b""
        self._is_open = False
        self._patience = loop.call_later(_PATIENCE_SECONDS, self._lose_patience)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.transport.write(self._hello)

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer + data if self._buffer else data
        if not self._is_open:
            head, separator, rest = buffer.partition(b"\r\n\r\n")
            if not separator:
                self._buffer = buffer
                return
            if b" 101 " not in head.split(b"\r\n")[0]:
                self._hang_up(head)
                return
            buffer, self._is_open = rest, True
            self.transport.write(frame(_TEXT, self._init))
        at = 0
        while (found := payload_at(buffer, at)) is not None:
            begin, end = found
            self._take(buffer[at] & 15, buffer[begin:end])
            at = end
        self._buffer = buffer[at:] if at else buffer

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 -- asyncio's
        self._patience.cancel()
        if not self.ended.done():
            self.ended.set_result(None)

    def _take(self, opcode: int, payload: bytes) -> None:
        if opcode == _TEXT and payload.startswith(_NEXT):
            self._heard(orjson.loads(payload)["payload"])
        elif opcode == _TEXT and payload.startswith(_ACK):
            self.is_admitted = True
            self._patience.cancel()
            self.transport.write(frame(_TEXT, self._asked))
        elif opcode == _PING:
            self.transport.write(frame(_PONG, payload))
        else:
            self._hang_up(payload)

    def _hang_up(self, last_words: bytes) -> None:
        self.last_words = self.last_words or last_words
        self.transport.abort()

    def _lose_patience(self) -> None:
        self.transport.abort()


async def open_plain(
    url: str, secret: str, asked: Mapping[str, Any], heard: Callable[[dict[str, Any]], None]
) -> PlainSocket:
    """Open a socket of a server. Raises `OSError`."""
    place = urlsplit(url)
    make = partial(PlainSocket, place.netloc, secret, asked, heard)
    _, opened = await asyncio.get_running_loop().create_connection(make, str(place.hostname), int(str(place.port)))
    return opened


@dataclass
class PlainHTTP:
    """One connection that stays open and asks one thing after the other."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    _head: bytes

    async def ask(self, body: bytes) -> bytes:
        """Post a GraphQL request and return what is answered. Raises `OSError`, `EOFError`, and for another status."""
        self.writer.write(self._head % len(body) + body)
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
        answer = await self.reader.readexactly(length)
        if not head.startswith(b"HTTP/1.1 200"):
            raise ConnectionError(head.decode("latin-1") + answer.decode())
        return answer

    def close(self) -> None:
        """Hang up."""
        self.writer.close()


async def open_plain_http(url: str, secret: str) -> PlainHTTP:
    """Open a connection to a server. Raises `OSError`."""
    place = urlsplit(url)
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    head = (
        f"POST /graphql HTTP/1.1\r\nHost: {place.netloc}\r\nAuthorization: Bearer {secret}\r\n"
        "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    )
    return PlainHTTP(reader, writer, head.encode())


def frame(opcode: int, payload: bytes) -> bytes:
    """Return a frame as a client sends it; a mask of zeros leaves the payload as it is."""
    size = len(payload)
    head = bytes((0x80 | opcode, 0x80 | size)) if size < 126 else bytes((0x80 | opcode, 0xFE)) + size.to_bytes(2)
    return head + bytes(4) + payload


def payload_at(buffer: bytes, at: int) -> tuple[int, int] | None:
    """Return where the payload of the frame at a place begins and ends, if all of it is there."""
    there = len(buffer)
    if there < at + 2:
        return None
    size, begin = buffer[at + 1] & 127, at + 2
    if size >= 126:
        more = 2 if size == 126 else 8
        begin += more
        if there < begin:
            return None
        size = int.from_bytes(buffer[begin - more : begin])
    return (begin, begin + size) if there >= begin + size else None


def hello(place: str) -> bytes:
    """Return how a client asks for a socket."""
    return (
        f"GET /graphql HTTP/1.1\r\nHost: {place}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
    ).encode()
