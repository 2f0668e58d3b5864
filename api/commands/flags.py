"""`ringside flags`: images of flags found in a folder, at the machine's own console."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from api.commands import tokens
from api.commands.options import AsJSON, Database, plainly, run_plainly, settings_of
from api.commands.output import console, errors, plain, print_json, print_table
from db.clock import Clock, SystemClock
from db.flags.scanning import Scan, scan
from db.session import connect

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
    settings = settings_of(database=database)
    plainly(lambda: tokens.prepare(settings.database, may_make=True))
    run_plainly(
        lambda: find(settings.database, SystemClock(), directory, largest=settings.largest_flag, as_json=as_json)
    )


async def find(url: str, clock: Clock, path: Path, *, largest: int, as_json: bool) -> None:
    """Store the flags of a folder, showing how far it is."""
    db = await connect(url)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    try:
        with Progress(*columns, console=errors, disable=as_json) as progress:
            task = progress.add_task(path.name, total=None)

            def note(name: str, total: int) -> None:
                progress.update(task, advance=1, total=total, description=plain(name[:24].ljust(24)))

            done = await scan(db, path, largest=largest, now=clock.now(), on_file=note)
            progress.update(task, description=path.name.ljust(24))
    finally:
        await db.close()
    if as_json:
        print_json(asdict(done))
        return
    _print(done)


def _print(done: Scan) -> None:
    known = f"{done.recognized} recognised, {len(done.unrecognized)} not, {len(done.refused)} refused"
    news = f"{done.added} new, {done.changed} changed, {done.unchanged} as they were"
    console.print(f"[bold green]Looked at[/] {done.files} images: {known}; {news}.", highlight=False)
    if done.unrecognized:
        print_table("Whose are these?", ["File"], [[name] for name in done.unrecognized])
    if done.refused:
        print_table("Refused", ["File", "Why"], [[one.file_name, one.reason] for one in done.refused])
