"""S5, S11: several processes count in one database at once. What comes out is the sum of what was acknowledged."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import UUID

import pytest
from sqlmodel import col, select, update

from db.connecting import connect
from db.database import Database
from db.housekeeping.checking import check_database
from db.streams import operations
from db.streams.tables import StreamGoal
from db.urls import is_embedded
from tests.db.stored import NOW
from tests.faults.conftest import Figure, Size
from tests.faults.test_kills import prepared
from tests.support.lives import Say, begin
from tests.support.process import serving

WRITERS = 4
Add = Callable[[Database, UUID, int], Awaitable[None]]


async def add_in_the_database(db: Database, goal_id: UUID, delta: int) -> None:
    """Count as we do: the statement adds."""
    async with db.transaction() as tx:
        await operations.add_progress(tx, goal_id, delta, viewer=None, now=NOW)


async def add_in_memory(db: Database, goal_id: UUID, delta: int) -> None:
    """Count without that guard, as who reads a row, adds to it and stores it."""
    async with db.read() as session:
        count = await session.scalar(select(col(StreamGoal.current)).where(col(StreamGoal.id) == goal_id))
    async with db.transaction() as tx:
        changed = update(StreamGoal).where(col(StreamGoal.id) == goal_id).values(current=count + delta)
        await tx.execute(changed)


def counting(url: str, goal_id: UUID, add: Add, each: int) -> Callable[[Say], Awaitable[None]]:
    """Add up and take away, in several tasks; say each step once it is stored."""

    async def count(db: Database, say: Say) -> None:
        for turn in range(each):
            # It never falls below where it began.
            delta = -2 if turn % 3 == 2 else 5
            await add(db, goal_id, delta)
            say(delta)

    async def work(say: Say) -> None:
        db = await connect(url, pool_size=2 * WRITERS)
        await asyncio.gather(*(count(db, say) for _ in range(WRITERS)))
        await db.close()

    return work


def counted(url: str, add: Add, *, processes: int, each: int) -> tuple[int, list[int]]:
    """Let processes count at once; return what is stored, and every step that was acknowledged."""
    goal_id = asyncio.run(prepared(url))
    lives = [begin(counting(url, goal_id, add, each)) for _ in range(processes)]
    ends = [life.ended() for life in lives]
    assert [code for _, code in ends] == [0] * processes
    return asyncio.run(_count(url, goal_id)), [step for steps, _ in ends for step in steps]


async def _count(url: str, goal_id: UUID) -> int:
    db = await connect(url, pool_size=2)
    assert (await check_database(db)).wrong == ()
    async with db.read() as session:
        count: int = await session.scalar(select(col(StreamGoal.current)).where(col(StreamGoal.id) == goal_id))
    await db.close()
    return count


def test_what_several_processes_count_at_once_adds_up(database_url: str, size: Size, figure: Figure) -> None:
    processes, each = size(2, 8), size(40, 156_250)

    count, steps = counted(database_url, add_in_the_database, processes=processes, each=each)

    assert len(steps) == processes * WRITERS * each
    assert count == sum(steps)
    engine = "SQLite" if is_embedded(database_url) else "PostgreSQL"
    figure("S5", f"{engine}: {len(steps)} steps by {processes} processes of {WRITERS} writers, none lost, none refused")


def test_who_counts_in_memory_is_found_out(database_url: str, figure: Figure) -> None:
    count, steps = counted(database_url, add_in_memory, processes=2, each=15)

    assert count != sum(steps)
    figure("S5", f"control: counted in memory, {count} stored where {sum(steps)} were acknowledged")


LAY = "mutation ($name: String!) { matCreate(input: {name: $name}) { mat { id } } }"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_two_servers_on_one_file_both_write_and_it_stays_whole(
    database_url: str, tmp_path: Path, figure: Figure
) -> None:
    async with (
        serving(database_url, tmp_path / "first.log") as first,
        serving(database_url, tmp_path / "second.log", secret=first.secret, hears=False) as second,
    ):
        both = {"first": first, "second": second}
        names = [f"{name} {number}" for number in range(40) for name in both]
        await asyncio.gather(*(both[name.split()[0]].execute(LAY, name=name) for name in names))
        shown = (await second.execute("{ mats(first: 100) { nodes { name } } }"))["mats"]["nodes"]
        assert [await first.stop(), await second.stop()] == [0, 0]
    db = await connect(database_url)

    assert (await check_database(db)).wrong == ()
    await db.close()
    assert {one["name"] for one in shown} == {*names, "Mat 1"}
    figure("S11", f"two servers on one file (SQLite {sqlite3.sqlite_version}): 80 changes, none refused, file whole")
