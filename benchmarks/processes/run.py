"""Several processes on one PostgreSQL: what they answer, how soon one hears another, and whether all is exact."""

import argparse
import asyncio
import os
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from uuid import uuid4

import asyncpg
import orjson
import psutil
import uvloop
from rich.console import Console

from api.migrate import migrate_up
from tests.support.cluster import Cluster, own_cluster
from tests.support.plain import open_plain_http
from tests.support.ports import free_port
from tests.support.process import Serving, serving
from tests.support.storm import ADD, GENEROUS, WATCH, Weather, goal_of, storm

_SERVER = "postgresql://postgres@127.0.0.1:5432"
_WARM_SECONDS = 2.0
_QUERY = "{ settings(first: 20) { nodes { key value revision changedAt } } }"
_console = Console()


@asynccontextmanager
async def _database(server: str) -> AsyncIterator[str]:
    """Make a database that is gone afterwards."""
    name = f"ringside_processes_{uuid4().hex[:8]}"
    admin = await asyncpg.connect(f"{server}/postgres")
    await admin.execute(f"CREATE DATABASE {name}")
    try:
        await asyncio.to_thread(migrate_up, f"{server}/{name}")
        yield f"{server}/{name}"
    finally:
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await admin.close()


# Queries

_ONE, _TWO, _STRANGERS = "one worker", "two workers", "two strangers"


async def queries(cluster: Cluster, folder: Path, *, seconds: float, clients: int) -> None:
    """Ask the same of one worker, of two that share its core, and of two servers that share nothing else, in turns.

    The database and the clients have the other cores. What an answer costs more with two on a core than with one is
    paid to the core by strangers too; what workers pay more than strangers they pay to each other.
    """
    first, *others = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, others or [first])
    urls = [cluster.url("postgres"), cluster.url("stranger")]
    secrets = ["", ""]
    admin = await asyncpg.connect(urls[0])
    await admin.execute("CREATE DATABASE stranger")
    await admin.close()
    for url in urls:
        await asyncio.to_thread(migrate_up, url)
    costs: dict[str, list[float]] = {_ONE: [], _TWO: [], _STRANGERS: []}
    for who in (*costs, *costs):
        async with AsyncExitStack() as stack:
            servers = []
            for place, url in enumerate(urls if who == _STRANGERS else urls[:1]):
                log, workers = folder / f"queries{place}.log", 2 if who == _TWO else 1
                begun = serving(url, log, secret=secrets[place], workers=workers, hears=False, **GENEROUS)
                servers.append(await stack.enter_async_context(begun))
                secrets[place] = servers[-1].secret
            for server in servers:
                _pin(server, [first])
            await _asked(servers, _WARM_SECONDS, clients)
            took, spent, answered = await _asked(servers, seconds, clients)
        costs[who].append(spent / answered)
        _console.print(
            f"{who} on one core: {answered / took:8.0f} queries/s, {1000 * spent / answered:.3f} ms of processor each, "
            f"the core busy with them for {spent / took:.0%}",
            soft_wrap=True,
        )
    one, two, strangers = (min(costs[who]) for who in costs)
    _console.print(
        f"a second of processor answers {one / two:.2f} times as much with two workers as with one, and "
        f"{one / strangers:.2f} times with two strangers: as far as workers hinder each other, two cores come to "
        f"{2 * strangers / two:.2f} times one. "
        "It says little where the core was not busy with them nearly all of the time.",
        soft_wrap=True,
    )


def _pin(server: Serving, cores: list[int]) -> None:
    for process in _tree(server):
        for thread in process.threads():
            # Threads that run already keep what they had.
            os.sched_setaffinity(thread.id, cores)


async def _asked(servers: Sequence[Serving], seconds: float, clients: int) -> tuple[float, float, int]:
    """Ask until it is over; return how long that took, what the servers spent, and how often they answered."""
    until = time.perf_counter() + seconds
    processes = [process for server in servers for process in _tree(server)]
    before, began = _processor_seconds(processes), time.perf_counter()
    asking = (_ask(servers[number % len(servers)], until) for number in range(clients))
    answered = sum(await asyncio.gather(*asking))
    return time.perf_counter() - began, _processor_seconds(processes) - before, answered


async def _ask(server: Serving, until: float) -> int:
    """Ask over one connection, one question after the other."""
    body = orjson.dumps({"query": _QUERY})
    http = await open_plain_http(server.url, server.secret)
    count = 0
    while time.perf_counter() < until:
        answer = await http.ask(body)
        assert answer.startswith(b'{"data":{"settings"'), answer
        count += 1
    http.close()
    return count


def _tree(server: Serving) -> list[psutil.Process]:
    parent = psutil.Process(server.process.pid)
    return [parent, *parent.children()]


def _processor_seconds(processes: Sequence[psutil.Process]) -> float:
    return sum(sum(one.cpu_times()[:2]) for one in processes if one.is_running())


# Latency


async def latency(url: str, folder: Path, *, changes: int) -> None:
    """Change something at one server and hear of it at another; print how long that takes from when it was sent."""
    async with (
        serving(url, folder / "first.log", hears=False, **GENEROUS) as first,
        serving(url, folder / "second.log", secret=first.secret, hears=False, **GENEROUS) as second,
        second.admitted() as socket,
    ):
        goal = await goal_of(first, 0)
        watching = socket.subscribe(WATCH, goal=goal)
        await anext(watching)
        whole: list[float] = []
        after: list[float] = []
        for _ in range(changes):
            sent = time.perf_counter()
            answering = asyncio.create_task(_answered(first, goal))
            await anext(watching)
            heard = time.perf_counter()
            whole.append(1000 * (heard - sent))
            after.append(1000 * (heard - await answering))
    for name, figures in (("from sending the change", whole), ("from its answer", after)):
        figures.sort()
        half, most = figures[len(figures) // 2], figures[int(len(figures) * 0.99)]
        _console.print(f"heard by the other process {name}: p50 {half:.2f} ms, p99 {most:.2f} ms, of {changes}")


async def _answered(server: Serving, goal: str) -> float:
    await server.execute(ADD, goal=goal)
    return time.perf_counter()


# What is asked for


async def _run(options: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        if options.what == "latency":
            async with _database(options.server) as url:
                await latency(url, folder, changes=options.changes)
            return
        with own_cluster(free_port()) as cluster:
            if options.what == "queries":
                await queries(cluster, folder, seconds=options.seconds, clients=options.clients)
            else:
                await _storm(cluster, folder, options)


async def _storm(cluster: Cluster, folder: Path, options: argparse.Namespace) -> None:
    url = cluster.url("postgres")
    await asyncio.to_thread(migrate_up, url)
    weather = Weather(
        workers=options.workers,
        sockets=options.sockets,
        rate=options.rate,
        seconds=60 * options.minutes,
        seconds_between_kills=options.kill_every,
        seconds_between_restarts=options.restart_every,
        goals=options.goals,
    )
    given = {"bus": "redis", "redis_url": options.redis} if options.redis else {}
    outcome = await storm(cluster, url, folder / "storm.log", weather, **given)
    _console.print(f"{options.workers} processes, {outcome}", soft_wrap=True)
    faults = outcome.faults()
    for fault in faults:
        _console.print(fault[:2000])
    if faults:
        raise SystemExit(1)


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("queries", "latency", "storm"))
    parser.add_argument("--server", default=_SERVER, help="the PostgreSQL to make a database on, for latency")
    parser.add_argument("--seconds", type=float, default=10, help="of queries, for each number of workers")
    parser.add_argument("--clients", type=int, default=32, help="that ask at once")
    parser.add_argument("--changes", type=int, default=500, help="whose latency is taken")
    parser.add_argument("--workers", type=int, default=4, help="in the storm")
    parser.add_argument("--sockets", type=int, default=2000)
    parser.add_argument("--goals", type=int, default=250, help="that the sockets are spread over")
    parser.add_argument("--rate", type=float, default=500, help="changes a second")
    parser.add_argument("--minutes", type=float, default=1)
    parser.add_argument("--kill-every", type=float, default=10, help="seconds between kills of a worker, on average")
    parser.add_argument("--restart-every", type=float, default=60, help="and between restarts of PostgreSQL")
    parser.add_argument("--redis", default="", help="the Redis that carries the news; without it PostgreSQL does")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_run(parser.parse_args()))


if __name__ == "__main__":
    main()
