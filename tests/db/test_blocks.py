"""Blocks: rows that come as whole columns are the rows that come one by one."""

from datetime import timedelta
from typing import Any

from sqlalchemy import BigInteger, Float, Integer, Numeric, literal_column, select

from db.batches import Chosen, table_of
from db.blocks import Reading, compile_reading
from db.database import Database
from db.practice.tables import Goal
from db.practice.vocabulary import GoalLevel
from tests.support.practice import NOW, make_goal, make_user

TEXTS = ["", ",", "NULL", '{"a",b}', "a\x01\x1e\x1fz", "line\nbreak\\", "ß 漢 🥋"]


def goals() -> Chosen:
    table = table_of(Goal)
    names = ["id", "parent_id", "description", "level", "position", "is_completed_with_children", "completed_at"]
    return select(*(table.c[name] for name in [*names, "created_at"])).order_by(table.c.position)


async def read(db: Database, statement: Chosen, *, are_many: bool) -> tuple[Reading, list[Any]]:
    """Return how a statement is read, and its rows as the columns' own types."""
    plain = compile_reading(db.statements, statement, are_many=False).compiled
    reading = compile_reading(db.statements, statement, are_many=are_many)
    async with db.read() as session:
        rows = reading.rows(await session.raw(reading.compiled, reading.compiled.bind(reading.compiled.constants)))
    return reading, [tuple(row) for row in plain.convert(rows)]


async def test_rows_in_blocks_are_the_rows_that_come_one_by_one(db: Database) -> None:
    user = await make_user(db)
    root = await make_goal(db, user.id)
    for number, text in enumerate(TEXTS):
        at = NOW + timedelta(microseconds=10**number)
        await make_goal(db, user.id, GoalLevel.LONG_TERM, under=root, name="x", description=text, now=at)

    _, one_by_one = await read(db, goals(), are_many=False)
    blocks, together = await read(db, goals(), are_many=True)

    assert (blocks.take_apart is not None) == (db.statements.dialect.name == "postgresql")
    assert sorted(row[2] for row in together) == sorted(["", *TEXTS])
    assert together == one_by_one


async def test_numbers_come_in_blocks_as_they_are(db: Database) -> None:
    await make_goal(db, (await make_user(db)).id)
    numbers: list[Any] = [
        literal_column("0.1", Float(53)).label("tenth"),
        literal_column("NULL", Integer()).label("absent"),
        literal_column("4611686018427387904", BigInteger()).label("large"),
    ]
    statement = select(*numbers, table_of(Goal).c.id)

    _, one_by_one = await read(db, statement, are_many=False)
    _, together = await read(db, statement, are_many=True)

    assert [[float(row[0]), *row[1:]] for row in together] == [[float(row[0]), *row[1:]] for row in one_by_one]
    assert [row[1:3] for row in together] == [(None, 1 << 62)]


async def test_no_rows_are_no_rows(db: Database) -> None:
    assert (await read(db, goals(), are_many=True))[1] == []


async def test_what_does_not_come_in_blocks_comes_as_it_is(db: Database) -> None:
    amount: Any = literal_column("12.50", Numeric())

    reading, _ = await read(db, select(table_of(Goal).c.id, amount.label("amount")), are_many=True)

    assert reading.take_apart is None
