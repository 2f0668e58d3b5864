"""Documents of goals, as other programs write and read them: into a database and out of it."""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from api.client import Client
from api.commands.output import console, errors, plain, print_json, print_table
from api.opening import open_database
from api.settings import Settings
from db.access import operations as access
from db.access.tables import User
from db.clock import Clock
from db.connecting import connect
from db.errors import NotFound
from db.practice.document import Refused
from db.practice.importing import Progress as Told
from db.practice.importing import Report, export_goals, import_goals
from db.practice.templates import zone_of
from db.session import Session

_MOST_SHOWN = 20
_IMPORT = """
mutation ($document: String!, $isDryRun: Boolean!) {
  goalsImport(document: $document, isDryRun: $isDryRun) {
    report { made merged unchanged linked refused { place uuid reason } dangling { place uuid reason } }
    errors { field message }
  }
}"""


async def take_in(settings: Settings, clock: Clock, text: bytes, *, user: str, is_dry_run: bool, as_json: bool) -> None:
    """Import, and report."""
    db = await open_database(settings, pool_size=2)
    try:
        async with db.read() as session:
            owner = await _user(session, user)
        with _bar(is_shown=not as_json) as progress:
            async with db.transaction() as tx:
                report = await import_goals(
                    tx,
                    text,
                    owner_id=owner.id,
                    is_dry_run=is_dry_run,
                    progress=progress,
                    viewer=None,
                    now=clock.now(),
                )
    finally:
        await db.close()
    _report(report, is_dry_run=is_dry_run, as_json=as_json)
    if report.refused:
        raise typer.Exit(1)


async def send(client: Client, text: bytes, *, is_dry_run: bool, as_json: bool) -> None:
    """Have a server that runs import, and report."""
    found = (await client.change(_IMPORT, document=text.decode(), isDryRun=is_dry_run))["report"]
    remarks = {name: [_remarked(one) for one in found[name]] for name in ("refused", "dangling")}
    report = Report(**{**found, **remarks})
    _report(report, is_dry_run=is_dry_run, as_json=as_json)
    if report.refused:
        raise typer.Exit(1)


async def give_out(url: str, file: Path | None, *, user: str, as_json: bool) -> None:
    """Export."""
    db = await connect(url, pool_size=2)
    try:
        async with db.read() as session:
            owner = await _user(session, user)
            text = await export_goals(session, owner_id=owner.id, zone=await zone_of(session, owner.id), viewer=None)
    finally:
        await db.close()
    if file is None:
        sys.stdout.write(text.decode() + "\n")
        return
    await asyncio.to_thread(file.write_bytes, text)
    if as_json:
        print_json({"file": str(file), "bytes": len(text)})
        return
    console.print(f"[bold green]Wrote[/] {plain(file)} ({len(text):,} bytes)", highlight=False, soft_wrap=True)


@contextmanager
def _bar(*, is_shown: bool) -> Iterator[Told]:
    """Show how far it is, on what is not the answer."""
    columns = (TextColumn("Storing"), BarColumn(bar_width=40), MofNCompleteColumn())
    with Progress(*columns, console=errors, disable=not is_shown, transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


async def _user(session: Session, name: str) -> User:
    found = await access.find_user(session, name)
    if found is None:
        raise NotFound(f"There is no user {name}. `ringside token create --user {name}` makes one.")
    return found


def _report(report: Report, *, is_dry_run: bool, as_json: bool) -> None:
    counts = {name: getattr(report, name) for name in ("made", "merged", "unchanged", "linked")}
    remarks = {"refused": report.refused, "dangling": report.dangling}
    if as_json:
        told = {name: [_remark(one) for one in found] for name, found in remarks.items()}
        print_json({**counts, **told, "isStored": not (is_dry_run or report.refused)})
        return
    verb = "Refused" if report.refused else "Would be taken in" if is_dry_run else "Taken in"
    said = ", ".join(f"{count:,} {name}" for name, count in counts.items())
    console.print(f"[bold]{verb}:[/] {said}", highlight=False)
    for name, found in remarks.items():
        if found:
            rows = [(one.place, one.node_id, one.reason) for one in found[:_MOST_SHOWN]]
            print_table(f"{name.title()}: {len(found):,}", ["Place", "Id", "Why"], rows)


def _remarked(one: dict[str, str]) -> Refused:
    return Refused(place=one["place"], node_id=one["uuid"], reason=one["reason"])


def _remark(one: Refused) -> dict[str, str]:
    return {"place": one.place, "id": one.node_id, "reason": one.reason}
