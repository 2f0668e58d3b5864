"""The bus that PostgreSQL carries: what is told is written in the transaction of the change, and read by everybody.

A row of `bus_messages` holds the events of one transaction, so they are heard if and only if that is committed. After
the commit `NOTIFY` wakes those who read; whoever is not woken, because somebody died in between, looks every second all
the same. `NOTIFY` is not in the transaction itself: of commits that hold one the server lets only one at a time through
to the disk, and changes could no more share a flush.

Rows are numbered as they are written, which is when everything that they tell of is held until the commit: so of two
changes of one thing the later has the higher number, and is seen by nobody who does not see the earlier. What is seen
is delivered in the order of the numbers. Of things that do not wait for each other any may be heard first.

Each process has one connection that listens and reads; it hears its own events in the same way. When that was lost,
every listener is told that there may be a gap. No secret is ever in a row: whoever may connect may read.
"""

import asyncio
import contextlib
import logging
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from db.bus import Bus, BusKind, Event
from db.errors import Unavailable
from db.letters import UnknownLetter, envelope, opened, write
from db.postgresql import LOST, Connections, connect_once, unavailable

if TYPE_CHECKING:
    from asyncpg import Connection

_log = logging.getLogger(__name__)

_CHANNEL = "ringside"
# So often a process looks without being woken: that is also how soon a dead connection is noticed.
_LOOK_SECONDS = 1.0
# Whoever did not answer for so long is gone.
_PATIENCE_SECONDS = 5.0
# How long a row is kept. Whoever has not read for half of that has missed something.
_KEPT_SECONDS = 600
_SECONDS_BETWEEN_SWEEPS = 60
# Whoever has read rests for as long as that took, but no longer.
_LONGEST_REST_SECONDS = 0.01
_FIRST_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 2.0

_WRITE = "INSERT INTO bus_messages (body) VALUES ($1)"
# How the connection is set that listens and reads.
_EAR = {
    # What others are woken for is stored already, and commits with `NOTIFY` stand in line.
    "synchronous_commit": "off",
    # Of rows without end the last few are read. A plan that was made when there were few would go through all of them.
    "plan_cache_mode": "force_custom_plan",
    "enable_seqscan": "off",
}
# For who has no such connection.
_WAKE = f"SELECT set_config('synchronous_commit', 'off', true), pg_notify('{_CHANNEL}', '')"
# All below `low` is over: nothing there is committed any more that was not seen. Above it, what was read is left out.
_BEGIN = """
SELECT pg_snapshot_xmin(now.snapshot)::TEXT::BIGINT AS low, extract(epoch FROM clock_timestamp())::FLOAT AS at,
    ARRAY(SELECT number FROM bus_messages WHERE xid >= pg_snapshot_xmin(now.snapshot)::TEXT::BIGINT) AS known
FROM (SELECT pg_current_snapshot() AS snapshot) AS now
"""
_READ = """
SELECT pg_snapshot_xmin(pg_current_snapshot())::TEXT::BIGINT AS low, extract(epoch FROM clock_timestamp())::FLOAT AS at,
    xid, number, body
FROM (SELECT) AS once
LEFT JOIN bus_messages ON xid >= $1 AND NOT (number = ANY($2::BIGINT[]))
ORDER BY number
"""
# One statement for whoever has told something and reads: others are woken as it ends.
_WAKE_AND_READ = _READ.replace("xid, number, body", "xid, number, body, woken").replace(
    "(SELECT)", f"(SELECT pg_notify('{_CHANNEL}', '') AS woken)"
)
_SWEEP = f"DELETE FROM bus_messages WHERE sent_at < now() - INTERVAL '{_KEPT_SECONDS} seconds'"  # noqa: S608 -- a span of ours
_STILL_THERE = "SELECT number FROM bus_messages WHERE number = ANY($1::BIGINT[])"
_MOST_KNOWN = 10_000


class _Place:
    """How far the rows were read."""

    def __init__(self, low: int, at: float, known: Iterable[int]) -> None:
        self.low = low
        # By the server's clock, in seconds.
        self.at = at
        # Numbers that were read, by the transactions that wrote them: those at `low` and above.
        self.known: dict[int, int] = dict.fromkeys(known, low)

    def advance(self, low: int, at: float) -> None:
        """Note that everything was read, and below what nothing more comes."""
        self.at = at
        if low > self.low:
            self.low = low
            self.known = {number: xid for number, xid in self.known.items() if xid >= low}


class PostgreSQLBus(Bus):
    """The bus of all processes that work on one PostgreSQL database."""

    kind = BusKind.POSTGRESQL

    def __init__(self, url: str, connections: Connections) -> None:
        super().__init__()
        self._url = url
        self._connections = connections
        self._ear: Connection[Any] | None = None
        self._place = _Place(0, 0.0, ())
        self._keeping: asyncio.Task[None] | None = None
        # There may be something to read.
        self._is_woken = asyncio.Event()
        # There is something that others have not been woken for.
        self._has_told = False
        self._waking: asyncio.Task[None] | None = None
        # How often something may have been missed.
        self.gaps = 0

    async def open(self) -> None:
        """Hear from now on what is committed. Raises `Unavailable`."""
        if self._keeping is None:
            await self._listen()
            self._keeping = asyncio.create_task(self._keep(), name="bus")

    async def before_commit(self, connection: Any, events: Sequence[Event]) -> None:
        """See `Bus`: one statement, whatever there is to tell."""
        await connection.fetch(_WRITE, envelope(map(write, events)))

    def publish(self, events: Iterable[Event], told: Any = None) -> None:  # noqa: ARG002 -- it is stored already
        """Wake whoever reads what was told. Who has not opened the bus hears himself alone, and at once."""
        self._has_told = True
        if self._keeping is not None:
            self._is_woken.set()
            return
        self.deliver(events)
        if self._waking is None or self._waking.done():
            self._waking = asyncio.create_task(self._wake(), name="bus waking")

    async def let_go(self) -> None:
        """See `Bus`. Others are woken before."""
        keeping, self._keeping = self._keeping, None
        if keeping is not None:
            keeping.cancel()
            await asyncio.wait([keeping])
        ear, self._ear = self._ear, None
        if ear is not None:
            ear.terminate()
        if self._has_told and (self._waking is None or self._waking.done()):
            self._waking = asyncio.create_task(self._wake(), name="bus waking")
        if self._waking is not None:
            await asyncio.wait([self._waking])

    def facts(self) -> dict[str, object]:
        """See `Bus`."""
        return {"kind": self.kind.value, "status": "away" if self._ear is None else "ok", "gaps": self.gaps}

    async def _wake(self) -> None:
        """Wake others for who does not listen himself, as a command of the console."""
        while self._has_told:
            self._has_told = False
            # If the database is away they look by themselves.
            with contextlib.suppress(Unavailable):
                await self._connections.fetch(_WAKE, [])

    async def _listen(self) -> None:
        """Open a connection that listens, and begin with what is committed from now on."""
        try:
            ear = await connect_once(self._url, name="ringside bus", **_EAR)
        except (*LOST, TimeoutError) as error:
            raise unavailable(error) from error
        try:
            ear.add_termination_listener(lambda _: self._is_woken.set())
            await ear.add_listener(_CHANNEL, self._hear)
            ((low, at, known),) = await ear.fetch(_BEGIN)
        except BaseException as error:
            ear.terminate()
            if isinstance(error, (*LOST, TimeoutError)):
                raise unavailable(error) from error
            raise
        self._place = _Place(low, at, known)
        self._ear = ear

    def _hear(self, connection: Any, pid: int, _channel: str, _message: object) -> None:
        # Whoever wakes the others reads by himself.
        if pid != connection.get_server_pid():
            self._is_woken.set()

    async def _keep(self) -> None:
        """Read whatever comes; listen again whenever the connection is gone, and tell everybody what that means."""
        while True:
            try:
                await self._read_on()
            except Exception as error:  # noqa: BLE001 -- a driver that is cut off raises anything, and a bus never ends
                _log.warning("the bus lost its connection to the database: %s", type(error).__name__)
            ear, self._ear = self._ear, None
            if ear is not None:
                ear.terminate()
            await self._listen_again()
            _log.info("the bus listens again")
            self.tell_gap()

    async def _read_on(self) -> None:
        loop = asyncio.get_running_loop()
        swept_at = self._place.at
        ear = self._ear
        while ear is not None and not ear.is_closed():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_SECONDS):
                    await self._is_woken.wait()
            self._is_woken.clear()
            statement = _WAKE_AND_READ if self._has_told else _READ
            self._has_told = False
            began = loop.time()
            self._take(await ear.fetch(statement, self._place.low, list(self._place.known), timeout=_PATIENCE_SECONDS))
            # Where much is told it is read in batches, and half of the time at most is spent on asking for it.
            await asyncio.sleep(min(_LONGEST_REST_SECONDS, loop.time() - began))
            if self._place.at - swept_at > _SECONDS_BETWEEN_SWEEPS:
                swept_at = self._place.at
                await self._sweep(ear)

    async def _sweep(self, ear: "Connection[Any]") -> None:
        """Let go of what everybody has read, there and here: a transaction without end would have us remember all."""
        await ear.execute(_SWEEP, timeout=_PATIENCE_SECONDS)
        known = self._place.known
        if len(known) > _MOST_KNOWN:
            there = await ear.fetch(_STILL_THERE, list(known), timeout=_PATIENCE_SECONDS)
            self._place.known = {row[0]: known[row[0]] for row in there}

    async def _listen_again(self) -> None:
        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                await self._listen()
            except Exception as error:  # noqa: BLE001 -- as above
                _log.debug("the bus cannot listen yet: %s", type(error).__name__)
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
            else:
                return

    def _take(self, rows: Sequence[Any]) -> None:
        """Deliver what was read: rows of one statement, the last of which may hold nothing."""
        low, at = rows[0]["low"], rows[0]["at"]
        if at - self._place.at > _KEPT_SECONDS / 2:
            _log.warning("the bus was not read for %d seconds", at - self._place.at)
            self.tell_gap()
        for row in rows:
            if row["number"] is not None:
                self._place.known[row["number"]] = row["xid"]
                self._open(row["body"])
        self._place.advance(low, at)

    def _open(self, message: str) -> None:
        try:
            letters = opened(message)
        except (ValueError, TypeError):
            _log.error("the bus read something that is no message; everybody reads again")
            self.tell_gap()
            return
        for letter in letters:
            listeners = self._those_of(letter.topics)
            if not listeners:
                continue
            try:
                event = letter.read()
            except UnknownLetter as unknown:
                self.tell_gap(unknown.topics)
                continue
            for listener in listeners:
                listener.hear(event)

    def tell_gap(self, topics: Iterable[Any] | None = None) -> None:
        """See `Bus`; it is counted."""
        self.gaps += 1
        super().tell_gap(topics)
