"""`ringside housekeeping` and `ringside database`: what a database holds, whether it is sound, and what is let go."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Annotated

import typer

from api.commands.options import AsJSON, Database, run_plainly, settings_of
from api.commands.output import console, plain, print_json, print_table
from api.migrate import standing
from api.settings import Settings
from api.workers.housekeeping import tidy
from db.clock import Clock, SystemClock
from db.housekeeping.status import check_database, read_status
from db.session import Database as Opened
from db.session import connect, is_embedded

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
    settings = settings_of(database=database)
    run_plainly(lambda: sweep(settings, SystemClock(), is_dry_run=is_dry_run, as_json=as_json))


@database.command(epilog="Example: ringside database status --json")
def status(*, database: Database = None, as_json: AsJSON = False) -> None:
    """Show where a database stands, how large it is, and what it holds."""
    settings = settings_of(database=database)
    run_plainly(lambda: show(settings, as_json=as_json))


@database.command(epilog="Example: ringside database check")
def check(*, database: Database = None, as_json: AsJSON = False) -> None:
    """Read a whole SQLite file and say what is wrong with it. Ends with 1 if anything is."""
    settings = settings_of(database=database)
    run_plainly(lambda: examine(settings, as_json=as_json))


async def sweep(settings: Settings, clock: Clock, *, is_dry_run: bool, as_json: bool) -> None:
    """Let go, and report."""
    async with _opened(settings) as db:
        found = await tidy(db, clock, is_dry_run=is_dry_run)
    if as_json:
        print_json({"isDryRun": is_dry_run, "tables": [asdict(one) for one in found]})
        return
    title = "Would be let go" if is_dry_run else "Let go"
    print_table(title, ["What", "Rows", "Kept in"], [(one.name, f"{one.rows:,}", one.file) for one in found])


async def show(settings: Settings, *, as_json: bool) -> None:
    """Report what a database holds."""
    stands = await asyncio.to_thread(standing, settings.database)
    async with _opened(settings) as db:
        found = await read_status(db)
    pending = [one.name for one in stands.revisions if not one.is_applied]
    if as_json:
        print_json({**asdict(found), "pending": pending})
        return
    about = "about " if found.are_estimates else ""
    rows = [(one.name, "?" if one.rows is None else f"{about}{one.rows:,}") for one in found.tables if one.rows != 0]
    print_table(f"{found.engine} {found.version}, revision {found.revision}", ["Table", "Rows"], rows)
    console.print(f"{found.size:,} bytes, and {found.log_size:,} in its log of changes", highlight=False)
    if pending:
        console.print(f"[bold yellow]{len(pending)} migrations are pending[/]: ringside migrate up", highlight=False)


async def examine(settings: Settings, *, as_json: bool) -> None:
    """Check a database, and report. Ends with 1 if something is wrong."""
    async with _opened(settings) as db:
        wrong = await check_database(db)
    if as_json:
        print_json({"isSound": not wrong, "wrong": wrong})
    elif wrong:
        for one in wrong:
            console.print(plain(one), soft_wrap=True)
    elif is_embedded(settings.database):
        console.print("[bold green]Sound:[/] every page and every reference is as it should be.")
    else:
        console.print("PostgreSQL looks after its own pages and references: there is nothing to check from here.")
    if wrong:
        raise typer.Exit(1)


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[Opened]:
    db = await connect(settings.database, pool_size=2, sealer=settings.sealer)
    try:
        yield db
    finally:
        await db.close()
