"""Load: bursts of wrk over one peer after another, round after round, each round in another order."""

import resource
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import psutil

from benchmarks.graph.fleet import Running
from benchmarks.graph.shapes import Shape

_MEBI = 1024 * 1024
_MARK = "burst"

_SCRIPT = """
local bodies = {{
{bodies}
}}
local requests, turn = {{}}, 0
{headers}
init = function()
  for index, body in ipairs(bodies) do requests[index] = wrk.format("POST", nil, nil, body) end
end
request = function()
  turn = turn % #requests + 1
  return requests[turn]
end
done = function(summary, latency)
  local errors = summary.errors
  io.write(string.format("burst %d %d %d %d %d %d\\n", summary.requests, summary.duration, latency:percentile(50),
    latency:percentile(99), errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
"""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """What one burst showed."""

    requests_per_second: float
    median_ms: float
    p99_ms: float
    server_cpu_ms: float
    database_cpu_ms: float
    rss_mib: float
    # How much of the machine was taken by others meanwhile.
    foreign_load: float


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How to load."""

    rounds: int
    seconds: int
    connections: int
    # For wrk and the database; the servers have the other. None if nothing is pinned.
    core: int | None
    folder: Path


Samples = dict[str, dict[str, list[Sample]]]


async def measure(
    peers: Sequence[Running], shapes: Sequence[Shape], plan: Plan, url: str, advance: Callable[[str], None]
) -> Samples:
    """Return the samples of every shape and peer, aligned by round."""
    samples: Samples = {shape.name: {one.peer.name: [] for one in peers} for shape in shapes}
    database = await asyncpg.connect(url)
    try:
        for shape in shapes:
            for one in peers:
                advance(f"{shape.name}: warming {one.peer.title}")
                await _burst(one, shape, plan, one.peer.patience.get(shape.name, 1), database)
            for round_ in range(plan.rounds):
                for one in _rotated(peers, round_):
                    advance(f"{shape.name}, round {round_ + 1}: {one.peer.title}")
                    seconds = plan.seconds * one.peer.patience.get(shape.name, 1)
                    sample = await _burst(one, shape, plan, seconds, database)
                    samples[shape.name][one.peer.name].append(sample)
    finally:
        await database.close()
    return samples


async def _burst(running: Running, shape: Shape, plan: Plan, seconds: int, database: Any) -> Sample:
    path = plan.folder / f"{running.peer.name}-{shape.name}.lua"
    path.write_text(script(running, shape))
    await _pin_backends(database, plan.core)
    likes = await _likes(database) if shape.changes else 0
    before = _Clocks.read(running.process, await _backends(database))
    pinned = [] if plan.core is None else ["taskset", "-c", str(plan.core)]
    ended = subprocess.run(  # noqa: S603, ASYNC221 -- a fixed command, and nothing else to do meanwhile
        [
            *pinned,
            "wrk",
            "-t1",
            f"-c{plan.connections}",
            f"-d{seconds}s",
            "--timeout",
            "30s",
            "-s",
            str(path),
            running.address(shape),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    _settle(running.process)
    after = _Clocks.read(running.process, await _backends(database))
    line = next(line for line in ended.stdout.splitlines() if line.startswith(_MARK))
    requests, duration, median, p99, bad, broken = (int(word) for word in line.split()[1:])
    if bad or broken or not requests:
        raise RuntimeError(f"{running.peer.title}, {shape.name}: {bad} refused, {broken} broken off:\n{ended.stdout}")
    # What was under way when wrk hung up was answered too.
    served = requests + plan.connections
    if shape.changes and not requests <= (counted := await _likes(database) - likes) <= served:
        raise RuntimeError(f"{running.peer.title}: {requests} likes were answered, {counted} counted.")
    return Sample(
        requests_per_second=requests / (duration / 1e6),
        median_ms=median / 1e3,
        p99_ms=p99 / 1e3,
        server_cpu_ms=(after.server - before.server) / served * 1e3,
        database_cpu_ms=before.database_used(after) / served * 1e3,
        rss_mib=sum(process.memory_info().rss for process in _family(running.process)) / _MEBI,
        foreign_load=before.foreign_load(after),
    )


@dataclass(frozen=True)
class _Clocks:
    """CPU seconds used so far."""

    at: float
    server: float
    # By process of the database.
    database: dict[int, float]
    generator: float
    machine: float

    @classmethod
    def read(cls, server: psutil.Process, backends: Sequence[psutil.Process]) -> "_Clocks":
        generator = resource.getrusage(resource.RUSAGE_CHILDREN)
        ours = resource.getrusage(resource.RUSAGE_SELF)
        machine = psutil.cpu_times()
        return cls(
            at=time.monotonic(),
            server=sum(_used(process) for process in _family(server)),
            database={process.pid: _used(process) for process in backends},
            generator=generator.ru_utime + generator.ru_stime + ours.ru_utime + ours.ru_stime,
            machine=sum(machine) - machine.idle - machine.iowait - machine.guest - machine.guest_nice,
        )

    def database_used(self, later: "_Clocks") -> float:
        """Return what the database has used since, in processes that are still there."""
        return sum(used - self.database.get(pid, 0.0) for pid, used in later.database.items())

    def foreign_load(self, later: "_Clocks") -> float:
        """Return the share of one core that went to others."""
        known = (later.server - self.server) + (later.generator - self.generator) + self.database_used(later)
        return max(0.0, (later.machine - self.machine - known) / (later.at - self.at))


def script(running: Running, shape: Shape) -> str:
    """Return what wrk is to send, the requests of a shape in turn."""
    bodies = ",\n".join(f"[==[{body.decode()}]==]" for body in running.bodies(shape))
    headers = "\n".join(f'wrk.headers["{name}"] = "{value}"' for name, value in running.headers.items())
    return _SCRIPT.format(bodies=bodies, headers=headers)


async def _backends(database: Any) -> list[psutil.Process]:
    """Return the database's processes that serve this benchmark, as far as they can be seen from here."""
    rows = await database.fetch(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    found = []
    for row in rows:
        with suppress(psutil.Error):
            found.append(psutil.Process(row["pid"]))
    return found


async def _pin_backends(database: Any, core: int | None) -> None:
    """Keep the database's processes to their core. They may be another user's, and then stay where they are."""
    for process in await _backends(database):
        with suppress(psutil.Error):
            process.cpu_affinity(None if core is None else [core])


async def _likes(database: Any) -> int:
    likes: int = await database.fetchval("SELECT sum(likes) FROM entry_counts")
    return likes


def _settle(process: psutil.Process) -> None:
    """Wait until the server has finished what was under way; it pauses in between, when it waits for the database."""
    used, still = sum(_used(one) for one in _family(process)), 0
    for _ in range(300):
        time.sleep(0.1)
        now = sum(_used(one) for one in _family(process))
        still = still + 1 if now - used < 0.02 else 0
        if still == 5:
            return
        used = now


def _family(process: psutil.Process) -> Iterator[psutil.Process]:
    yield process
    yield from process.children(recursive=True)


def _used(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return times.user + times.system


def _rotated(peers: Sequence[Running], round_: int) -> Sequence[Running]:
    start = round_ % len(peers)
    return [*peers[start:], *peers[:start]]
