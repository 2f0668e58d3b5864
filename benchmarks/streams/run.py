"""How fast news is counted, whether increments add up, and how soon a thousand overlays hear of a change."""

import argparse
import asyncio
import json
import multiprocessing
import os
import platform
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import islice, pairwise
from pathlib import Path
from typing import Any, cast
from uuid import UUID

from rich.console import Console
from rich.table import Table
from sqlalchemy import func
from sqlmodel import col, select

from api.collector import spare_the_collector
from api.loop import run as run_on_fastest_loop
from api.migrate import migrate_up
from api.server import Server, open_house
from api.settings import Settings
from api.simulation import Audience, simulated
from api.workers.stream_sources import NEWS_PER_TRANSACTION, SourceClient
from api.workers.tikfinity_protocol import decode
from db.access import operations as access
from db.access.viewer import Role
from db.clock import SystemClock
from db.connecting import connect
from db.database import Database
from db.streams import operations, source_operations
from db.streams.events import StreamGoalChanged
from db.streams.incoming import Gift, Received
from db.streams.tables import StreamGoal, StreamGoalChange, StreamSource
from db.streams.vocabulary import StreamGoalKind, StreamSourceKind
from db.urls import is_embedded
from tests.support.crowd import watch

# As long as what an overlay is told.
_BARE = b"." * 180
_OVERLAY = "subscription ($id: ID!) { streamGoalChanged(goalId: $id) { goals { current target percent state } } }"


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One measurement, after it was found that nothing is missing."""

    name: str
    count: int
    seconds: float
    per_second: int
    # What our process was busy for, per piece: the others on the machine have no say in it.
    processor_microseconds: float


@dataclass(frozen=True, kw_only=True)
class Delay:
    """How long after a commit overlays heard of it, in milliseconds."""

    name: str
    overlays: int
    changes: int
    median: float
    p99: float
    slowest: float


def main() -> None:
    """Measure, and print."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="ringside-streams-") as folder:
        url = options.database or f"sqlite:///{Path(folder) / 'streams.db'}"
        migrate_up(url)
        figures: list[Figure] = []
        delays: list[Delay] = []
        run_on_fastest_loop(lambda: _measure(url, options, figures, delays))
    machine = _machine(url)
    if options.json:
        shown = {
            "machine": machine,
            "figures": [asdict(one) for one in figures],
            "delays": [asdict(one) for one in delays],
        }
        print(json.dumps(shown))
        return
    _print(machine, figures, delays)


async def _measure(url: str, options: argparse.Namespace, figures: list[Figure], delays: list[Delay]) -> None:
    db = await connect(url)
    try:
        # Once through, so that every statement is compiled; then as the server does when it is up.
        await _counted(db, 1000, options.batch)
        spare_the_collector()
        figures.append(await _counted(db, options.events, options.batch))
        figures.append(await _heard(db, options.rate, options.seconds))
        figures.append(await _added(db, options.writers, options.increments))
    finally:
        await db.close()
    if options.overlays:
        delays.append(await _told(url, options.overlays, options.changes, options.pause))
        delays.append(await _told_bare(options.overlays, options.changes, options.pause))


async def _counted(db: Database, wanted: int, batch: int) -> Figure:
    """Read and count an invented audience's frames, each batch durable before the next is begun."""
    stream_id, source_id = await _stream(db)
    frames = list(islice(Audience(start_ms=time.time_ns() // 1_000_000).frames(), wanted))
    now = SystemClock().now()
    began, busy = time.perf_counter(), time.process_time()
    for start in range(0, len(frames), batch):
        received = [Received(now, decode(frame)) for frame in frames[start : start + batch]]
        async with db.transaction() as tx:
            await operations.take_news(tx, source_id, received)
    seconds, busy = time.perf_counter() - began, time.process_time() - busy
    await _assert_all_counted(db, stream_id, frames)
    return _figure(f"read, count, commit: batches of {batch}", wanted, seconds, busy)


async def _heard(db: Database, rate: int, seconds: float) -> Figure:
    """Send at a rate over a real WebSocket, from a process of its own, and take it in as the server does."""
    stream_id, source_id = await _stream(db)
    count, start_ms = int(rate * seconds), time.time_ns() // 1_000_000
    context = multiprocessing.get_context("spawn")
    near, far = context.Pipe()
    sender = context.Process(target=_send, args=(far, rate, count, start_ms))
    sender.start()
    port = await asyncio.to_thread(near.recv)
    async with db.transaction() as tx:
        changes = {"url": f"ws://127.0.0.1:{port}/"}
        source = await source_operations.update_source(tx, source_id, changes, viewer=None)
    client = SourceClient(db, SystemClock(), source)
    work = asyncio.create_task(client.run())
    while client.frames == 0:  # noqa: ASYNC110 -- a counter tells nobody
        await asyncio.sleep(0.001)
    began, busy = time.perf_counter(), time.process_time()
    while client.frames < count:  # noqa: ASYNC110 -- as above
        await asyncio.sleep(0.002)
    work.cancel()
    await asyncio.wait([work])
    took, busy = time.perf_counter() - began, time.process_time() - busy
    await asyncio.to_thread(sender.join)
    await _assert_all_counted(db, stream_id, list(islice(Audience(start_ms=start_ms).frames(), count)))
    return _figure(f"real WebSocket, sent at {rate:,}/s", count, took, busy)


def _send(pipe: Any, rate: int, count: int, start_ms: int) -> None:
    async def send() -> None:
        frames = list(islice(Audience(start_ms=start_ms).frames(), count))
        async with simulated(frames, rate=rate) as port:
            pipe.send(port)

    asyncio.run(send())


async def _added(db: Database, writers: int, increments: int) -> Figure:
    """Let many writers add to one goal at once, each in transactions of his own."""
    stream_id, _ = await _stream(db)
    goal = await _goal(db, stream_id, StreamGoalKind.CUSTOM)

    async def write() -> None:
        for _ in range(increments):
            async with db.transaction() as tx:
                await operations.add_progress(tx, goal, 1, viewer=None, now=SystemClock().now())

    began, busy = time.perf_counter(), time.process_time()
    await asyncio.gather(*(write() for _ in range(writers)))
    seconds, busy = time.perf_counter() - began, time.process_time() - busy
    total = writers * increments
    async with db.read() as session:
        current = await session.scalar(select(col(StreamGoal.current)).where(col(StreamGoal.id) == goal))
        entries = select(func.count()).select_from(StreamGoalChange).where(col(StreamGoalChange.goal_id) == goal)
        told = await session.scalar(entries)
    assert (current, told) == (total, total), f"{total} were added, {current} are there, {told} in the history"
    return _figure(f"{writers} writers, {increments:,} increments each", total, seconds, busy)


async def _told(url: str, overlays: int, changes: int, pause: float) -> Delay:
    """Change a goal that so many overlays watch, and take the time from the commit to each of them."""
    clock = SystemClock()
    settings = Settings(
        database=url,
        port=0,
        pss_port=0,
        sockets_per_address=overlays,
        sockets_per_token=overlays,
        connections=2 * overlays + 100,
        connections_per_second=overlays,
        operations_per_second=overlays,
    )
    async with open_house(settings, clock) as house:
        async with house.db.transaction() as tx:
            admin = await access.create_user(tx, name=f"admin {time.time_ns()}", role=Role.ADMIN, now=clock.now())
            secret = (await access.create_token(tx, user_id=admin.id, label="overlays", now=clock.now())).secret
        stream_id, _ = await _stream(house.db)
        goal = await _goal(house.db, stream_id, StreamGoalKind.CUSTOM)
        started: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        server = Server(house.app, settings, started.set_result, house.leaving)
        serving = asyncio.create_task(server.serve())
        port = await started
        context = multiprocessing.get_context("spawn")
        near, far = context.Pipe()
        watching = context.Process(target=_watch, args=(far, port, secret, f"streamgoal_{goal.hex}", overlays, changes))
        watching.start()
        await asyncio.to_thread(near.recv)
        spare_the_collector()
        committed = await _change(house.db, goal, changes, pause)
        heard: dict[int, list[float]] = await asyncio.to_thread(near.recv)
        await asyncio.to_thread(watching.join)
        server.should_exit = True
        await serving
    return _delay("Commit", overlays, changes, committed, heard)


async def _told_bare(overlays: int, changes: int, pause: float) -> Delay:
    """Write ready bytes to so many bare sockets: what the machine needs for it with no server in between."""
    near, far = multiprocessing.get_context("spawn").Pipe()
    sockets: list[asyncio.BaseTransport] = []
    is_full = asyncio.Event()

    class Told(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            sockets.append(transport)
            if len(sockets) == overlays:
                is_full.set()

    server = await asyncio.get_running_loop().create_server(Told, "127.0.0.1", 0, backlog=overlays)
    port = server.sockets[0].getsockname()[1]
    watching = multiprocessing.get_context("spawn").Process(target=_watch_bare, args=(far, port, overlays, changes))
    watching.start()
    await is_full.wait()
    spare_the_collector()
    written: dict[int, float] = {}
    for count in range(1, changes + 1):
        await asyncio.sleep(pause)
        written[count] = time.monotonic()
        for one in sockets:
            cast("asyncio.Transport", one).write(_BARE)
    heard: dict[int, list[float]] = await asyncio.to_thread(near.recv)
    await asyncio.to_thread(watching.join)
    server.close()
    return _delay("Ready bytes on bare sockets", overlays, changes, written, heard)


def _delay(name: str, overlays: int, changes: int, since: dict[int, float], heard: dict[int, list[float]]) -> Delay:
    delays = sorted((at - since[count]) * 1000 for count, times in heard.items() for at in times)
    assert len(delays) == overlays * changes, f"{overlays * changes} messages were due, {len(delays)} came"
    return Delay(
        name=name,
        overlays=overlays,
        changes=changes,
        median=round(statistics.median(delays), 2),
        p99=round(delays[int(len(delays) * 0.99)], 2),
        slowest=round(delays[-1], 2),
    )


async def _change(db: Database, goal: UUID, changes: int, pause: float) -> dict[int, float]:
    """Add one so many times, with pauses; return when each was committed, which is when it is published."""
    committed: dict[int, float] = {}
    publish = db.bus.publish

    def noted(events: Any, told: Any = None) -> None:
        heard = list(events)
        at = time.monotonic()
        committed.update((event.goal.current, at) for event in heard if isinstance(event, StreamGoalChanged))
        publish(heard, told)

    # The commit hands its events to this, and has done so before anybody else can run.
    db.bus.publish = noted  # type: ignore[method-assign]  # to take the time
    if hasattr(db, "_commits"):
        db._commits._publish = noted  # noqa: SLF001 -- as above
    for _ in range(changes):
        async with db.transaction() as tx:
            await operations.add_progress(tx, goal, 1, viewer=None, now=SystemClock().now())
        await asyncio.sleep(pause)
    return committed


def _watch(pipe: Any, port: int, secret: str, goal: str, overlays: int, changes: int) -> None:
    """Hear every change as cheaply as can be: what is measured is the server, and not how fast a client parses."""
    heard: list[float] = []

    async def watch_all() -> None:
        crowd = await watch(f"http://127.0.0.1:{port}", secret, _OVERLAY, [{"id": goal}] * overlays)
        woken = crowd.wake

        def note() -> None:
            heard.append(time.monotonic())
            woken()

        crowd.wake = note  # type: ignore[method-assign]  # to take the time
        pipe.send("ready")
        await crowd.hear(overlays * (1 + changes))

    run_on_fastest_loop(watch_all)
    # The crowd is woken once by its own beginning to wait.
    pipe.send(_by_change(heard[1:], overlays))


def _watch_bare(pipe: Any, port: int, overlays: int, changes: int) -> None:
    """Note when each of the bare sockets was told."""
    heard: list[float] = []

    async def watch_all() -> None:
        loop = asyncio.get_running_loop()
        has_heard_all = asyncio.Event()

        class Watcher(asyncio.Protocol):
            def data_received(self, data: bytes) -> None:
                heard.extend([time.monotonic()] * (len(data) // len(_BARE)))
                if len(heard) == overlays * changes:
                    has_heard_all.set()

        for _ in range(overlays):
            await loop.create_connection(Watcher, "127.0.0.1", port)
        await has_heard_all.wait()

    run_on_fastest_loop(watch_all)
    pipe.send(_by_change(heard, overlays))


def _by_change(heard: Sequence[float], overlays: int) -> dict[int, Sequence[float]]:
    """One change is heard by all before the next is made."""
    return {1 + start // overlays: heard[start : start + overlays] for start in range(0, len(heard), overlays)}


async def _stream(db: Database) -> tuple[UUID, UUID]:
    """Set up a stream with its default goals and a source, which the server is not to call."""
    now = SystemClock().now()
    async with db.transaction() as tx:
        user = await access.create_user(tx, name=f"streamer {time.time_ns()}", role=Role.MEMBER, now=now)
        stream = await operations.create_stream(tx, owner_id=user.id, changes={"name": "Stream"}, now=now)
        made = await source_operations.create_source(
            tx, stream.id, kind=StreamSourceKind.TIKFINITY, changes={"name": "Audience"}, viewer=None, now=now
        )
        await source_operations.enable_source(tx, made.source.id, is_enabled=False, viewer=None)
    return stream.id, made.source.id


async def _goal(db: Database, stream_id: UUID, kind: StreamGoalKind) -> UUID:
    changes = {"name": "Goal", "target": 1_000_000_000}
    async with db.transaction() as tx:
        goal = await operations.create_goal(
            tx, stream_id, kind=kind, changes=changes, viewer=None, now=SystemClock().now()
        )
    return goal.id


async def _assert_all_counted(db: Database, stream_id: UUID, frames: Sequence[str]) -> None:
    """The coins are those of the frames, counted another way; entries join end to end; nothing is missing."""
    streaks: dict[tuple[str, str, str], int] = {}
    coins = 0
    for frame in frames:
        gift = decode(frame)
        if isinstance(gift, Gift) and gift.is_streak:
            key = gift.viewer_id, gift.gift_id, gift.group_id
            streaks[key] = max(streaks.get(key, 0), gift.repeat_count * gift.coins)
        elif isinstance(gift, Gift):
            coins += gift.coins * gift.repeat_count
    coins += sum(streaks.values())
    of_coins = col(StreamGoal.stream_id) == stream_id, col(StreamGoal.kind) == StreamGoalKind.COINS
    async with db.read() as session:
        goal = await session.row(select(StreamGoal).where(*of_coins))
        assert goal is not None
        history = select(StreamGoalChange).where(col(StreamGoalChange.goal_id) == goal.id)
        entries = await session.rows(history.order_by(col(StreamGoalChange.revision), col(StreamGoalChange.part)))
        source = await session.row(select(StreamSource).where(col(StreamSource.stream_id) == stream_id))
    assert source is not None
    counted = sum(source.event_counts.values()) + source.ignored_count
    assert counted == len(frames), f"{len(frames)} frames were sent, {counted} were read"
    moves = [one for one in entries if one.kind == "PROGRESS"]
    assert goal.current == coins == sum(one.delta for one in moves), f"{coins} coins were given, {goal.current} counted"
    assert all(one.new_value == after.old_value for one, after in pairwise(moves))


def _figure(name: str, count: int, seconds: float, busy: float) -> Figure:
    return Figure(
        name=name,
        count=count,
        seconds=round(seconds, 3),
        per_second=round(count / seconds),
        processor_microseconds=round(busy / count * 1e6, 1),
    )


def _machine(url: str) -> dict[str, object]:
    return {
        "cpus": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "database": f"sqlite {sqlite3.sqlite_version}, synchronous=FULL" if is_embedded(url) else "postgresql",
        "system": platform.platform(),
    }


def _print(machine: dict[str, object], figures: Sequence[Figure], delays: Sequence[Delay]) -> None:
    console = Console(width=120)
    table = Table(
        title="Streams", title_justify="left", caption=", ".join(f"{name} {value}" for name, value in machine.items())
    )
    table.add_column("What")
    for column in ("Count", "Seconds", "Per second", "CPU µs each"):
        table.add_column(column, justify="right")
    for one in figures:
        table.add_row(
            one.name, f"{one.count:,}", f"{one.seconds:,}", f"{one.per_second:,}", f"{one.processor_microseconds:,}"
        )
    console.print(table)
    for delay in delays:
        console.print(
            f"{delay.name} → {delay.overlays:,} overlays, {delay.changes} changes: median {delay.median} ms, "
            f"p99 {delay.p99} ms, slowest {delay.slowest} ms"
        )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=100_000, help="how many frames in process")
    parser.add_argument("--batch", type=int, default=NEWS_PER_TRANSACTION, help="frames in one transaction")
    parser.add_argument("--rate", type=int, default=5_000, help="frames a second over a real WebSocket")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long they are sent")
    parser.add_argument("--writers", type=int, default=50, help="how many add to one goal at once")
    parser.add_argument("--increments", type=int, default=1000, help="how often each of them does")
    parser.add_argument("--overlays", type=int, default=1000, help="how many overlays watch; 0 leaves this out")
    parser.add_argument("--changes", type=int, default=20, help="how often what they watch is changed")
    parser.add_argument("--pause", type=float, default=0.5, help="seconds between two of those changes")
    parser.add_argument("--database", help="an empty PostgreSQL database, instead of a SQLite file of its own")
    parser.add_argument("--json", action="store_true", help="one line of JSON")
    return parser.parse_args()


if __name__ == "__main__":
    main()
