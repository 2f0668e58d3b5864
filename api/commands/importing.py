"""`ringside import`: a list taken in from a file, and what became of each row."""

from collections.abc import Callable, Iterator
from contextlib import aclosing, contextmanager
from pathlib import Path

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from api import import_files
from api.client import Client
from api.commands.output import console, errors, print_json, print_table
from api.import_files import format_of, told_of
from api.opening import open_database
from api.settings import Settings
from db.clock import Clock
from db.importing import Bringer, ImportReport, Problem
from db.importing import take_in as store
from schema import build_schema
from schema.exporting import Exports
from schema.importing import find_import, known_columns

_MOST_SHOWN = 20


async def take_in(
    settings: Settings, clock: Clock, kind: str, file: Path, *, said: str | None, is_dry_run: bool, as_json: bool
) -> None:
    """Take a list in, and report. Ends with 1 if it was refused."""
    importing = find_import(kind, "goals")
    written_as = format_of(file, said)
    known = known_columns(Exports(build_schema()), importing)
    db = await open_database(settings, pool_size=2)
    try:
        with _bar(is_shown=not as_json) as progress:
            async with aclosing(import_files.pages(file, written_as, known)) as pages:
                report = await store(
                    db,
                    importing,
                    pages,
                    Bringer(viewer=None, now=clock.now()),
                    is_dry_run=is_dry_run,
                    most=settings.import_rows,
                    progress=progress,
                )
    finally:
        await db.close()
    _report(report, is_dry_run=is_dry_run, as_json=as_json)
    if report.problem_count:
        raise typer.Exit(1)


async def send(client: Client, kind: str, file: Path, *, said: str | None, is_dry_run: bool, as_json: bool) -> None:
    """Have a server that runs take a list in, and report. Ends with 1 if it was refused."""
    parameters = {"dryRun": "true"} if is_dry_run else {}
    path = f"/import/{kind}.{format_of(file, said)}"
    with _bar(is_shown=not as_json, what="Sending", of="bytes") as progress:
        told = (await client.upload(path, file, parameters, progress))["import"]
    problems = [Problem(**one) for one in told["problems"]]
    counts = {name: told[name] for name in ("rows", "made", "changed", "unchanged")}
    report = ImportReport(**counts, is_stored=told["isStored"], problem_count=told["problemCount"], problems=problems)
    _report(report, is_dry_run=is_dry_run, as_json=as_json)
    if report.problem_count:
        raise typer.Exit(1)


def _report(report: ImportReport, *, is_dry_run: bool, as_json: bool) -> None:
    if as_json:
        print_json(told_of(report))
        return
    verb = "Refused" if report.problem_count else "Would be taken in" if is_dry_run else "Taken in"
    said = ", ".join(f"{getattr(report, name):,} {name}" for name in ("rows", "made", "changed", "unchanged"))
    console.print(f"[bold]{verb}:[/] {said}", highlight=False)
    if report.problem_count:
        rows = [(one.line, one.column, one.reason) for one in report.problems[:_MOST_SHOWN]]
        print_table(f"{report.problem_count:,} rows cannot be taken in: nothing was", ["Line", "Column", "Why"], rows)
        if report.problem_count > len(rows):
            console.print(f"and {report.problem_count - len(rows):,} more: `--json` tells a hundred of them")


@contextmanager
def _bar(*, is_shown: bool, what: str = "Storing", of: str = "rows") -> Iterator[Callable[[int], None]]:
    columns = (TextColumn(what), BarColumn(bar_width=20), TextColumn(f"{{task.completed:,}} {of}"))
    with Progress(*columns, TimeElapsedColumn(), console=errors, disable=not is_shown, transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda done: bar.update(task, completed=done)
