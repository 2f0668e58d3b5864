"""`ringside backup`: what its commands may be told."""

from typing import Annotated

import typer

from api.commands.options import AsJSON, Database, plainly, run_plainly, url_of
from db.clock import SystemClock

backup = typer.Typer(help="Back a database up while it is in use, and put it back.", no_args_is_help=True)

Kept = Annotated[
    str,
    typer.Option(
        "--target",
        help="Where backups are kept: a folder, or a URL that fsspec reads, as s3://bucket/ringside.",
        envvar="RINGSIDE_BACKUP_TARGET",
    ),
]
Name = Annotated[str, typer.Argument(help="The name of a backup, as `backup list` shows it, or latest.")]
_TARGET = "backups"


@backup.command(epilog="Example: ringside backup create --target /mnt/stick --keep 14")
def create(
    *,
    target: Kept = _TARGET,
    keep: Annotated[
        int | None, typer.Option(help="Delete all but so many of the newest afterwards.", min=1, max=10_000)
    ] = None,
    database: Database = None,
    as_json: AsJSON = False,
) -> None:
    """Back the database up as it stands now. Whoever uses it goes on."""
    from api.commands import backing_up
    from db.backups.target import Target

    run_plainly(lambda: backing_up.make(url_of(database), SystemClock(), Target(target), keep=keep, as_json=as_json))


@backup.command("list", epilog="Example: ringside backup list --json")
def list_(*, target: Kept = _TARGET, as_json: AsJSON = False) -> None:
    """List the backups there are, newest first."""
    from api.commands import backing_up
    from db.backups.target import Target

    plainly(lambda: backing_up.show(Target(target), as_json=as_json))


@backup.command(epilog="Example: ringside backup verify latest")
def verify(*, name: Name = "latest", target: Kept = _TARGET, as_json: AsJSON = False) -> None:
    """Read a backup from end to end. Ends with 1 if a single bit is not as it was written."""
    from api.commands import backing_up
    from db.backups.target import Target

    plainly(lambda: backing_up.read_through(Target(target), name, as_json=as_json))


@backup.command(epilog="Example: ringside backup delete 20261121-093000-… --target /mnt/stick")
def delete(
    *,
    name: Annotated[str, typer.Argument(help="The name of a backup, as `backup list` shows it.")],
    target: Kept = _TARGET,
    as_json: AsJSON = False,
) -> None:
    """Delete a backup."""
    from api.commands import backing_up
    from db.backups.target import Target

    plainly(lambda: backing_up.delete(Target(target), name, as_json=as_json))


@backup.command(epilog="Example: ringside backup restore latest --dry-run")
def restore(
    *,
    name: Name,
    target: Kept = _TARGET,
    is_dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it would do, and do nothing.")] = False,
    database: Database = None,
    as_json: AsJSON = False,
) -> None:
    """Put a backup in the place of the database: all of it or nothing. No server may run on it."""
    from api.commands import backing_up
    from db.backups.target import Target

    url = url_of(database)
    run_plainly(
        lambda: backing_up.put_back(url, SystemClock(), Target(target), name, is_dry_run=is_dry_run, as_json=as_json)
    )
