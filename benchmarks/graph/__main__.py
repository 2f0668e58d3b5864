"""The command: `uv run python -m benchmarks.graph --help`."""

import os
import shlex
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from api.loop import run
from benchmarks.graph import databases, fleet, inprocess, load, report
from benchmarks.graph.fleet import PEERS, Peer
from benchmarks.graph.inprocess import Costs
from benchmarks.graph.load import Samples
from benchmarks.graph.peers.ringside import make_token
from benchmarks.graph.shapes import SHAPES, Shape
from benchmarks.kept import drop_sqlite, version_of

_RECORD = Path("benchmarks/RESULTS.md")
_SQLITE_FILE = Path(tempfile.gettempdir()) / "ringside-benchmark/graph.db"
_err = Console(stderr=True)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the command line asked for."""

    shapes: list[Shape]
    peers: list[Peer]
    seconds: int
    rounds: int
    connections: int
    server: str
    sqlite: Path
    is_fresh: bool
    # The servers' core, and everything else's; None to let the system choose.
    cores: tuple[int, int] | None
    with_load: bool
    with_processes: bool


@dataclass(kw_only=True)
class Found:
    """What was measured."""

    version: str = ""
    samples: Samples = field(default_factory=dict)
    costs: dict[str, Costs] = field(default_factory=dict)


def main(
    *,
    shapes: Annotated[str, typer.Option(help="Shapes to ask for, by name, with commas between.")] = ",".join(SHAPES),
    peers: Annotated[str, typer.Option(help="Servers to measure, by name, with commas between.")] = ",".join(PEERS),
    seconds: Annotated[int, typer.Option(min=1, max=60, help="How long a burst is.")] = 3,
    rounds: Annotated[int, typer.Option(min=1, max=50, help="How often each is measured.")] = 7,
    connections: Annotated[int, typer.Option(min=1, max=256, help="Connections of the load generator.")] = 16,
    quick: Annotated[bool, typer.Option("--quick", help="3 rounds of 1 s: a look, not a record.")] = False,
    server: Annotated[
        str, typer.Option(envvar="RINGSIDE_BENCHMARK_POSTGRESQL", help="PostgreSQL server to make the database on.")
    ] = "postgresql://postgres@127.0.0.1:5432",
    sqlite: Annotated[Path, typer.Option(help="SQLite file to make.")] = _SQLITE_FILE,
    fresh: Annotated[bool, typer.Option("--fresh", help="Make the data set anew.")] = False,
    drop: Annotated[bool, typer.Option("--drop", help="Drop the data set afterwards.")] = False,
    pin: Annotated[
        bool, typer.Option(help="Servers on the first core; wrk and the database's processes on the second.")
    ] = True,
    with_load: Annotated[bool, typer.Option("--load/--no-load", help="Measure the servers under load.")] = True,
    in_process: Annotated[bool, typer.Option(help="Measure the CPU of answers in process.")] = True,
    json: Annotated[Path | None, typer.Option(help="Write every sample to this file.")] = None,
    record: Annotated[
        Path, typer.Option(help="Where to write the record: of a run of everything that was not --quick.")
    ] = _RECORD,
) -> None:
    """Measure Ringside's graph beside its peers."""
    asked = Asked(
        shapes=[SHAPES[name] for name in _names(shapes, SHAPES)],
        peers=[PEERS[name] for name in _names(peers, PEERS)],
        seconds=1 if quick else seconds,
        rounds=3 if quick else rounds,
        connections=connections,
        server=server,
        sqlite=sqlite.absolute(),
        is_fresh=fresh,
        cores=_cores() if pin else None,
        with_load=with_load,
        with_processes=in_process,
    )
    found = _measure(asked, is_dropped=drop)
    made = _report(asked, found)
    report.show(made, Console(width=None if sys.stdout.isatty() else 180))
    if json is not None:
        json.write_bytes(made.as_json())
    is_whole = len(asked.shapes) == len(SHAPES) and len(asked.peers) == len(PEERS) and with_load and in_process
    if is_whole and not quick:
        report.write(made, record)


def _measure(asked: Asked, *, is_dropped: bool) -> Found:
    if asked.with_load:
        if shutil.which("wrk") is None:
            raise typer.BadParameter("wrk makes the load: apt-get install wrk.")
        if any(peer.is_node for peer in asked.peers):
            fleet.install_node_peers(_err.print)
    found = Found()

    async def everything() -> None:
        url = await databases.make_postgresql(asked.server, is_fresh=asked.is_fresh, say=_err.print)
        found.version = await version_of(asked.server)
        if asked.with_load:
            found.samples = await _under_load(url, asked)
        if asked.with_processes:
            await _in_processes(url, asked, found)
        if is_dropped:
            await databases.drop_postgresql(asked.server)
            drop_sqlite(asked.sqlite)

    run(everything)
    return found


async def _under_load(url: str, asked: Asked) -> Samples:
    ids, token = await fleet.find_ids(url), await make_token(url)
    core, other = asked.cores or (None, None)
    with tempfile.TemporaryDirectory() as folder:
        plan = load.Plan(
            rounds=asked.rounds,
            seconds=asked.seconds,
            connections=asked.connections,
            core=other,
            folder=Path(folder),
        )
        with fleet.running(asked.peers, url, ids, token, core=core, logs=plan.folder) as up:
            await fleet.compare(up, asked.shapes, url)
            _err.print(f"All {len(up)} servers give the same answers.")
            with _progress(len(asked.shapes) * len(up) * (asked.rounds + 1)) as advance:
                return await load.measure(up, asked.shapes, plan, url, advance)


async def _in_processes(url: str, asked: Asked, found: Found) -> None:
    if asked.cores is not None:
        os.sched_setaffinity(0, {asked.cores[0]})
    file = await databases.make_sqlite(asked.sqlite, is_fresh=asked.is_fresh, say=_err.print)
    for name, of in (("PostgreSQL", url), ("SQLite", file)):
        ids, token = await fleet.find_ids(of), await make_token(of)
        with _progress(len(asked.shapes) * len(inprocess.NAMES) * asked.rounds) as advance:
            found.costs[name] = await inprocess.measure(of, ids, token, asked.shapes, asked.rounds, advance)


def _report(asked: Asked, found: Found) -> report.Report:
    return report.Report(
        command=shlex.join(["uv", "run", "--group", "benchmarks", "python", "-m", "benchmarks.graph", *sys.argv[1:]]),
        postgresql=found.version,
        sqlite=sqlite3.sqlite_version,
        pinning=_pinning(asked.cores),
        rounds=asked.rounds,
        seconds=asked.seconds,
        connections=asked.connections,
        samples=found.samples,
        costs=found.costs,
    )


@contextmanager
def _progress(total: int) -> Iterator[Callable[[str], None]]:
    columns = (SpinnerColumn(), BarColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=_err, transient=True) as bar:
        task = bar.add_task("", total=total)
        yield lambda what: bar.update(task, advance=1, description=what)


def _cores() -> tuple[int, int] | None:
    cores = sorted(os.sched_getaffinity(0))
    return (cores[0], cores[1]) if len(cores) > 1 else None


def _pinning(cores: tuple[int, int] | None) -> str:
    if cores is None:
        return "Nothing was pinned to a core."
    core, other = cores
    return (
        f"Pinned: each server's whole process to core {core}, wrk and PostgreSQL's processes for this database to core "
        f"{other}, nothing else; what was measured in process ran on core {core}."
    )


def _names(given: str, known: Mapping[str, object]) -> list[str]:
    names = [name.strip() for name in given.split(",") if name.strip()]
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise typer.BadParameter(f"{', '.join(unknown)}: there are {', '.join(known)}.")
    return names


if __name__ == "__main__":
    typer.run(main)
