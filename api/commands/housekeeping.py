"""`ringside housekeeping` and `ringside database`: what a database holds, whether it is sound, and what is let go."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict

import typer

from api.commands.output import console, plain, print_json, print_table
from api.opening import open_database
from api.settings import Settings
from api.workers.housekeeping import tidy
from db.clock import Clock
from db.database import Database as Opened
from db.housekeeping.checking import check_database
from db.housekeeping.status import read_status


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
    async with _opened(settings) as db:
        found = await read_status(db)
    if as_json:
        print_json(asdict(found))
        return
    about = "about " if found.are_estimates else ""
    rows = [(one.name, "?" if one.rows is None else f"{about}{one.rows:,}") for one in found.tables if one.rows != 0]
    print_table(f"{found.engine} {found.version}, revision {found.revision}", ["Table", "Rows"], rows)
    console.print(f"{found.size:,} bytes, and {found.log_size:,} in its log of changes", highlight=False)
    if found.pending:
        told = f"[bold yellow]{len(found.pending)} migrations are pending[/]: ringside migrate up"
        console.print(told, highlight=False)


async def examine(settings: Settings, *, as_json: bool) -> None:
    """Check a database, and report. Ends with 1 if something is wrong."""
    async with _opened(settings) as db:
        found = await check_database(db)
    if as_json:
        parts = [asdict(one) for one in found.parts]
        print_json({"isSound": found.is_sound, "wrong": found.wrong, "parts": parts})
    else:
        for one in found.wrong:
            console.print(plain(one), soft_wrap=True)
        verdict = "[bold green]Sound:[/]" if found.is_sound else "[bold red]Not sound.[/] Looked at:"
        looked = ", ".join(f"{one.count:,} {one.name}" for one in found.parts if one.is_checked)
        console.print(f"{verdict} {looked}", highlight=False, soft_wrap=True)
        for part in found.parts:
            if not part.is_checked:
                console.print(f"[bold yellow]Not looked at:[/] {plain(part.name)}", highlight=False, soft_wrap=True)
    if not found.is_sound:
        raise typer.Exit(1)


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[Opened]:
    db = await open_database(settings, pool_size=2)
    try:
        yield db
    finally:
        await db.close()
