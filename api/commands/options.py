"""What commands have in common: options, and how one is run so that a refusal is a sentence and not a traceback."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any, Optional

import typer
from pydantic import ValidationError

from api.capture import CaptureError
from api.commands.output import fail
from api.server import run
from api.settings import Settings
from db.errors import Refusal

Database = Annotated[
    Optional[str],  # noqa: UP045 -- Typer reads this alias before it knows unions
    typer.Option(help="sqlite:///file.db or postgresql://user@host/name.", envvar="RINGSIDE_DATABASE"),
]
AsJSON = Annotated[bool, typer.Option("--json", help="Print one line of JSON for programs.")]


def settings_of(**given: Any) -> Settings:
    """Return the settings with what a command was given."""
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        name = "_".join(str(part) for part in first["loc"])
        fail(f"{name.replace('_', '-')} cannot be {first['input']!r}: {first['msg']}.")


def url_of(database: str | None) -> str:
    """Return the database a command is about."""
    return settings_of(database=database).database


def run_plainly(command: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a command on the event loop."""
    plainly(lambda: run(command))


def plainly(command: Callable[[], Any]) -> Any:
    """Run a command; what it refuses is a sentence and an exit code, not a traceback."""
    try:
        return command()
    except Refusal as refusal:
        fail(refusal.message)
    except (CaptureError, OSError, ValueError) as error:
        fail(str(error))
