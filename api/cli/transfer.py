"""`ringside import` and `ringside export`: what their commands may be told."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from api.commands.options import AsJSON, Database, Secret, plainly, run_plainly, settings_of
from db.clock import SystemClock

if TYPE_CHECKING:
    from api.settings import Settings

transfer = typer.Typer()

Server = Annotated[
    Optional[str],  # noqa: UP045 -- Typer reads this alias before it knows unions
    typer.Option("--url", help="A server that runs, to ask instead of a database."),
]
# The one kind that has a document of its own, which other programs know.
_GOALS = "goals"
_DOCUMENT = "json"


@transfer.command(
    no_args_is_help=True,
    epilog="Example: ringside export matches --format csv --filter state=ENDED --output fights.csv",
)
def export(
    *,
    kind: Annotated[str, typer.Argument(metavar="LIST", help="Which list, as --list shows them.")] = "",
    file: Annotated[Path | None, typer.Argument(help="Where to write it; to the screen if not said, or -.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Where to write it, said otherwise.")] = None,
    format_: Annotated[
        str | None, typer.Option("--format", help="csv or jsonl, if its name does not say so; of goals also json.")
    ] = None,
    filters: Annotated[
        list[str] | None,
        typer.Option("--filter", help="Rows of which this is so: state=LIVE, 'loadedAt>=2026-11-21T00:00:00Z'."),
    ] = None,
    fields: Annotated[
        str | None, typer.Option(help="What of each row, as the graph is asked: 'number mat { name }'.")
    ] = None,
    is_for_spreadsheets: Annotated[
        bool, typer.Option("--for-spreadsheets", help="CSV in which nothing is taken for a formula.")
    ] = False,
    shows_lists: Annotated[bool, typer.Option("--list", help="Show which lists there are.")] = False,
    user: Annotated[
        str | None, typer.Option("--user", help="Whose eyes see it: an admin's if not said. Of goals: whose.")
    ] = None,
    database: Database = None,
    server: Server = None,
    token: Secret = "",
    as_json: AsJSON = False,
) -> None:
    """Write a list to a file, whole: every row that may be seen, with what the graph shows of it."""
    from api.commands import exporting, transferring
    from api.commands.output import fail

    if shows_lists or not kind:
        exporting.show_lists(as_json=as_json)
        return
    if file is not None and output is not None:
        fail("Name the file once.")
    into = file or output
    if kind == _GOALS and format_ in {None, _DOCUMENT}:
        url = _prepared(database).database
        run_plainly(lambda: transferring.give_out(url, into, user=user or "admin", as_json=as_json))
        return
    wanted = exporting.wanted_of(
        kind, format_, into, filters=filters or [], fields=fields, is_for_spreadsheets=is_for_spreadsheets
    )
    if as_json and into in {None, exporting.SCREEN}:
        fail("--json reports on a file: name one, or both would be on one screen.")
    if server is not None:
        if user is not None:
            fail("With --url the token says whose eyes see it: leave out --user.")
        from api.client import Client

        client = Client(url=server, token=token)
        run_plainly(lambda: exporting.download(client, wanted, into, as_json=as_json))
        return
    url = _prepared(database).database
    run_plainly(lambda: exporting.give_out(url, SystemClock(), wanted, into, user=user, as_json=as_json))


@transfer.command("import", no_args_is_help=True, epilog="Example: ringside import athletes entries.csv --dry-run")
def import_(
    *,
    kind: Annotated[
        str,
        typer.Argument(metavar="LIST", help="Which list: goals, athletes, …; another is answered with all of them."),
    ],
    file: Annotated[Path, typer.Argument(help="The file, as an export of that list writes it.", exists=True)],
    format_: Annotated[
        str | None, typer.Option("--format", help="csv or jsonl, if its name does not say so; of goals json.")
    ] = None,
    is_dry_run: Annotated[bool, typer.Option("--dry-run", help="Look at it, and store nothing.")] = False,
    user: Annotated[str | None, typer.Option("--user", help="Of goals: whose they are, admin's if not said.")] = None,
    database: Database = None,
    server: Annotated[
        Optional[str],  # noqa: UP045 -- as above
        typer.Option("--url", help="A server that runs, to bring it to: whoever watches there hears of it."),
    ] = None,
    token: Secret = "",
    as_json: AsJSON = False,
) -> None:
    """Take a list in from a file: all of it or, with anything wrong, nothing. Ends with 1 if it was refused."""
    if kind == _GOALS:
        _goals_in(
            file, user=user, server=server, token=token, database=database, is_dry_run=is_dry_run, as_json=as_json
        )
        return
    from api.commands import importing
    from api.commands.output import fail

    if user is not None:
        fail("Whose goals they are --user says; of other lists that stands in the file: leave out --user.")
    if server is not None:
        from api.client import Client

        client = Client(url=server, token=token)
        run_plainly(lambda: importing.send(client, kind, file, said=format_, is_dry_run=is_dry_run, as_json=as_json))
        return
    settings = _prepared(database)
    run_plainly(
        lambda: importing.take_in(
            settings, SystemClock(), kind, file, said=format_, is_dry_run=is_dry_run, as_json=as_json
        )
    )


def _goals_in(
    file: Path,
    *,
    user: str | None,
    server: str | None,
    token: str,
    database: str | None,
    is_dry_run: bool,
    as_json: bool,
) -> None:
    """Merge a document of goals by id."""
    from api.commands import transferring
    from api.commands.output import fail

    if server is not None:
        if user is not None:
            fail("With --url the token says whose goals they are: leave out --user.")
        from api.client import Client

        client = Client(url=server, token=token)
        run_plainly(lambda: transferring.send(client, file.read_bytes(), is_dry_run=is_dry_run, as_json=as_json))
        return
    settings = _prepared(database)
    text, owner = file.read_bytes(), user or "admin"
    run_plainly(
        lambda: transferring.take_in(settings, SystemClock(), text, user=owner, is_dry_run=is_dry_run, as_json=as_json)
    )


def _prepared(database: str | None) -> "Settings":
    from api.commands import tokens

    settings = settings_of(database=database)
    plainly(lambda: tokens.prepare(settings.database, may_make=False))
    return settings
