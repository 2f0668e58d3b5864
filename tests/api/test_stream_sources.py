"""Listening to sources: real sockets that drop, replay, hang and shout, and totals that are right all the same."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlmodel import col, select

from api.workers.stream_sources import GoalKeeper, Patience, SourceClient, StreamSources
from api.workers.supervisor import Supervisor
from db.clock import SystemClock
from db.connecting import connect
from db.database import Database
from db.streams import operations, source_operations
from db.streams.tables import Stream, StreamGoal, StreamGoalChange, StreamSource
from db.streams.vocabulary import StreamGoalKind, StreamGoalPeriod
from tests.conftest import ManualClock
from tests.support.house import eventually, running_house
from tests.support.ports import free_port
from tests.support.streaming import (
    FRAMES,
    TOTALS,
    frame,
    gift,
    make_goal,
    make_goal_of_each_kind,
    make_source,
    make_stream,
)
from tests.support.tikfinity import silent_server, tikfinity
from tests.support.wire import wire_to

NOW = SystemClock().now()
# Pings as they are: a cut is seen without them, and one in a tenth of a second is missed by who has no time just now.
QUICK = Patience(first_pause=0.01, longest_pause=0.02, opening=10, database=0.01, stopping=5)


@pytest.fixture
async def stream(db: Database) -> Stream:
    return await make_stream(db, NOW)


@asynccontextmanager
async def listening(
    db: Database, stream: Stream, url: str, patience: Patience = QUICK, **given: Any
) -> AsyncIterator[SourceClient]:
    """Listen until the block ends, and have stored all that came by then."""
    source = await make_source(db, stream, NOW, url=url)
    client = SourceClient(db, SystemClock(), source, patience, **given)
    work = asyncio.create_task(client.run())
    yield client
    work.cancel()
    await asyncio.wait([work])


async def source_of(db: Database) -> StreamSource:
    async with db.read() as session:
        (source,) = await session.rows(select(StreamSource))
        return source


async def counts(db: Database, goals: dict[str, UUID]) -> dict[str, int]:
    async with db.read() as session:
        found = {goal.id: goal.current for goal in await session.rows(select(StreamGoal))}
    return {kind: found[goal_id] for kind, goal_id in goals.items()}


def said(client: SourceClient, frames: int) -> Callable[[], bool]:
    return lambda: client.frames >= frames


async def test_frames_over_a_real_socket_come_to_the_totals(db: Database, stream: Stream) -> None:
    goals = await make_goal_of_each_kind(db, stream, NOW)

    async with tikfinity(FRAMES) as app, listening(db, stream, app.url) as client:
        await eventually(said(client, len(FRAMES)))

    assert await counts(db, goals) == TOTALS
    after = await source_of(db)
    assert (after.event_counts["GIFT"], after.duplicate_count, after.ignored_count) == (8, 2, 3)


@pytest.mark.parametrize("seed", range(4))
async def test_a_socket_that_breaks_after_any_frame_and_replays_all_comes_to_the_same(
    db: Database, stream: Stream, seed: int
) -> None:
    goals = await make_goal_of_each_kind(db, stream, NOW)
    plays = [FRAMES[: cut + seed] for cut in range(0, len(FRAMES), 4)] + [FRAMES]

    async with tikfinity(*plays, hangs_up=True) as app, listening(db, stream, app.url) as client:
        await eventually(said(client, sum(map(len, plays))))
        assert app.callers >= len(plays)

    assert await counts(db, goals) == TOTALS
    assert app.most_at_once == 1


async def test_a_source_that_is_not_there_is_called_until_it_is(db: Database, stream: Stream) -> None:
    port = free_port()
    goal = await make_goal(db, stream, NOW, StreamGoalKind.COINS)

    async with listening(db, stream, f"ws://127.0.0.1:{port}/") as client:

        async def waits() -> bool:
            return (await source_of(db)).state == "WAITING"

        await eventually(waits)
        assert (await source_of(db)).last_error
        async with tikfinity([gift(5)], port=port):
            await eventually(said(client, 1))

    assert (await counts(db, {"": goal.id}))[""] == 5


async def test_garbage_is_counted_by_its_fault_and_hurts_nothing(db: Database, stream: Stream) -> None:
    goals = await make_goal_of_each_kind(db, stream, NOW)
    garbage: list[str | bytes] = [
        "",
        "nonsense",
        "[]",
        '{"event": 5}',
        b"\xff\xfe",
        '{"event": "gift", "data": {}}',
        frame("gift", giftType=1, diamondCount=-5, repeatCount=1),
        frame("gift", giftType=1, diamondCount="five", repeatCount=1),
        frame("gift", giftType=2, diamondCount=1, repeatCount=3, gift={"repeat_count": 4}),
        "x" * 300_000,
    ]

    async with tikfinity([*garbage, *FRAMES]) as app, listening(db, stream, app.url) as client:
        await eventually(said(client, len(garbage) + len(FRAMES)))

    assert await counts(db, goals) == TOTALS
    assert (await source_of(db)).fault_counts == {
        "BAD_JSON": 2,
        "BAD_NUMBER": 1,
        "BAD_SHAPE": 2,
        "BAD_UTF8": 1,
        "CONFLICTING": 1,
        "MISSING_FIELD": 1,
        "OUT_OF_RANGE": 1,
        "TOO_LONG": 1,
    }


async def test_a_frame_too_large_for_any_memory_ends_the_call_and_not_the_listening(
    db: Database, stream: Stream
) -> None:
    goal = await make_goal(db, stream, NOW, StreamGoalKind.COINS)

    async with tikfinity(["x" * 5_000_000], [gift(3)]) as app, listening(db, stream, app.url) as client:
        await eventually(said(client, 1))

    assert (await counts(db, {"": goal.id}))[""] == 3
    assert "1009" in (await source_of(db)).last_error


async def test_a_socket_that_says_nothing_at_all_is_let_go(db: Database, stream: Stream) -> None:
    hasty = replace(QUICK, opening=0.2)
    async with silent_server() as port, listening(db, stream, f"ws://127.0.0.1:{port}/", hasty):

        async def waits() -> bool:
            return (await source_of(db)).state == "WAITING"

        await eventually(waits)


async def test_a_cut_cable_is_noticed_and_called_again(db: Database, stream: Stream) -> None:
    async with tikfinity() as app, listening(db, stream, app.url):
        await eventually(lambda: app.is_heard)
        await app.cut()
        await eventually(lambda: app.callers >= 2)

    assert app.most_at_once == 1


async def test_what_has_arrived_is_stored_when_it_is_stopped(db: Database, stream: Stream) -> None:
    goal = await make_goal(db, stream, NOW, StreamGoalKind.COINS, target=1_000_000)

    frames = [gift(1) for _ in range(2000)]
    async with tikfinity(frames) as app, listening(db, stream, app.url, Patience(), capacity=100) as client:
        await eventually(said(client, 1500))

    stored = (await counts(db, {"": goal.id}))[""]
    assert stored == client.frames >= 1500
    async with db.read() as session:
        entries = await session.rows(select(StreamGoalChange).where(col(StreamGoalChange.goal_id) == goal.id))
    assert len(entries) == stored


@pytest.mark.postgresql
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_news_waits_for_a_database_that_is_away_and_counts_once(database_url: str) -> None:
    async with wire_to(database_url) as (wire, through):
        far = await connect(through, pool_size=2)
        stream = await make_stream(far, NOW)
        goals = await make_goal_of_each_kind(far, stream, NOW)
        async with tikfinity() as app, listening(far, stream, app.url) as client:
            await eventually(lambda: app.is_heard)
            # Stored, and the answer lost: it has to be told again.
            wire.cut_behind_next_commit()
            await app.say(*FRAMES)
            await eventually(lambda: wire.is_cut)
            wire.mend()
            await eventually(said(client, len(FRAMES)))
        assert await counts(far, goals) == TOTALS
        await far.close()


async def test_who_takes_a_source_over_knows_nothing_and_counts_what_is_told_again_once(
    db: Database, stream: Stream
) -> None:
    goals = await make_goal_of_each_kind(db, stream, NOW)
    async with tikfinity() as app:
        source = await make_source(db, stream, NOW, url=app.url)
        for _ in range(2):
            client = SourceClient(db, SystemClock(), source, QUICK)
            work = asyncio.create_task(client.run())
            await eventually(lambda: app.is_heard)
            await app.say(*FRAMES)
            await eventually(said(client, len(FRAMES)))
            work.cancel()
            await asyncio.wait([work])
            await eventually(lambda: not app.is_heard)

    assert await counts(db, goals) == TOTALS


# Following what is configured


@asynccontextmanager
async def following(db: Database) -> AsyncIterator[StreamSources]:
    supervisor = Supervisor(SystemClock())
    sources = StreamSources(db, SystemClock(), supervisor, patience=QUICK)
    supervisor.start("stream sources", sources.run)
    yield sources
    await supervisor.close()


async def change(db: Database, work: Any, *given: Any, **named: Any) -> None:
    async with db.transaction() as tx:
        await work(tx, *given, viewer=None, **named)


async def test_a_source_that_is_changed_while_it_runs_has_one_socket(db: Database, stream: Stream) -> None:
    async with tikfinity() as one, tikfinity() as other, following(db):
        source = await make_source(db, stream, NOW, url=one.url)
        await eventually(lambda: one.is_heard)

        await change(db, source_operations.update_source, source.id, {"url": other.url})
        await eventually(lambda: other.is_heard and not one.is_heard)
        await change(db, source_operations.enable_source, source.id, is_enabled=False)
        await eventually(lambda: not other.is_heard)
        await change(db, source_operations.enable_source, source.id, is_enabled=True)
        await eventually(lambda: other.is_heard)
        await change(db, source_operations.delete_source, source.id)
        await eventually(lambda: not other.is_heard)

    assert [(app.most_at_once, app.callers) for app in (one, other)] == [(1, 1), (1, 2)]


async def test_a_server_that_is_stopped_calls_nobody_any_more(database_url: str) -> None:
    async with tikfinity() as app:
        async with running_house(database_url) as house:
            stream = await make_stream(house.house.db, NOW)
            await make_source(house.house.db, stream, NOW, url=app.url)
            await eventually(lambda: app.is_heard)
        assert not app.is_heard
        called = app.callers
        async with running_house(database_url):
            await eventually(lambda: app.is_heard)

    assert app.callers == called + 1


async def test_the_keeper_does_what_is_due(db: Database, clock: ManualClock) -> None:
    stream = await make_stream(db, clock.now())
    goal = await make_goal(db, stream, clock.now(), period=StreamGoalPeriod.DAILY)
    async with db.transaction() as tx:
        await operations.add_progress(tx, goal.id, 5, viewer=None, now=clock.now())
    keeper = GoalKeeper(db, clock)

    await keeper.look()
    before = (await counts(db, {"": goal.id}))[""]
    clock.move(timedelta(days=3))
    await keeper.look()

    async with db.read() as session:
        entries = await session.rows(select(StreamGoalChange).order_by(col(StreamGoalChange.revision)))
    assert (before, (await counts(db, {"": goal.id}))[""], str(entries[-1].kind)) == (5, 0, "RESET")
