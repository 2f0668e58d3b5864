"""`ringside social`: what its commands may be told."""

from typing import Annotated

import typer

from api.commands.options import AsJSON, Database, plainly, run_plainly, settings_of

social = typer.Typer(help="Look after what people write.", no_args_is_help=True)


@social.command("recount", epilog="Example: ringside social recount --repair")
def recount(
    *,
    repair: Annotated[bool, typer.Option("--repair", help="Mend the counters that are wrong.")] = False,
    database: Database = None,
    as_json: AsJSON = False,
) -> None:
    """Compare counters with what they count. Ends with 1 if one of them is wrong and was not mended."""
    from api.commands import recounting, tokens

    settings = settings_of(database=database)
    plainly(lambda: tokens.prepare(settings.database, may_make=False))
    run_plainly(lambda: recounting.recount(settings, repairs=repair, as_json=as_json))
