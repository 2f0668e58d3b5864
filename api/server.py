"""Running the server: what is opened, in which order, and how all of it is closed again."""

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from uuid import UUID

import uvicorn
from starlette.types import ASGIApp

from api.app import build_app
from api.auth import Doorkeeper, GuestLimits
from api.collector import Collector
from api.logs import operation_writer
from api.outbound import Guard
from api.settings import Settings
from api.tally import Tally
from api.transport.arriving import ArrivalLimits, Arrivals
from api.transport.line import Line
from api.transport.under_way import UnderWay
from api.watchdog import Watchdog
from api.workers.backups import BackupKeeper, Restoration
from api.workers.executions import Executor, ExecutorLimits
from api.workers.feed_fetching import FetchLimits
from api.workers.feeds import FeedPoller, PollerLimits
from api.workers.housekeeping import Housekeeper
from api.workers.listeners import Listeners, Terms
from api.workers.obs_machines import OBSMachines
from api.workers.practice_sessions import SessionPlanner
from api.workers.pss import PSSListener
from api.workers.stream_sources import GoalKeeper, StreamSources
from api.workers.supervisor import Supervisor
from db.access import operations as access
from db.access.viewer import Role
from db.accounts.schedule import PollRules
from db.clock import Clock
from db.matches import operations as matches
from db.network import operations as network
from db.resealing import seal_secrets
from db.session import Database, connect
from db.settings.current import CurrentSettings
from db.settings.operations import prepare_settings

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
    listeners: Listeners
    app: ASGIApp

    async def listen(self, mat_id: UUID) -> PSSListener:
        """Take what a scoring program says of a mat, from now on: on the listener that the command line speaks of."""
        settings = self.settings
        async with self.db.transaction() as tx:
            row = await network.open_command_line(
                tx,
                mat_id,
                address=settings.pss_host,
                port=settings.pss_port,
                senders=settings.pss_senders,
                limit=settings.largest_datagram,
                now=self.clock.now(),
            )
        return await self.listeners.of(row.id)


@asynccontextmanager
async def open_house(settings: Settings, clock: Clock) -> AsyncIterator[House]:
    """Open the database and start what always runs. Workers are stopped before the database is closed under them."""
    db = await connect(settings.database, sealer=settings.sealer)
    supervisor = Supervisor(clock)
    guests = GuestLimits(
        per_address=settings.sockets_per_address,
        per_token=settings.sockets_per_token,
        per_overlay=settings.sockets_per_overlay,
        wrong_tokens_per_minute=settings.wrong_tokens_per_minute,
    )
    collector = Collector()
    doorkeeper = Doorkeeper(db, clock, guests, collector)
    try:
        async with db.transaction() as tx:
            await prepare_settings(tx, settings.usual)
            await seal_secrets(tx)
        current = CurrentSettings(db)
        await current.look()
        supervisor.start("settings", current.run)
        restoration = Restoration()
        backups = BackupKeeper(settings.database, db, clock, current, restoration)
        supervisor.start("backups", backups.run, backups.facts)
        housekeeper = Housekeeper(settings.database, db, clock, current)
        supervisor.start("housekeeping", housekeeper.run, housekeeper.facts)
        supervisor.start("doorkeeper", doorkeeper.watch, doorkeeper.facts)
        sources = StreamSources(db, clock, supervisor)
        supervisor.start("stream sources", sources.run, sources.facts)
        obs = OBSMachines(db, clock, supervisor)
        supervisor.start("OBS machines", obs.run, obs.facts)
        keeper = GoalKeeper(db, clock)
        supervisor.start("goal keeper", keeper.run)
        _read_and_carry_out(settings, db, clock, supervisor)
        planner = SessionPlanner(db, clock, days=settings.sessions_planned_days)
        current.follow("practice.planned_days", partial(setattr, planner, "days"))
        supervisor.start("session planner", planner.run, planner.facts)
        listeners = Listeners(db, clock, supervisor, _terms(settings))
        current.follow("listeners.report_seconds", partial(setattr, listeners, "seconds_between_reports"))
        supervisor.start("listeners", listeners.run, listeners.facts)
        supervisor.start("listener reports", listeners.report)
        under_way = UnderWay(settings.operation_seconds)
        supervisor.start("operations", under_way.look, lambda: {"underWay": len(under_way)})
        tally = Tally(clock, operation_writer(as_json=settings.log_json) if settings.log_operations else None)
        supervisor.start("tally", tally.run)
        watchdog = Watchdog(settings.stall_seconds)
        supervisor.start("watchdog", watchdog.run, watchdog.facts)
        app = build_app(
            settings,
            db,
            clock,
            current=current,
            supervisor=supervisor,
            doorkeeper=doorkeeper,
            under_way=under_way,
            tally=tally,
            watchdog=watchdog,
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
            listeners=listeners,
            app=app,
        )
    finally:
        await supervisor.close()
        await db.close()


def _read_and_carry_out(settings: Settings, db: Database, clock: Clock, supervisor: Supervisor) -> None:
    """Read feeds, and carry out what they trigger, from now on."""
    guard = Guard(allowed=frozenset(settings.allowed_private_hosts))
    poller = FeedPoller(
        db,
        clock,
        guard,
        PollRules(
            least_interval=settings.feed_least_seconds,
            usual_interval=settings.feed_usual_seconds,
            most_interval=settings.feed_most_seconds,
            oldest_post=timedelta(days=settings.oldest_post_days),
            most_posts=settings.most_posts,
        ),
        FetchLimits(bytes=settings.largest_feed),
        PollerLimits(
            at_once=settings.feeds_at_once,
            of_host=settings.feeds_of_host,
            kept=timedelta(days=settings.poll_history_days),
        ),
    )
    supervisor.start("feeds", poller.run, poller.facts)
    executor = Executor(db, clock, guard, limits=ExecutorLimits(at_once=settings.executions_at_once))
    supervisor.start("executions", executor.run, executor.facts)


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
        self, app: ASGIApp, settings: Settings, on_started: Callable[[int], None], on_stopping: Callable[[], None]
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
        self._on_stopping = on_stopping

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Open the port, then tell."""
        self._looking = asyncio.create_task(self.arrivals.look(), name="arrivals")
        await super().startup(sockets)
        if self.started:
            self.port = self.servers[0].sockets[0].getsockname()[1]
            self._on_started(self.port)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let those go who would stay for ever, then wait for what is under way."""
        self._on_stopping()
        await super().shutdown(sockets)
        if self._looking is not None:
            self._looking.cancel()

    async def run_until_stopped(self) -> None:
        """Serve until a signal asks to stop; requests and sockets under way are given `drain_seconds`."""
        # Uvicorn raises the signal again when it is done: that must not end us before the workers have written.
        for asked in (signal.SIGINT, signal.SIGTERM):
            signal.signal(asked, self._note_signal)
        await self.serve()

    def _note_signal(self, *_: object) -> None:
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


def run(main: Callable[[], object]) -> None:
    """Run a coroutine function on the fastest loop there is."""
    uvloop_factory = uvicorn.Config("", loop="auto", log_config=None).get_loop_factory()
    with asyncio.Runner(loop_factory=uvloop_factory) as runner:
        runner.run(main())  # type: ignore[arg-type]  # a coroutine, as the runner will say if it is not
