"""`ringside serve`: the server, on a database of its own or on a demonstration's."""

import asyncio
import logging
import socket
import tempfile
from collections.abc import Callable
from contextlib import AsyncExitStack, ExitStack, suppress
from pathlib import Path

import typer

from api import demo
from api.commands.migrations import bring_up_to_date
from api.commands.output import print_json
from api.commands.welcome import fragment_of, show_links
from api.demo.accounts import serve_feed
from api.files import make_room
from api.fleet import REFUSED, Orders
from api.logs import configure_logs
from api.loop import run
from api.occupied import is_restored, serving
from api.server import House, Server, first_admin, mat_named, open_house
from api.settings import Settings
from api.workers.backups import Ended, Restoration, put_back
from db.backups.operations import keep_job
from db.bus import BusKind
from db.clock import Clock, SystemClock
from db.connecting import connect
from db.errors import Unavailable
from db.ids import encode_id

_log = logging.getLogger(__name__)

_BETWEEN_LOOKS_SECONDS = 0.1
# What other servers are given to leave, beside the time that they are told to take.
_GRACE_SECONDS = 15.0


def serve(settings: Settings, *, is_demo: bool, as_json: bool) -> None:
    """Run until stopped."""
    configure_logs(settings.log_level, as_json=settings.log_json)
    make_room(settings.connections)
    with ExitStack() as stack:
        if is_demo:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="ringside-demo-"))
            settings = settings.model_copy(update={"database": f"sqlite:///{Path(folder) / 'demo.db'}"})
        bring_up_to_date(settings.database)
        run(lambda: _serve(settings, is_demo=is_demo, as_json=as_json))


def serve_as_worker(orders: Orders) -> None:
    """Run as one of several until stopped."""
    settings = orders.settings
    configure_logs(settings.log_level, as_json=settings.log_json, worker=orders.number)
    make_room(settings.connections)
    listening = socket.socket(fileno=orders.fd)
    settings = settings.model_copy(update={"port": listening.getsockname()[1]})
    try:
        # It may have been migrated since the parent looked.
        bring_up_to_date(settings.database)
    except typer.Exit:
        raise SystemExit(REFUSED) from None
    run(lambda: _serve_on(settings, None, as_json=True, listening=listening))


async def _serve(settings: Settings, *, is_demo: bool, as_json: bool) -> None:
    async with AsyncExitStack() as stack:
        feed_host = None
        if is_demo:
            feed_host = await stack.enter_async_context(serve_feed(speed=settings.speed))
            settings = _reading_often(settings, feed_host)
        await _serve_on(settings, feed_host, as_json=as_json)


def _reading_often(settings: Settings, feed_host: str) -> Settings:
    """Let the demonstration's own feed be read, and be read often."""
    hosts = [*settings.allowed_private_hosts, feed_host]
    return settings.model_copy(
        update={"allowed_private_hosts": hosts, "feed_least_seconds": 10, "feed_most_seconds": 20}
    )


async def _serve_on(
    settings: Settings, feed_host: str | None, *, as_json: bool, listening: socket.socket | None = None
) -> None:
    """Serve until stopped; whenever a backup is to be put back, stop, see that it is, and serve what was in it."""
    clock = SystemClock()
    was_served = False
    while True:
        server, restoration = await _serve_once(
            settings, clock, feed_host, as_json=as_json, listening=listening, was_served=was_served
        )
        was_served = True
        settings = settings.model_copy(update={"port": server.port})
        async with restoration.lock:
            if server.was_asked_to_stop() or not restoration.asked.is_set():
                return
            await _restored(settings, restoration, clock, server)
        if server.was_asked_to_stop():
            return


async def _restored(settings: Settings, restoration: Restoration, clock: Clock, server: Server) -> None:
    """Put the backup back and note what came of it, or wait until another server has."""
    if restoration.job is None or restoration.target is None:
        while not server.was_asked_to_stop():
            with suppress(Unavailable):
                if await is_restored(settings.database):
                    return
            await asyncio.sleep(_BETWEEN_LOOKS_SECONDS)
        return
    patience = settings.notice_seconds + settings.drain_seconds + _GRACE_SECONDS
    ended = await put_back(
        settings.database,
        restoration.job,
        restoration.target,
        clock,
        patience_seconds=patience if settings.is_shared else 0,
    )
    while True:
        try:
            await _note(settings, ended, clock)
        except Unavailable as refusal:
            if server.was_asked_to_stop():
                return
            _log.warning("%s It is tried again.", refusal.message)
            await asyncio.sleep(_BETWEEN_LOOKS_SECONDS)
        else:
            return


async def _note(settings: Settings, ended: Ended, clock: Clock) -> None:
    """Store what came of putting a backup back in the database that is there now."""
    db = await connect(settings.database, bus=BusKind.LOCAL)
    try:
        async with db.transaction() as tx:
            await keep_job(tx, ended.job, error=ended.error, now=clock.now(), **ended.came)
    finally:
        await db.close()


async def _serve_once(
    settings: Settings,
    clock: Clock,
    feed_host: str | None,
    *,
    as_json: bool,
    listening: socket.socket | None,
    was_served: bool,
) -> tuple[Server, Restoration]:
    async with serving(settings.database), open_house(settings, clock) as house:
        house.current.follow("logging.level", logging.getLogger().setLevel)
        welcome: Callable[[int], None] = _say_nothing
        if was_served:
            await house.listen(await mat_named(house.db, clock, settings.pss_mat))
        else:
            welcome = await _welcome(house, clock, feed_host, as_json=as_json)
        house.collector.begin()
        # A copy: it is closed with the server, and there may be another one after it.
        copied = None if listening is None else listening.dup()
        server = Server(house.app, settings, welcome, house.leaving, copied)
        await server.run_until_stopped_or(house.restoration.asked)
        return server, house.restoration


def _say_nothing(port: int) -> None:
    _log.info("served again on port %s, after a backup was to be put back", port)


async def _welcome(house: House, clock: Clock, feed_host: str | None, *, as_json: bool) -> Callable[[int], None]:
    """Set up what is served the first time, and return who says where it is. A demonstration has a feed of its own."""
    settings = house.settings
    if feed_host is None:
        secret = await first_admin(house.db, clock)
        await house.listen(await mat_named(house.db, clock, settings.pss_mat))
        return _Welcome(settings, secret, {}, None, as_json=as_json)
    setup = await demo.set_up(house.db, clock, feed_host=feed_host)
    listener = await house.listeners.of(await house.listen(setup.mat_id))
    work = demo.play(settings.pss_host, listener.wait_until_bound, speed=settings.speed)
    house.supervisor.start("demo fight", work)
    audience = demo.play_stream(house.db, clock, setup.stream_id, speed=settings.speed)
    house.supervisor.start("demo stream", audience)
    overlays = {
        "Scoreboard": f"mat/{encode_id('mat', setup.mat_id)}",
        "Fight": f"mat/{encode_id('mat', setup.mat_id)}?show=auto&look=arcade",
        "Goals": f"stream/{encode_id('stream', setup.stream_id)}",
    }
    return _Welcome(settings, setup.admin_secret, overlays, setup.overlay_secret, as_json=as_json)


class _Welcome:
    """Says where everything is, once the port is open. Secrets stand in fragments, which browsers never send."""

    def __init__(
        self,
        settings: Settings,
        secret: str | None,
        overlays: dict[str, str],
        overlay_secret: str | None,
        *,
        as_json: bool,
    ) -> None:
        self._settings = settings
        self._secret = secret
        self._overlays = overlays
        self._overlay_secret = overlay_secret
        self._as_json = as_json

    def __call__(self, port: int) -> None:
        host = self._settings.host
        url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        fragment = fragment_of(self._overlay_secret)
        overlays = {name: f"{url}/overlays/{path}{fragment}" for name, path in self._overlays.items()}
        if self._as_json:
            shown = {
                "url": url,
                "graphql": f"{url}/graphql",
                "token": self._secret,
                "overlays": list(overlays.values()),
            }
            print_json(shown)
            return
        links = {"GraphiQL": f"{url}/graphql" + fragment_of(self._secret), **overlays}
        show_links(self._settings, links, is_demo=bool(self._overlay_secret), is_first=bool(self._secret))
