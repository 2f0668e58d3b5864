"""`ringside backup`: a database as one file, made while it is in use, read through, and put back."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from api import backups
from api.backups import Backup, Outcome
from api.commands.output import console, errors, plain, print_json, print_table
from db.archive import BadArchive
from db.backups.target import Target
from db.clock import Clock
from db.snapshot import Progress as Told


async def make(url: str, clock: Clock, target: Target, *, keep: int | None, as_json: bool) -> None:
    """Make a backup, and report."""
    with _bar("Copying", is_shown=not as_json) as progress:
        made = await backups.create(url, target, now=clock.now(), progress=progress)
    gone = [] if keep is None else await asyncio.to_thread(backups.prune, target, keep=keep)
    if as_json:
        print_json({**_told(made), "deleted": gone})
        return
    rows = 0 if made.manifest is None else made.manifest.rows
    console.print(f"[bold green]Made[/] {plain(made.name)}: {rows:,} rows, {made.size:,} bytes", soft_wrap=True)
    for name in gone:
        console.print(f"Deleted {plain(name)}", soft_wrap=True)


def show(target: Target, *, as_json: bool) -> None:
    """List backups."""
    listed = backups.found(target)
    if as_json:
        print_json([_told(one) for one in listed])
        return
    if not listed:
        console.print("There are no backups yet. [bold]ringside backup create[/] makes one.")
        return
    rows = [(one.name, f"{one.size:,}", *_columns(one)) for one in listed]
    print_table("Backups", ["Name", "Bytes", "Rows", "Revision", "Engine"], rows)
    for one in listed:
        if one.problem:
            console.print(f"[bold red]{plain(one.name)}[/] {plain(one.problem)}", soft_wrap=True)


def read_through(target: Target, name: str, *, as_json: bool) -> None:
    """Verify a backup, and report. Ends with 1 if it is not whole."""
    name = _named(target, name)
    try:
        with _bar("Reading", is_shown=not as_json) as progress:
            found = backups.check(target, name, lambda rows: progress("", rows))
    except BadArchive as bad:
        if as_json:
            print_json({"name": name, "isWhole": False, "problem": bad.message})
            raise typer.Exit(1) from bad
        raise
    if as_json:
        print_json({**_told(found), "isWhole": True})
        return
    rows = 0 if found.manifest is None else found.manifest.rows
    console.print(f"[bold green]Whole:[/] {plain(name)}, {rows:,} rows, each as it was written", soft_wrap=True)


def delete(target: Target, name: str, *, as_json: bool) -> None:
    """Delete a backup, and report."""
    target.remove(name)
    if as_json:
        print_json({"name": name})
        return
    console.print(f"[bold green]Deleted[/] {plain(name)}", soft_wrap=True)


async def put_back(url: str, clock: Clock, target: Target, name: str, *, is_dry_run: bool, as_json: bool) -> None:
    """Restore a backup, and report."""
    name = await asyncio.to_thread(_named, target, name)
    with _bar("Storing", is_shown=not as_json) as progress:
        outcome = await backups.restore(url, target, name, is_dry_run=is_dry_run, now=clock.now(), progress=progress)
    _report(name, outcome, as_json=as_json)


def _report(name: str, outcome: Outcome, *, as_json: bool) -> None:
    withheld = outcome.manifest.withheld
    if as_json:
        print_json(
            {
                "name": name,
                "isDone": outcome.is_done,
                "migratesFrom": outcome.migrates_from,
                "withheldSecrets": withheld,
                "tables": [{"name": table, "before": now, "after": then} for table, now, then in outcome.tables],
            }
        )
        return
    title = f"{'Put back' if outcome.is_done else 'Would be put back'}: {name}"
    print_table(title, ["Table", "Rows before", "Rows after"], [row for row in outcome.tables if any(row[1:])])
    if outcome.migrates_from is not None:
        verb = "was" if outcome.is_done else "would be"
        console.print(f"It is of revision {outcome.migrates_from} and {verb} brought up to this version's.")
    if withheld:
        console.print(
            f"[bold yellow]{withheld} secrets are not in it[/], because no key seals them "
            "(RINGSIDE_SECRET_KEY): set them again."
        )


def _named(target: Target, name: str) -> str:
    if name != "latest":
        return name
    names = target.names()
    if not names:
        raise ValueError("There are no backups yet. `ringside backup create` makes one.")
    return names[0]


def _told(one: Backup) -> dict[str, Any]:
    manifest = one.manifest
    return {
        "name": one.name,
        "bytes": one.size,
        "madeAt": one.made_at,
        "rows": None if manifest is None else manifest.rows,
        "revision": None if manifest is None else manifest.revision,
        "engine": None if manifest is None else manifest.engine,
        "withheldSecrets": None if manifest is None else manifest.withheld,
        "problem": one.problem or None,
    }


def _columns(one: Backup) -> tuple[object, ...]:
    manifest = one.manifest
    if manifest is None:
        return ("cannot be read", None, None)
    return (f"{manifest.rows:,}", manifest.revision, manifest.engine)


@contextmanager
def _bar(verb: str, *, is_shown: bool) -> Iterator[Told]:
    """Show how many rows are done, on what is not the answer."""
    columns = (TextColumn(verb), BarColumn(bar_width=20), TextColumn("{task.completed:,} rows"), TimeElapsedColumn())
    with Progress(
        *columns, TextColumn("{task.fields[table]}"), console=errors, disable=not is_shown, transient=True
    ) as bar:
        task = bar.add_task("", total=None, table="")
        yield lambda table, rows: bar.update(task, advance=rows, table=table)
