"""Running the server: what is opened, in which order, and how all of it is closed again."""

import asyncio
import logging
import math
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from types import FrameType
from typing import Protocol
from uuid import UUID

import uvicorn
from starlette.types import ASGIApp

from api.accounts import workers_of_accounts
from api.app import build_app
from api.auth import Doorkeeper, GuestLimits
from api.collector import Collector
from api.leaving import Leaving
from api.logs import operation_writer
from api.opening import open_database, replica_of
from api.settings import Settings
from api.tally import Tally
from api.transport.arriving import ArrivalLimits, Arrivals
from api.transport.line import Line
from api.transport.under_way import UnderWay
from api.watchdog import Watchdog
from api.workers.backups import BackupKeeper, Restoration
from api.workers.housekeeping import Housekeeper
from api.workers.leases import Leases
from api.workers.listeners import Listeners, Terms
from api.workers.obs_machines import OBSMachines
from api.workers.practice_sessions import SessionPlanner
from api.workers.stream_sources import GoalKeeper, StreamSources
from api.workers.supervisor import Supervisor
from db.access import operations as access
from db.access.viewer import Role
from db.backups.epochs import prepare_epoch
from db.clock import Clock
from db.database import Database
from db.matches import operations as matches
from db.network import operations as network
from db.resealing import seal_secrets
from db.settings.current import CurrentSettings
from db.settings.operations import prepare_settings


class _Worker(Protocol):
    """A piece of background work. It may say of itself what health shows, as `facts`."""

    async def run(self) -> None: ...


_log = logging.getLogger(__name__)

_LARGEST_SOCKET_MESSAGE = 65_536
_PING_SECONDS = 20.0


@dataclass(frozen=True, kw_only=True)
class House:
    """Everything that runs in one process."""

    settings: Settings
    db: Database
    clock: Clock
    supervisor: Supervisor
    doorkeeper: Doorkeeper
    collector: Collector
    current: CurrentSettings
    restoration: Restoration
    leaving: Leaving
    listeners: Listeners
    app: ASGIApp

    async def listen(self, mat_id: UUID) -> UUID:
        """Have a scoring program of a mat heard, from now on: on the listener that the command line speaks of.

        Returns the listener's id. It is heard by whichever server of this machine holds the lease.
        """
        settings = self.settings
        async with self.db.transaction() as tx:
            row = await network.open_command_line(
                tx,
                mat_id,
                host=settings.machine,
                address=settings.pss_host,
                port=settings.pss_port,
                senders=settings.pss_senders,
                limit=settings.largest_datagram,
                now=self.clock.now(),
            )
        return row.id


@asynccontextmanager
async def open_house(settings: Settings, clock: Clock) -> AsyncIterator[House]:
    """Open the database and start what always runs. Workers are stopped before the database is closed under them."""
    db = await open_database(settings)
    replica = replica_of(db, settings)
    supervisor = Supervisor(clock)
    collector = Collector()
    doorkeeper = Doorkeeper(db, clock, _guest_limits(settings), collector)
    try:
        await db.bus.open()
        await _prepare(db, settings, clock)
        current = CurrentSettings(db)
        await current.look()
        supervisor.start("settings", current.run)
        leases = Leases(db, clock, host=settings.machine, seconds=settings.lease_seconds)
        leaving = Leaving(
            doorkeeper,
            leases,
            notice_seconds=settings.notice_seconds,
            guests_per_second=settings.sockets_closed_per_second,
            seconds=settings.drain_seconds,
        )
        work = _Work(settings, db, clock, supervisor, leases, current)
        restoration = work.keep()
        supervisor.start("doorkeeper", doorkeeper.watch, doorkeeper.facts)
        work.hear_and_plan()
        work.look_after_accounts()
        listeners = work.listen()
        under_way = UnderWay(settings.operation_seconds)
        supervisor.start("operations", under_way.look, lambda: {"underWay": len(under_way)})
        tally = Tally(clock, operation_writer(as_json=settings.log_json) if settings.log_operations else None)
        supervisor.start("tally", tally.run)
        watchdog = Watchdog(settings.stall_seconds)
        supervisor.start("watchdog", watchdog.run, watchdog.facts)
        if replica is not None:
            supervisor.start("replica", replica.run, replica.facts)
        # Last, so that leases are kept until all that works under them has stopped.
        supervisor.start("leases", leases.run)
        app = build_app(
            settings,
            db,
            clock,
            current=current,
            supervisor=supervisor,
            doorkeeper=doorkeeper,
            leaving=leaving,
            under_way=under_way,
            tally=tally,
            watchdog=watchdog,
            replica=replica,
        )
        yield House(
            settings=settings,
            db=db,
            clock=clock,
            supervisor=supervisor,
            doorkeeper=doorkeeper,
            collector=collector,
            current=current,
            restoration=restoration,
            leaving=leaving,
            listeners=listeners,
            app=app,
        )
    finally:
        await supervisor.close()
        if replica is not None:
            await replica.close()
        await db.close()


def _guest_limits(settings: Settings) -> GuestLimits:
    return GuestLimits(
        per_address=settings.sockets_per_address,
        per_token=settings.sockets_per_token,
        per_overlay=settings.sockets_per_overlay,
        wrong_tokens_per_minute=settings.wrong_tokens_per_minute,
    )


async def _prepare(db: Database, settings: Settings, clock: Clock) -> None:
    """Store what settings usually are, seal what is secret, and find out which database it is."""
    async with db.transaction() as tx:
        await prepare_settings(tx, settings.usual)
        await seal_secrets(tx)
        epoch = await prepare_epoch(tx, now=clock.now())
    db.epoch = epoch


@dataclass(frozen=True)
class _Work:
    """Background work that one server of a database does: each under a lease of its own name."""

    settings: Settings
    db: Database
    clock: Clock
    supervisor: Supervisor
    leases: Leases
    current: CurrentSettings

    def keep(self) -> Restoration:
        """Make backups, and let go of what is not kept, from now on."""
        restoration = Restoration(self.settings.database)
        self.supervisor.start("restorations", partial(restoration.hear, self.db))
        backups = BackupKeeper(
            self.settings.database, self.leases.fenced("backups"), self.clock, self.current, restoration
        )
        self._start("backups", backups)
        self._start("housekeeping", Housekeeper(self.leases.fenced("housekeeping"), self.clock, self.current))
        return restoration

    def hear_and_plan(self) -> None:
        """Hear sources of streams, speak with OBS, and do what is due by the clock, from now on."""
        # What a source told is stored by whoever heard it, however late: it counts once.
        notes = self.leases.fenced("stream sources")
        self._start("stream sources", StreamSources(self.db, self.clock, self.supervisor, notes=notes))
        self._start("OBS machines", OBSMachines(self.leases.fenced("OBS machines"), self.clock, self.supervisor))
        self._start("goal keeper", GoalKeeper(self.leases.fenced("goal keeper"), self.clock))
        days = self.settings.sessions_planned_days
        planner = SessionPlanner(self.leases.fenced("session planner"), self.clock, days=days)
        self.current.follow("practice.planned_days", partial(setattr, planner, "days"))
        self._start("session planner", planner)

    def look_after_accounts(self) -> None:
        """Read feeds, carry out what they trigger, and take pictures, from now on. Each claims its work row by row."""
        for name, worker in workers_of_accounts(self.settings, self.db, self.clock, self.current).items():
            self._start(name, worker)

    def listen(self) -> Listeners:
        """Hear scoring programs, from now on: on listeners of this machine, and on those that belong to none.

        Returns those of this machine, among which is the one that the command line speaks of.
        """
        self._listen("listeners", None)
        return self._listen(f"listeners of {self.settings.machine}", self.settings.machine)

    def _listen(self, name: str, host: str | None) -> Listeners:
        notes = self.leases.fenced(name)
        listeners = Listeners(self.db, self.clock, self.supervisor, _terms(self.settings), host=host, notes=notes)
        self.current.follow("listeners.report_seconds", partial(setattr, listeners, "seconds_between_reports"))
        self._start(name, listeners)
        self.supervisor.start(name.replace("listeners", "listener reports"), listeners.report)
        return listeners

    def _start(self, name: str, worker: _Worker) -> None:
        facts = getattr(worker, "facts", dict)
        self.supervisor.start(name, self.leases.holding(name, worker.run), self.leases.facts(name, facts))


def _terms(settings: Settings) -> Terms:
    return Terms(
        capacity=settings.queued_datagrams,
        patience_at_stop=settings.drain_seconds,
        seconds_between_reports=settings.listener_report_seconds,
        open_addresses=settings.open_addresses,
    )


async def first_admin(db: Database, clock: Clock) -> str | None:
    """Make an admin in a database that has no users, and return the secret of a token for him."""
    async with db.transaction() as tx:
        if await access.has_users(tx):
            return None
        admin = await access.create_user(tx, name="admin", role=Role.ADMIN, now=clock.now())
        made = await access.create_token(tx, user_id=admin.id, label="First start", now=clock.now())
    return made.secret


async def mat_named(db: Database, clock: Clock, name: str) -> UUID:
    """Return the mat of a name, laid if there is none."""
    async with db.transaction() as tx:
        mat = await matches.find_mat(tx, name, None) or await matches.create_mat(tx, name=name, now=clock.now())
    return mat.id


class Server(uvicorn.Server):
    """Uvicorn, saying when it is up and where."""

    def __init__(
        self,
        app: ASGIApp,
        settings: Settings,
        on_started: Callable[[int], None],
        leaving: Leaving | None = None,
        listening: socket.socket | None = None,
    ) -> None:
        limits = ArrivalLimits(
            headers=settings.largest_headers,
            url=settings.largest_url,
            seconds=settings.request_seconds,
            connections=settings.connections,
            per_second=settings.connections_per_second,
            proxies=frozenset(settings.trusted_proxies),
        )
        self.arrivals = Arrivals(limits)
        self._looking: asyncio.Task[None] | None = None
        # Where it is served, once it is.
        self.port = settings.port
        self._is_asked_to_stop = False
        super().__init__(
            uvicorn.Config(
                app,
                host=settings.host,
                port=settings.port,
                http=self.arrivals.protocol(),  # type: ignore[arg-type]  # anything that makes a protocol will do
                ws=Line,
                ws_max_size=_LARGEST_SOCKET_MESSAGE,
                ws_per_message_deflate=False,
                ws_ping_interval=_PING_SECONDS,
                ws_ping_timeout=_PING_SECONDS,
                timeout_graceful_shutdown=settings.drain_seconds,
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=bool(settings.trusted_proxies),
                forwarded_allow_ips=settings.trusted_proxies,
            )
        )
        self._on_started = on_started
        self._leaving = leaving
        # Where to serve, if somebody has opened that already.
        self._listening = listening

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Open the port, then tell."""
        self._looking = asyncio.create_task(self.arrivals.look(), name="arrivals")
        await super().startup(sockets)
        if self.started:
            self.port = self.servers[0].sockets[0].getsockname()[1]
            self._on_started(self.port)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Say that it ends, let nobody in any more, let those go who would stay for ever, and wait for the rest."""
        if self._leaving is not None:
            await self._leave(self._leaving)
        await super().shutdown(sockets)
        if self._looking is not None:
            self._looking.cancel()

    async def _leave(self, leaving: Leaving) -> None:
        await leaving.give_notice()
        loop = asyncio.get_running_loop()
        until = loop.time() + leaving.seconds
        for server in self.servers:
            server.close()
        await leaving.let_go()
        self.config.timeout_graceful_shutdown = max(0, math.ceil(until - loop.time()))

    async def run_until_stopped(self) -> None:
        """Serve until a signal asks to stop; requests and sockets under way are given `drain_seconds`."""
        # Uvicorn gives them back when it is done: that must not end us before the workers have written.
        for asked in (signal.SIGINT, signal.SIGTERM):
            signal.signal(asked, self._note_signal)
        await self.serve(None if self._listening is None else [self._listening])

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop. Whoever asks twice does not want to wait."""
        self._note_signal(sig, frame)
        self.should_exit = True

    def _note_signal(self, sig: int, _: FrameType | None) -> None:
        if self._is_asked_to_stop:
            _log.warning("asked twice to stop: ends at once, and what it held is taken over when that has run out")
            # Nothing that was answered is lost: it is stored before.
            os._exit(128 + sig)
        self._is_asked_to_stop = True

    def was_asked_to_stop(self) -> bool:
        """Say whether a signal has asked for it, if only after it stopped for another reason."""
        return self._is_asked_to_stop

    async def run_until_stopped_or(self, asked: asyncio.Event) -> None:
        """Serve as `run_until_stopped`, or until something else asks to stop."""

        async def wait() -> None:
            await asked.wait()
            self.should_exit = True

        waiting = asyncio.create_task(wait(), name="restoration")
        try:
            await self.run_until_stopped()
        finally:
            waiting.cancel()
