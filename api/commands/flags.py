"""`ringside flags`: images of flags found in a folder, at the machine's own console."""

from dataclasses import asdict
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from api.commands.output import console, errors, plain, print_json, print_table
from api.opening import open_database
from api.settings import Settings
from db.clock import Clock
from db.flags.scanning import Scan, scan


async def find(settings: Settings, clock: Clock, path: Path, *, as_json: bool) -> None:
    """Store the flags of a folder, showing how far it is."""
    db = await open_database(settings)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    try:
        with Progress(*columns, console=errors, disable=as_json) as progress:
            task = progress.add_task(path.name, total=None)

            def note(name: str, total: int) -> None:
                progress.update(task, advance=1, total=total, description=plain(name[:24].ljust(24)))

            most, largest = settings.most_flags, settings.largest_flag
            done = await scan(db, path, largest=largest, most=most, now=clock.now(), on_file=note)
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
