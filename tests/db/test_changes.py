"""Changes of one statement: committed as they run, told after that, and made to their end whoever leaves."""

import asyncio
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import bindparam, insert, literal, text, update
from sqlmodel import col

from db import postgresql_database
from db.connecting import connect
from db.database import Database
from db.errors import Conflict, Unavailable
from db.matches.tables import Mat, Tournament
from db.session import Changes
from db.sqlite_database import SQLiteDatabase
from db.statements import fixed
from tests.db.ears import Ears, Happened
from tests.db.stored import columns_of_tournament, count_of, lay_mat, mat_names, unknown_id
from tests.support.house import PATIENCE_SECONDS, eventually

COUNT = fixed(update(Mat).where(col(Mat.id) == bindparam("mat")).values(last_seq=col(Mat.last_seq) + 1).returning(Mat))


def counted(mat: Mat) -> Happened:
    return Happened(what=mat.last_seq)


async def count(changes: Changes, mat_id: UUID) -> Mat | None:
    return await changes.change(COUNT, event=counted, mat=mat_id)


async def test_a_change_gives_its_row_is_stored_and_told(db: Database, ears: Ears) -> None:
    mat = await lay_mat(db)

    row = await count(db, mat.id)

    assert row is not None
    assert (row.id, row.name, row.last_seq, row.created_at) == (mat.id, mat.name, 1, mat.created_at)
    assert await count_of(db, mat.id) == 1
    assert ears.heard() == [1]


async def test_a_change_of_nothing_gives_no_row_and_tells_nobody(db: Database, ears: Ears) -> None:
    assert await count(db, unknown_id()) is None
    assert ears.heard() == []


async def test_a_change_is_one_statement_and_no_transaction_around_it(db: Database) -> None:
    mat = await lay_mat(db)
    heard: list[str] = []
    db.on_statement = heard.append

    await count(db, mat.id)

    assert len(heard) == 1
    assert heard[0].startswith("UPDATE mats SET last_seq=")


async def test_in_a_transaction_it_is_a_part_of_it_and_silent_when_it_is_rolled_back(db: Database, ears: Ears) -> None:
    mat = await lay_mat(db)

    async def change_one_mind() -> None:
        async with db.transaction() as tx:
            assert await count(tx, mat.id) is not None
            raise KeyError

    with pytest.raises(KeyError):
        await change_one_mind()
    assert (await count_of(db, mat.id), ears.heard()) == (0, [])

    async with db.transaction() as tx:
        await count(tx, mat.id)
        assert ears.heard() == []
    assert (await count_of(db, mat.id), ears.heard()) == (1, [1])


async def test_two_hundred_at_once_end_exact_and_are_told_in_their_order(db: Database, ears: Ears) -> None:
    mat = await lay_mat(db)

    rows = await asyncio.gather(*(count(db, mat.id) for _ in range(200)))

    assert sorted(row.last_seq for row in rows if row is not None) == list(range(1, 201))
    assert await count_of(db, mat.id) == 200
    assert sorted(ears.heard()) == list(range(1, 201))


async def test_those_that_wait_on_sqlite_share_a_commit_and_are_told_in_order(sqlite_db: SQLiteDatabase) -> None:
    mat, ears = await lay_mat(sqlite_db), Ears(sqlite_db)
    run: list[str] = []
    await sqlite_db._writer.run(lambda connection: connection.set_trace_callback(run.append))

    await asyncio.gather(*(count(sqlite_db, mat.id) for _ in range(50)))

    assert run.count("COMMIT") <= 3
    assert ears.heard() == list(range(1, 51))


async def test_changes_and_transactions_side_by_side_are_exact(db: Database, ears: Ears) -> None:
    mat = await lay_mat(db)

    async def by_transaction() -> None:
        async with db.transaction() as tx:
            await count(tx, mat.id)

    await asyncio.gather(*(count(db, mat.id) if turn % 3 else by_transaction() for turn in range(90)))

    assert await count_of(db, mat.id) == 90
    assert sorted(ears.heard()) == list(range(1, 91))


async def test_a_contradiction_is_a_conflict_and_hurts_no_other(db: Database) -> None:
    mats = [await lay_mat(db, f"Mat {number}") for number in (1, 2)]
    rename = update(Mat).where(col(Mat.id) == mats[1].id).values(id=mats[0].id).returning(Mat)

    answers = await asyncio.gather(
        count(db, mats[0].id), db.change(rename), count(db, mats[1].id), return_exceptions=True
    )

    assert isinstance(answers[1], Conflict)
    assert str(answers[1]) == "This would contradict what is stored already."
    assert [await count_of(db, mat.id) for mat in mats] == [1, 1]


@pytest.mark.parametrize("turns", range(25))
async def test_a_caller_who_leaves_leaves_it_made_and_told_or_not_begun(db: Database, ears: Ears, turns: int) -> None:
    mat = await lay_mat(db)
    leaver = asyncio.create_task(count(db, mat.id))
    for _ in range(turns):
        await asyncio.sleep(0)
    leaver.cancel()
    await asyncio.gather(leaver, return_exceptions=True)

    await count(db, mat.id)
    async with db.transaction() as tx:
        await count(tx, mat.id)

    async def is_told() -> bool:
        # Nobody waits for the change of whoever left: it may be stored, and told, after all the others.
        return sorted(ears.heard()) == list(range(1, await count_of(db, mat.id) + 1))

    await eventually(is_told, "the word of all that is stored")
    assert await count_of(db, mat.id) in (2, 3)


async def test_an_event_that_cannot_be_made_is_the_callers_trouble_alone(db: Database, ears: Ears) -> None:
    mat = await lay_mat(db)

    def broken(_: object) -> Happened:
        raise KeyError("no such thing")

    answers = await asyncio.gather(
        db.change(COUNT, event=broken, mat=mat.id), count(db, mat.id), return_exceptions=True
    )

    assert isinstance(answers[0], KeyError)
    assert await count_of(db, mat.id) == 2
    assert len(ears.heard()) == 1


async def test_a_full_disk_refuses_all_who_share_the_commit_and_the_next_is_made(sqlite_db: SQLiteDatabase) -> None:
    mat, ears = await lay_mat(sqlite_db), Ears(sqlite_db)
    values = columns_of_tournament("x" * 10_000_000)
    too_much = insert(Tournament).values(values).returning(Tournament)
    await sqlite_db._writer.run(lambda connection: _limit(connection, 0))

    answers = await asyncio.gather(
        count(sqlite_db, mat.id),
        sqlite_db.change(too_much),
        count(sqlite_db, mat.id),
        return_exceptions=True,
    )
    await sqlite_db._writer.run(lambda connection: _limit(connection, 1_000_000))
    await count(sqlite_db, mat.id)

    assert isinstance(answers[1], Unavailable)
    made = sum(not isinstance(answer, BaseException) for answer in answers)
    assert await count_of(sqlite_db, mat.id) == made + 1
    assert ears.heard() == list(range(1, made + 2))


def _limit(connection: Any, more: int) -> None:
    """Let the file grow by so many pages, and no more."""
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages + more}")


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_connection_killed_under_it_is_unavailable_and_silent(db: Database, ears: Ears) -> None:
    mat = await lay_mat(db)

    with pytest.raises(Unavailable, match="read before you repeat it"):
        await db.change(hanging_up(mat.id), event=counted)

    assert (await count_of(db, mat.id), ears.heard()) == (0, [])
    await count(db, mat.id)
    assert (await count_of(db, mat.id), ears.heard()) == (1, [1])


def hanging_up(mat_id: UUID) -> Any:
    """A change in which the server hangs up on itself."""
    hangs_up = text("pg_terminate_backend(pg_backend_pid())")
    return update(Mat).where(col(Mat.id) == mat_id, literal(value=True) == hangs_up).values(last_seq=7).returning(Mat)


async def test_a_closed_database_refuses_it(database_url: str) -> None:
    db = await connect(database_url)
    mat = await lay_mat(db)
    await db.close()

    with pytest.raises(Unavailable, match="Nothing was changed"):
        await count(db, mat.id)


async def test_closing_waits_for_a_change_under_way(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # What is cut off because it takes long may be stored, and is not said to be.
    monkeypatch.setattr(postgresql_database, "_CLOSING_SECONDS", PATIENCE_SECONDS)
    db = await connect(database_url)
    mat = await lay_mat(db)
    under_way = [asyncio.create_task(count(db, mat.id)) for _ in range(20)]
    await asyncio.sleep(0)
    await db.close()
    answers = await asyncio.gather(*under_way, return_exceptions=True)
    made = [answer for answer in answers if not isinstance(answer, BaseException)]
    assert all(isinstance(answer, Unavailable) for answer in answers if isinstance(answer, BaseException))

    again = await connect(database_url)
    assert await count_of(again, mat.id) == len(made)
    assert await mat_names(again) == [mat.name]
    await again.close()
