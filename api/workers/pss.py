"""Packets of a scoring program: taken at a UDP socket, parsed, and appended to their mat's log in order."""

import asyncio
import contextlib
import logging
import socket
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from api.workers.pss_protocol import parse, split
from api.workers.traffic import Traffic
from db.clock import Clock
from db.database import Database
from db.errors import Conflict, Unavailable
from db.matches import operations
from db.matches.bursts import BURST_SILENCE
from db.matches.log import MatProgress, Received
from db.matches.messages import Unreadable
from db.matches.tables import MatchEvent
from db.matches.vocabulary import ClockState, RejectionReason
from db.network.addresses import Allowance

_log = logging.getLogger(__name__)

DATAGRAMS_PER_TRANSACTION = 500
_SOCKET_BUFFER_BYTES = 4 * 1024 * 1024
_PAUSE_WHILE_AWAY_SECONDS = 0.25
_LARGEST_DATAGRAM = 65_536


@dataclass(frozen=True, slots=True)
class Datagram:
    """What arrived, when by both clocks, and from whom (`host:port`)."""

    received_at: datetime
    monotonic_ns: int
    sender: str
    data: bytes


@dataclass
class Counters:
    """What a listener has seen since it was made.

    `dropped` arrived while the queue was full, and is lost; `refused` came from whom it does not hear.
    """

    datagrams: int = 0
    octets: int = 0
    messages: int = 0
    unreadable: int = 0
    dropped: int = 0
    refused: int = 0
    last_received_at: datetime | None = None


class DatagramQueue(asyncio.DatagramProtocol):
    """A bounded queue that a socket fills. The receive time is taken here, before anything can wait."""

    def __init__(self, clock: Clock, *, capacity: int) -> None:
        self._clock = clock
        self._capacity = capacity
        self._waiting: deque[Datagram] = deque()
        self._arrived = asyncio.Event()
        self._allowance = Allowance()
        self.counters = Counters()
        # Since the port was opened.
        self.traffic = Traffic()

    def allow(self, allowance: Allowance) -> None:
        """Hear these from now on, and nobody else."""
        self._allowance = allowance
        self.traffic.judge_anew(allowance)

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        """Take a datagram in, or count it as refused or, if there is no room, as dropped."""
        counters = self.counters
        now = self._clock.now()
        # The new protocol gives two numbers more.
        if not self.traffic.admit(address[:2], len(data), now, self._allowance):
            counters.refused += 1
            return
        counters.last_received_at = now
        counters.datagrams += 1
        counters.octets += len(data)
        if len(self._waiting) >= self._capacity:
            counters.dropped += 1
            self.traffic.dropped += 1
            return
        self._waiting.append(Datagram(now, self._clock.monotonic_ns(), f"{address[0]}:{address[1]}", data))
        self._arrived.set()

    def error_received(self, error: Exception) -> None:
        """Note what the network says of a datagram of ours; we send none."""
        _log.debug("network error at the socket: %s", error)

    async def take(self, *, most: int, patience: float | None) -> list[Datagram]:
        """Return what has arrived, in order, once something has; nothing if nothing came within `patience` seconds."""
        if not self._waiting:
            self._arrived.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(patience):
                    await self._arrived.wait()
        return [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]

    def __len__(self) -> int:
        """How many datagrams wait."""
        return len(self._waiting)


@dataclass
class PSSListener:
    """The one writer of a mat's log: it owns a UDP port and everything that arrives on it."""

    db: Database
    clock: Clock
    mat_id: UUID
    host: str
    port: int
    largest_datagram: int = 2048
    capacity: int = 50_000
    # How many seconds a stopped listener has to write what has arrived, should the database be away.
    patience_at_stop: float = 10.0
    # After how many seconds without a message the sender is said to be silent, while a fight clock runs.
    silence: float = 3.0
    # Told of the port each time it is opened.
    on_bound: Callable[[int], None] = lambda _: None
    bound_port: int | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        """Make the queue: it outlives a restart of the work, so that what waits in it is not lost."""
        self.queue = DatagramQueue(self.clock, capacity=self.capacity)
        self._progress: MatProgress | None = None
        self._unwritten: list[Received] = []
        self._settled_seq = -1
        self._silent_seq = -1
        self._is_bound = asyncio.Event()

    async def run(self) -> None:
        """Take packets until cancelled, and write what has arrived by then. Raises `OSError` if the port is taken."""
        self._progress = await self._catch_up(self._progress)
        try:
            async with self._socket():
                while True:
                    self._progress = await self._step(self._progress)
        except asyncio.CancelledError:
            await self._write_what_waits(self._progress)
            raise

    async def wait_until_bound(self) -> int:
        """Return the port once it is open."""
        await self._is_bound.wait()
        return self.bound_port or 0

    def facts(self) -> dict[str, object]:
        """Say what health shows."""
        counters = self.queue.counters
        return {
            "address": f"{self.host}:{self.bound_port or self.port}",
            "datagrams": counters.datagrams,
            "messages": counters.messages,
            "unreadable": counters.unreadable,
            "dropped": counters.dropped,
            "refused": counters.refused,
            "waiting": self._waiting,
            "lastReceivedAt": counters.last_received_at,
        }

    @property
    def _waiting(self) -> int:
        return len(self.queue) + len(self._unwritten)

    async def _step(self, progress: MatProgress) -> MatProgress:
        if not self._unwritten:
            patience = self._patience(progress)
            self._unwritten = self._read(await self.queue.take(most=DATAGRAMS_PER_TRANSACTION, patience=patience))
        try:
            progress = await self._write(progress)
        except Conflict:
            # An operator corrected something, or our own batch was stored and we never heard.
            return await self._catch_up_if_possible(progress)
        except Unavailable as refusal:
            _log.warning("the log of mat %s waits for the database: %s", self.mat_id, refusal.message)
            await asyncio.sleep(_PAUSE_WHILE_AWAY_SECONDS)
            return await self._catch_up_if_possible(progress)
        self._unwritten = []
        return progress

    async def _write(self, progress: MatProgress) -> MatProgress:
        async with self.db.transaction() as tx:
            if self._unwritten:
                return await operations.log_messages(tx, progress, self._unwritten)
            if self._is_incomplete(progress):
                self._settled_seq = progress.seq
                return await operations.settle_scoreboard(tx, progress, now=self.clock.now())
            # By another clock than the one that was waited by: half of it was silent for certain.
            await operations.note_silence(tx, self.mat_id, since=self.clock.now() - timedelta(seconds=self.silence / 2))
            self._silent_seq = progress.seq
            return progress

    def _patience(self, progress: MatProgress) -> float | None:
        """Say how many seconds of silence mean something, None if it means nothing."""
        if self._is_incomplete(progress):
            return BURST_SILENCE.total_seconds()
        is_running = progress.fight is not None and progress.fight.state.clock.state is ClockState.RUNNING
        return self.silence if is_running and self._silent_seq != progress.seq else None

    def _is_incomplete(self, progress: MatProgress) -> bool:
        """Say whether more of a burst is expected, and what is shown must not wait for it for long."""
        is_open = progress.fight is not None and progress.fight.state.is_burst_open
        return is_open and self._settled_seq != progress.seq

    async def _write_what_waits(self, progress: MatProgress) -> None:
        try:
            async with asyncio.timeout(self.patience_at_stop):
                # We may have been stopped in the middle of a commit.
                progress = await self._catch_up_if_possible(progress)
                while self._waiting or self._is_incomplete(progress):
                    progress = await self._step(progress)
        except TimeoutError:
            _log.error("mat %s stops with %s messages that could not be written", self.mat_id, self._waiting)

    async def _catch_up(self, progress: MatProgress | None) -> MatProgress:
        """Find out how far the log has come, and write our last batch unless it is in there: its answer may be lost.

        A batch is stored whole or not at all, and operators write between ours: it is there if its first message is.
        """
        async with self.db.transaction() as tx:
            if progress is None:
                return await operations.load_progress(tx, self.mat_id)
            progress, missed = await operations.catch_up(tx, progress)
            if self._unwritten and not any(_is_entry(entry, self._unwritten[0]) for entry in missed):
                progress = await operations.log_messages(tx, progress, self._unwritten)
        self._unwritten = []
        return progress

    async def _catch_up_if_possible(self, progress: MatProgress) -> MatProgress:
        try:
            return await self._catch_up(progress)
        except Unavailable:
            return progress

    def _read(self, datagrams: Iterable[Datagram]) -> list[Received]:
        received = list(_messages(datagrams, self.largest_datagram))
        unreadable = [one.message for one in received if isinstance(one.message, Unreadable)]
        for counted in (self.queue.counters, self.queue.traffic):
            counted.messages += len(received)
            counted.unreadable += len(unreadable)
        self.queue.traffic.oversize += sum(one.reason is RejectionReason.TOO_LONG for one in unreadable)
        return received

    @asynccontextmanager
    async def _socket(self) -> AsyncIterator[None]:
        sock = _bind(self.host, self.port)
        # Whoever sends from now on is of this time of listening.
        self.queue.traffic = Traffic()
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: self.queue, sock=sock)
        self.bound_port = transport.get_extra_info("sockname")[1]
        self._is_bound.set()
        self.on_bound(self.bound_port or 0)
        _log.info("listening for a scoring program on %s:%s", self.host, self.bound_port)
        try:
            yield
        finally:
            self._take_from(sock)
            transport.close()
            self._is_bound.clear()

    def _take_from(self, sock: socket.socket) -> None:
        """Take in what the network has delivered and nobody has read yet: it would be lost with the socket."""
        with contextlib.suppress(OSError):
            for _ in range(self.capacity):
                self.queue.datagram_received(*sock.recvfrom(_LARGEST_DATAGRAM))


def _is_entry(entry: MatchEvent, received: Received) -> bool:
    found = entry.received_at, entry.sender, entry.raw
    return found == (received.received_at, received.sender, received.raw)


def _messages(datagrams: Iterable[Datagram], largest: int) -> Iterator[Received]:
    for datagram in datagrams:
        for line in split(datagram.data, largest):
            yield Received(
                received_at=datagram.received_at,
                sender=datagram.sender,
                raw=line,
                message=parse(line, largest),
                monotonic_ns=datagram.monotonic_ns,
            )


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SOCKET_BUFFER_BYTES)
        sock.setblocking(False)
        sock.bind((host, port))
    except OSError as error:
        sock.close()
        raise OSError(error.errno, f"UDP port {port} on {host} cannot be had: {error.strerror}") from error
    return sock
