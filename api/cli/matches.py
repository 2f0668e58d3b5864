"""`ringside matches`: what its commands may be told."""

from typing import Annotated

import typer

from api.commands.options import AsJSON, Database, plainly, run_plainly, settings_of
from db.clock import SystemClock

matches = typer.Typer(help="Look after fights and their logs.", no_args_is_help=True)


@matches.command("rebuild", epilog="Example: ringside matches rebuild --mat mat_…")
def rebuild(
    *,
    mat: Annotated[str | None, typer.Option(help="Id of one mat; all of them if not said.")] = None,
    database: Database = None,
    as_json: AsJSON = False,
) -> None:
    """Make all that is folded from logs again: fights, rounds, points, counts, scoreboards. Logs and ids stay."""
    from api.commands import rebuilding, tokens

    settings = settings_of(database=database)
    plainly(lambda: tokens.prepare(settings.database, may_make=False))
    run_plainly(lambda: rebuilding.rebuild(settings, SystemClock(), mat=mat, as_json=as_json))
