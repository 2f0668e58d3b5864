"""S1, S2: whoever writes is killed in the middle of it. What was acknowledged is there, and counted once."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from functools import partial
from uuid import UUID

import asyncpg
import pytest
from sqlmodel import col, select

from db.connecting import connect
from db.database import Database
from db.housekeeping.checking import check_database
from db.session import Transaction
from db.streams import operations
from db.streams.tables import StreamGoal, StreamGoalChange
from db.urls import is_embedded
from tests.db.stored import NOW
from tests.faults.conftest import Figure, Size
from tests.support.house import eventually
from tests.support.lives import Say, begin
from tests.support.streaming import make_goal, make_stream

WRITERS = 8
_MOST_IN_A_LIFE = 200


async def prepared(url: str) -> UUID:
    """Lay a goal that everybody adds to, and return its id."""
    db = await connect(url, pool_size=2)
    goal = await make_goal(db, await make_stream(db, NOW), NOW, target=1_000_000_000)
    await db.close()
    return goal.id


async def add(tx: Transaction, goal_id: UUID) -> int:
    """Add one; return the revision that this made."""
    goal = await operations.add_progress(tx, goal_id, 1, viewer=None, now=NOW)
    return goal.revision


Change = Callable[[Transaction], Awaitable[int]]
Door = Callable[[Database, Change, Say], Awaitable[None]]


async def acknowledged_after(db: Database, change: Change, say: Say) -> None:
    """Answer as our doors do: when the change is committed."""
    async with db.transaction() as tx:
        made = await change(tx)
    say(made)


async def acknowledged_before(db: Database, change: Change, say: Say) -> None:
    """Answer without that guard: when the statement has run."""
    async with db.transaction() as tx:
        say(await change(tx))
        await asyncio.sleep(0)


def writing(url: str, goal_id: UUID, door: Door) -> Callable[[Say], Awaitable[None]]:
    """Add for ever, through a door."""

    async def write(db: Database, say: Say) -> None:
        while True:
            await door(db, partial(add, goal_id=goal_id), say)

    async def work(say: Say) -> None:
        db = await connect(url, pool_size=2 * WRITERS)
        await asyncio.gather(*(write(db, say) for _ in range(WRITERS)))

    return work


async def is_let_go(url: str) -> None:
    """Wait until PostgreSQL has done with whoever was killed: a commit that he had asked for may be under way."""
    connection = await asyncpg.connect(url)

    async def is_alone() -> bool:
        # Whoever empties the database after the test is connected as well.
        held = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid() AND application_name <> 'tests'"
        )
        return bool(await connection.fetchval(held) == 0)

    await eventually(is_alone, "the end of what a killed process held")
    await connection.close()


async def stored(url: str, goal_id: UUID) -> tuple[int, set[int]]:
    """Return the counter and the revisions there are entries of; the database must be whole."""
    if not is_embedded(url):
        # Counter and entries are read one after the other.
        await is_let_go(url)
    db = await connect(url, pool_size=2)
    assert (await check_database(db)).wrong == ()
    async with db.read() as session:
        goal = await session.row(select(StreamGoal).where(col(StreamGoal.id) == goal_id))
        entries = select(StreamGoalChange).where(col(StreamGoalChange.goal_id) == goal_id)
        revisions = [one.revision for one in await session.rows(entries) if str(one.kind) == "PROGRESS"]
    await db.close()
    assert goal is not None
    assert (goal.current, goal.revision, sorted(revisions)) == (
        len(revisions),
        len(revisions),
        [*range(1, len(revisions) + 1)],
    )
    return goal.current, set(revisions)


def lived_and_killed(url: str, goal_id: UUID, door: Door) -> set[int]:
    """Begin a life, kill it after some acknowledgements, and return all of these."""
    life = begin(writing(url, goal_id, door))
    heard = life.hear(random.randint(1, _MOST_IN_A_LIFE))  # noqa: S311 -- chance, not a secret
    return {*heard, *life.kill()}


def test_a_writer_killed_at_any_moment_loses_nothing_that_it_acknowledged(
    database_url: str, size: Size, figure: Figure
) -> None:
    goal_id = asyncio.run(prepared(database_url))
    lives = size(8, 2000 if is_embedded(database_url) else 500)
    acknowledged: set[int] = set()

    for _ in range(lives):
        acknowledged |= lived_and_killed(database_url, goal_id, acknowledged_after)
        count, there = asyncio.run(stored(database_url, goal_id))
        assert acknowledged <= there

    engine, fault = ("SQLite", "S1") if is_embedded(database_url) else ("PostgreSQL", "S2")
    figure(fault, f"{engine}: {lives} writers killed, {len(acknowledged)} acknowledged, 0 lost, {count} counted")


def test_a_writer_that_acknowledges_before_the_commit_is_found_out(database_url: str, figure: Figure) -> None:
    goal_id = asyncio.run(prepared(database_url))
    lives, lost = 0, 0

    # It is a matter of chance whether a kill hits what was promised too early; of some it does.
    while not lost and lives < 200:
        lives += 1
        acknowledged = lived_and_killed(database_url, goal_id, acknowledged_before)
        lost = len(acknowledged - asyncio.run(stored(database_url, goal_id))[1])

    assert lost
    fault = "S1" if is_embedded(database_url) else "S2"
    figure(fault, f"control: acknowledged before the commit, {lost} lost after {lives} kills")


@pytest.mark.parametrize("database_url", [pytest.param("postgresql", marks=pytest.mark.postgresql)], indirect=True)
async def test_a_killed_writer_leaves_no_transaction_open(database_url: str) -> None:
    goal_id = await prepared(database_url)
    await asyncio.to_thread(lived_and_killed, database_url, goal_id, acknowledged_after)

    await is_let_go(database_url)
