"""Transactions: whole or not at all, and told of after the commit."""

import asyncio

import pytest
from sqlalchemy import insert, select, text

from db.batches import table_of
from db.database import Database
from db.errors import Conflict, Unavailable
from db.ids import new_id
from db.matches.tables import Tournament
from tests.db.ears import Ears, Happened
from tests.db.stored import columns_of_tournament, mat_names
from tests.db.transacting import store, store_alone, store_orphan

CONTRADICTION = "This would contradict what is stored already."


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
