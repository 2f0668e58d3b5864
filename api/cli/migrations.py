"""`ringside migrate`: what its commands may be told."""

from typing import Annotated

import typer

from api.commands.options import AsJSON, Database, plainly, url_of

migrate = typer.Typer(help="Move a database forward and back through the schema's history.", no_args_is_help=True)


@migrate.command(epilog="Example: ringside migrate up --database postgresql://ringside@localhost/ringside")
def up(
    *,
    to: Annotated[str, typer.Argument(help="A revision, or head for the newest.")] = "head",
    database: Database = None,
    as_json: AsJSON = False,
) -> None:
    """Bring a database up to date, or up to one revision."""
    from api.commands import migrations

    plainly(lambda: migrations.up(url_of(database), to=to, as_json=as_json))


@migrate.command(epilog="Example: ringside migrate down 0001")
def down(
    *,
    to: Annotated[
        str, typer.Argument(help="A revision, or base for before the first. What newer tables hold is lost.")
    ],
    database: Database = None,
    as_json: AsJSON = False,
) -> None:
    """Take a database back to a revision."""
    from api.commands import migrations

    plainly(lambda: migrations.down(url_of(database), to=to, as_json=as_json))


@migrate.command(epilog="Example: ringside migrate status --json")
def status(*, database: Database = None, as_json: AsJSON = False) -> None:
    """Show where a database stands. Ends with 1 if it is not up to date."""
    from api.commands import migrations

    if not plainly(lambda: migrations.status(url_of(database), as_json=as_json)):
        raise typer.Exit(1)
