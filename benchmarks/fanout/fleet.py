"""The peers: how each is started, watched, told to change, and measured."""

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from benchmarks.fanout.watched import OPERATION, answer
from tests.support.crowd import Crowd, watch

ROOT = Path(__file__).parents[2]
NODE_PACKAGES = ROOT / "tests/clients/package.json"
# After a change, until everything that it set off is over.
_SETTLE_SECONDS = 0.05
_PATIENCE_SECONDS = 120.0
_CHANGES_FOR_ONE = 15
_LONGEST_LINE = 1024 * 1024


@dataclass
class Peer:
    """A server that runs, and what a change of what it shows took."""

    name: str
    process: Process
    port: int
    token: str
    mats: Sequence[str]
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    crowd: Crowd = field(default_factory=Crowd)
    # From the commit, and from the order to change, to the last client.
    milliseconds: list[float] = field(default_factory=list)
    with_commit: list[float] = field(default_factory=list)
    cpu_milliseconds: list[float] = field(default_factory=list)
    # What a change takes that one socket hears of: with it, all but the telling.
    cpu_of_one: float = 0.0

    @property
    def rss(self) -> int:
        """Bytes that are resident."""
        return int(psutil.Process(self.process.pid).memory_info().rss)

    def cpu(self) -> float:
        """Seconds that its threads have run."""
        tasks = Path(f"/proc/{self.process.pid}/task")
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks.iterdir()) / 1e9

    async def watch(self, mats: Sequence[str]) -> None:
        """Have a socket watch each of these mats."""
        url = f"http://127.0.0.1:{self.port}"
        self.crowd = await watch(url, self.token, OPERATION, [{"matId": mat} for mat in mats])

    async def measure_one(self) -> None:
        """Find out what a change takes that hardly anybody hears of."""
        await self.watch(self.mats[:1])
        for _ in range(_CHANGES_FOR_ONE):
            await self.change(hearing=1)
        self.cpu_of_one = statistics.median(self.cpu_milliseconds)
        self.crowd.leave()
        for measured in (self.milliseconds, self.with_commit, self.cpu_milliseconds):
            measured.clear()

    async def change(self, *, hearing: int) -> None:
        """Make a change, and wait until so many sockets have heard of it."""
        self.crowd.count = 0
        before = self.cpu()
        self.writer.write(b"\n")
        await self.crowd.hear(hearing)
        began, made = map(int, (await self.reader.readline()).split())
        self.milliseconds.append((self.crowd.finished_ns - made) / 1e6)
        self.with_commit.append((self.crowd.finished_ns - began) / 1e6)
        await asyncio.sleep(_SETTLE_SECONDS)
        self.cpu_milliseconds.append((self.cpu() - before) * 1000)


@asynccontextmanager
async def running(name: str, port: int, core: int | None, *more: str) -> AsyncIterator[Peer]:
    """Run a peer until the block ends."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(answer(1), file)
        file.flush()
        process = await asyncio.create_subprocess_exec(
            *([] if core is None else ["taskset", "-c", str(core)]),
            *_command(name, port, file.name, *more),
            stdout=PIPE,
            limit=_LONGEST_LINE,
        )
        try:
            yield await _up(name, process, port)
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def _command(name: str, port: int, answer_file: str, *more: str) -> list[str]:
    if name == "graphql-ws":
        script = Path(__file__).parent / "peers/graphql_ws.mjs"
        return ["node", str(script), str(NODE_PACKAGES), answer_file, str(port)]
    return [sys.executable, "-m", "benchmarks.fanout.peers.serve", name, str(port), *more]


async def _up(name: str, process: Process, port: int) -> Peer:
    if process.stdout is None:
        raise RuntimeError("A peer says on its standard output when it is up.")
    async with asyncio.timeout(_PATIENCE_SECONDS):
        line = (await process.stdout.readline()).decode()
    facts = dict(one.split("=", 1) for one in line.split() if "=" in one)
    reader, writer = await asyncio.open_connection("127.0.0.1", port + 1)
    mats = facts.get("mats", "mat").split(",")
    return Peer(name, process, port, facts.get("token", ""), mats, reader, writer)


def node_version() -> str:
    """Return the version of Node."""
    return subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()  # noqa: S607 -- whichever there is


def npm_version(package: str) -> str:
    """Return the version of a package that a Node peer runs on."""
    found: str = json.loads((NODE_PACKAGES.parent / "node_modules" / package / "package.json").read_text())["version"]
    return found


def pin(core: int) -> None:
    """Keep this process on one core."""
    os.sched_setaffinity(0, {core})
