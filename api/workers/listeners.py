"""Listeners: each that is switched on has its port, opened, closed and moved as rows are changed, and told of.

What they hear is counted in memory. A reporter writes it down now and then, for all of them in one transaction.
"""

import asyncio
import logging
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from api.workers.following import follow
from api.workers.pss import PSSListener
from api.workers.supervisor import Supervisor
from db.clock import Clock
from db.database import Database
from db.errors import Refusal, Unavailable
from db.ids import new_id
from db.network import operations
from db.network.addresses import Allowance, checked_address
from db.network.events import ALL_LISTENERS, ListenerConfigured
from db.network.operations import ListenerReport, SenderReport, SessionReport
from db.network.tables import UDPListener
from db.network.vocabulary import ListenerSessionState, ListenerState

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What holds for all listeners: how much may wait, how long they take to stop, how often they are told of."""

    capacity: int = 50_000
    patience_at_stop: float = 10.0
    seconds_between_reports: float = 1.0
    # Addresses beside loopback that may be bound.
    open_addresses: Collection[str] = ()


class ListenerRun:
    """One listener as it runs: its port, and the time of listening that it is in."""

    def __init__(self, pss: PSSListener, row: UDPListener, terms: Terms, changed: asyncio.Event) -> None:
        self.pss = pss
        self.row = row
        self._terms = terms
        self._changed = changed
        self._clock = pss.clock
        self._state = ListenerState.STOPPED
        self._error, self._error_at = row.last_error, row.last_error_at
        self._session: SessionReport | None = None
        # Times of listening that ended while the database was away.
        self._untold: list[ListenerReport] = []
        self._told: ListenerReport | None = None
        self._last_senders: Sequence[SenderReport] = ()
        self._told_senders: dict[tuple[str, int], SenderReport] = {}
        pss.on_bound = self._begin

    async def run(self) -> None:
        """Listen until cancelled. Raises what keeps it from that, and notes it."""
        try:
            checked_address(self.row.address, open_addresses=self._terms.open_addresses)
            await self.pss.run()
        except asyncio.CancelledError:
            self._end(ListenerState.STOPPED, ListenerSessionState.STOPPED, "")
            raise
        except Exception as error:
            # Noted, and raised again for the supervisor.
            self._end(ListenerState.ERROR, ListenerSessionState.FAILED, _words_of(error))
            raise

    def follow(self, row: UDPListener) -> bool:
        """Take over what can be changed while the port is open; say whether nothing else was."""
        if _port_of(row) != _port_of(self.row):
            return False
        if row.allowed_senders != self.row.allowed_senders:
            self.pss.queue.allow(Allowance.of(row.allowed_senders))
        self.pss.largest_datagram = row.largest_packet
        self.row = row
        return True

    def news(self, now: datetime) -> list[ListenerReport]:
        """Return how it goes, with the senders of whom there is news; nothing if all of it was told."""
        told, report = self._told, self._report(now)
        is_news = told is None or report.senders or replace(told, senders=()) != replace(report, senders=())
        return [*self._untold, report] if is_news else self._untold

    def tell(self, reports: Sequence[ListenerReport]) -> None:
        """Remember what was written down."""
        self._untold = [one for one in self._untold if one not in reports]
        for report in reports:
            self._told = report
            self._told_senders |= {(one.address, one.port): one for one in report.senders}

    def _report(self, now: datetime) -> ListenerReport:
        return ListenerReport(
            listener_id=self.row.id,
            state=self._state,
            error=self._error,
            error_at=self._error_at,
            session=self._counted(),
            senders=[one for one in self._senders(now) if self._told_senders.get((one.address, one.port)) != one],
        )

    def _senders(self, now: datetime) -> Sequence[SenderReport]:
        if self._session is None:
            return ()
        # Of a session that is over nobody is active: how they were then is how they stay.
        return list(self.pss.queue.traffic.senders(now)) if self._session.ended_at is None else self._last_senders

    def _begin(self, port: int) -> None:
        self._untold = [] if self._session is None else self.news(self._clock.now())
        self._state, self._told_senders, self._last_senders = ListenerState.LISTENING, {}, ()
        self._session = SessionReport(
            id=new_id(),
            state=ListenerSessionState.RUNNING,
            address=self.row.address,
            port=port,
            started_at=self._clock.now(),
            ended_at=None,
            last_received_at=None,
            packet_count=0,
            byte_count=0,
            message_count=0,
            unreadable_count=0,
            oversize_count=0,
            dropped_count=0,
            refused_count=0,
            smallest_packet=None,
            largest_packet=None,
            error="",
        )
        self._changed.set()

    def _end(self, state: ListenerState, ended: ListenerSessionState, error: str) -> None:
        self._state = state
        if error:
            self._error, self._error_at = error, self._clock.now()
        if self._session is not None and self._session.ended_at is None:
            now = self._clock.now()
            self._last_senders = [replace(one, is_active=False) for one in self._senders(now)]
            self._session = replace(self._counted() or self._session, state=ended, ended_at=now, error=error)
        self._changed.set()

    def _counted(self) -> SessionReport | None:
        if self._session is None or self._session.ended_at is not None:
            return self._session
        traffic = self.pss.queue.traffic
        return replace(
            self._session,
            last_received_at=traffic.last_received_at,
            packet_count=traffic.packets,
            byte_count=traffic.octets,
            message_count=traffic.messages,
            unreadable_count=traffic.unreadable,
            oversize_count=traffic.oversize,
            dropped_count=traffic.dropped,
            refused_count=traffic.refused,
            smallest_packet=traffic.smallest,
            largest_packet=traffic.largest,
        )


class Listeners:
    """Keeps a port for each listener of a machine that is switched on, and writes down what is heard on it.

    `host` is the name of the machine; `None` is for listeners that belong to none.
    """

    def __init__(
        self,
        db: Database,
        clock: Clock,
        supervisor: Supervisor,
        terms: Terms,
        *,
        host: str | None = None,
        notes: Database | None = None,
    ) -> None:
        self._db = db
        # Where it is noted how they do; what they hear is stored by whoever heard it, however late.
        self._notes = notes or db
        self._host = host
        self._clock = clock
        self._supervisor = supervisor
        self._terms = terms
        self.seconds_between_reports = terms.seconds_between_reports
        self._running: dict[UUID, ListenerRun] = {}
        self._names: dict[UUID, str] = {}
        # Stopped, and not written down yet.
        self._stopped: list[ListenerRun] = []
        self._changed = asyncio.Event()
        self._following = asyncio.Lock()
        self._writing = asyncio.Lock()
        self._has_begun = False
        self._may_listen = asyncio.Event()

    async def run(self) -> None:
        """Follow what is configured until cancelled, then stop all of it."""
        self._may_listen.set()
        try:
            await follow(self._db, ALL_LISTENERS, ListenerConfigured, self._look)
        finally:
            await self._stop_all()

    async def _look(self) -> None:
        with suppress(Unavailable):
            await self._follow()

    async def report(self) -> None:
        """Write down what is new, at once where a listener's state changed and else now and then, until cancelled."""
        while True:
            await self.write_down()
            with suppress(TimeoutError):
                async with asyncio.timeout(self.seconds_between_reports):
                    await self._changed.wait()

    async def write_down(self) -> None:
        """Write down what is new of all listeners. What the database cannot take now is written the next time."""
        # One after the other: what is being written is not written twice.
        async with self._writing:
            await self._write_down()

    async def _write_down(self) -> None:
        self._changed.clear()
        runs = [*self._stopped, *self._running.values()]
        news = [(run, reports) for run in runs if (reports := run.news(self._clock.now()))]
        if not news or not self._has_begun:
            return
        try:
            async with self._notes.transaction() as tx:
                for report in (one for _, reports in news for one in reports):
                    await operations.note_listener(tx, report)
        except Unavailable as refusal:
            _log.warning("what was heard of %s listeners waits for the database: %s", len(news), refusal.message)
            return
        for run, reports in news:
            run.tell(reports)
        self._stopped = [run for run in self._stopped if run.news(self._clock.now())]

    async def of(self, listener_id: UUID) -> PSSListener:
        """Return a listener that is switched on, once it is this process that listens."""
        await self._may_listen.wait()
        await self._follow()
        return self._running[listener_id].pss

    def facts(self) -> dict[str, object]:
        """Say what health shows."""
        return {"listeners": len(self._running)}

    async def _follow(self) -> None:
        """Stop listeners that are not wanted any more or are wanted otherwise, then start those that are missing."""
        async with self._following:
            await self._begin()
            async with self._db.read() as session:
                rows = await operations.list_listeners(session)
            wanted = {row.id: row for row in rows if row.is_enabled and row.host == self._host}
            for listener_id, run in list(self._running.items()):
                row = wanted.get(listener_id)
                if row is None or not run.follow(row):
                    await self._stop(listener_id)
            for row in wanted.values():
                if row.id not in self._running:
                    self._start(row)

    async def _begin(self) -> None:
        """End, once, what a server before us left running."""
        if self._has_begun:
            return
        async with self._notes.transaction() as tx:
            await operations.end_interrupted(tx, host=self._host, now=self._clock.now())
        self._has_begun = True

    def _start(self, row: UDPListener) -> None:
        pss = PSSListener(
            self._db,
            self._clock,
            row.mat_id,
            row.address,
            row.port,
            largest_datagram=row.largest_packet,
            capacity=self._terms.capacity,
            patience_at_stop=self._terms.patience_at_stop,
        )
        pss.queue.allow(Allowance.of(row.allowed_senders))
        run = self._running[row.id] = ListenerRun(pss, row, self._terms, self._changed)
        name = self._names[row.id] = f"pss {row.name} {row.id.hex[-6:]}"
        self._supervisor.start(name, run.run, pss.facts)

    async def _stop(self, listener_id: UUID) -> None:
        await self._supervisor.stop(self._names.pop(listener_id))
        self._stopped.append(self._running.pop(listener_id))
        self._changed.set()

    async def _stop_all(self) -> None:
        self._may_listen.clear()
        async with self._following:
            await asyncio.gather(*(self._stop(listener_id) for listener_id in list(self._running)))
        with suppress(TimeoutError):
            async with asyncio.timeout(self._terms.patience_at_stop):
                await self.write_down()
        # What could not be written now is nothing to tell later: by then somebody else may listen.
        self._stopped.clear()
        self._has_begun = False


def _port_of(row: UDPListener) -> tuple[UUID, str, int]:
    return row.mat_id, row.address, row.port


def _words_of(error: Exception) -> str:
    """Return what an operator may read of an error: what the network or we said, and nothing of our insides."""
    if isinstance(error, Refusal):
        return error.message
    if isinstance(error, OSError):
        return str(error.strerror or error)
    return "It failed, and is tried again; the server's log says why."
