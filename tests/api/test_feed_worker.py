"""The worker that reads feeds when not all goes well: a database that has no time, and feeds that are meant to hurt."""

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, update
from sqlmodel import col, select

from api.outbound import Guard
from api.workers.feed_fetching import FetchLimits
from api.workers.feed_hosts import Hosts
from api.workers.feeds import FeedPoller, PollerLimits
from api.workers.supervisor import Supervisor
from db import postgresql, sqlite
from db.accounts.tables import Feed, Poll
from db.accounts.vocabulary import FeedFault, FeedState
from db.connecting import connect
from db.database import Database
from db.ids import new_id
from tests.conftest import ManualClock
from tests.support.accounts import make_account, make_feed
from tests.support.feed_files import entity_bomb, gzip_bomb, nested, rss
from tests.support.house import eventually
from tests.support.pauses import leap
from tests.support.web import Answer, web

QUICK: dict[str, Any] = {"look_seconds": 0.02, "gather_seconds": 0.01, "busy_seconds": 0.05, "of_host": 50}


@dataclass
class Patient:
    """A server that answers everybody when it is told to, and counts whoever asks."""

    port: int = 0
    asked: int = 0
    body: bytes = rss("1")
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"


@asynccontextmanager
async def patient() -> AsyncIterator[Patient]:
    """Serve one feed at every path."""
    served = Patient()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            await reader.readuntil(b"\r\n\r\n")
            served.asked += 1
            await served.may_answer.wait()
            head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(served.body)}\r\nConnection: close\r\n\r\n"
            writer.write(head.encode() + served.body)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    served.port = server.sockets[0].getsockname()[1]
    try:
        yield served
    finally:
        served.may_answer.set()
        server.close()


async def add_feeds(db: Database, clock: ManualClock, host: str, paths: Sequence[str]) -> list[Feed]:
    account = await make_account(db, now=clock.now())
    return [await make_feed(db, account, url=f"http://{host}{path}", now=clock.now()) for path in paths]


async def all_feeds(db: Database) -> list[Feed]:
    async with db.read() as session:
        return await session.rows(select(Feed).order_by(col(Feed.url)))


async def baselines(db: Database) -> int:
    return sum(one.baseline_at is not None for one in await all_feeds(db))


async def polls(db: Database) -> int:
    async with db.read() as session:
        return int(await session.scalar(select(func.count()).select_from(Poll)))


async def ended(*running: "asyncio.Task[None]") -> None:
    for task in running:
        task.cancel()
    await asyncio.wait(running)


# A database that has no time


async def test_what_was_read_waits_for_a_database_that_is_busy_and_is_nobodys_failure(
    database_url: str, clock: ManualClock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def said() -> int:
        """Count how often that is said, whatever else is noted in the log of this process."""
        return sum("what was read of feeds waits" in one.getMessage() for one in caplog.records)

    # Of two connections one is for transactions.
    db = await connect(database_url, pool_size=2)
    async with patient() as served:
        await add_feeds(db, clock, served.host, ["/1", "/2", "/3"])
        # Until the turn is ours it keeps quiet: on SQLite, what it stores just before is committed with what we store.
        quiet = PollerLimits(**{**QUICK, "look_seconds": 3600})
        poller = FeedPoller(db, clock, Guard(allowed={served.host}), limits=quiet)
        running = asyncio.create_task(poller.run())
        await eventually(lambda: served.asked == 3, "three requests")

        async with db.transaction():
            with monkeypatch.context() as hasty:
                hasty.setattr(sqlite, "BUSY_TIMEOUT_SECONDS", 0.02)
                hasty.setattr(postgresql, "POOL_TIMEOUT_SECONDS", 0.02)
                poller.set_limits(look_seconds=0.02)
                served.may_answer.set()
                await eventually(lambda: poller.facts()["unstored"] == 3 and said() > 0, "what waits")
            assert (poller.polls, running.done()) == (0, False)
        await eventually(lambda: poller.polls == 3, "three polls")
        await ended(running)

    found = await all_feeds(db)
    await db.close()
    assert served.asked == 3
    assert [(one.state, one.error_count, one.poll_count) for one in found] == [(FeedState.ACTIVE, 0, 1)] * 3
    assert said() == 1


async def test_a_worker_that_is_stopped_stores_what_it_has_read(db: Database, clock: ManualClock) -> None:
    async with patient() as served:
        served.may_answer.set()
        await add_feeds(db, clock, served.host, ["/1", "/2"])
        limits = PollerLimits(**{**QUICK, "gather_seconds": 3600})
        poller = FeedPoller(db, clock, Guard(allowed={served.host}), limits=limits)
        running = asyncio.create_task(poller.run())
        await eventually(lambda: poller.facts()["unstored"] == 2, "two readings")
        assert await polls(db) == 0

        await ended(running)

    assert (await polls(db), await baselines(db)) == (2, 2)


async def test_what_was_read_of_a_feed_that_another_has_taken_meanwhile_is_not_counted(
    db: Database, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "api.workers.feeds")
    async with patient() as served:
        served.body = b"no feed"
        lost, _ = await add_feeds(db, clock, served.host, ["/lost", "/held"])
        poller = FeedPoller(db, clock, Guard(allowed={served.host}), limits=PollerLimits(**QUICK))
        running = asyncio.create_task(poller.run())
        await eventually(lambda: served.asked == 2, "both requests")
        async with db.transaction() as tx:
            await tx.execute(update(Feed).where(col(Feed.id) == lost.id).values(lease_id=new_id()))

        served.may_answer.set()

        await eventually(lambda: poller.polls == 1 and "of 1 feeds nothing was stored" in caplog.text, "both ends")
        await ended(running)

    assert (poller.polls, poller.failures, await polls(db)) == (1, 1, 1)


async def test_a_reading_that_cannot_be_stored_keeps_no_other_from_being_stored(
    db: Database, clock: ManualClock
) -> None:
    # No time can be reckoned with the second of these: it stands for whatever nobody thought of.
    chances = iter([0.5, math.nan])
    supervisor = Supervisor(clock)
    async with patient() as served:
        made = await add_feeds(db, clock, served.host, [f"/{number}" for number in range(6)])
        poller = FeedPoller(
            db, clock, Guard(allowed={served.host}), limits=PollerLimits(**QUICK), chance=lambda: next(chances, 0.5)
        )
        supervisor.start("feeds", poller.run)
        await eventually(lambda: served.asked == len(made), "all requests")
        served.may_answer.set()

        async def are_stored() -> bool:
            return await baselines(db) == len(made) - 1

        await eventually(are_stored, "all but one")
        (health,) = supervisor.health()
        await supervisor.close()

    assert health.last_error is not None
    assert "NaN" in health.last_error
    # Its lease runs out, and then it is read again.
    held = [one for one in await all_feeds(db) if one.lease_id is not None]
    assert [one.baseline_at for one in held] == [None]


async def test_what_ran_out_of_time_while_the_process_stood_still_is_read_again_and_is_nobodys_failure(
    db: Database, clock: ManualClock
) -> None:
    fetching = FetchLimits(seconds=1.5)
    async with patient() as served:
        await add_feeds(db, clock, served.host, ["/1", "/2"])
        limits = PollerLimits(**QUICK, stall_seconds=0.2)
        poller = FeedPoller(db, clock, Guard(allowed={served.host}), fetch_limits=fetching, limits=limits)
        running = asyncio.create_task(poller.run())
        await eventually(lambda: served.asked == 2, "both requests")
        leap(3.0)
        await eventually(lambda: served.asked == 4, "both requests once more")
        served.may_answer.set()
        await eventually(lambda: poller.polls == 2, "two polls")
        await ended(running)

    found = await all_feeds(db)
    assert poller.failures == 0
    assert [(one.state, one.error_count, one.poll_count) for one in found] == [(FeedState.ACTIVE, 0, 1)] * 2


async def test_many_feeds_are_stored_by_few_transactions(db: Database, clock: ManualClock) -> None:
    async with patient() as served:
        await add_feeds(db, clock, served.host, [f"/{number}" for number in range(20)])
        limits = PollerLimits(**{**QUICK, "gather_seconds": 0.5})
        poller = FeedPoller(db, clock, Guard(allowed={served.host}), limits=limits)
        heard: list[str] = []
        db.on_statement = heard.append
        running = asyncio.create_task(poller.run())
        await eventually(lambda: served.asked == 20, "all requests")
        before = len(heard)
        served.may_answer.set()
        await eventually(lambda: poller.polls == 20, "all polls")
        db.on_statement = None
        await ended(running)

    # Beside a baseline's posts, which are one statement for each feed.
    stored = [one for one in heard[before:] if "INTO posts" not in one]
    assert len([one for one in stored if "INTO polls" in one]) < 10
    assert len(stored) < 20 * 3


# Feeds that are meant to hurt


async def test_feeds_that_never_end_stop_nobody(db: Database, clock: ManualClock) -> None:
    dripping, well = [f"/drip{number}" for number in range(6)], [f"/well{number}" for number in range(12)]
    async with web() as served:
        served.answers |= dict.fromkeys(dripping, Answer(drip=b" "))
        served.answers |= dict.fromkeys(well, Answer(body=rss("1")))
        await add_feeds(db, clock, served.host, [*dripping, *well])
        limits = PollerLimits(**{**QUICK, "at_once": 8})
        # Longer than this test: they are still under way when all others are done.
        patience = FetchLimits(bytes=10**12, seconds=3600.0)
        poller = FeedPoller(db, clock, Guard(allowed={served.host}), fetch_limits=patience, limits=limits)
        running = asyncio.create_task(poller.run())

        async def are_read() -> bool:
            return await baselines(db) == len(well)

        await eventually(are_read, "all that are well")
        assert poller.facts()["reading"] == len(dripping)
        await ended(running)

    found = {one.url.rpartition("/")[2]: one for one in await all_feeds(db)}
    assert {name for name, one in found.items() if one.baseline_at is None} == {path[1:] for path in dripping}
    # Nobody finds them taken afterwards.
    assert {one.lease_id for one in found.values()} == {None}


HOSTILE = {
    "/bomb": (Answer(body=gzip_bomb(300), headers={"content-encoding": "gzip"}), FeedFault.TOO_LARGE),
    "/entities": (Answer(body=entity_bomb()), FeedFault.HOSTILE),
    "/gigabyte": (
        Answer(headers={"content-length": str(2**30)}, drip=b"x" * 65_536),
        FeedFault.TOO_LARGE,
    ),
    "/drip": (Answer(drip=b"x"), FeedFault.TIMEOUT),
    "/nested": (Answer(body=nested(80_000)), FeedFault.HOSTILE),
    "/silent": (Answer(breaks_off=True), FeedFault.UNREACHABLE),
    "/circle": (Answer(status=302, headers={"location": "/circle"}), FeedFault.TOO_MANY_REDIRECTS),
    "/home": (Answer(status=302, headers={"location": "http://127.0.0.1:9/"}), FeedFault.FORBIDDEN_ADDRESS),
}


async def test_each_feed_that_is_meant_to_hurt_comes_to_an_end_and_all_others_are_read(
    db: Database, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    well = [f"/well{number}" for number in range(8)]
    async with web() as served:
        served.answers |= {path: answer for path, (answer, _) in HOSTILE.items()}
        served.answers |= dict.fromkeys(well, Answer(body=rss("1")))
        await add_feeds(db, clock, served.host, [*HOSTILE, *well])
        limits = PollerLimits(**{**QUICK, "at_once": 6, "parse_seconds": 0.25})
        fetching = FetchLimits(bytes=600_000, seconds=3.0)
        poller = FeedPoller(db, clock, Guard(allowed={served.host}), fetch_limits=fetching, limits=limits)
        running = asyncio.create_task(poller.run())

        async def are_done() -> bool:
            return all(one.last_fault is not None or one.baseline_at is not None for one in await all_feeds(db))

        await eventually(are_done, "all polls")
        await ended(running)

    found = {"/" + one.url.rpartition("/")[2]: one for one in await all_feeds(db)}
    assert {path: found[path].last_fault for path in HOSTILE} == {path: fault for path, (_, fault) in HOSTILE.items()}
    assert {found[path].state for path in HOSTILE} == {FeedState.FAILING}
    assert {(found[path].state, found[path].last_fault) for path in well} == {(FeedState.ACTIVE, None)}
    # One each time that it is read, and that is once, but on a machine that stood still meanwhile.
    readings = served.paths().count("/nested")
    assert 1 <= poller.facts()["killed"] <= readings  # type: ignore[operator]  # it is a number
    assert readings == 1 or "nothing ran for" in caplog.text


# Hosts


def test_who_finds_a_host_busy_comes_again_when_those_before_him_are_done(clock: ManualClock) -> None:
    hosts, now, least = Hosts(), clock.now(), timedelta(seconds=2)
    hosts.begin("example.org")
    hosts.begin("example.org")
    hosts.end("example.org", 8.0, now)

    turns = [hosts.turn("example.org", of_host=4, least=least, now=now) - now for _ in range(3)]
    others = [hosts.turn("example.com", of_host=4, least=least, now=now) - now for _ in range(2)]

    assert turns == [timedelta(seconds=seconds) for seconds in (2, 4, 6)]
    assert others == [least] * 2
    assert (hosts.asked_of("example.org"), hosts.asked_of("example.com")) == (1, 0)


def test_nobody_waits_for_a_host_for_longer_than_a_feeds_own_time(clock: ManualClock) -> None:
    hosts, now = Hosts(), clock.now()
    hosts.begin("example.org")
    hosts.begin("example.org")
    hosts.end("example.org", 20.0, now)

    turns = [hosts.turn("example.org", of_host=1, least=timedelta(0), now=now) - now for _ in range(1000)]

    assert max(turns) == timedelta(minutes=15)
