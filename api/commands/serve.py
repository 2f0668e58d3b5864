"""`ringside serve`: the server, on a database of its own or on a demonstration's."""

import logging
import tempfile
from contextlib import ExitStack
from pathlib import Path

from api import demo
from api.commands.migrations import bring_up_to_date
from api.commands.output import console, plain, print_json
from api.logs import configure_logs
from api.occupied import serving
from api.server import House, Server, first_admin, mat_named, open_house, run
from api.settings import Settings
from db.clock import SystemClock
from db.session import without_secret
from schema.ids import encode_id


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
    clock = SystemClock()
    async with serving(settings.database), open_house(settings, clock) as house:
        house.current.follow("logging.level", logging.getLogger().setLevel)
        if is_demo:
            setup = await demo.set_up(house.db, clock)
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
            welcome = _Welcome(house, setup.admin_secret, overlays, setup.overlay_secret, as_json=as_json)
        else:
            secret = await first_admin(house.db, clock)
            mat_id = await mat_named(house.db, clock, settings.pss_mat)
            await house.listen(mat_id)
            welcome = _Welcome(house, secret, {}, None, as_json=as_json)
        house.collector.begin()
        await Server(house.app, settings, welcome, house.doorkeeper.close).run_until_stopped()


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
            ]
        elif self._secret:
            lines += ["", "This is the first start: the link above carries the admin's token. It is not shown again."]
        else:
            lines += ["", "[dim]A link with a token: ringside token create --user admin --label laptop[/]"]
        return [*lines, "[dim]Stop with Ctrl+C.[/]"]


def _fragment(secret: str | None) -> str:
    return "" if secret is None else f"#token={secret}"
