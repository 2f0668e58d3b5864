"""`ringside serve --workers`: what the parent of several processes does. It loads nothing of what they serve."""

from typing import Any

from api.commands.migrations import bring_up_to_date
from api.commands.output import print_json
from api.commands.welcome import show_welcome
from api.fleet import Fleet, check
from api.logs import configure_logs
from api.loop import run
from api.settings import Settings
from db.errors import Invalid


def serve_with_many(settings: Settings, *, is_demo: bool, as_json: bool) -> None:
    """Run until stopped."""
    configure_logs(settings.log_level, as_json=settings.log_json)
    if is_demo:
        raise Invalid("The demonstration is served by one worker.")
    check(settings)
    bring_up_to_date(settings.database)

    def tell(welcome: dict[str, Any]) -> None:
        told = {**welcome, "workers": settings.workers}
        if as_json:
            print_json(told)
        else:
            show_welcome(settings, told)

    async def serve() -> None:
        await Fleet(settings, tell).run()

    run(serve)
