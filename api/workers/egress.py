"""The way out of a browser: a proxy of its own that asks where feeds are asked, and nowhere else.

What a browser is told to leave alone it may reach all the same by a redirect, a frame or a socket. So it has no other
way out than this, which looks at every connection with the same guard, as that is made.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx

from api.outbound import ForbiddenAddress, Guard, open_client

_log = logging.getLogger(__name__)

_LONGEST_HEAD = 65_536
_LARGEST_SENT = 1024 * 1024
_PIECE = 65_536
_HEAD_SECONDS = 10.0
_TRIED = 3
# What is between two neighbours, and not handed on.
_OF_ONE_HOP = {
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
}


@dataclass(frozen=True, kw_only=True)
class EgressLimits:
    """What a browser may take in, in bytes, and how many connections it may have at once."""

    bytes: int = 50 * 1024 * 1024
    connections: int = 32
    connect_seconds: float = 10.0


class TooMuch(Exception):
    """More came than may."""


@dataclass
class Egress:
    """A proxy for one picture. `refused` are the hosts and ports that the guard did not let it ask."""

    guard: Guard
    limits: EgressLimits = field(default_factory=EgressLimits)
    port: int = 0
    taken: int = 0
    refused: set[str] = field(default_factory=set)
    is_too_much: bool = False
    _tasks: set["asyncio.Task[None]"] = field(default_factory=set, repr=False)

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    async def serve(
        self, client: httpx.AsyncClient, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Answer one connection of the browser."""
        task = asyncio.current_task()
        if task is None or len(self._tasks) >= self.limits.connections:
            writer.close()
            return
        self._tasks.add(task)
        try:
            async with asyncio.timeout(_HEAD_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
            await self._answer(client, head, reader, writer)
        except TooMuch:
            self.is_too_much = True
        except (OSError, TimeoutError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            # Whatever a page asks for and does not get is the page's own trouble.
            _log.debug("a connection of a page ended: %r", error)
        finally:
            self._tasks.discard(task)
            writer.close()

    async def close(self) -> None:
        """Cut all connections."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _answer(
        self, client: httpx.AsyncClient, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ", 2)
        if method == "CONNECT":
            await self._tunnel(target, reader, writer)
        elif urlsplit(target).scheme == "http":
            await self._forward(client, method, target, lines, reader, writer)
        else:
            await _say(writer, "400 Bad Request")

    async def _tunnel(self, target: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Join the browser and a host: what they say is theirs alone."""
        parts = urlsplit(f"//{target}")
        host, port = parts.hostname or "", parts.port or 443
        try:
            answers, asks = await self._connect(host, port)
        except ForbiddenAddress:
            self.refused.add(f"{host}:{port}")
            await _say(writer, "403 Forbidden")
            return
        except (OSError, TimeoutError):
            await _say(writer, "502 Bad Gateway")
            return
        try:
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            sending = asyncio.create_task(_copy(reader, asks))
            try:
                await self._copy_back(answers, writer)
            finally:
                sending.cancel()
                await asyncio.wait([sending])
        finally:
            asks.close()

    async def _connect(self, host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect to a checked address of a host. Raises `OSError` and `TimeoutError`."""
        async with asyncio.timeout(self.limits.connect_seconds):
            addresses = await self.guard.addresses(host, port)
            failure: OSError | None = None
            for address in addresses[:_TRIED]:
                try:
                    return await asyncio.open_connection(address, port)
                except OSError as error:
                    failure = error
        raise failure or OSError("The name has no address.")

    async def _forward(
        self,
        client: httpx.AsyncClient,
        method: str,
        target: str,
        lines: Iterable[str],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        """Ask for what the browser asks for, once for each connection, and hand on the answer as it comes."""
        headers = [(name.strip(), value.strip()) for name, _, value in (line.partition(":") for line in lines) if name]
        length = next((value for name, value in headers if name.lower() == "content-length"), "0")
        if not length.isascii() or not length.isdecimal() or int(length) > _LARGEST_SENT:
            await _say(writer, "413 Content Too Large")
            return
        body = await reader.readexactly(int(length))
        kept = [(name, value) for name, value in headers if name.lower() not in _OF_ONE_HOP]
        try:
            async with client.stream(method, target, headers=kept, content=body) as answer:
                await self._hand_on(answer, writer)
        except ForbiddenAddress:
            parts = urlsplit(target)
            self.refused.add(f"{parts.hostname}:{parts.port or 80}")
            await _say(writer, "403 Forbidden")
        except (httpx.HTTPError, httpx.InvalidURL):
            await _say(writer, "502 Bad Gateway")

    async def _hand_on(self, answer: httpx.Response, writer: asyncio.StreamWriter) -> None:
        told = [f"{name}: {value}" for name, value in answer.headers.multi_items() if name.lower() not in _OF_ONE_HOP]
        status = f"HTTP/1.1 {answer.status_code} {answer.reason_phrase}"
        writer.write("\r\n".join([status, *told, "Connection: close", "", ""]).encode("latin-1", "replace"))
        async for piece in answer.aiter_raw(_PIECE):
            self._note(len(piece))
            writer.write(piece)
            await writer.drain()

    async def _copy_back(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(_PIECE):
            self._note(len(piece))
            writer.write(piece)
            await writer.drain()

    def _note(self, count: int) -> None:
        self.taken += count
        if self.taken > self.limits.bytes:
            raise TooMuch


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while piece := await reader.read(_PIECE):
            writer.write(piece)
            await writer.drain()


async def _say(writer: asyncio.StreamWriter, status: str) -> None:
    with suppress(OSError):
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()


@asynccontextmanager
async def egress(guard: Guard, limits: EgressLimits | None = None) -> AsyncIterator[Egress]:
    """Open a proxy on a port of this machine for the time of a block."""
    opened = Egress(guard, limits or EgressLimits())
    async with open_client(
        guard, seconds=opened.limits.connect_seconds, connections=opened.limits.connections
    ) as client:
        # A browser says who it is by itself, and takes what it can unpack.
        client.headers.clear()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await opened.serve(client, reader, writer)

        server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=_LONGEST_HEAD)
        opened.port = server.sockets[0].getsockname()[1]
        try:
            yield opened
        finally:
            server.close()
            await opened.close()
            await server.wait_closed()
