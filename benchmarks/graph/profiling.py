"""Where a server's CPU goes under load: `uv run python -m benchmarks.graph.profiling --shape nested`.

py-spy looks at the server's stack a few hundred times a second, C functions included where their symbols are known.
"""

import asyncio
import re
import subprocess
import tempfile
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.graph import databases, fleet, load
from benchmarks.graph.fleet import PEERS, Running
from benchmarks.graph.peers.ringside import make_token
from benchmarks.graph.shapes import SHAPES, Shape

_SERVER = "postgresql://postgres@127.0.0.1:5432"
_err = Console(stderr=True)


def main(
    *,
    shape: Annotated[str, typer.Option(help="What to ask for.")] = "nested",
    peer: Annotated[str, typer.Option(help="Which Python server.")] = "ringside",
    seconds: Annotated[int, typer.Option(min=2, max=60, help="How long to look.")] = 8,
    connections: Annotated[int, typer.Option(min=1, max=256, help="Connections of the load generator.")] = 16,
    lines: Annotated[int, typer.Option(min=1, max=200, help="How many functions to show.")] = 30,
    native: Annotated[bool, typer.Option("--native", help="Look into C extensions, too.")] = False,
    server: Annotated[str, typer.Option(envvar="RINGSIDE_BENCHMARK_POSTGRESQL", help="PostgreSQL server.")] = _SERVER,
) -> None:
    """Show the functions in which a server spends its time."""
    url = asyncio.run(databases.make_postgresql(server, is_fresh=False, say=_err.print))
    ids, token = asyncio.run(fleet.find_ids(url)), asyncio.run(make_token(url))
    with (
        tempfile.TemporaryDirectory() as folder,
        fleet.running([PEERS[peer]], url, ids, token, core=0, logs=Path(folder)) as up,
    ):
        stacks = _stacks(up[0], SHAPES[shape], seconds, connections, Path(folder), is_native=native)
    _show(f"{PEERS[peer].title}: {SHAPES[shape].title}", stacks, lines)


def _stacks(
    running: Running, shape: Shape, seconds: int, connections: int, folder: Path, *, is_native: bool
) -> Counter[tuple[str, ...]]:
    script, raw = folder / "load.lua", folder / "stacks.txt"
    script.write_text(load.script(running, shape))
    wrk = ["wrk", "-t1", f"-c{connections}", f"-d{seconds + 3}s", "-s", str(script), running.address(shape)]
    spy = ["uv", "tool", "run", "py-spy", "record", "--pid", str(running.process.pid), "--rate", "400"]
    spy += ["--duration", str(seconds), "--format", "raw", "--output", str(raw), *(["--native"] if is_native else [])]
    with subprocess.Popen(["taskset", "-c", "1", *wrk], stdout=subprocess.DEVNULL) as loading:  # noqa: S603, S607 -- fixed
        subprocess.run(spy, check=True, capture_output=True)  # noqa: S603 -- fixed
        loading.wait()
    stacks: Counter[tuple[str, ...]] = Counter()
    for line in raw.read_text().splitlines():
        stack, _, count = line.rpartition(" ")
        stacks[tuple(re.sub(r":\d+\)$", ")", frame) for frame in stack.split(";"))] += int(count)
    return stacks


def _show(title: str, stacks: Counter[tuple[str, ...]], lines: int) -> None:
    total = stacks.total()
    own: Counter[str] = Counter()
    within: Counter[str] = Counter()
    for stack, count in stacks.items():
        own[stack[-1]] += count
        for frame in set(stack):
            within[frame] += count
    for name, found in (("own time", own), ("time with what it calls", within)):
        table = Table(title=f"{title}: {name}, {total} looks", title_justify="left")
        table.add_column("%", justify="right")
        table.add_column("function")
        for frame, count in found.most_common(lines):
            table.add_row(f"{count / total:.1%}", frame)
        Console(width=150).print(table)


if __name__ == "__main__":
    typer.run(main)
