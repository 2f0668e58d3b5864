"""The command: `uv run --group benchmarks python -m benchmarks.social --help`."""

import asyncio
import os
import shlex
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from api.loop import run
from benchmarks.graph import fleet
from benchmarks.graph.fleet import Disagreement
from benchmarks.kept import drop_sqlite, version_of
from benchmarks.social import crowd, databases, inside, outside, questions, report
from benchmarks.social.crowd import Crowded
from benchmarks.social.dataset import Sizes
from benchmarks.social.inside import Answered
from benchmarks.social.outside import Loads
from benchmarks.social.questions import SHAPES, Subjects
from db.connecting import connect

_RECORD = Path(__file__).with_name("RESULTS.md")
_FOLDER = Path(tempfile.gettempdir()) / "ringside-benchmark"
_WHOLE = 1_000_000
# Readers who follow so many, and the one who follows most. The one in the middle asks for everything else.
_FOLLOWED = (25, 200)
_err = Console(stderr=True)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the command line asked for."""

    sizes: Sizes
    server: str
    sqlite: Path
    is_fresh: bool
    is_dropped: bool
    rounds: int
    seconds: int
    count: int
    with_load: bool


@dataclass(kw_only=True)
class Found:
    """What was measured."""

    version: str = ""
    inside: dict[str, list[Answered]] = field(default_factory=dict)
    crowds: dict[str, Crowded] = field(default_factory=dict)
    loads: Loads = field(default_factory=dict)


def main(
    *,
    entries: Annotated[int, typer.Option(min=50_000, help="How many entries.")] = _WHOLE,
    resonances: Annotated[int | None, typer.Option(help="How many resonances: 5 for each entry if not said.")] = None,
    follows: Annotated[int | None, typer.Option(help="How many follows: one for two entries if not said.")] = None,
    users: Annotated[int | None, typer.Option(help="How many users: one for 50 entries if not said.")] = None,
    rounds: Annotated[int, typer.Option(min=2, max=50, help="How often each server is loaded.")] = 3,
    seconds: Annotated[int, typer.Option(min=1, max=60, help="How long a burst is.")] = 1,
    count: Annotated[int, typer.Option(min=5, help="How many requests of each are made in process.")] = 200,
    server: Annotated[
        str, typer.Option(envvar="RINGSIDE_BENCHMARK_POSTGRESQL", help="PostgreSQL server to make the database on.")
    ] = "postgresql://postgres@127.0.0.1:5432",
    folder: Annotated[Path, typer.Option(help="Where to make the SQLite file.")] = _FOLDER,
    fresh: Annotated[bool, typer.Option("--fresh", help="Make the data set anew.")] = False,
    drop: Annotated[bool, typer.Option("--drop", help="Drop the data set afterwards.")] = False,
    with_load: Annotated[bool, typer.Option("--load/--no-load", help="Measure over HTTP, too.")] = True,
    record: Annotated[Path, typer.Option(help="Where to write the record: of a whole run.")] = _RECORD,
) -> None:
    """Measure feeds, threads and crowds over a million entries, beside PostGraphile."""
    sizes = Sizes(
        entries=entries,
        resonances=5 * entries if resonances is None else resonances,
        follows=entries // 2 if follows is None else follows,
        users=entries // 50 if users is None else users,
    )
    asked = Asked(
        sizes=sizes,
        server=server,
        sqlite=folder.absolute() / f"social_{entries}.db",
        is_fresh=fresh,
        is_dropped=drop,
        rounds=rounds,
        seconds=seconds,
        count=count,
        with_load=with_load,
    )
    began, load = time.perf_counter(), os.getloadavg()[0]
    found = _measure(asked)
    made = report.Report(
        command=shlex.join(["uv", "run", "--group", "benchmarks", "python", "-m", "benchmarks.social", *sys.argv[1:]]),
        postgresql=found.version,
        sqlite=sqlite3.sqlite_version,
        sizes=sizes,
        rounds=rounds,
        seconds=seconds,
        count=count,
        load=(load, os.getloadavg()[0]),
        took=time.perf_counter() - began,
        inside=found.inside,
        crowds=found.crowds,
        loads=found.loads,
    )
    report.show(made, Console(width=None if sys.stdout.isatty() else 180))
    if with_load and entries == _WHOLE:
        report.write(made, record)


def _measure(asked: Asked) -> Found:
    if asked.with_load:
        if shutil.which("wrk") is None:
            raise typer.BadParameter("wrk makes the load: apt-get install wrk.")
        fleet.install_node_peers(_err.print)
    found = Found()

    async def everything() -> None:
        kept = databases.kept(asked.sizes)
        found.version = await version_of(asked.server)
        urls = await asyncio.gather(
            kept.on_postgresql(
                asked.server,
                lambda url: databases.fill_postgresql(url, asked.sizes, _err.print),
                is_fresh=asked.is_fresh,
            ),
            kept.on_sqlite(
                asked.sqlite,
                lambda path: databases.fill_sqlite(path, asked.sizes, _err.print),
                is_fresh=asked.is_fresh,
            ),
        )
        await _inside(urls, asked, found)
        if asked.with_load:
            await _outside(urls, asked, found)
        if asked.is_dropped:
            await kept.drop_postgresql(asked.server)
            drop_sqlite(asked.sqlite)

    run(everything)
    return found


async def _inside(urls: tuple[str, str], asked: Asked, found: Found) -> None:
    for name, url in zip(("PostgreSQL", "SQLite"), urls, strict=True):
        async with inside.house_on(url) as house:
            subjects = await questions.find_subjects(house.db, _FOLLOWED)
            with _progress(f"in process over {name}", len(SHAPES) + len(subjects.readers) - 1) as advance:
                found.inside[name] = await inside.measure(house, subjects, list(SHAPES.values()), asked.count, advance)
            _err.print(f"{name}: {crowd.CALLS:,} calls at once on one entry")
            found.crowds[name] = await crowd.crowd(house, subjects)
            await inside.drop_tokens(house.db)
    _compare(found)


def _compare(found: Found) -> None:
    """Raise `Disagreement` unless the databases say the same."""
    for one, other in zip(*found.inside.values(), strict=True):
        if one.answer != other.answer:
            raise Disagreement(
                f"{one.shape.name}: the databases differ:\n{str(one.answer)[:500]}\n{str(other.answer)[:500]}"
            )
    _err.print("Both databases give the same answers.")


async def _outside(urls: tuple[str, str], asked: Asked, found: Found) -> None:
    cores = sorted(os.sched_getaffinity(0))
    core, other = (cores[0], cores[1]) if len(cores) > 1 else (None, None)
    tokens = [await _token(url) for url in urls]
    subjects = tokens[0][1]
    with tempfile.TemporaryDirectory(prefix="ringside-social-") as logs:
        secrets = (tokens[0][0], tokens[1][0])
        with outside.serving(subjects, urls, secrets, core=core, logs=Path(logs)) as up:
            wanted = [shape for shape in SHAPES.values() if shape.name not in questions.INSIDE_ALONE]
            outside.compare(up, wanted)
            _err.print(f"All {len(up)} servers give the same answers.")
            bursts = sum(len(outside.able(up, shape)) * (1 + (shape.name in questions.COMPARED)) for shape in wanted)
            with _progress("over HTTP", bursts * (asked.rounds + 1)) as advance:
                found.loads = await outside.measure(
                    up, wanted, urls[0], rounds=asked.rounds, seconds=asked.seconds, core=other, advance=advance
                )
    for url in urls:
        await _take_back(url)


async def _token(url: str) -> tuple[str, Subjects]:
    """Let the reader in the middle ask."""
    db = await connect(url)
    try:
        subjects = await questions.find_subjects(db, _FOLLOWED)
        return await inside.make_token(db, subjects.readers[len(subjects.readers) // 2].id), subjects
    finally:
        await db.close()


async def _take_back(url: str) -> None:
    db = await connect(url)
    try:
        await inside.drop_tokens(db)
    finally:
        await db.close()


@contextmanager
def _progress(what: str, total: int) -> Iterator[Callable[[str], None]]:
    columns = (SpinnerColumn(), BarColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=_err, transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda now: bar.update(task, advance=1, description=f"{what}: {now}")


if __name__ == "__main__":
    typer.run(main)
