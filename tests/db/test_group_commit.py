"""Many transactions at once: in groups on SQLite, and none of it undone by a caller who leaves."""

import asyncio
import sqlite3
import threading

import pytest

from db import sqlite
from db.database import Database
from db.errors import Conflict
from db.sqlite_database import SQLiteDatabase
from tests.db.ears import Ears, Happened
from tests.db.stored import count_of, count_up, lay_mat, mat_names
from tests.db.transacting import leave, store, store_alone, store_orphan, turn_of_the_loop
from tests.support.house import PATIENCE_SECONDS


async def test_fifty_concurrent_increments_end_exact(db: Database) -> None:
    mat = await lay_mat(db)

    async def increment() -> None:
        async with db.transaction() as tx:
            await count_up(tx, mat.id)

    await asyncio.gather(*(increment() for _ in range(50)))

    assert await count_of(db, mat.id) == 50


async def test_those_that_wait_are_committed_together_and_answered_after(sqlite_db: SQLiteDatabase) -> None:
    mat = await lay_mat(sqlite_db)
    seen_by_the_answered: list[int] = []
    run = await traced(sqlite_db)

    async def increment() -> None:
        async with sqlite_db.transaction() as tx:
            await count_up(tx, mat.id)
        seen_by_the_answered.append(await count_of(sqlite_db, mat.id))

    await asyncio.gather(*(increment() for _ in range(50)))

    assert [statement for statement in run if statement in {"BEGIN IMMEDIATE", "COMMIT"}] == [
        "BEGIN IMMEDIATE",
        "COMMIT",
    ]
    assert seen_by_the_answered == [50] * 50


async def test_a_group_has_a_limit_so_that_the_first_is_answered_before_all_have_come(
    sqlite_db: SQLiteDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "_GROUP_LIMIT", 4)
    mat = await lay_mat(sqlite_db)
    run = await traced(sqlite_db)

    async def increment() -> None:
        async with sqlite_db.transaction() as tx:
            await count_up(tx, mat.id)

    await asyncio.gather(*(increment() for _ in range(20)))

    assert (run.count("COMMIT"), await count_of(sqlite_db, mat.id)) == (4, 20)


async def test_one_alone_is_committed_alone(sqlite_db: SQLiteDatabase) -> None:
    mat = await lay_mat(sqlite_db)
    run = await traced(sqlite_db)

    for _ in range(3):
        async with sqlite_db.transaction() as tx:
            await count_up(tx, mat.id)

    assert run.count("COMMIT") == 3


async def test_reading_in_a_body_that_changes_nothing_is_no_commit_of_its_own(sqlite_db: SQLiteDatabase) -> None:
    run = await traced(sqlite_db)

    async with sqlite_db.transaction():
        pass

    assert run == []


async def test_a_member_that_fails_does_not_hurt_the_others_of_its_group(db: Database, ears: Ears) -> None:
    async def change(number: int) -> None:
        async with db.transaction() as tx:
            await store(tx, f"Mat {number:02}")
            if number % 3 == 1:
                await store_orphan(tx, "orphan")
            if number % 3 == 2:
                raise LookupError("a bug")

    answers = await asyncio.gather(*(change(number) for number in range(30)), return_exceptions=True)

    kept = [f"Mat {number:02}" for number in range(0, 30, 3)]
    assert [type(answer) for answer in answers] == [type(None), Conflict, LookupError] * 10
    assert await mat_names(db) == kept
    assert sorted(ears.heard()) == kept


async def test_events_of_a_group_come_in_the_order_of_its_members(sqlite_db: SQLiteDatabase) -> None:
    ears = Ears(sqlite_db)
    names = [f"Mat {number:02}" for number in range(20)]

    await asyncio.gather(*(store_alone(sqlite_db, name) for name in names))

    assert ears.heard() == names


async def traced(database: SQLiteDatabase) -> list[str]:
    """Collect what the writer's own library runs."""
    run: list[str] = []
    await database._writer.run(lambda connection: connection.set_trace_callback(run.append))
    return run


# Callers who leave.


async def test_a_caller_cancelled_at_any_moment_leaves_everything_or_nothing(db: Database, ears: Ears) -> None:
    suspension, was_cancelled = 0, True
    while was_cancelled:
        suspension += 1
        leaver = asyncio.create_task(leave(store_two(db, suspension), suspension))
        others = [asyncio.create_task(store_alone(db, f"{suspension:03} other {number}")) for number in range(3)]
        (outcome,) = await asyncio.gather(leaver, return_exceptions=True)
        await asyncio.gather(*others)
        was_cancelled = isinstance(outcome, asyncio.CancelledError)

        names = [name for name in await mat_names(db) if name.startswith(f"{suspension:03}")]
        its_own = [name for name in names if "other" not in name]
        assert its_own in ([], [f"{suspension:03} first", f"{suspension:03} second"])
        assert len(names) - len(its_own) == 3
        assert sorted(ears.heard()) == await mat_names(db)

    assert suspension > 4
    assert its_own


async def store_two(db: Database, number: int) -> None:
    async with db.transaction() as tx:
        await store(tx, f"{number:03} first")
        await store(tx, f"{number:03} second")


@pytest.mark.parametrize("turns", range(40))
async def test_a_group_whose_members_leave_after_some_turns_of_the_loop_is_exact(
    sqlite_db: SQLiteDatabase, turns: int
) -> None:
    mat = await lay_mat(sqlite_db)
    ears = Ears(sqlite_db)

    async def increment(number: int) -> None:
        async with sqlite_db.transaction() as tx:
            await count_up(tx, mat.id)
            tx.record(Happened(what=str(number)))

    tasks = [asyncio.create_task(increment(number)) for number in range(12)]
    for _ in range(turns):
        await turn_of_the_loop()
    for task in tasks[::2]:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await increment(99)

    counted = await count_of(sqlite_db, mat.id)
    assert counted == len(ears.heard())
    assert {str(number) for number in (*range(1, 12, 2), 99)} <= set(ears.heard())


async def test_a_caller_cancelled_before_his_turn_leaves_the_one_before_him_alone(sqlite_db: SQLiteDatabase) -> None:
    may_end = asyncio.Event()

    async def first() -> None:
        async with sqlite_db.transaction() as tx:
            await store(tx, "Mat 1")
            await may_end.wait()

    task = asyncio.create_task(first())
    await turn_of_the_loop()
    waiting = asyncio.create_task(store_alone(sqlite_db, "Mat 2"))
    await turn_of_the_loop()
    waiting.cancel()
    may_end.set()
    await asyncio.gather(task, waiting, return_exceptions=True)

    assert waiting.cancelled()
    assert await mat_names(sqlite_db) == ["Mat 1"]


async def test_a_caller_cancelled_while_the_commit_runs_is_stored_and_told_of(sqlite_db: SQLiteDatabase) -> None:
    ears = Ears(sqlite_db)
    is_held, hold = threading.Event(), threading.Event()

    def wait(_: sqlite3.Connection) -> None:
        is_held.set()
        hold.wait(PATIENCE_SECONDS)

    async def change() -> None:
        async with sqlite_db.transaction() as tx:
            await store(tx, "Mat 1")
            held = sqlite_db._writer.submit(wait)
        assert held.done()

    task = asyncio.create_task(change())
    await asyncio.to_thread(is_held.wait, PATIENCE_SECONDS)
    task.cancel()
    hold.set()
    await asyncio.gather(task, return_exceptions=True)
    await store_alone(sqlite_db, "Mat 2")

    assert task.cancelled()
    assert await mat_names(sqlite_db) == ["Mat 1", "Mat 2"]
    assert ears.heard() == ["Mat 1", "Mat 2"]
