"""A cable between us and PostgreSQL that can be cut, at any time or right behind a commit, and mended."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from tests.support.house import PATIENCE_SECONDS


class Wire:
    """A cable. Its own end is a port of this machine."""

    def __init__(self, host: str, port: int) -> None:
        self._far_end = (host, port)
        self._near: set[asyncio.StreamWriter] = set()
        self._links: set[asyncio.Task[None]] = set()
        self._cuts_at_commit = False
        self.is_cut = False

    def cut(self) -> None:
        """Let nothing through any more, and nobody in."""
        self.is_cut = True
        for writer in list(self._near):
            writer.transport.abort()

    def cut_behind_next_commit(self) -> None:
        """Let the next commit through, and nothing of its answer back; then nothing at all."""
        self._cuts_at_commit = True

    def mend(self) -> None:
        self.is_cut = False

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.is_cut:
            writer.transport.abort()
            return
        self._near.add(writer)
        far_reader, far_writer = await asyncio.open_connection(*self._far_end)
        if writer.transport.is_closing():
            # It was cut, and may have been taken away, while we called.
            far_writer.transport.abort()
            self._near.discard(writer)
            return
        links = [self._send(reader, far_writer), self._answer(far_reader, writer)]
        self._links |= {asyncio.create_task(link) for link in links}

    async def close(self) -> None:
        self.cut()
        async with asyncio.timeout(PATIENCE_SECONDS):
            await asyncio.gather(*self._links)

    async def _send(self, reader: asyncio.StreamReader, far: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65_536):
                if self._cuts_at_commit and b"COMMIT" in data:
                    self._cuts_at_commit = False
                    self.cut()
                far.write(data)
                await far.drain()
        except OSError:
            pass
        finally:
            # Closed and not aborted: what was let through arrives.
            far.close()

    async def _answer(self, far: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await far.read(65_536):
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            self._near.discard(writer)
            writer.transport.abort()


@asynccontextmanager
async def wire_to(database_url: str) -> AsyncIterator[tuple[Wire, str]]:
    """Lay a cable to the server of a database; gives the cable and the URL that leads through it."""
    parts = urlsplit(database_url)
    wire = Wire(parts.hostname or "127.0.0.1", parts.port or 5432)
    server = await asyncio.start_server(wire.connected, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    user = "" if parts.username is None else f"{parts.username}@"
    try:
        yield wire, parts._replace(netloc=f"{user}127.0.0.1:{port}").geturl()
    finally:
        server.close()
        await wire.close()
        await server.wait_closed()
