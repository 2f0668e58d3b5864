"""Transactions: whole or not at all, told after the commit, in groups on SQLite, and none of it undone by a caller
who leaves, a disk that is full or a server that goes away."""

import asyncio
import sqlite3
import threading
from collections.abc import Awaitable, Coroutine, Generator
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import pytest
from sqlalchemy import insert, select, text
from sqlmodel import col

from db import postgresql, session, sqlite
from db.batches import table_of
from db.errors import Conflict, Unavailable
from db.ids import new_id
from db.matches import operations
from db.matches.tables import Mat, Tournament
from db.session import Database, SQLiteDatabase, Transaction, connect, without_secret
from tests.db.ears import Ears, Happened
from tests.db.stored import NOW, columns_of_tournament, count_of, count_up, lay_mat, mat_names

T = TypeVar("T")

CONTRADICTION = "This would contradict what is stored already."
DISK_FULL = "The database could not store the change. Nothing was changed; try again."
NO_ANSWER = "The database does not answer. If this was a change, read before you repeat it."


async def store(tx: Transaction, name: str) -> None:
    """Store a mat and tell of it."""
    await operations.create_mat(tx, name=name, now=NOW)
    tx.record(Happened(what=name))


async def store_orphan(tx: Transaction, name: str) -> None:
    """Store a mat of a tournament that is not there."""
    values = {"id": new_id(), "tournament_id": new_id(), "name": name, "last_seq": 0, "created_at": NOW}
    await tx.execute(insert(Mat).values(**values))


async def store_alone(db: Database, name: str) -> None:
    async with db.transaction() as tx:
        await store(tx, name)


class cancelled_at(Awaitable[T]):  # noqa: N801 -- it reads as a function
    """Run a coroutine in the present task, and cancel that at its n-th suspension."""

    def __init__(self, coroutine: Coroutine[Any, Any, T], suspension: int) -> None:
        self._coroutine = coroutine
        self._suspension = suspension
        self.suspensions = 0

    def __await__(self) -> Generator[Any, Any, T]:
        error: BaseException | None = None
        while True:
            try:
                waits_for = self._coroutine.send(None) if error is None else self._coroutine.throw(error)
            except StopIteration as end:
                result: T = end.value
                return result
            self.suspensions += 1
            if self.suspensions == self._suspension:
                task = asyncio.current_task()
                assert task is not None
                task.cancel()
            error = None
            try:
                yield waits_for
            except BaseException as thrown:  # noqa: BLE001 -- handed to the coroutine, whose it is
                error = thrown


# Whole or not at all.


async def test_a_transaction_is_stored_at_the_end_of_its_block(db: Database) -> None:
    async with db.transaction() as tx:
        await store(tx, "Mat 1")
        await store(tx, "Mat 2")
        seen_meanwhile = await mat_names(db)

    assert seen_meanwhile == []
    assert await mat_names(db) == ["Mat 1", "Mat 2"]


async def test_a_transaction_whose_block_raises_leaves_nothing(db: Database, ears: Ears) -> None:
    async def change() -> None:
        async with db.transaction() as tx:
            await store(tx, "Mat 1")
            raise LookupError("a bug")

    with pytest.raises(LookupError, match="a bug"):
        await change()

    assert await mat_names(db) == []
    assert ears.heard() == []


async def test_what_a_body_raises_itself_is_not_taken_for_the_databases_trouble(db: Database) -> None:
    async def change() -> None:
        async with db.transaction() as tx:
            await store(tx, "Mat 1")
            raise FileNotFoundError("no such picture")

    with pytest.raises(FileNotFoundError, match="no such picture"):
        await change()

    assert await mat_names(db) == []


async def test_events_are_published_after_the_commit_and_in_order(db: Database, ears: Ears) -> None:
    async with db.transaction() as tx:
        for name in ("Mat 3", "Mat 1", "Mat 2"):
            await store(tx, name)
        heard_meanwhile = ears.heard()

    assert heard_meanwhile == []
    assert ears.heard() == ["Mat 3", "Mat 1", "Mat 2"]


async def test_a_transaction_that_runs_no_statement_still_tells_what_it_recorded(db: Database, ears: Ears) -> None:
    async with db.transaction() as tx:
        tx.record(Happened(what="nothing stored"))
    async with db.transaction():
        pass

    assert ears.heard() == ["nothing stored"]


async def test_a_commit_that_fails_stores_nothing_and_tells_nobody(db: Database, ears: Ears) -> None:
    deferred = "SET CONSTRAINTS ALL DEFERRED"
    if db.statements.dialect.name == "sqlite":
        deferred = "PRAGMA defer_foreign_keys=ON"
    else:
        async with db.transaction() as tx:
            constraint = "ALTER CONSTRAINT fk_mats_tournament_id_tournaments DEFERRABLE"
            await tx.execute(text(f"ALTER TABLE mats {constraint}"))

    async def change() -> None:
        async with db.transaction() as tx:
            await tx.execute(text(deferred))
            await store(tx, "Mat 1")
            await store_orphan(tx, "orphan")

    with pytest.raises((Unavailable, Conflict)):
        await change()

    assert await mat_names(db) == []
    assert ears.heard() == []
    await store_alone(db, "Mat 2")
    assert ears.heard() == ["Mat 2"]


async def test_a_transaction_inside_a_transaction_is_refused(db: Database) -> None:
    async with db.transaction() as tx:
        await store(tx, "Mat 1")
        with pytest.raises(RuntimeError, match="A transaction is open in this task already"):
            async with db.transaction():
                pytest.fail("It was opened.")

    await store_alone(db, "Mat 2")
    assert await mat_names(db) == ["Mat 1", "Mat 2"]


async def test_a_contradiction_is_a_conflict_and_nothing_of_the_transaction_stays(db: Database) -> None:
    values = columns_of_tournament("Open")

    async def change() -> None:
        async with db.transaction() as tx:
            await tx.execute(insert(Tournament).values(**values))
            await tx.execute(insert(Tournament).values(**{**values, "id": new_id()}))

    with pytest.raises(Conflict) as refusal:
        await change()

    assert (refusal.value.message, refusal.value.field) == (CONTRADICTION, None)
    async with db.read() as session:
        assert await session.rows(select(table_of(Tournament))) == []


async def test_a_contradiction_among_many_rows_is_a_conflict(db: Database) -> None:
    row = columns_of_tournament("Open")

    async def change() -> None:
        async with db.transaction() as tx:
            await tx.execute_many(insert(Tournament), [row, row])

    with pytest.raises(Conflict, match=CONTRADICTION):
        await change()

    async with db.read() as session:
        assert await session.rows(select(table_of(Tournament))) == []


async def test_foreign_keys_are_enforced(db: Database) -> None:
    async def change() -> None:
        async with db.transaction() as tx:
            await store_orphan(tx, "orphan")

    with pytest.raises(Conflict, match=CONTRADICTION):
        await change()

    assert await mat_names(db) == []


async def test_a_failure_kept_quiet_ends_the_transaction_all_the_same(db: Database, ears: Ears) -> None:
    async def change() -> None:
        async with db.transaction() as tx:
            await store(tx, "Mat 1")
            with pytest.raises(Conflict):
                await store_orphan(tx, "orphan")
            tx.record(Happened(what="never"))

    with pytest.raises(Conflict, match=CONTRADICTION):
        await change()

    assert await mat_names(db) == []
    assert ears.heard() == []


async def test_after_a_failed_statement_no_other_is_run(db: Database) -> None:
    async def change() -> None:
        async with db.transaction() as tx:
            with pytest.raises(Conflict):
                await store_orphan(tx, "orphan")
            with pytest.raises(Conflict, match=CONTRADICTION):
                await store(tx, "Mat 1")
            with pytest.raises(Conflict, match=CONTRADICTION):
                await tx.execute_many(insert(Tournament), [])

    with pytest.raises(Conflict, match=CONTRADICTION):
        await change()

    assert await mat_names(db) == []


async def test_a_statement_broken_off_ends_the_transaction(db: Database, ears: Ears) -> None:
    async def change() -> None:
        async with db.transaction() as tx:
            await store(tx, "Mat 1")
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0):
                    await store(tx, "Mat 2")

    with pytest.raises(Unavailable, match="The change was broken off"):
        await change()

    assert await mat_names(db) == []
    assert ears.heard() == []
    await store_alone(db, "Mat 3")
    assert await mat_names(db) == ["Mat 3"]


# Many at once.


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


async def leave(coroutine: Coroutine[Any, Any, None], suspension: int) -> None:
    await cancelled_at(coroutine, suspension)


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


async def turn_of_the_loop() -> None:
    await asyncio.sleep(0)


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
        hold.wait(5)

    async def change() -> None:
        async with sqlite_db.transaction() as tx:
            await store(tx, "Mat 1")
            held = sqlite_db._writer.submit(wait)
        assert held.done()

    task = asyncio.create_task(change())
    await asyncio.to_thread(is_held.wait, 5)
    task.cancel()
    hold.set()
    await asyncio.gather(task, return_exceptions=True)
    await store_alone(sqlite_db, "Mat 2")

    assert task.cancelled()
    assert await mat_names(sqlite_db) == ["Mat 1", "Mat 2"]
    assert ears.heard() == ["Mat 1", "Mat 2"]


# A database in trouble.


async def test_a_turn_that_does_not_come_in_time_is_unavailable(
    db: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    narrow = await connect(database_url, pool_size=1)
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_SECONDS", 0.02)
    monkeypatch.setattr(postgresql, "POOL_TIMEOUT_SECONDS", 0.02)
    may_end = asyncio.Event()

    async def hold() -> None:
        async with narrow.transaction() as tx:
            await store(tx, "Mat 1")
            may_end.set()
            await hold_on.wait()

    hold_on = asyncio.Event()
    holder = asyncio.create_task(hold())
    await may_end.wait()
    with pytest.raises(Unavailable, match=r"busy\. Nothing was changed; try again\."):
        await store_alone(narrow, "Mat 2")
    hold_on.set()
    await holder
    monkeypatch.undo()
    await store_alone(narrow, "Mat 3")

    assert await mat_names(db) == ["Mat 1", "Mat 3"]
    await narrow.close()


async def test_another_process_that_writes_makes_us_wait_and_then_refuse(
    sqlite_db: SQLiteDatabase, tmp_path: Path
) -> None:
    await sqlite_db._writer.run(lambda connection: connection.execute("PRAGMA busy_timeout=20"))
    stranger = sqlite3.connect(tmp_path / "alone.db", isolation_level=None)
    stranger.execute("BEGIN IMMEDIATE")
    ears = Ears(sqlite_db)

    answers = await asyncio.gather(*(store_alone(sqlite_db, f"Mat {n}") for n in range(3)), return_exceptions=True)
    stranger.execute("ROLLBACK")
    stranger.close()
    await store_alone(sqlite_db, "Mat 3")

    assert [type(answer) for answer in answers] == [Unavailable] * 3
    assert await mat_names(sqlite_db) == ["Mat 3"]
    assert ears.heard() == ["Mat 3"]


async def test_a_full_disk_fails_the_whole_group_and_the_next_transaction_works(sqlite_db: SQLiteDatabase) -> None:
    ears = Ears(sqlite_db)
    await sqlite_db._writer.run(_fill_up)

    answers = await asyncio.gather(
        store_alone(sqlite_db, "Mat 1"), store_much(sqlite_db), store_alone(sqlite_db, "Mat 2"), return_exceptions=True
    )
    await sqlite_db._writer.run(_make_room)
    await store_alone(sqlite_db, "Mat 3")

    assert [type(answer) for answer in answers] == [Unavailable, Unavailable, type(None)]
    assert str(answers[0]) == DISK_FULL
    assert await mat_names(sqlite_db) == ["Mat 2", "Mat 3"]
    assert ears.heard() == ["Mat 2", "Mat 3"]


async def test_a_body_that_goes_on_after_a_full_disk_stores_nothing_by_itself(sqlite_db: SQLiteDatabase) -> None:
    await sqlite_db._writer.run(_fill_up)

    async def change() -> None:
        async with sqlite_db.transaction() as tx:
            with pytest.raises(Unavailable):
                await _store_much(tx)
            await sqlite_db._writer.run(_make_room)
            with pytest.raises(Unavailable):
                await store(tx, "half a change")

    with pytest.raises(Unavailable):
        await change()

    assert await mat_names(sqlite_db) == []


async def store_much(db: Database) -> None:
    async with db.transaction() as tx:
        await _store_much(tx)


async def _store_much(tx: Transaction) -> None:
    await tx.execute(insert(Tournament).values(**columns_of_tournament("x" * 1_000_000)))


def _fill_up(connection: sqlite3.Connection) -> None:
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count={pages + 8}")


def _make_room(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA max_page_count=1000000")


async def test_a_statement_nobody_understands_is_a_bug_and_surfaces(db: Database) -> None:
    async def change() -> None:
        async with db.transaction() as tx:
            await tx.execute(text("SELECT nonsense FROM nowhere"))

    with pytest.raises((sqlite3.OperationalError, asyncpg.PostgresError)):
        await change()

    await store_alone(db, "Mat 1")
    assert await mat_names(db) == ["Mat 1"]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_connection_killed_under_a_transaction_is_unavailable_and_the_next_works(
    db: Database, ears: Ears, database_url: str
) -> None:
    async def change() -> None:
        async with db.transaction() as tx:
            await store(tx, "Mat 1")
            await kill(database_url, await tx.scalar(text("SELECT pg_backend_pid()")))
            await store(tx, "Mat 2")

    with pytest.raises(Unavailable, match=NO_ANSWER):
        await change()

    await store_alone(db, "Mat 3")
    assert await mat_names(db) == ["Mat 3"]
    assert ears.heard() == ["Mat 3"]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_connection_killed_before_the_commit_is_unavailable_and_silent(
    db: Database, ears: Ears, database_url: str
) -> None:
    async def change() -> None:
        async with db.transaction() as tx:
            await store(tx, "Mat 1")
            await kill(database_url, await tx.scalar(text("SELECT pg_backend_pid()")))

    with pytest.raises(Unavailable, match=NO_ANSWER):
        await change()

    assert await mat_names(db) == []
    assert ears.heard() == []


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_connections_killed_while_nobody_used_them_cost_at_most_their_number(
    db: Database, database_url: str
) -> None:
    await asyncio.gather(*(mat_names(db) for _ in range(5)))

    await kill(database_url)
    answers = await asyncio.gather(*(mat_names(db) for _ in range(5)), return_exceptions=True)

    assert all(answer == [] or isinstance(answer, Unavailable) for answer in answers)
    assert await mat_names(db) == []


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_of_two_that_wait_for_each_other_one_is_asked_to_try_again(db: Database) -> None:
    mats = [await lay_mat(db, "Mat 1"), await lay_mat(db, "Mat 2")]
    has_begun = [asyncio.Event(), asyncio.Event()]

    async def change(own: int) -> None:
        async with db.transaction() as tx:
            await tx.execute(text("SET LOCAL deadlock_timeout='10ms'"))
            await count_up(tx, mats[own].id)
            has_begun[own].set()
            await has_begun[1 - own].wait()
            await count_up(tx, mats[1 - own].id)

    async with asyncio.timeout(30):
        answers = await asyncio.gather(change(0), change(1), return_exceptions=True)

    assert sorted(str(answer) for answer in answers) == [
        "None",
        "The database cannot do this now. Nothing was changed; try again.",
    ]
    assert [await count_of(db, mat.id) for mat in mats] == [1, 1]


async def kill(url: str, process: int | None = None) -> None:
    """End a connection of ours from outside, or all of them, and wait until they are gone."""
    connection = await asyncpg.connect(url)
    await connection.fetch(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE pid <> pg_backend_pid() AND datname = current_database() AND ($1::int IS NULL OR pid = $1)",
        process,
    )
    await connection.close()


# Reading.


async def test_a_session_for_reading_does_not_write(db: Database) -> None:
    values = columns_of_tournament("Open")

    async with db.read() as session:
        with pytest.raises(TypeError, match="A session for reading does not write"):
            await session.rows(insert(Tournament).values(**values).returning(Tournament))
        assert await session.rows(select(table_of(Tournament))) == []


async def test_a_readers_connection_cannot_write_whatever_it_is_asked(sqlite_db: SQLiteDatabase) -> None:
    with pytest.raises(sqlite3.OperationalError, match="attempt to write a readonly database"):
        await sqlite_db._readers[0].run(lambda connection: connection.execute("DELETE FROM mats"))


async def test_a_transaction_reads_what_it_wrote(db: Database) -> None:
    async with db.transaction() as tx:
        await store(tx, "Mat 1")
        found = await tx.scalar(select(col(Mat.name)))

    assert found == "Mat 1"


async def test_a_reader_in_line_is_not_passed_by_one_who_reads_on_and_on(database_url: str) -> None:
    narrow = await connect(database_url, pool_size=1)
    finished: list[str] = []

    async def read_on(name: str, times: int) -> None:
        async with narrow.read() as session:
            for _ in range(times):
                await session.rows(select(table_of(Mat)))
        finished.append(name)

    # Opening a connection takes longer than many reads.
    await asyncio.gather(*(read_on("warming up", 1) for _ in range(5)))
    finished.clear()
    await asyncio.gather(read_on("on and on", 50), *(read_on("once", 1) for _ in range(5)))
    await narrow.close()

    assert finished == [*["once"] * 5, "on and on"]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_readers_who_leave_at_any_moment_leave_their_connection_to_others(
    db: Database, database_url: str
) -> None:
    await store_alone(db, "Mat 1")
    narrow = await connect(database_url, pool_size=1)

    async def read_twice() -> None:
        await mat_names(narrow)
        await mat_names(narrow)

    suspension, was_cancelled = 0, True
    while was_cancelled:
        suspension += 1
        in_line = asyncio.create_task(mat_names(narrow))
        leaver = asyncio.create_task(leave(read_twice(), suspension))
        also_in_line = asyncio.create_task(mat_names(narrow))
        async with asyncio.timeout(30):
            found = await asyncio.gather(in_line, also_in_line)
            (outcome,) = await asyncio.gather(leaver, return_exceptions=True)
        was_cancelled = isinstance(outcome, asyncio.CancelledError)
        assert list(found) == [["Mat 1"]] * 2

    assert suspension > 2
    # Of ours there are two of the narrow one, as many of the other as asked at once, and the one who asks.
    async with narrow.read() as session:
        everybody = await session.scalar(
            text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
        )
    await narrow.close()
    assert everybody <= 2 + 3 + 2


# Opening, closing, and what is said of it.


async def test_a_commit_that_was_answered_is_on_disk(db: Database) -> None:
    versions = await db.versions()

    durable = {"sqlite": "FULL", "postgresql": "on"}[versions["engine"]]
    assert versions["synchronous"] == durable
    assert versions["version"][0].isdigit()


async def test_every_connection_to_a_file_is_fully_synchronous_and_checks_foreign_keys(
    sqlite_db: SQLiteDatabase,
) -> None:
    def settings(connection: sqlite3.Connection) -> list[Any]:
        names = ("journal_mode", "synchronous", "foreign_keys")
        return [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names]

    found = [await connection.run(settings) for connection in (*sqlite_db._readers, sqlite_db._writer)]

    assert found == [["wal", 2, 1]] * len(found)


async def test_a_file_that_is_not_there_is_said_to_be_missing_and_not_made(tmp_path: Path) -> None:
    path = tmp_path / "missing.db"

    with pytest.raises(Unavailable) as refusal:
        await connect(f"sqlite:///{path}")

    assert str(refusal.value) == f"The database file {path} cannot be opened: unable to open database file"
    assert not path.exists()
    assert [thread.name for thread in threading.enumerate() if "missing.db" in thread.name] == []


async def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("Not a database, but long enough to be read as the header of one. " * 10)

    with pytest.raises(Unavailable) as refusal:
        await connect(f"sqlite:///{path}")

    assert str(refusal.value) == f"The database file {path} cannot be opened: file is not a database"


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        (
            "mysql://root:secret@host/ringside",
            "A database URL begins with sqlite:/// or postgresql://: mysql://root:***@host/ringside does not.",
        ),
        ("ringside.db", "A database URL begins with sqlite:/// or postgresql://: ringside.db does not."),
        (
            "sqlite:///:memory:",
            "A SQLite URL names a file, as sqlite:///ringside.db does; this one does not: sqlite:///:memory:",
        ),
        ("sqlite:///", "A SQLite URL names a file, as sqlite:///ringside.db does; this one does not: sqlite:///"),
        (
            "sqlite://ringside.db",
            "A SQLite URL names a file, as sqlite:///ringside.db does; this one does not: sqlite://ringside.db",
        ),
    ],
)
async def test_a_url_of_no_engine_of_ours_is_refused(url: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=r".") as refusal:
        await connect(url)

    assert str(refusal.value) == sentence


async def test_a_port_where_nobody_answers_is_unavailable(unused_tcp_port: int) -> None:
    with pytest.raises(Unavailable, match=r"PostgreSQL does not let us in: .*Connect call failed"):
        await connect(f"postgresql://postgres@127.0.0.1:{unused_tcp_port}/ringside")


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_database_that_is_not_there_is_unavailable(database_url: str) -> None:
    with pytest.raises(Unavailable, match="does not exist"):
        await connect(f"{database_url.rpartition('/')[0]}/ringside_no_such")


async def test_a_url_that_cannot_be_read_does_not_give_its_password_away() -> None:
    with pytest.raises(Unavailable) as refusal:
        await connect("postgresql://postgres:pass/word@127.0.0.1/ringside")

    assert str(refusal.value) == (
        "PostgreSQL is not asked: its URL cannot be read. In a password / is written %2F, and # is written %23."
    )


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("sqlite:///ringside.db", "sqlite:///ringside.db"),
        ("postgresql://127.0.0.1:5432/ringside", "postgresql://127.0.0.1:5432/ringside"),
        ("postgresql://me@127.0.0.1:5432/ringside", "postgresql://me@127.0.0.1:5432/ringside"),
        ("postgresql://me@[::1]:5432/ringside", "postgresql://me@[::1]:5432/ringside"),
        ("postgresql://me:secret@127.0.0.1:5432/ringside", "postgresql://me:***@127.0.0.1:5432/ringside"),
        ("postgresql://me:secret@[::1]/ringside", "postgresql://me:***@[::1]/ringside"),
        ("postgresql://me:p%40ss%3Aw%2Frd@host/ringside", "postgresql://me:***@host/ringside"),
        ("postgresql://me:p@ss@host/ringside", "postgresql://me:***@host/ringside"),
        ("postgresql://me:p/ss@host/ringside", "postgresql://me:***@host/ringside"),
        ("postgresql://me:p#s?s@host/ringside", "postgresql://me:***@host/ringside"),
        ("postgresql://me:p[ss@host/ringside", "postgresql://me:***@host/ringside"),
        ("postgresql://:secret@host/ringside", "postgresql://:***@host/ringside"),
        ("postgresql://host/ringside?user=me&password=se%26cret", "postgresql://host/ringside?user=me&password=***"),
        ("postgresql://host/ringside?password=secret&a=b", "postgresql://host/ringside?password=***&a=b"),
        ("postgresql://me:one@host/ringside?password=two", "postgresql://me:***@host/ringside?password=***"),
    ],
)
def test_a_url_is_shown_without_its_password(url: str, shown: str) -> None:
    assert without_secret(url) == shown


async def test_a_closed_database_refuses_and_nobody_waits_for_it(database_url: str) -> None:
    database = await connect(database_url, pool_size=1)
    await database.close()

    async with asyncio.timeout(30):
        with pytest.raises(Unavailable):
            await mat_names(database)
        with pytest.raises(Unavailable):
            await store_alone(database, "Mat 1")


async def test_a_file_closed_under_a_transaction_stores_nothing_of_it(
    sqlite_db: SQLiteDatabase, tmp_path: Path
) -> None:
    async def change() -> None:
        async with asyncio.timeout(30), sqlite_db.transaction() as tx:
            await store(tx, "Mat 1")
            await sqlite_db.close()
            await store(tx, "Mat 2")

    with pytest.raises(Unavailable, match="The database is closed"):
        await change()

    again = await SQLiteDatabase.open(tmp_path / "alone.db")
    assert await mat_names(again) == []
    await again.close()


async def test_closing_waits_for_the_commits_under_way(sqlite_db: SQLiteDatabase, tmp_path: Path) -> None:
    task = asyncio.create_task(store_alone(sqlite_db, "Mat 1"))
    while not sqlite_db._commits._endings:
        await turn_of_the_loop()
    await sqlite_db.close()
    await task

    again = await SQLiteDatabase.open(tmp_path / "alone.db")
    assert await mat_names(again) == ["Mat 1"]
    await again.close()


async def test_no_cursor_leaves_the_thread_of_its_connection(sqlite_db: SQLiteDatabase) -> None:
    given: list[object] = []

    class Overheard:
        async def run(self, work: Any) -> Any:
            given.append(await sqlite_db._writer.run(work))
            return given[-1]

    driver = session._SQLiteDriver(Overheard())  # type: ignore[arg-type]  # all that it asks of a connection
    await driver.execute_many("INSERT INTO mats (id, name, last_seq, created_at) VALUES (?, ?, 0, '')", [["a", "b"]])
    await driver.fetch("SELECT name FROM mats", [])

    assert given == [None, [("b",)]]
