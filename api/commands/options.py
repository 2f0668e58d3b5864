"""What commands have in common: options, and how one is run so that a refusal is a sentence and not a traceback.

Help is made of these options, so nothing is loaded for them; what runs a command loads what it needs.
"""

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from api.collector import resume_collecting
from db.errors import Refusal

if TYPE_CHECKING:
    from api.settings import Settings

Database = Annotated[
    Optional[str],  # noqa: UP045 -- Typer reads this alias before it knows unions
    typer.Option(help="sqlite:///file.db or postgresql://user@host/name.", envvar="RINGSIDE_DATABASE"),
]
AsJSON = Annotated[bool, typer.Option("--json", help="Print one line of JSON for programs.")]
Server = Annotated[str, typer.Option("--url", help="Where the server is.", envvar="RINGSIDE_URL")]
Secret = Annotated[str, typer.Option("--token", help="The token to ask it with.", envvar="RINGSIDE_TOKEN")]
Speed = Annotated[float, typer.Option(help="2 is twice as fast as it was.", min=0.001, max=10_000)]

# Where a server is, if a command is not told.
URL = "http://127.0.0.1:8000"


def settings_of(**given: Any) -> "Settings":
    """Return the settings with what a command was given."""
    from pydantic import ValidationError

    from api.settings import Settings

    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        from api.commands.output import fail

        first = error.errors()[0]
        name = "_".join(str(part) for part in first["loc"])
        fail(f"{name.replace('_', '-')} cannot be {first['input']!r}: {first['msg']}.")


def url_of(database: str | None) -> str:
    """Return the database a command is about."""
    return settings_of(database=database).database


def run_plainly(command: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a command on the event loop."""
    from api.loop import run

    plainly(lambda: run(command))


def plainly(command: Callable[[], Any]) -> Any:
    """Run a command; what it refuses is a sentence and an exit code, not a traceback."""
    from api.capture import CaptureError
    from api.commands.output import fail

    resume_collecting()
    try:
        return command()
    except Refusal as refusal:
        fail(refusal.message)
    except (CaptureError, OSError, ValueError) as error:
        fail(str(error))
