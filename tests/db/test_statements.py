"""Statements: compiled once per shape, and values that come back as they went in, on either database."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from operator import itemgetter
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import (
    Column,
    Float,
    Integer,
    MetaData,
    String,
    Table,
    Uuid,
    bindparam,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.schema import CreateTable
from sqlmodel import col

from db import statements
from db.access.operations import create_user
from db.access.tables import Token, User
from db.access.viewer import Role
from db.base import JSONColumn, enum_type
from db.batches import table_of
from db.database import Database
from db.dialects import POSTGRESQL, SQLITE
from db.ids import new_id
from db.matches.tables import Mat, Match, MatchEvent
from db.matches.vocabulary import SenderState
from db.parameters import any_of
from db.session import Session
from db.statements import StatementCache, insert_many, row_class, update_many
from tests.db.stored import NOW, lay_mat, statements_of


class Colour(StrEnum):
    RED = "RED"
    BLUE = "BLUE"


# One column of each type that a table of ours has, taken from there where it can be.
SAMPLES = Table(
    "samples",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("uuid", Uuid),
    Column("words", String),
    Column("number", Integer),
    Column("fraction", Float),
    Column("is_so", table_of(MatchEvent).c.is_valid.type),
    Column("moment", table_of(User).c.created_at.type),
    Column("colour", enum_type(Colour)),
    Column("octets", table_of(MatchEvent).c.raw.type),
    Column("record", JSONColumn),
)
VALUES: dict[str, list[Any]] = {
    "uuid": [new_id(), UUID(int=0), new_id()],
    "words": ["", "O'Neil; DROP TABLE users --", "김유진 — €\n%s :name ?"],
    "number": [-(2**31), 0, 2**31 - 1],
    "fraction": [0.1, -1e300, 3.0],
    "is_so": [True, False],
    "moment": [datetime(2026, 11, 21, 9, 30, 0, 123456, tzinfo=UTC), datetime(1970, 1, 1, tzinfo=UTC)],
    "colour": [Colour.RED, Colour.BLUE],
    "octets": [b"", b"\x00\xff pt1;3;\n", bytes(range(256))],
    "record": [{}, [], {"a": [1, 2.5, None, True, {"ü": "\u0000 and \\ and \"'"}]}, "text", False],
}


@pytest.fixture
def db(db: Database) -> Database:
    """A database that finds nothing compiled, though others of its dialect have been there before."""
    db.statements._compiled.clear()
    db.statements._fixed.clear()
    return db


@pytest.fixture
async def samples(db: Database) -> Database:
    create = str(CreateTable(SAMPLES).compile(dialect=db.statements.dialect))
    async with db.transaction() as tx:
        await tx.execute(text(create))
    return db


async def store(db: Database, rows: Sequence[dict[str, Any]]) -> None:
    blank = dict.fromkeys(SAMPLES.c.keys())
    async with db.transaction() as tx:
        await tx.execute_many(insert(SAMPLES), [{**blank, "id": number, **row} for number, row in enumerate(rows)])


async def found(db: Database, condition: Any) -> list[int]:
    async with db.read() as session:
        return sorted(row[0] for row in await session.tuples(select(SAMPLES.c.id).where(condition)))


def compiled(db: Database) -> int:
    return len(db.statements._compiled)


# What goes in comes out.


@pytest.mark.parametrize("name", VALUES)
async def test_values_come_back_equal_and_of_their_type(samples: Database, name: str) -> None:
    values = VALUES[name]
    await store(samples, [{name: value} for value in values])
    async with samples.transaction() as tx:
        for number, value in enumerate(values, start=len(values)):
            await tx.execute(insert(SAMPLES).values(**{"id": number, name: value}))

    async with samples.read() as session:
        found = [row[0] for row in await session.tuples(select(SAMPLES.c[name]).order_by(SAMPLES.c.id))]

    assert found == values * 2
    assert all(isinstance(one, type(value)) for one, value in zip(found, values * 2, strict=True))


async def test_nothing_comes_back_as_none_whatever_the_column(samples: Database) -> None:
    await store(samples, [{}])

    async with samples.read() as session:
        (row,) = await session.tuples(select(SAMPLES))

    assert list(row) == [0, *[None] * 9]


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    moment=st.datetimes(
        min_value=datetime(1, 1, 2),  # noqa: DTZ001 -- hypothesis adds the zone
        max_value=datetime(9999, 12, 30),  # noqa: DTZ001 -- as above
        timezones=st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes))),
    )
)
async def test_a_moment_of_any_zone_comes_back_in_utc_to_the_microsecond(samples: Database, moment: datetime) -> None:
    async with samples.transaction() as tx:
        kept = await tx.scalar(insert(SAMPLES).values(id=1, moment=moment).returning(SAMPLES.c.moment))
        is_same = await tx.scalar(select(SAMPLES.c.id).where(SAMPLES.c.moment == moment))
        await tx.execute(SAMPLES.delete())

    assert (kept, kept.utcoffset(), is_same) == (moment, timedelta(0), 1)


async def test_a_moment_without_a_zone_is_refused(samples: Database) -> None:
    naive = datetime(2026, 11, 21, 9, 0)  # noqa: DTZ001 -- that is the point

    async def change() -> None:
        async with samples.transaction() as tx:
            await tx.execute(insert(SAMPLES).values(id=1, moment=naive))

    with pytest.raises(Exception, match=r"naive|timezone|aware|tzinfo"):
        await change()


async def test_rows_read_like_the_class_they_came_from_and_know_its_table(db: Database) -> None:
    mat = await lay_mat(db)

    async with db.read() as session:
        row = await session.row(select(Mat))

    assert row == (mat.id, None, "Mat 1", None, 0, 0, SenderState.UNHEARD, "", None, 0, 0, NOW)
    assert row is not None
    assert (row.id, row.name, row.created_at) == (mat.id, "Mat 1", NOW)
    assert (type(row).__name__, type(row).table) == ("Mats", table_of(Mat))


async def test_a_row_that_is_not_there_is_none(db: Database) -> None:
    async with db.read() as session:
        answers = [
            await session.row(select(Mat)),
            await session.scalar(select(col(Mat.id))),
            await session.rows(select(Mat)),
            await session.tuples(select(col(Mat.id))),
        ]

    assert answers == [None, None, [], []]


# One of many.


@pytest.mark.parametrize("name", [name for name in VALUES if name not in {"octets", "record"}])
async def test_any_of_finds_those_of_no_one_and_many_values_in_one_shape(samples: Database, name: str) -> None:
    values, column = VALUES[name], SAMPLES.c[name]
    await store(samples, [{name: value} for value in values] + [{}])
    shapes_before = compiled(samples)

    answers = [
        await found(samples, any_of(column, [])),
        *[await found(samples, any_of(column, [value])) for value in values],
        await found(samples, any_of(column, values * 500)),
        await found(samples, any_of(column, {values[0]})),
    ]

    every = list(range(len(values)))
    assert answers == [[], *[[number] for number in every], every, [0]]
    assert compiled(samples) - shapes_before == 1


async def test_any_of_takes_its_values_by_a_parameters_name(samples: Database) -> None:
    await store(samples, [{"number": number} for number in range(5)])
    statement = select(SAMPLES.c.id).where(any_of(SAMPLES.c.number, "numbers"))

    async with samples.read() as session:
        answers = [[row[0] for row in await session.tuples(statement, numbers=wanted)] for wanted in ([], [3], [1, 2])]

    assert answers == [[], [3], [1, 2]]


async def test_any_of_stands_in_an_update(samples: Database) -> None:
    await store(samples, [{"number": number} for number in range(4)])

    async with samples.transaction() as tx:
        changed = await tx.tuples(
            update(SAMPLES).where(any_of(SAMPLES.c.number, [1, 3])).values(words="odd").returning(SAMPLES.c.id)
        )

    assert sorted(row[0] for row in changed) == [1, 3]


async def test_in_over_a_list_is_refused_because_its_shape_is_its_length(samples: Database) -> None:
    async with samples.read() as session:
        with pytest.raises(TypeError, match="write any_of"):
            await session.tuples(select(SAMPLES.c.id).where(SAMPLES.c.number.in_([1, 2])))


# Compiled once.


async def test_one_shape_is_compiled_once_whatever_the_values(db: Database) -> None:
    mats = [await lay_mat(db, f"Mat {number}") for number in range(3)]
    compiled_before = compiled(db)

    async with db.read() as session:
        by_name = [
            await session.scalar(select(col(Mat.id)).where(col(Mat.name) == mat.name, col(Mat.last_seq) < seq).limit(9))
            for seq, mat in enumerate(mats, start=1)
        ]

    assert by_name == [mat.id for mat in mats]
    assert compiled(db) - compiled_before == 1


async def test_none_is_another_shape_than_a_value(db: Database) -> None:
    await lay_mat(db)

    async def named(session: Session, tournament_id: UUID | None) -> list[str]:
        rows = await session.tuples(select(col(Mat.name)).where(col(Mat.tournament_id) == tournament_id))
        return [row[0] for row in rows]

    async with db.read() as session:
        assert [await named(session, None), await named(session, new_id())] == [["Mat 1"], []]


async def test_a_literal_beside_a_parameter_keeps_its_value(db: Database) -> None:
    statement = select(col(Mat.name)).where(col(Mat.last_seq) < bindparam("below"), col(Mat.name) != "Mat 1")
    other = select(col(Mat.name)).where(col(Mat.last_seq) < bindparam("below"), col(Mat.name) != "Mat 2")
    for name in ("Mat 1", "Mat 2"):
        await lay_mat(db, name)

    async with db.read() as session:
        answers = [list(await session.tuples(one, below=1)) for one in (statement, other, statement)]

    assert [[tuple(row) for row in rows] for rows in answers] == [[("Mat 2",)], [("Mat 1",)], [("Mat 2",)]]


INSERT_SAMPLES = insert_many(SAMPLES)


@pytest.mark.parametrize("are_light", [False, True])
async def test_rows_that_are_stored_together_come_back_as_they_went_in(samples: Database, *, are_light: bool) -> None:
    """Also what is null, and what a row shares with the one before it."""
    longest = max(map(len, VALUES.values()))
    alike = [{name: values[number % len(values)] for name, values in VALUES.items()} for number in range(longest)]
    rows = [
        {"id": number, **row} for number, row in enumerate([*alike, *alike[-1:], dict.fromkeys(VALUES), *alike[:1]])
    ]
    # No JSON is the JSON null, here as in any other statement of ours.
    light = row_class(SAMPLES.name, tuple(SAMPLES.c.keys()), SAMPLES)

    async with samples.transaction() as tx:
        await tx.execute_many(INSERT_SAMPLES, [light(**row) for row in rows] if are_light else rows)

    async with samples.read() as session:
        found = await session.rows(select(SAMPLES).order_by(SAMPLES.c.id))
    assert [row._asdict() for row in found] == rows


async def test_many_rows_are_one_statement(samples: Database) -> None:
    blank = {name: values[0] for name, values in VALUES.items()}
    async with samples.transaction() as tx:
        with statements_of(samples) as heard:
            await tx.execute_many(INSERT_SAMPLES, [{"id": number, **blank} for number in range(500)])

    async with samples.read() as session:
        assert (len(heard), await session.scalar(select(func.count()).select_from(SAMPLES))) == (1, 500)


CHANGE_SAMPLES = update_many(
    SAMPLES,
    by=("id", "words"),
    told={**{name: SAMPLES.c[name].type for name in VALUES if name != "words"}, "more": SAMPLES.c.number.type},
    values=lambda told: {
        **{name: told[name] for name in VALUES if name != "words"},
        "number": SAMPLES.c.number + told["more"],
    },
)


async def test_rows_that_are_changed_together_come_back_as_they_are_then_and_no_others(samples: Database) -> None:
    longest = max(map(len, VALUES.values()))
    told = [{name: values[number % len(values)] for name, values in VALUES.items()} for number in range(longest)]
    told.append(dict.fromkeys(VALUES))
    await store(samples, [{"words": f"{number}", "number": 10} for number in range(len(told) + 1)])
    wanted = [{**row, "words": f"{number}", "number": 10 + number} for number, row in enumerate(told)]

    rows = [{"id": number, **row, "words": f"{number}", "more": number} for number, row in enumerate(told)]
    nobody = {**rows[0], "id": len(told), "words": "another"}
    async with samples.transaction() as tx:
        with statements_of(samples) as heard:
            changed = await tx.change_many(CHANGE_SAMPLES, [*rows, nobody])

    assert len(heard) == 1
    assert sorted((row._asdict() for row in changed), key=itemgetter("id")) == [
        {"id": number, **row} for number, row in enumerate(wanted)
    ]
    async with samples.read() as session:
        assert await session.scalar(select(SAMPLES.c.number).where(SAMPLES.c.id == len(told))) == 10


async def test_a_change_that_is_written_as_one_is_made_for_many_rows_too(samples: Database) -> None:
    await store(samples, [{"number": number} for number in range(3)])
    raised = update(SAMPLES).where(SAMPLES.c.id == bindparam("of_id")).values(number=bindparam("to", type_=Integer))

    async with samples.transaction() as tx:
        changed = await tx.change_many(
            raised.returning(SAMPLES.c.id, SAMPLES.c.number), [{"of_id": 1, "to": 7}, {"of_id": 9, "to": 8}]
        )

    assert [tuple(row) for row in changed] == [(1, 7)]


async def test_a_word_that_is_too_long_for_its_column_is_never_cut(samples: Database) -> None:
    """SQLite has no lengths. PostgreSQL refuses it, where its arrays would cut it."""
    long = "RED" * 20
    row = {"id": 1, **dict.fromkeys(VALUES), "colour": long}

    async def store_it() -> None:
        async with samples.transaction() as tx:
            await tx.execute_many(INSERT_SAMPLES, [row])

    if samples.statements.dialect.name == "postgresql":
        with pytest.raises(asyncpg.StringDataRightTruncationError):
            await store_it()
        return
    await store_it()
    async with samples.read() as session:
        assert await session.scalar(text("SELECT colour FROM samples")) == long


async def test_every_statement_that_runs_is_heard_once(db: Database) -> None:
    with statements_of(db) as heard:
        async with db.read() as session:
            await session.rows(select(Mat))
        async with db.transaction() as tx:
            await tx.execute_many(insert(User), [])

    assert [statement.split()[0] for statement in heard] == ["SELECT", "INSERT"]


@pytest.mark.parametrize("dialect", [SQLITE, POSTGRESQL], ids=["sqlite", "postgresql"])
def test_the_cache_lets_go_of_what_was_longest_unused(dialect: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statements, "_SHAPES_KEPT", 3)
    cache = StatementCache(dialect)
    shapes = [select(column) for column in table_of(Mat).c]

    for shape in (shapes[0], shapes[1], shapes[2], shapes[0], shapes[3]):
        cache.prepare(shape, {})

    kept = [statement.sql.split()[1] for statement in cache._compiled.values()]
    assert kept == ["mats.name", "mats.id", "mats.current_match_id"]


@pytest.mark.parametrize("dialect", [SQLITE, POSTGRESQL], ids=["sqlite", "postgresql"])
def test_ten_thousand_values_leave_one_shape_and_ten_thousand_shapes_a_bounded_cache(dialect: Any) -> None:
    cache = StatementCache(dialect)
    for number in range(10_000):
        cache.prepare(select(col(Match.id)).where(col(Match.round_count) == number), {})
    values = len(cache._compiled)
    for number in range(2_100):
        cache.prepare(select(col(Match.id)).where(*[col(Match.round_count) == number] * (number % 7)).limit(1), {})
        cache.prepare(text(f"SELECT {number}"), {})

    assert (values, len(cache._compiled)) == (1, 2_000)


async def test_a_statement_that_cannot_be_told_from_others_is_refused(db: Database) -> None:
    statement = insert(table_of(Token)).values([{"label": "one"}, {"label": "two"}])

    async def change() -> None:
        async with db.transaction() as tx:
            await tx.execute(statement)

    with pytest.raises(TypeError, match="A statement without a cache key"):
        await change()


async def test_enums_are_stored_as_their_names_in_plain_text(db: Database) -> None:
    async with db.transaction() as tx:
        await create_user(tx, name="Ann", role=Role.ADMIN, now=NOW)

    async with db.read() as session:
        rows = await session.tuples(text("SELECT role FROM users"))
        found_by_enum = await session.tuples(select(col(User.name)).where(col(User.role) == Role.ADMIN))

    assert [tuple(row) for row in (*rows, *found_by_enum)] == [("ADMIN",), ("Ann",)]
