"""News of viewers: each source that is listened to has one client, which calls it again for ever and loses nothing.

A client owns its socket from the call to the end of it, so there is never a second one. What it hears waits in a
bounded queue: when that is full the socket is not read, and whoever writes to it has to wait.
"""

import asyncio
import logging
import random
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI

from api.workers.following import follow
from api.workers.stream_adapters import ADAPTERS, LISTENED_TO
from api.workers.supervisor import Supervisor
from db.clock import Clock
from db.database import Database
from db.errors import Unavailable
from db.streams import operations, source_operations
from db.streams.events import ALL_SOURCES, StreamSourceConfigured
from db.streams.incoming import Received
from db.streams.tables import StreamSource
from db.streams.vocabulary import StreamSourceState

if TYPE_CHECKING:
    from uuid import UUID

_log = logging.getLogger(__name__)

NEWS_PER_TRANSACTION = 500
_LARGEST_FRAME = 4 * 1024 * 1024
_BREAKS = (OSError, TimeoutError, ConnectionClosed, InvalidHandshake, InvalidURI)


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long a client waits: for what, in seconds."""

    first_pause: float = 0.5
    longest_pause: float = 30.0
    opening: float = 10.0
    # A socket that answers no ping for so long is dead.
    ping: float = 20.0
    # A connection that lasted so long was well: the next pause is a first one.
    well_after: float = 10.0
    database: float = 0.25
    stopping: float = 10.0


@dataclass
class SourceClient:
    """Listens to one source until cancelled."""

    db: Database
    clock: Clock
    source: StreamSource
    patience: Patience = field(default_factory=Patience)
    capacity: int = 5000
    chance: Callable[[], float] = random.random
    # Where it is noted how it goes; the database, if nothing else is said.
    notes: Database | None = None

    def __post_init__(self) -> None:
        """Make the queue: it outlives each connection."""
        self._decode = ADAPTERS[self.source.kind]
        self._waiting: deque[Received] = deque()
        self._arrived = asyncio.Event()
        self._has_room = asyncio.Event()
        self._has_room.set()
        self._is_stopping = False
        self.open_sockets = 0
        self.frames = 0

    async def run(self) -> None:
        """Listen until cancelled, and store what has arrived by then. Raises what keeps it from doing either."""
        self._is_stopping = False
        writing = asyncio.create_task(self._write(), name=f"writing {self.source.id}")
        listening = asyncio.create_task(self._listen(), name=f"listening {self.source.id}")
        try:
            await asyncio.wait([writing, listening], return_when=asyncio.FIRST_COMPLETED)
        finally:
            listening.cancel()
            await asyncio.wait([listening])
            await self._finish(writing)
        for task in (writing, listening):
            if not task.cancelled():
                task.result()

    def facts(self) -> dict[str, object]:
        """Say what health shows."""
        return {"frames": self.frames, "waiting": len(self._waiting), "sockets": self.open_sockets}

    async def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        attempt = 0
        while True:
            began = loop.time()
            await self._note(StreamSourceState.CONNECTING)
            broken = await self._listen_once()
            if loop.time() - began > self.patience.well_after:
                attempt = 0
            await self._note(StreamSourceState.WAITING, broken)
            longest = min(self.patience.longest_pause, self.patience.first_pause * 2 ** min(attempt, 16))
            attempt += 1
            # Somewhere in the upper half, so that many clients do not call at once.
            pause = longest * (0.5 + self.chance() / 2)
            _log.info("source %s broke off, next call in %.2f s: %s", self.source.id, pause, broken)
            await asyncio.sleep(pause)

    async def _listen_once(self) -> str:
        """Call and listen until it breaks off; say why it did."""
        try:
            async with self._socket() as socket:
                await self._note(StreamSourceState.CONNECTED)
                async for frame in socket:
                    await self._take(frame)
                return f"closed with {socket.close_code}"
        except _BREAKS as error:
            return str(error) or type(error).__name__

    @asynccontextmanager
    async def _socket(self) -> AsyncIterator[ClientConnection]:
        calling = connect(
            self.source.url,
            open_timeout=self.patience.opening,
            ping_interval=self.patience.ping,
            ping_timeout=self.patience.ping,
            close_timeout=1,
            max_size=_LARGEST_FRAME,
            compression=None,
            proxy=None,
        )
        async with calling as socket:
            self.open_sockets += 1
            try:
                yield socket
            finally:
                self.open_sockets -= 1

    async def _take(self, frame: str | bytes) -> None:
        self.frames += 1
        self._waiting.append(Received(self.clock.now(), self._decode(frame)))
        self._arrived.set()
        if len(self._waiting) >= self.capacity:
            self._has_room.clear()
            await self._has_room.wait()

    async def _write(self) -> None:
        while self._waiting or not self._is_stopping:
            await self._arrived.wait()
            while self._waiting:
                await self._write_some()
            if not self._is_stopping:
                self._arrived.clear()

    async def _write_some(self) -> None:
        news = [self._waiting[index] for index in range(min(NEWS_PER_TRANSACTION, len(self._waiting)))]
        try:
            async with self.db.transaction() as tx:
                await operations.take_news(tx, self.source.id, news)
        except Unavailable as refusal:
            # It may be stored all the same: then it is told twice, and counted once.
            _log.warning("news of source %s waits for the database: %s", self.source.id, refusal.message)
            await asyncio.sleep(self.patience.database)
            return
        for _ in news:
            self._waiting.popleft()
        self._has_room.set()

    async def _finish(self, writing: "asyncio.Task[None]") -> None:
        """Store what waits, as far as there is time."""
        self._is_stopping = True
        self._arrived.set()
        _, unfinished = await asyncio.wait([writing], timeout=self.patience.stopping)
        if unfinished:
            _log.error("source %s stops with %s news that could not be stored", self.source.id, len(self._waiting))
            writing.cancel()
            await asyncio.wait([writing])

    async def _note(self, state: StreamSourceState, error: str = "") -> None:
        """Note how it goes; a database that is away does not keep the socket from being heard."""
        with suppress(Unavailable):
            async with (self.notes or self.db).transaction() as tx:
                await source_operations.note_state(tx, self.source.id, state, error=error, now=self.clock.now())


class StreamSources:
    """Keeps a client for each source that is switched on and listened to, as sources are added, changed and removed."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        supervisor: Supervisor,
        *,
        patience: Patience | None = None,
        notes: Database | None = None,
    ) -> None:
        self._db = db
        self._notes = notes or db
        self._clock = clock
        self._supervisor = supervisor
        self._patience = patience or Patience()
        self._running: dict[UUID, StreamSource] = {}
        self.clients: dict[UUID, SourceClient] = {}

    async def run(self) -> None:
        """Follow what is configured until cancelled, then stop all of it."""
        try:
            await follow(self._db, ALL_SOURCES, StreamSourceConfigured, self._follow)
        finally:
            await asyncio.gather(*(self._stop(running) for running in list(self._running.values())))

    def facts(self) -> dict[str, object]:
        """Say what health shows."""
        return {"sources": len(self._running)}

    async def _follow(self) -> None:
        """Stop clients that are not wanted any more or are wanted otherwise, then start those that are missing."""
        async with self._db.read() as session:
            sources = await source_operations.list_sources(session)
        wanted = {one.id: one for one in sources if one.is_enabled and one.kind in LISTENED_TO}
        for running in list(self._running.values()):
            if running.id not in wanted or wanted[running.id].url != running.url:
                await self._stop(running)
        for source in wanted.values():
            if source.id not in self._running:
                self._start(source)

    def _start(self, source: StreamSource) -> None:
        client = SourceClient(self._db, self._clock, source, self._patience, notes=self._notes)
        self._running[source.id], self.clients[source.id] = source, client
        self._supervisor.start(_name(source), client.run, client.facts)

    async def _stop(self, running: StreamSource) -> None:
        await self._supervisor.stop(_name(running))
        del self._running[running.id], self.clients[running.id]


class GoalKeeper:
    """Lets goals begin anew and end when their time has come."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def run(self) -> None:
        """Look every second, until cancelled."""
        while True:
            with suppress(Unavailable):
                await self.look()
            await asyncio.sleep(_BETWEEN_LOOKS.total_seconds())

    async def look(self) -> None:
        """Do what is due."""
        async with self._db.transaction() as tx:
            await operations.roll_periods(tx, now=self._clock.now())


def _name(source: StreamSource) -> str:
    return f"source {source.name} {source.id.hex[-6:]}"


_BETWEEN_LOOKS = timedelta(seconds=1)
