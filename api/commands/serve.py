"""`ringside serve`: the server, on a database of its own or on a demonstration's."""

import logging
import tempfile
from collections.abc import Callable
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path

from api import demo
from api.commands.migrations import bring_up_to_date
from api.commands.output import console, plain, print_json
from api.demo.accounts import serve_feed
from api.logs import configure_logs
from api.occupied import serving
from api.server import House, Server, first_admin, mat_named, open_house, run
from api.settings import Settings
from api.workers.backups import Ended, Restoration, put_back
from db.backups.operations import keep_job
from db.clock import Clock, SystemClock
from db.session import without_secret
from schema.ids import encode_id

_log = logging.getLogger(__name__)


def serve(settings: Settings, *, is_demo: bool, as_json: bool) -> None:
    """Run until stopped."""
    configure_logs(settings.log_level, as_json=settings.log_json)
    with ExitStack() as stack:
        if is_demo:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="ringside-demo-"))
            settings = settings.model_copy(update={"database": f"sqlite:///{Path(folder) / 'demo.db'}"})
        bring_up_to_date(settings.database)
        run(lambda: _serve(settings, is_demo=is_demo, as_json=as_json))


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


async def _serve_on(settings: Settings, feed_host: str | None, *, as_json: bool) -> None:
    """Serve until stopped; whenever a backup is to be put back, stop, do that, and serve what was in it."""
    clock = SystemClock()
    ended: Ended | None = None
    while True:
        server, restoration = await _serve_once(settings, clock, ended, feed_host, as_json=as_json)
        if server.was_asked_to_stop() or restoration.job is None or restoration.target is None:
            return
        settings = settings.model_copy(update={"port": server.port})
        ended = await put_back(settings.database, restoration.job, restoration.target, clock)
        if server.was_asked_to_stop():
            return


async def _serve_once(
    settings: Settings, clock: Clock, ended: Ended | None, feed_host: str | None, *, as_json: bool
) -> tuple[Server, Restoration]:
    async with serving(settings.database), open_house(settings, clock) as house:
        house.current.follow("logging.level", logging.getLogger().setLevel)
        if ended is None:
            welcome = await _welcome(house, clock, feed_host, as_json=as_json)
        else:
            async with house.db.transaction() as tx:
                await keep_job(tx, ended.job, error=ended.error, now=clock.now(), **ended.came)
            await house.listen(await mat_named(house.db, clock, settings.pss_mat))
            welcome = _say_nothing
        house.collector.begin()
        server = Server(house.app, settings, welcome, house.doorkeeper.close)
        await server.run_until_stopped_or(house.restoration.asked)
        return server, house.restoration


def _say_nothing(port: int) -> None:
    _log.info("the backup is put back; served again on port %s", port)


async def _welcome(house: House, clock: Clock, feed_host: str | None, *, as_json: bool) -> Callable[[int], None]:
    """Set up what is served the first time, and return who says where it is. A demonstration has a feed of its own."""
    settings = house.settings
    if feed_host is None:
        secret = await first_admin(house.db, clock)
        await house.listen(await mat_named(house.db, clock, settings.pss_mat))
        return _Welcome(house, secret, {}, None, as_json=as_json)
    setup = await demo.set_up(house.db, clock, feed_host=feed_host)
    listener = await house.listen(setup.mat_id)
    work = demo.play(settings.pss_host, listener.wait_until_bound, speed=settings.speed)
    house.supervisor.start("demo fight", work)
    audience = demo.play_stream(house.db, clock, setup.stream_id, speed=settings.speed)
    house.supervisor.start("demo stream", audience)
    overlays = {
        "Scoreboard": f"mat/{encode_id('mat', setup.mat_id)}",
        "Fight": f"mat/{encode_id('mat', setup.mat_id)}?show=auto&look=arcade",
        "Goals": f"stream/{encode_id('stream', setup.stream_id)}",
    }
    return _Welcome(house, setup.admin_secret, overlays, setup.overlay_secret, as_json=as_json)


class _Welcome:
    """Says where everything is, once the port is open. Secrets stand in fragments, which browsers never send."""

    def __init__(
        self, house: House, secret: str | None, overlays: dict[str, str], overlay_secret: str | None, *, as_json: bool
    ) -> None:
        self._house = house
        self._secret = secret
        self._overlays = overlays
        self._overlay_secret = overlay_secret
        self._as_json = as_json

    def __call__(self, port: int) -> None:
        host = self._house.settings.host
        url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        fragment = _fragment(self._overlay_secret)
        overlays = {name: f"{url}/overlays/{path}{fragment}" for name, path in self._overlays.items()}
        graphiql = f"{url}/graphql" + _fragment(self._secret)
        if self._as_json:
            shown = {
                "url": url,
                "graphql": f"{url}/graphql",
                "token": self._secret,
                "overlays": list(overlays.values()),
            }
            print_json(shown)
            return
        console.rule("[bold green]Ringside[/]", align="left", style="green")
        for line in self._lines({"GraphiQL": graphiql, **overlays}):
            # Unwrapped, so that a link can be copied in one piece.
            console.print(line, soft_wrap=True, highlight=False)

    def _lines(self, links: dict[str, str]) -> list[str]:
        settings = self._house.settings
        lines = [f"[bold]{name:<10}[/] [link={link}]{link}[/link]" for name, link in links.items()]
        lines.append(f"[bold]UDP[/]        {settings.pss_host}:{settings.pss_port} for {plain(settings.pss_mat)}")
        lines.append(f"[bold]Database[/]   {plain(without_secret(settings.database))}")
        if self._overlay_secret:
            lines += [
                "",
                "A recorded final is being replayed: points arrive within the first quarter of a minute.",
                "An invented audience fills the goals of a stream.",
                "An account posts every half minute: `executions` shows what that makes run.",
            ]
        elif self._secret:
            lines += ["", "This is the first start: the link above carries the admin's token. It is not shown again."]
        else:
            lines += ["", "[dim]A link with a token: ringside token create --user admin --label laptop[/]"]
        return [*lines, "[dim]Stop with Ctrl+C.[/]"]


def _fragment(secret: str | None) -> str:
    return "" if secret is None else f"#token={secret}"
