"""Give out so many athletes, and take them in: rows a second, and how much memory that takes at its most.

    uv run python -m benchmarks.exports --rows 500000 1000000
    uv run python -m benchmarks.exports --rows 100000 1000000 --server postgresql://postgres@127.0.0.1:5432

A database is made for each number of rows, and dropped. Each step is a process of its own, as its user would start it,
whose memory is asked of the system when it has ended. With several numbers it fails if the most that a step had at the
last of them is further above the first than what is allowed. The peers are what the database itself brings: `sqlite3`
in CSV mode, or `COPY … TO`, which know neither viewers nor ids of the graph.
"""

import argparse
import asyncio
import csv
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from api.migrate import migrate_up
from db.ids import new_id
from db.urls import is_embedded, sqlite_path

_COLUMNS = "id, name, short_name, country_code"


@dataclass(frozen=True, kw_only=True)
class Step:
    """What a process took: wall-clock and processor seconds, and the most memory it had, in MiB."""

    seconds: float
    processor: float
    memory: float


def main() -> None:
    """Measure, and print a line for each step."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, nargs="+", default=[500_000, 1_000_000])
    parser.add_argument("--server", default="", help="a PostgreSQL to make databases on; SQLite if not said")
    parser.add_argument("--most-growth", type=float, default=8.0, help="MiB that a step may have more of at the last")
    given = parser.parse_args()
    found: list[dict[str, Step]] = []
    for rows in given.rows:
        with tempfile.TemporaryDirectory(prefix="ringside-exports-") as folder, _made(given.server, folder) as url:
            found.append(measure(url, Path(folder), rows))
    grown = {name: found[-1][name].memory - step.memory for name, step in found[0].items()}
    if len(found) > 1:
        print("grown by, MiB:", ", ".join(f"{name} {more:+.1f}" for name, more in grown.items()))
    assert max(grown.values()) <= given.most_growth, "memory is flat"


@contextmanager
def _made(server: str, folder: str) -> Iterator[str]:
    """Give the URL of a database that is gone afterwards."""
    if not server:
        yield f"sqlite:///{folder}/from.db"
        return
    name = f"ringside_exports_{new_id().hex[-8:]}"
    asyncio.run(_asked(f"{server}/postgres", f"CREATE DATABASE {name}"))
    try:
        yield f"{server}/{name}"
    finally:
        asyncio.run(_asked(f"{server}/postgres", f"DROP DATABASE {name} WITH (FORCE)"))


def measure(url: str, folder: Path, rows: int) -> dict[str, Step]:
    """Fill a database, give it out, empty it, and take it in again. Return what each step took."""
    migrate_up(url)
    fill(url, rows)
    environment = {**os.environ, "RINGSIDE_DATABASE": url}
    print(f"{rows:,} athletes, {url.partition(':')[0]}")
    print(f"{'':24}{'rows/s':>12}{'CPU s':>10}{'MiB':>8}")
    few = [*_ringside("export", "athletes", str(folder / "few.csv")), "--filter", "countryCode=Z0"]
    steps = {"a thousandth": told("export, a thousandth", run(few, environment), rows // 1000)}
    for ending in ("csv", "jsonl"):
        step = run(_ringside("export", "athletes", str(folder / f"all.{ending}")), environment)
        steps[f"export {ending}"] = told(f"export, {ending}", step, rows)
    peer = asyncio.run(copied(url, folder)) if not is_embedded(url) else dumped(url, folder)
    print(f"{'the database by itself':24}{rows / peer:>12,.0f}", flush=True)
    for ending in ("csv", "jsonl"):
        empty(url)
        step = run(_ringside("import", "athletes", str(folder / f"all.{ending}")), environment)
        steps[f"import {ending}"] = told(f"import, {ending}", step, rows)
        assert count(url) == rows
    again = run(_ringside("import", "athletes", str(folder / "all.csv")), environment)
    return {**steps, "import again": told("import of the same", again, rows)}


def told(name: str, step: Step, rows: int) -> Step:
    """Print what a step took, and return it."""
    print(f"{name:24}{rows / step.seconds:>12,.0f}{step.processor:>10.1f}{step.memory:>8.1f}", flush=True)
    return step


def run(command: list[str], environment: dict[str, str]) -> Step:
    """Run a process to its end. It must succeed."""
    began = time.perf_counter()
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    quiet = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    child = os.posix_spawnp(command[0], command, environment, file_actions=quiet)
    _, status, used = os.wait4(child, 0)
    # What the system says of a child is no less than what we have had ourselves.
    assert used.ru_maxrss > own, "the benchmark itself is larger than what it measures"
    assert status == 0, command
    return Step(
        seconds=time.perf_counter() - began, processor=used.ru_utime + used.ru_stime, memory=used.ru_maxrss / 1024
    )


def _ringside(*words: str) -> list[str]:
    return [shutil.which("ringside", path=str(Path(sys.executable).parent)) or "ringside", *words]


def _athletes(rows: int) -> Iterator[tuple[str, str, str, str]]:
    """Make athletes of a thousand countries that there are not."""
    for number in range(rows):
        name = f"Athlete {number:07} of the {number % 997}th"
        yield new_id().hex, name, f"A. {number}", f"Z{number * 1000 // rows}"


def fill(url: str, rows: int) -> None:
    """Store athletes past everything."""
    made = _athletes(rows)
    if is_embedded(url):
        with closing(sqlite3.connect(sqlite_path(url))) as connection, connection:
            connection.executemany(f"INSERT INTO athletes ({_COLUMNS}) VALUES (?, ?, ?, ?)", made)  # noqa: S608 -- ours
        return
    asyncio.run(_filled(url, made))


async def _filled(url: str, made: Iterator[tuple[str, str, str, str]]) -> None:
    connection = await asyncpg.connect(url)
    await connection.copy_records_to_table("athletes", records=made, columns=_COLUMNS.split(", "))
    await connection.execute("ANALYZE athletes")
    await connection.close()


def empty(url: str) -> None:
    """Let go of all athletes."""
    if is_embedded(url):
        with closing(sqlite3.connect(sqlite_path(url))) as connection, connection:
            connection.execute("DELETE FROM athletes")
        return
    asyncio.run(_asked(url, "DELETE FROM athletes"))


def count(url: str) -> int:
    """Count the athletes there are."""
    if is_embedded(url):
        with closing(sqlite3.connect(sqlite_path(url))) as connection:
            return int(connection.execute("SELECT count(*) FROM athletes").fetchone()[0])
    return int(asyncio.run(_asked(url, "SELECT count(*) FROM athletes")))


async def _asked(url: str, statement: str) -> Any:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


def dumped(url: str, folder: Path) -> float:
    """Have SQLite's own program write the table, and return how long it took, or how long Python took."""
    began = time.perf_counter()
    program = shutil.which("sqlite3")
    if program is None:
        print("(there is no sqlite3 here: Python's sqlite3 and csv)")
        _dumped_by_python(url, folder)
        return time.perf_counter() - began
    question = f"SELECT {_COLUMNS} FROM athletes"  # noqa: S608 -- our own words
    into = f".output {folder / 'peer.csv'}"
    command = [program, "-csv", "-cmd", into, str(sqlite_path(url)), question]
    subprocess.run(command, check=True)  # noqa: S603 -- our own words
    return time.perf_counter() - began


def _dumped_by_python(url: str, folder: Path) -> None:
    with closing(sqlite3.connect(sqlite_path(url))) as connection, (folder / "peer.csv").open("w") as file:
        csv.writer(file).writerows(connection.execute(f"SELECT {_COLUMNS} FROM athletes"))  # noqa: S608 -- our own words


async def copied(url: str, folder: Path) -> float:
    """Have PostgreSQL copy the table out, and return how long it took."""
    connection = await asyncpg.connect(url)
    began = time.perf_counter()
    await connection.copy_from_query(f"SELECT {_COLUMNS} FROM athletes", output=folder / "peer.csv", format="csv")  # noqa: S608 -- ours
    seconds = time.perf_counter() - began
    await connection.close()
    return seconds


main()
