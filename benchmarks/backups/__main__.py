"""Back a database up while rows are written to it, put that into an empty one, and compare every row of every table.

    uv run python -m benchmarks.backups
    uv run python -m benchmarks.backups --rows 1000000 --rate 1000

For a source of each kind, and each kind that it is put into. Fails if a row differs from how it stood when the backup
took its snapshot, or if fewer rows were written a second than asked for. Databases are made and dropped.
"""

import argparse
import asyncio
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import asyncpg
from rich.console import Console
from sqlmodel import col, select

from api.backups import create, restore
from api.migrate import migrate_up
from db.backups.target import Target
from db.bus import BusKind
from db.connecting import connect
from db.ids import new_id
from db.streams.tables import StreamGoal
from db.urls import is_embedded, sqlite_path
from tests.db.stored import NOW, everything
from tests.support.ledger import ROWS, Ledger

_SERVER = "postgresql://postgres@127.0.0.1:5432"
_WRITERS = 8
_WARM_SECONDS = 2.0
_console = Console()


@dataclass(frozen=True, kw_only=True)
class Made:
    """A backup made under writes: how long it took, and how long transactions took meanwhile, in milliseconds."""

    name: str
    seconds: float
    size: int
    rows: int
    written_per_second: float
    waits: Sequence[float]
    waits_before: Sequence[float]


@asynccontextmanager
async def _database(kind: str, server: str, folder: Path) -> AsyncIterator[str]:
    """Give the URL of a database that is empty, and gone afterwards."""
    name = f"ringside_backups_{uuid4().hex[:8]}"
    if kind == "sqlite":
        yield f"sqlite:///{folder / name}.db"
        return
    admin = await asyncpg.connect(f"{server}/postgres")
    await admin.execute(f"CREATE DATABASE {name}")
    try:
        yield f"{server}/{name}"
    finally:
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await admin.close()


async def _fill(url: str, rows: int) -> None:
    """Store athletes, so that a backup has something to do for a while."""
    columns = ("id", "name", "short_name", "country_code")
    made: Iterator[tuple[str, ...]] = (
        (new_id().hex, f"Athlete {number:07} of the {number % 997}th", f"A. {number}", f"Z{number % 1000}")
        for number in range(rows)
    )
    if is_embedded(url):
        with closing(sqlite3.connect(sqlite_path(url))) as connection, connection:
            connection.executemany(f"INSERT INTO athletes ({', '.join(columns)}) VALUES (?, ?, ?, ?)", made)  # noqa: S608 -- ours
        return
    server = await asyncpg.connect(url)
    await server.copy_records_to_table("athletes", records=made, columns=columns)
    await server.close()


async def measure(kind: str, server: str, folder: Path, *, rows: int, rate: float, is_beside: bool) -> None:
    """Make a backup of a database of a kind under writes, and put it into an empty one of each kind."""
    target = Target(str(folder / "kept"))
    async with _database(kind, server, folder) as url:
        await asyncio.to_thread(migrate_up, url)
        await _fill(url, rows)
        db = await connect(url, bus=BusKind.LOCAL)
        try:
            ledger = await Ledger.open(db, NOW, writers=_WRITERS)
            made = await _back_up(url, target, ledger, rate, is_beside=is_beside)
            after = await everything(db)
        finally:
            await db.close()
    _told(kind, made)
    for into in ("sqlite", "postgresql"):
        async with _database(into, server, folder) as empty:
            began = asyncio.get_running_loop().time()
            await restore(empty, target, made.name, is_dry_run=False, now=NOW, progress=lambda _table, _rows: None)
            seconds = asyncio.get_running_loop().time() - began
            await _compare(empty, ledger, after)
            _console.print(f"  put into {into}: {seconds:.1f} s, every row of {len(after)} tables as it was")
    assert made.written_per_second >= 0.98 * rate, "as much was written as was asked for"


async def _back_up(url: str, target: Target, ledger: Ledger, rate: float, *, is_beside: bool) -> Made:
    loop = asyncio.get_running_loop()
    each = rate / ROWS / _WRITERS
    over = asyncio.Event()
    writers = [asyncio.create_task(ledger.keep_writing(one, over, per_second=each)) for one in range(_WRITERS)]
    await asyncio.sleep(_WARM_SECONDS)
    began = loop.time()
    made = await create(url, target, now=datetime.now(UTC), progress=lambda _table, _rows: None, is_beside=is_beside)
    ended = loop.time()
    over.set()
    await asyncio.gather(*writers)
    during = [(at, until) for at, until in ledger.took if began <= until <= ended]
    before = [(at, until) for at, until in ledger.took if began - _WARM_SECONDS <= until < began]
    assert made.manifest is not None
    return Made(
        name=made.name,
        seconds=ended - began,
        size=made.size,
        rows=made.manifest.rows,
        written_per_second=ROWS * len(during) / (ended - began),
        waits=_milliseconds(during),
        waits_before=_milliseconds(before),
    )


def _milliseconds(took: Sequence[tuple[float, float]]) -> list[float]:
    return sorted(1000 * (until - at) for at, until in took)


def _told(kind: str, made: Made) -> None:
    _console.print(
        f"{kind}: {made.rows:,} rows in {made.seconds:.1f} s, {made.size / 1e6:.1f} MB, while "
        f"{made.written_per_second:,.0f} rows/s were written. A transaction of {ROWS} took "
        f"{_shown(made.waits)}; before that {_shown(made.waits_before)}"
    )


def _shown(waits: Sequence[float]) -> str:
    if not waits:
        return "nothing: none ended"
    return f"p50 {waits[len(waits) // 2]:.1f} ms, p99 {waits[int(len(waits) * 0.99)]:.1f}, most {waits[-1]:.1f}"


async def _compare(url: str, ledger: Ledger, after: dict[str, list[tuple[object, ...]]]) -> None:
    """Compare what was put back with how everything stood behind the last transaction that is in it."""
    db = await connect(url, bus=BusKind.LOCAL)
    try:
        async with db.read() as session:
            of_shared = col(StreamGoal.id) == ledger.shared.id
            moment = await session.scalar(select(col(StreamGoal.revision)).where(of_shared))
        found, expected = await everything(db), ledger.expected(after, int(moment))
    finally:
        await db.close()
    assert moment < ledger.last, "there was something to tell apart"
    for name, rows in expected.items():
        assert found[name] == rows, f"{name} is not as it was at {moment}"


async def _run(given: argparse.Namespace) -> None:
    for kind in given.of:
        with tempfile.TemporaryDirectory(prefix="ringside-backups-") as folder:
            await measure(
                kind, given.server, Path(folder), rows=given.rows, rate=given.rate, is_beside=not given.within
            )


def main() -> None:
    """Measure as the command line says."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--of", nargs="+", choices=("sqlite", "postgresql"), default=["sqlite", "postgresql"])
    parser.add_argument("--rows", type=int, default=200_000, help="that are there before")
    parser.add_argument("--rate", type=float, default=1000.0, help="rows written a second")
    parser.add_argument("--within", action="store_true", help="write it in the process that the writers are in")
    parser.add_argument("--server", default=_SERVER)
    asyncio.run(_run(parser.parse_args()))


main()
