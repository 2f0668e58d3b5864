"""How many feeds one process reads: see README.md beside this file."""

import argparse
import asyncio
import multiprocessing
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import psutil
from sqlalchemy import func, update
from sqlmodel import select

from api.migrate import migrate_up
from api.outbound import Guard
from api.workers.feeds import FeedPoller, PollerLimits
from db.access import operations as access
from db.access.viewer import Role
from db.accounts import feeds, operations
from db.accounts.tables import Feed, Poll
from db.clock import SystemClock
from db.session import Database, connect, is_embedded

_ENTRIES = 10


def main() -> None:
    """Read the arguments, and run."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--feeds", type=int, default=1000)
    asked.add_argument("--rounds", type=int, default=2)
    asked.add_argument("--at-once", type=int, default=64)
    asked.add_argument("--parsers", type=int, default=1)
    asked.add_argument("--database", default="")
    given = asked.parse_args()
    ports: Any = multiprocessing.Queue()
    server = multiprocessing.Process(target=_serve, args=(ports,), daemon=True)
    server.start()
    try:
        with tempfile.TemporaryDirectory() as folder:
            url = given.database or f"sqlite:///{Path(folder) / 'bench.db'}"
            asyncio.run(_run(url, ports.get(timeout=30), given))
    finally:
        server.terminate()


async def _run(url: str, port: int, given: argparse.Namespace) -> None:
    async with _database(url) as db:
        await _add(db, port, given.feeds)
        for number in range(given.rounds):
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


async def _add(db: Database, port: int, count: int) -> None:
    now = SystemClock().now() + timedelta(days=365)
    async with db.transaction() as tx:
        user = await access.create_user(tx, name="bench", role=Role.MEMBER, now=now)
    for first in range(0, count, 20):
        async with db.transaction() as tx:
            account = await operations.create_account(
                tx, owner_id=user.id, changes={"platform": "bench", "username": str(first)}, now=now
            )
            for number in range(first, min(count, first + 20)):
                changes = {"url": f"http://127.0.0.1:{port}/{number}"}
                await feeds.create_feed(
                    tx, owner_id=user.id, account_id=account.id, changes=changes, viewer=None, now=now
                )


async def _round(db: Database, port: int, number: int, given: argparse.Namespace) -> None:
    """Let all feeds be due, and read them."""
    async with db.transaction() as tx:
        before = await tx.scalar(select(func.count()).select_from(Poll))
        await tx.execute(update(Feed).values(next_check_at=SystemClock().now()))
    limits = PollerLimits(at_once=given.at_once, of_host=given.at_once, parsers=given.parsers, look_seconds=0.05)
    poller = FeedPoller(db, SystemClock(), Guard(allowed={f"127.0.0.1:{port}"}), limits=limits)
    began = time.perf_counter()
    running = asyncio.create_task(poller.run())
    while poller.polls < given.feeds and not running.done():  # noqa: ASYNC110 -- nobody tells
        await asyncio.sleep(0.05)
    async with asyncio.timeout(60):
        while await _count(db) < before + given.feeds:  # noqa: ASYNC110 -- as above
            await asyncio.sleep(0.05)
    took = time.perf_counter() - began
    memory = psutil.Process().memory_info().rss / 2**20
    running.cancel()
    await asyncio.wait([running])
    print(
        f"round {number}: {given.feeds} feeds in {took:.1f} s, {given.feeds / took:.0f} polls/s, "
        f"{memory:.0f} MiB, {poller.failures} failures"
    )


async def _count(db: Database) -> int:
    async with db.read() as session:
        found: int = await session.scalar(select(func.count()).select_from(Poll))
        return found


def _serve(ports: Any) -> None:
    asyncio.run(_play(ports))


async def _play(ports: Any) -> None:
    """Play feeds: the first time whole, then a tenth of them with one entry more and the rest as they were."""
    asked: dict[int, int] = {}

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                number = int(head.split(b" ", 2)[1][1:])
                times = asked[number] = asked.get(number, 0) + 1
                if times > 1 and number % 10:
                    writer.write(b"HTTP/1.1 304 Not Modified\r\n\r\n")
                else:
                    body = _feed(number, _ENTRIES + times - 1)
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


if __name__ == "__main__":
    main()
