"""`ringside flags`: what its commands may be told."""

from pathlib import Path
from typing import Annotated

import typer

from api.commands.options import AsJSON, Database, plainly, run_plainly, settings_of
from db.clock import SystemClock

flag = typer.Typer(help="Look after the flags that overlays show.", no_args_is_help=True)


@flag.command("scan", epilog="Example: ringside flags scan ~/flags")
def scan_folder(
    *,
    directory: Annotated[
        Path,
        typer.Argument(help="A folder of images, each named by a code or a country.", exists=True, file_okay=False),
    ],
    database: Database = None,
    as_json: AsJSON = False,
) -> None:
    """Store the flags of a folder, and recognise each by its file's name."""
    from api.commands import flags, tokens

    settings = settings_of(database=database)
    plainly(lambda: tokens.prepare(settings.database, may_make=True))
    run_plainly(
        lambda: flags.find(
            settings,
            SystemClock(),
            directory,
            as_json=as_json,
        )
    )
