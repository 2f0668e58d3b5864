"""How many feeds one process reads: see README.md beside this file."""

import argparse
import asyncio
import multiprocessing
import random
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import psutil
from sqlmodel import col, select

from api.migrate import migrate_up
from api.outbound import Guard
from api.workers.feed_documents import Document, parse
from api.workers.feeds import FeedPoller, PollerLimits
from db.access import operations as access
from db.access.viewer import Role
from db.accounts import feeds, operations
from db.accounts.feed_leases import claim_due
from db.accounts.polling import Found, Reading, record_reads
from db.accounts.schedule import PollRules
from db.accounts.tables import Feed, Poll
from db.batches import table_of
from db.clock import SystemClock
from db.connecting import connect
from db.database import Database
from db.ids import new_id
from db.statements import update_many
from db.urls import is_embedded


def main() -> None:
    """Read the arguments, and run."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--feeds", type=int, default=10_000)
    asked.add_argument("--over", type=float, default=100.0, help="seconds over which all feeds fall due, once each")
    asked.add_argument("--rounds", type=int, default=1)
    asked.add_argument("--entries", type=int, default=10, help="that each document holds")
    asked.add_argument("--news", type=int, default=10, help="one feed of so many has a new entry in a round; 0: none")
    asked.add_argument("--at-once", type=int, default=64)
    asked.add_argument("--parsers", type=int, default=1)
    asked.add_argument("--seconds", type=float, default=0.0, help="end a round after so long, done or not; 0: never")
    asked.add_argument("--database", default="")
    given = asked.parse_args()
    ports: Any = multiprocessing.Queue()
    server = multiprocessing.Process(target=_serve, args=(ports, given.entries, given.news), daemon=True)
    server.start()
    try:
        with tempfile.TemporaryDirectory() as folder:
            url = given.database or f"sqlite:///{Path(folder) / 'bench.db'}"
            asyncio.run(_run(url, ports.get(timeout=30), given))
    finally:
        server.terminate()


async def _run(url: str, port: int, given: argparse.Namespace) -> None:
    async with _database(url) as db:
        began = time.perf_counter()
        await _add(db, port, given)
        print(f"{given.feeds} feeds with baselines of {given.entries} posts in {time.perf_counter() - began:.0f} s")
        for number in range(1, given.rounds + 1):
            await _round(db, port, number, given)


@asynccontextmanager
async def _database(url: str) -> AsyncIterator[Database]:
    if not is_embedded(url):
        base, _, name = url.rpartition("/")
        server = await asyncpg.connect(f"{base}/postgres")
        await server.execute(f'CREATE DATABASE "{name}"')
        await server.close()
    await asyncio.to_thread(migrate_up, url)
    db = await connect(url)
    try:
        yield db
    finally:
        await db.close()
        if not is_embedded(url):
            server = await asyncpg.connect(f"{base}/postgres")
            await server.execute(f'DROP DATABASE "{name}"')
            await server.close()


async def _add(db: Database, port: int, given: argparse.Namespace) -> None:
    """Add feeds that were read before, each with the posts of its baseline."""
    now = SystemClock().now()
    for first in range(0, given.feeds, _OF_ACCOUNT):
        async with db.transaction() as tx:
            if first % _OF_USER == 0:
                user = await access.create_user(tx, name=f"bench {first}", role=Role.MEMBER, now=now)
            account = await operations.create_account(
                tx, owner_id=user.id, changes={"platform": "bench", "username": str(first)}, now=now
            )
            for number in range(first, min(given.feeds, first + _OF_ACCOUNT)):
                changes = {"url": f"http://127.0.0.1:{port}/{number}"}
                await feeds.create_feed(
                    tx, owner_id=user.id, account_id=account.id, changes=changes, viewer=None, now=now
                )
            claimed = await claim_due(tx, lease_id=new_id(), limit=_OF_ACCOUNT, rules=PollRules(), now=now)
            readings = [Reading(feed=one, read=_baseline(one, given.entries)) for one in claimed]
            await record_reads(tx, readings, rules=PollRules(), now=now)


def _baseline(feed: Feed, entries: int) -> Found:
    number = int(feed.url.rpartition("/")[2])
    found = parse(_feed(number, entries), content_type="", url=feed.url)
    if not isinstance(found, Document):
        raise TypeError("what is played is no feed")
    return Found(
        started_at=feed.created_at,
        http_status=200,
        entries=found.entries,
        body_sha256="",
        etag='"0"',
        title=found.title,
    )


async def _round(db: Database, port: int, number: int, given: argparse.Namespace) -> None:
    """Let all feeds fall due one after the other, and read them."""
    await _fall_due(db, given)
    began_at = SystemClock().now()
    limits = PollerLimits(at_once=given.at_once, of_host=given.at_once, parsers=given.parsers)
    poller = FeedPoller(db, SystemClock(), Guard(allowed={f"127.0.0.1:{port}"}), limits=limits)
    began, worked, parsed = time.perf_counter(), time.process_time(), _children_worked()
    memory = [_memory()]
    running = asyncio.create_task(poller.run())
    while poller.polls < given.feeds and not running.done():
        await asyncio.sleep(0.05)
        if len(memory) == 1 and poller.polls >= given.feeds / 2:
            memory.append(_memory())
        if given.seconds and time.perf_counter() - began > given.seconds:
            break
    took, done = time.perf_counter() - began, poller.polls
    worked, parsed = time.process_time() - worked, _children_worked() - parsed
    memory.append(_memory())
    running.cancel()
    await asyncio.wait([running])
    late = await _lateness(db, began_at)
    print(
        f"round {number}: {done} polls in {took:.1f} s, {done / took:.0f} a second; {poller.failures} failures; "
        f"late by {_at(late, 0.5):.2f} s (p50), {_at(late, 0.99):.2f} s (p99), {late[-1]:.2f} s (most); "
        f"{' → '.join(f'{one:.0f}' for one in memory)} MiB; "
        f"each {worked / done * 1000:.2f} ms of CPU here and {parsed / done * 1000:.2f} ms where documents are read",
        flush=True,
    )


async def _fall_due(db: Database, given: argparse.Namespace) -> None:
    """Say of each feed when it is due, and write that down where it is found again: reading it changes it."""
    first = SystemClock().now() + timedelta(seconds=2)
    async with db.read() as session:
        ids = [row[0] for row in await session.tuples(select(col(Feed.id)))]
    random.Random(1).shuffle(ids)  # noqa: S311 -- an order
    told = [
        {"id": one, "due": first + timedelta(seconds=given.over * place / len(ids))} for place, one in enumerate(ids)
    ]
    async with db.transaction() as tx:
        await tx.change_many(_DUE, told)


async def _lateness(db: Database, since: datetime) -> list[float]:
    """How long after a feed was due its poll began, of all polls of a round, in order."""
    async with db.read() as session:
        found = await session.tuples(
            select(col(Poll.started_at), col(Feed.gone_at))
            .join(Feed, col(Feed.id) == col(Poll.feed_id))
            .where(col(Poll.started_at) >= since)
        )
    return sorted((started - due).total_seconds() for started, due in found)


def _at(values: list[float], share: float) -> float:
    return values[min(len(values) - 1, int(len(values) * share))]


def _memory() -> float:
    return float(psutil.Process().memory_info().rss / 2**20)


def _children_worked() -> float:
    """How long the processes that read documents have worked; the one that plays the feeds is none of them."""
    children = psutil.Process().children()
    played = {one.pid for one in multiprocessing.active_children()}
    return sum(sum(one.cpu_times()[:2]) for one in children if one.pid not in played)


def _serve(ports: Any, entries: int, news: int) -> None:
    asyncio.run(_play(ports, entries, news))


async def _play(ports: Any, entries: int, news: int) -> None:
    """Play feeds: one of so many with an entry more at each time, and the rest as they were."""
    asked: dict[int, int] = {}

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                number = int(head.split(b" ", 2)[1][1:])
                times = asked[number] = asked.get(number, 0) + 1
                if not news or number % news:
                    writer.write(b"HTTP/1.1 304 Not Modified\r\n\r\n")
                else:
                    body = _feed(number, entries + times)
                    head = f'HTTP/1.1 200 OK\r\nETag: "{times}"\r\nContent-Length: {len(body)}\r\n\r\n'.encode()
                    writer.write(head + body)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=1024)
    ports.put(server.sockets[0].getsockname()[1])
    await server.serve_forever()


def _feed(number: int, entries: int) -> bytes:
    items = "".join(
        f"<item><guid>{number}-{entry}</guid><title>Entry {entry} of {number}</title>"
        f"<link>http://example.org/{number}/{entry}</link><description>{'word ' * 60}</description></item>"
        for entry in range(entries, 0, -1)
    )
    return f'<rss version="2.0"><channel><title>Feed {number}</title>{items}</channel></rss>'.encode()


# As many as an account may have, and fewer than anybody may: whoever adds one counts his own.
_OF_ACCOUNT, _OF_USER = 20, 500
# When it was due is kept in a column that no feed of these uses.
_DUE = update_many(
    table_of(Feed),
    by=("id",),
    told={"due": table_of(Feed).c.next_check_at.type},
    values=lambda told: {"next_check_at": told["due"], "gone_at": told["due"]},
)

if __name__ == "__main__":
    main()
