"""`ringside export`: a list given out whole, from a database or from a server that runs, to a file or to the screen."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

from api.client import Client
from api.commands.output import console, errors, fail, plain, print_json, print_table
from api.export_formats import ExportFormat, ExportWriter
from db.access import operations as access
from db.access.viewer import Role, Viewer
from db.clock import Clock
from db.connecting import connect
from db.errors import NotFound
from db.ids import new_id
from db.session import Session
from schema import build_schema
from schema.context import Context
from schema.exporting import Export, Exports

SCREEN = Path("-")


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is to be exported, and how it is written."""

    kind: str
    format: ExportFormat
    filters: Sequence[str] = ()
    fields: str | None = None
    is_for_spreadsheets: bool = False

    @property
    def parameters(self) -> list[tuple[str, str]]:
        """What a server is asked with."""
        found = [("filter", one) for one in self.filters]
        if self.fields is not None:
            found.append(("fields", self.fields))
        return [*found, ("forSpreadsheets", "true")] if self.is_for_spreadsheets else found


def wanted_of(
    kind: str,
    written_as: str | None,
    file: Path | None,
    *,
    filters: Sequence[str],
    fields: str | None,
    is_for_spreadsheets: bool,
) -> Wanted:
    """Return what a command was told, checked. Where no format is said, the name of the file says it, or it is CSV."""
    name = written_as or _format_named(file)
    if name not in set(ExportFormat):
        fail(f"--format is csv or jsonl; {name!r} was said.")
    return Wanted(
        kind=kind,
        format=ExportFormat(name),
        filters=filters,
        fields=fields,
        is_for_spreadsheets=is_for_spreadsheets,
    )


def _format_named(file: Path | None) -> str:
    ending = "" if file is None else file.suffix.removeprefix(".").lower()
    return ending if ending in set(ExportFormat) else ExportFormat.CSV


def show_lists(*, as_json: bool) -> None:
    """Show what can be exported."""
    kinds = Exports(build_schema()).kinds.values()
    if as_json:
        told = [{"name": one.name, "description": one.description, "filters": list(one.filters)} for one in kinds]
        print_json(told)
        return
    print_table("Lists", ["Name", "What it holds, a row each"], [(one.name, one.description) for one in kinds])


async def give_out(
    url: str, clock: Clock, wanted: Wanted, file: Path | None, *, user: str | None, as_json: bool
) -> None:
    """Export from a database, with an admin's eyes or those of a user."""
    # Before anything is opened: what is asked for may not be there.
    export = Exports(build_schema()).prepare(wanted.kind, fields=wanted.fields, filters=wanted.filters)
    writer = ExportWriter(wanted.format, export.columns, is_for_spreadsheets=wanted.is_for_spreadsheets)
    db = await connect(url, pool_size=4)
    try:
        async with db.read() as session:
            viewer = await _viewer(session, user)
        context = Context(db=db, clock=clock, asker=viewer)
        with _opened(file) as into, _rows_bar(is_shown=_is_shown(file, as_json=as_json)) as progress:
            await _write(export, writer, context, into, progress)
    finally:
        await db.close()
    _report(wanted, file, writer.size, writer.rows, as_json=as_json)


async def download(client: Client, wanted: Wanted, file: Path | None, *, as_json: bool) -> None:
    """Export from a server that runs, as the user of the token sees it."""
    path = f"/export/{wanted.kind}.{wanted.format}"
    size = 0
    with _opened(file) as into, _bytes_bar(is_shown=_is_shown(file, as_json=as_json)) as progress:
        async with client.download(path, wanted.parameters) as parts:
            async for part in parts:
                into.write(part)
                size += len(part)
                progress(size)
    _report(wanted, file, size, None, as_json=as_json)


async def _write(
    export: Export,
    writer: ExportWriter,
    context: Context,
    into: IO[bytes],
    progress: Callable[[int, int | None], None],
) -> None:
    total = await export.count(context)
    progress(0, total)
    into.write(writer.begin())
    async for rows in export.pages(context):
        into.write(writer.write(rows))
        progress(writer.rows, total)


async def _viewer(session: Session, name: str | None) -> Viewer:
    if name is None:
        return Viewer(user_id=new_id(), token_id=new_id(), role=Role.ADMIN)
    user = await access.find_user(session, name)
    if user is None:
        raise NotFound(f"There is no user {name}. `ringside token create --user {name}` makes one.")
    return Viewer(user_id=user.id, token_id=new_id(), role=user.role)


@contextmanager
def _opened(file: Path | None) -> Iterator[IO[bytes]]:
    """Open a file under another name, and give it its own when all is there; without one, the screen."""
    if file is None or file == SCREEN:
        try:
            yield sys.stdout.buffer
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            # Whoever reads has enough. What is still to be flushed goes nowhere.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return
    unfinished = file.with_name(f".{file.name}.unfinished")
    try:
        with unfinished.open("wb") as into:
            yield into
        unfinished.replace(file)
    finally:
        unfinished.unlink(missing_ok=True)


def _is_shown(file: Path | None, *, as_json: bool) -> bool:
    return not as_json and file is not None and file != SCREEN


@contextmanager
def _rows_bar(*, is_shown: bool) -> Iterator[Callable[[int, int | None], None]]:
    columns = (TextColumn("Writing"), BarColumn(bar_width=30), TextColumn("{task.completed:,} of {task.total:,} rows"))
    with Progress(*columns, TimeElapsedColumn(), console=errors, disable=not is_shown, transient=True) as bar:
        task = bar.add_task("", total=0)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@contextmanager
def _bytes_bar(*, is_shown: bool) -> Iterator[Callable[[int], None]]:
    columns = (TextColumn("Receiving"), BarColumn(bar_width=30), DownloadColumn(), TimeElapsedColumn())
    with Progress(*columns, console=errors, disable=not is_shown, transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda size: bar.update(task, completed=size)


def _report(wanted: Wanted, file: Path | None, size: int, rows: int | None, *, as_json: bool) -> None:
    if file is None or file == SCREEN:
        return
    if as_json:
        print_json({"list": wanted.kind, "file": str(file), "rows": rows, "bytes": size})
        return
    told = f"{size:,} bytes" if rows is None else f"{rows:,} rows, {size:,} bytes"
    console.print(f"[bold green]Wrote[/] {plain(file)}: {told}", highlight=False, soft_wrap=True)
