"""`ringside housekeeping` and `ringside database`: what their commands may be told."""

from typing import Annotated

import typer

from api.commands.options import AsJSON, Database, run_plainly, settings_of
from db.clock import SystemClock

housekeeping = typer.Typer(help="Let go of what settings say is not kept.", no_args_is_help=True)
database = typer.Typer(help="What a database holds, and whether it is sound.", no_args_is_help=True)


@housekeeping.callback()
def _housekeeping() -> None:
    """Let go of what settings say is not kept."""


@housekeeping.command(epilog="Example: ringside housekeeping run --dry-run")
def run(
    *,
    is_dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be let go, and do nothing.")] = False,
    database: Database = None,
    as_json: AsJSON = False,
) -> None:
    """Let go of what is too old or too much: at most 20,000 rows of each table."""
    from api.commands import housekeeping as keeping

    settings = settings_of(database=database)
    run_plainly(lambda: keeping.sweep(settings, SystemClock(), is_dry_run=is_dry_run, as_json=as_json))


@database.command(epilog="Example: ringside database status --json")
def status(*, database: Database = None, as_json: AsJSON = False) -> None:
    """Show where a database stands, how large it is, and what it holds."""
    from api.commands import housekeeping as keeping

    settings = settings_of(database=database)
    run_plainly(lambda: keeping.show(settings, as_json=as_json))


@database.command(epilog="Example: ringside database check")
def check(*, database: Database = None, as_json: AsJSON = False) -> None:
    """Read a whole database and say what is wrong with it. Ends with 1 if anything is."""
    from api.commands import housekeeping as keeping

    settings = settings_of(database=database)
    run_plainly(lambda: keeping.examine(settings, as_json=as_json))
