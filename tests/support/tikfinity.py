"""A TikFinity of our own: a real WebSocket server on this machine that plays frames, and misbehaves as it is told."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from websockets.asyncio.server import ServerConnection, serve

from tests.support.house import eventually


@dataclass
class TikFinity:
    """Plays `plays[n]` to the n-th caller, and the last of them to all later ones; then says what it is told to."""

    plays: list[Sequence[str | bytes]] = field(default_factory=lambda: [()])
    # Hang up when a play is over, as an app does that is closed.
    hangs_up: bool = False
    callers: int = 0
    port: int = 0
    most_at_once: int = 0
    _open: set[ServerConnection] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/"

    @property
    def is_heard(self) -> bool:
        return bool(self._open)

    async def say(self, *frames: str | bytes) -> None:
        for connection in list(self._open):
            for one in frames:
                await connection.send(one)

    async def cut(self) -> None:
        """Let everybody go without a word, as a machine does that loses power."""
        for connection in list(self._open):
            connection.transport.abort()
        await eventually(lambda: not self._open, "the cut")

    async def answer(self, connection: ServerConnection) -> None:
        play = self.plays[min(self.callers, len(self.plays) - 1)]
        self.callers += 1
        self._open.add(connection)
        self.most_at_once = max(self.most_at_once, len(self._open))
        try:
            for one in play:
                await connection.send(one)
            if not self.hangs_up or self.callers > len(self.plays):
                await connection.wait_closed()
        finally:
            self._open.discard(connection)


@asynccontextmanager
async def tikfinity(*plays: Sequence[str | bytes], hangs_up: bool = False, port: int = 0) -> AsyncIterator[TikFinity]:
    """Answer calls until the block ends."""
    playing = TikFinity(plays=list(plays) or [()], hangs_up=hangs_up)
    async with serve(playing.answer, "127.0.0.1", port, compression=None) as server:
        playing.port = next(iter(server.sockets)).getsockname()[1]
        yield playing
        server.close()


@asynccontextmanager
async def silent_server() -> AsyncIterator[int]:
    """A port that takes calls and never says anything."""
    held: list[asyncio.StreamWriter] = []

    async def hold(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.append(writer)

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    for writer in held:
        writer.close()
    server.close()
