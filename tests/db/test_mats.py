"""Mats and tournaments: their names, and who has one."""

import asyncio
from typing import Any
from uuid import UUID

import pytest
from sqlmodel import col

from db.batches import table_of
from db.database import Database
from db.errors import Refusal
from db.ids import new_id
from db.matches import operations
from db.matches.tables import (
    Mat,
    Tournament,
)
from db.session import Transaction
from tests.db.logs import (
    rows_of,
    told,
)
from tests.db.stored import NOW

TAKEN = ("CONFLICT", "There is a mat of this name in this tournament.", "name")


LENGTH = ("BAD_USER_INPUT", "A name has 1 to 200 characters.", "name")


CHARACTER = ("BAD_USER_INPUT", "A name holds a character that cannot be stored.", "name")


async def hold(db: Database, name: str, city: str = "") -> Tournament:
    async with db.transaction() as tx:
        return await operations.create_tournament(tx, name=name, city=city, now=NOW)


async def lay(db: Database, name: str, tournament_id: UUID | None = None) -> Mat:
    async with db.transaction() as tx:
        return await operations.create_mat(tx, name=name, tournament_id=tournament_id, now=NOW)


async def rename(db: Database, mat_id: UUID, name: str) -> Mat:
    async with db.transaction() as tx:
        return await operations.rename_mat(tx, mat_id, name=name)


async def refusal_of(attempt: Any) -> tuple[str, str, str | None]:
    with pytest.raises(Refusal) as refusal:
        await attempt
    return told(refusal)


async def test_a_tournament_has_a_name_of_its_own(db: Database) -> None:
    made = await hold(db, " Swiss Open ", " Lausanne ")

    refusals = [await refusal_of(hold(db, name)) for name in ("Swiss Open", " Swiss Open", "", " ", "x" * 201, "a\0b")]
    cities = [await refusal_of(hold(db, "Other", city)) for city in ("x" * 201, "a\0b", "\ud800")]

    taken = ("CONFLICT", "There is a tournament of this name.", "name")
    assert refusals == [taken, taken, LENGTH, LENGTH, LENGTH, CHARACTER]
    assert cities == [
        ("BAD_USER_INPUT", "A city has 0 to 200 characters.", "city"),
        *[("BAD_USER_INPUT", "A city holds a character that cannot be stored.", "city")] * 2,
    ]
    assert (made.name, made.city, made.created_at) == ("Swiss Open", "Lausanne", NOW)
    assert await rows_of(db, Tournament) == [made]


async def test_a_mat_has_a_name_of_its_own_in_its_tournament(db: Database) -> None:
    swiss, german = await hold(db, "Swiss Open"), await hold(db, "German Open")
    places = [None, swiss.id, german.id]

    made = [await lay(db, " Mat 1 ", place) for place in places]
    refusals = [await refusal_of(lay(db, "Mat 1", place)) for place in places]
    invalid = [await refusal_of(lay(db, name)) for name in ("", " \t", "x" * 201, "a\0b", "\udc00")]
    nowhere = await refusal_of(lay(db, "Mat 2", new_id()))

    assert [(mat.name, mat.tournament_id, mat.last_seq, mat.current_match_id) for mat in made] == [
        ("Mat 1", place, 0, None) for place in places
    ]
    assert refusals == [TAKEN] * 3
    assert invalid == [LENGTH, LENGTH, LENGTH, CHARACTER, CHARACTER]
    assert nowhere == ("NOT_FOUND", "There is no such tournament.", "tournament_id")
    stored = {row.id: row for row in await rows_of(db, Mat)}
    assert stored == {mat.id: mat for mat in made}


async def test_a_mat_may_be_renamed_to_what_is_free(db: Database) -> None:
    swiss = await hold(db, "Swiss Open")
    first, second, third = await lay(db, "Mat 1"), await lay(db, "Mat 2"), await lay(db, "Mat 3", swiss.id)

    renamed = [await rename(db, first.id, " Centre "), await rename(db, first.id, "Centre")]
    of_another_place = await rename(db, third.id, "Mat 2")
    refusals = [
        await refusal_of(rename(db, second.id, "Centre")),
        await refusal_of(rename(db, second.id, " ")),
        await refusal_of(rename(db, second.id, "a\0b")),
        await refusal_of(rename(db, new_id(), "Mat 9")),
    ]

    assert [mat.name for mat in renamed] == ["Centre", "Centre"]
    assert of_another_place.name == "Mat 2"
    assert refusals == [TAKEN, LENGTH, CHARACTER, ("NOT_FOUND", "There is no such mat.", "id")]
    assert sorted(row.name for row in await rows_of(db, Mat)) == ["Centre", "Mat 2", "Mat 2"]


async def test_mats_are_found_by_name_and_place(db: Database) -> None:
    swiss = await hold(db, "Swiss Open")
    alone, within = await lay(db, "Mat 1"), await lay(db, "Mat 1", swiss.id)

    async with db.read() as session:
        found = [
            await operations.find_mat(session, "Mat 1", None),
            await operations.find_mat(session, "Mat 1", swiss.id),
            await operations.find_mat(session, "Mat 1", new_id()),
            await operations.find_mat(session, "mat 1", None),
        ]

    assert found == [alone, within, None, None]


@pytest.mark.parametrize("is_in_a_tournament", [True, False])
async def test_of_fifty_mats_of_one_name_laid_at_once_one_stays(db: Database, *, is_in_a_tournament: bool) -> None:
    place = (await hold(db, "Swiss Open")).id if is_in_a_tournament else None

    answers = await asyncio.gather(*(lay(db, "Mat 1", place) for _ in range(50)), return_exceptions=True)

    refusals = {(answer.code, answer.message, answer.field) for answer in answers if isinstance(answer, Refusal)}
    assert refusals == {TAKEN}
    assert [row.name for row in await rows_of(db, Mat)] == ["Mat 1"]


async def test_of_fifty_tournaments_of_one_name_begun_at_once_one_stays(db: Database) -> None:
    answers = await asyncio.gather(*(hold(db, "Swiss Open") for _ in range(50)), return_exceptions=True)

    refusals = {(answer.message, answer.field) for answer in answers if isinstance(answer, Refusal)}
    assert refusals == {("There is a tournament of this name.", "name")}
    assert len(await rows_of(db, Tournament)) == 1


async def test_of_two_mats_renamed_to_one_name_at_once_one_has_it(db: Database) -> None:
    mats = [await lay(db, f"Mat {number}") for number in range(50)]

    answers = await asyncio.gather(*(rename(db, mat.id, "Centre") for mat in mats), return_exceptions=True)

    assert {answer.code for answer in answers if isinstance(answer, Refusal)} == {"CONFLICT"}
    assert sum(not isinstance(answer, Refusal) for answer in answers) == 1
    assert [row.name for row in await rows_of(db, Mat)].count("Centre") == 1


async def test_a_mat_outlives_its_tournament(db: Database) -> None:
    swiss = await hold(db, "Swiss Open")
    mat = await lay(db, "Mat 1", swiss.id)

    async def end(tx: Transaction) -> None:
        await tx.execute(table_of(Tournament).delete().where(col(Tournament.id) == swiss.id))

    async with db.transaction() as tx:
        await end(tx)

    (left,) = await rows_of(db, Mat)
    assert (left.id, left.name, left.tournament_id) == (mat.id, "Mat 1", None)
