"""How many messages a second go from bytes to a commit: parse, fold and log, in process and over real UDP."""

import argparse
import asyncio
import json
import multiprocessing
import os
import platform
import socket
import sqlite3
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from uuid import UUID

from rich.console import Console
from rich.table import Table
from sqlalchemy import func
from sqlmodel import col, select

from api.capture import CapturedMessage, read_capture
from api.collector import spare_the_collector
from api.demo import CAPTURE
from api.loop import run as run_on_fastest_loop
from api.migrate import migrate_up
from api.workers.pss import DATAGRAMS_PER_TRANSACTION, PSSListener
from api.workers.pss_protocol import parse
from db.clock import SystemClock
from db.connecting import connect
from db.database import Database
from db.matches import operations
from db.matches.log import Received
from db.matches.tables import Match, MatchEvent
from db.matches.vocabulary import MatchState, Outcome
from db.urls import is_embedded

BEGAN = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
BETWEEN_FIGHTS = timedelta(minutes=5)
# When nothing has come for so long, nothing comes any more.
_SILENCE_SECONDS = 0.5


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One measurement, after it was found that nothing is missing."""

    name: str
    messages: int
    seconds: float
    per_second: int
    # What one of our processors was busy for, per message: the others on the machine have no say in it.
    processor_microseconds: float
    sent: int
    lost_by_kernel: int
    dropped_by_queue: int


def main() -> None:
    """Measure, and print."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="ringside-ingest-") as folder:
        url = options.database or f"sqlite:///{Path(folder) / 'ingest.db'}"
        migrate_up(url)
        figures: list[Figure] = []
        run_on_fastest_loop(lambda: _measure(url, options, figures))
    machine = _machine(url)
    if options.json:
        print(json.dumps({"machine": machine, "figures": [asdict(figure) for figure in figures]}))
        return
    _print(machine, figures)


async def _measure(url: str, options: argparse.Namespace, figures: list[Figure]) -> None:
    db = await connect(url)
    fight = read_capture(CAPTURE)
    # Once through, so that every statement is compiled; then as the server does when it is up.
    await _in_process(db, fight, 2 * options.batch, options.batch)
    spare_the_collector()
    try:
        figures.append(await _in_process(db, fight, options.messages, options.batch))
        figures.extend([await _over_udp(db, fight, rate, options.seconds) for rate in options.rates])
    finally:
        await db.close()


async def _in_process(db: Database, fight: Sequence[CapturedMessage], wanted: int, batch: int) -> Figure:
    """Log whole fights as a listener would, each batch durable before the next is begun."""
    fights = max(1, wanted // len(fight))
    mat_id = await _mat(db, "in process")
    async with db.read() as session:
        progress = await operations.load_progress(session, mat_id)
    wires = _datagrams(fight, fights)
    began, busy = time.perf_counter(), time.process_time()
    while datagrams := list(islice(wires, batch)):
        received = [
            Received(received_at=at, sender="127.0.0.1:50000", raw=raw, message=parse(raw)) for at, raw in datagrams
        ]
        async with db.transaction() as tx:
            progress = await operations.log_messages(tx, progress, received)
    seconds, busy = time.perf_counter() - began, time.process_time() - busy
    await _assert_all_stored(db, mat_id, fights * len(fight), fights)
    name = f"parse, fold, commit: batches of {batch}"
    return _figure(name, fights * len(fight), seconds, busy)


async def _over_udp(db: Database, fight: Sequence[CapturedMessage], rate: int, seconds: float) -> Figure:
    """Send at a rate from a process of its own, one message a datagram, and take it in as the server does."""
    mat_id = await _mat(db, f"at {rate}")
    listener = PSSListener(db, SystemClock(), mat_id, "127.0.0.1", 0)
    work = asyncio.create_task(listener.run())
    port = await listener.wait_until_bound()
    wires = [message.wire.encode() for message in fight]
    fights = max(1, int(rate * seconds) // len(wires))
    sender = multiprocessing.get_context("spawn").Process(target=_send, args=(port, wires, fights, rate))
    sender.start()
    counters = listener.queue.counters
    while counters.datagrams == 0:  # noqa: ASYNC110 -- a counter tells nobody
        await asyncio.sleep(0.001)
    began, busy = time.perf_counter(), time.process_time()
    await asyncio.to_thread(sender.join)
    while listener.facts()["waiting"] or _silence(listener) < _SILENCE_SECONDS:  # noqa: ASYNC110 -- as above
        await asyncio.sleep(0.01)
    took = time.perf_counter() - began - _silence(listener)
    busy = time.process_time() - busy
    work.cancel()
    await asyncio.wait([work])
    stored = counters.datagrams - counters.dropped
    sent = fights * len(wires)
    await _assert_all_stored(db, mat_id, stored, fights if stored == sent else None)
    figure = _figure(f"real UDP, sent at {rate:,}/s", stored, took, busy)
    return Figure(
        **{
            **asdict(figure),
            "sent": sent,
            "lost_by_kernel": sent - counters.datagrams,
            "dropped_by_queue": counters.dropped,
        }
    )


def _silence(listener: PSSListener) -> float:
    """How many seconds ago the last datagram came."""
    last = listener.queue.counters.last_received_at
    return 0.0 if last is None else (SystemClock().now() - last).total_seconds()


def _send(port: int, wires: Sequence[bytes], fights: int, rate: int) -> None:
    """Keep to the rate as a whole: what a sleep overslept is sent in one go behind it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.connect(("127.0.0.1", port))
        began, sent = time.perf_counter(), 0
        for _ in range(fights):
            for wire in wires:
                while sent > (time.perf_counter() - began) * rate:
                    time.sleep(0.0005)
                sender.send(wire)
                sent += 1


async def _mat(db: Database, name: str) -> UUID:
    async with db.transaction() as tx:
        mat = await operations.create_mat(tx, name=f"{name} {time.time_ns()}", now=BEGAN)
    return mat.id


def _datagrams(fight: Sequence[CapturedMessage], fights: int) -> Iterator[tuple[datetime, bytes]]:
    wires = [(message.offset, message.wire.encode()) for message in fight]
    for number in range(fights):
        for offset, wire in wires:
            yield BEGAN + number * BETWEEN_FIGHTS + offset, wire


async def _assert_all_stored(db: Database, mat_id: UUID, messages: int, fights: int | None) -> None:
    """Every message is in the log, the numbers have no gap, and each fight ended as it did."""
    entries = select(func.count(), func.min(col(MatchEvent.seq)), func.max(col(MatchEvent.seq)))
    is_won = (
        select(func.count())
        .select_from(Match)
        .where(
            col(Match.mat_id) == mat_id,
            col(Match.state) == MatchState.ENDED,
            col(Match.outcome) == Outcome.BLUE,
            col(Match.round_score) == "2-1",
        )
    )
    async with db.read() as session:
        (found,) = await session.tuples(entries.where(col(MatchEvent.mat_id) == mat_id))
        won = await session.scalar(is_won)
    assert tuple(found) == (messages, 1, messages), f"{messages} messages went in, the log has {tuple(found)}"
    assert fights is None or won == fights, f"{fights} fights went in, {won} came to their end"


def _figure(name: str, messages: int, seconds: float, busy: float) -> Figure:
    return Figure(
        name=name,
        messages=messages,
        seconds=round(seconds, 3),
        per_second=round(messages / seconds),
        processor_microseconds=round(busy / messages * 1e6, 1),
        sent=messages,
        lost_by_kernel=0,
        dropped_by_queue=0,
    )


def _machine(url: str) -> dict[str, object]:
    return {
        "cpus": os.cpu_count(),
        "processor": _processor(),
        "python": platform.python_version(),
        "database": f"sqlite {sqlite3.sqlite_version}, synchronous=FULL" if is_embedded(url) else "postgresql",
        "sqlalchemy": version("sqlalchemy"),
        "system": platform.platform(),
    }


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _print(machine: dict[str, object], figures: Sequence[Figure]) -> None:
    table = Table(title="Ingest", title_justify="left", caption=", ".join(str(value) for value in machine.values()))
    table.add_column("What")
    for column in ("Messages", "Seconds", "Per second", "CPU µs each", "Lost by kernel", "Dropped by queue"):
        table.add_column(column, justify="right")
    for one in figures:
        busy, lost, dropped = one.processor_microseconds, one.lost_by_kernel, one.dropped_by_queue
        numbers = (one.messages, one.seconds, one.per_second, busy, lost, dropped)
        table.add_row(one.name, *(f"{number:,}" for number in numbers))
    Console(width=120).print(table)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=200_000, help="how many messages in process")
    parser.add_argument("--batch", type=int, default=DATAGRAMS_PER_TRANSACTION, help="messages in one transaction")
    parser.add_argument("--rates", type=int, nargs="*", default=[5_000, 10_000], help="messages a second over UDP")
    parser.add_argument("--seconds", type=float, default=5.0, help="how long each rate is sent")
    parser.add_argument("--database", help="an empty PostgreSQL database, instead of a SQLite file of its own")
    parser.add_argument("--json", action="store_true", help="one line of JSON")
    return parser.parse_args()


if __name__ == "__main__":
    main()
