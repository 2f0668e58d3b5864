"""Tournaments and their days: set up, changed by several, begun and ended, and which fights are of them."""

import asyncio
from collections.abc import Coroutine
from datetime import date, timedelta
from typing import Any

import pytest
from sqlmodel import select

from db.database import Database
from db.errors import Refusal
from db.ids import new_id
from db.matches import operations, tournaments
from db.matches.tables import Match, PlannedMatch, Tournament, TournamentDay
from tests.db.logs import log, received
from tests.db.stored import NOW, everything
from tests.support.competition import loaded_fight, open_day, plan

FIRST = date(2026, 11, 21)
SECOND = FIRST + timedelta(days=1)


async def hold(db: Database, name: str = "Open", **about: Any) -> Tournament:
    async with db.transaction() as tx:
        return await operations.create_tournament(tx, name=name, about=about, now=NOW)


async def run(db: Database, operation: Any, *given: Any, **named: Any) -> Any:
    async with db.transaction() as tx:
        return await operation(tx, *given, **named)


async def add_day(db: Database, tournament: Tournament, held_on: date, number: int | None = None) -> TournamentDay:
    day: TournamentDay = await run(db, tournaments.create_day, tournament.id, held_on=held_on, number=number, now=NOW)
    return day


async def refusal_of(attempt: Coroutine[Any, Any, Any]) -> tuple[str, str, str | None]:
    with pytest.raises(Refusal) as refusal:
        await attempt
    return refusal.value.code, refusal.value.message, refusal.value.field


async def test_a_tournament_says_where_and_when_it_is(db: Database) -> None:
    made = await hold(db, city=" Seoul ", country_code=" kor ", starts_on=FIRST, ends_on=SECOND)
    changed = await run(
        db, tournaments.update_tournament, made.id, {"city": None, "ends_on": None, "name": "Swiss Open"}, revision=0
    )

    assert (made.city, made.country_code, made.starts_on, made.ends_on, made.state, made.revision) == (
        "Seoul",
        "KOR",
        FIRST,
        SECOND,
        "PENDING",
        0,
    )
    assert (changed.name, changed.city, changed.country_code, changed.starts_on, changed.ends_on, changed.revision) == (
        "Swiss Open",
        "",
        "KOR",
        FIRST,
        None,
        1,
    )


async def test_what_cannot_be_said_of_a_tournament_is_refused(db: Database) -> None:
    made = await hold(db, starts_on=FIRST)
    await hold(db, "Other")
    before = await everything(db)

    def update(revision: int = 0, **changes: Any) -> Coroutine[Any, Any, Any]:
        return run(db, tournaments.update_tournament, made.id, changes, revision=revision)

    refusals = [
        await refusal_of(hold(db, "Open")),
        await refusal_of(hold(db, "New", starts_on=SECOND, ends_on=FIRST)),
        await refusal_of(hold(db, "New", country_code="ABCDEFGHI")),
        await refusal_of(update(name="")),
        await refusal_of(update(name="Other")),
        await refusal_of(update(ends_on=FIRST - timedelta(days=1))),
        await refusal_of(update(revision=7, city="Bern")),
        await refusal_of(run(db, tournaments.update_tournament, new_id(), {}, revision=0)),
    ]

    assert refusals == [
        ("CONFLICT", "There is a tournament of this name.", "name"),
        ("BAD_USER_INPUT", "A tournament ends on the day it starts or later.", "ends_on"),
        ("BAD_USER_INPUT", "A country code has 0 to 8 characters.", "country_code"),
        ("BAD_USER_INPUT", "A name has 1 to 200 characters.", "name"),
        ("CONFLICT", "There is a tournament of this name.", "name"),
        ("BAD_USER_INPUT", "A tournament ends on the day it starts or later.", "ends_on"),
        ("CONFLICT", "The tournament was changed meanwhile, it is at revision 0 now: read it again.", "revision"),
        ("NOT_FOUND", "There is no such tournament.", "id"),
    ]
    assert await everything(db) == before


async def test_of_fifty_who_change_a_tournament_that_they_saw_alike_one_does(db: Database) -> None:
    made = await hold(db)

    answers = await asyncio.gather(
        *(
            run(db, tournaments.update_tournament, made.id, {"city": f"City {number}"}, revision=0)
            for number in range(50)
        ),
        return_exceptions=True,
    )

    winners = [answer for answer in answers if not isinstance(answer, BaseException)]
    assert [winner.revision for winner in winners] == [1]
    assert sum(isinstance(answer, Refusal) and answer.code == "CONFLICT" for answer in answers) == 49


async def test_a_tournament_begins_ends_and_can_be_opened_again(db: Database) -> None:
    made = await hold(db)

    too_early = await refusal_of(run(db, tournaments.end_tournament, made.id))
    moves = (tournaments.start_tournament, tournaments.end_tournament, tournaments.start_tournament)
    states = [made.state, *[(await run(db, move, made.id)).state for move in moves]]
    twice = await refusal_of(run(db, tournaments.start_tournament, made.id))
    nowhere = await refusal_of(run(db, tournaments.start_tournament, new_id()))

    assert states == ["PENDING", "ACTIVE", "ENDED", "ACTIVE"]
    assert (too_early, twice, nowhere) == (
        ("CONFLICT", "The tournament is not on.", "id"),
        ("CONFLICT", "The tournament is on already.", "id"),
        ("NOT_FOUND", "There is no such tournament.", "id"),
    )


async def test_days_are_numbered_as_they_are_added_and_share_no_date_and_no_number(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await hold(db)
    days = [await add_day(db, made, FIRST), await add_day(db, made, SECOND)]
    moved = await run(db, tournaments.update_day, days[1].id, held_on=FIRST + timedelta(days=5), number=9, revision=0)
    last = await add_day(db, made, SECOND)

    def update(revision: int = 1, **changes: Any) -> Coroutine[Any, Any, Any]:
        return run(db, tournaments.update_day, days[1].id, revision=revision, **changes)

    refusals = [
        await refusal_of(add_day(db, made, FIRST)),
        await refusal_of(add_day(db, made, FIRST + timedelta(days=9), 1)),
        await refusal_of(add_day(db, made, FIRST + timedelta(days=9), 0)),
        await refusal_of(run(db, tournaments.create_day, made.id, held_on=None, now=NOW)),
        await refusal_of(run(db, tournaments.create_day, new_id(), held_on=FIRST, now=NOW)),
        await refusal_of(update(held_on=FIRST)),
        await refusal_of(update(number=1000)),
        await refusal_of(update(revision=0, number=3)),
        await refusal_of(run(db, tournaments.update_day, new_id(), revision=0)),
    ]
    monkeypatch.setattr("db.matches.tournaments.MOST_DAYS", 3)
    full = await refusal_of(add_day(db, made, FIRST + timedelta(days=9)))

    assert [(day.number, day.held_on, day.state) for day in (*days, moved, last)] == [
        (1, FIRST, "PENDING"),
        (2, SECOND, "PENDING"),
        (9, FIRST + timedelta(days=5), "PENDING"),
        (10, SECOND, "PENDING"),
    ]
    assert refusals == [
        ("CONFLICT", "The tournament has a day of this date.", "held_on"),
        ("CONFLICT", "The tournament has a day of this number.", "number"),
        ("BAD_USER_INPUT", "A day's number is between 1 and 999.", "number"),
        ("BAD_USER_INPUT", "A day has a date.", "held_on"),
        ("NOT_FOUND", "There is no such tournament.", "tournament_id"),
        ("CONFLICT", "The tournament has a day of this date.", "held_on"),
        ("BAD_USER_INPUT", "A day's number is between 1 and 999.", "number"),
        ("CONFLICT", "The day was changed meanwhile, it is at revision 1 now: read it again.", "revision"),
        ("NOT_FOUND", "There is no such day.", "id"),
    ]
    assert full == ("CONFLICT", "A tournament has 3 days at most.", "tournament_id")


async def test_fifty_days_added_at_once_have_fifty_numbers(db: Database) -> None:
    made = await hold(db)

    days = await asyncio.gather(*(add_day(db, made, FIRST + timedelta(days=number)) for number in range(50)))

    assert sorted(day.number for day in days) == list(range(1, 51))


async def test_one_day_of_a_tournament_is_on_at_a_time(db: Database) -> None:
    made = await hold(db)
    one, two = await add_day(db, made, FIRST), await add_day(db, made, SECOND)

    too_early = await refusal_of(run(db, tournaments.start_day, one.id))
    await run(db, tournaments.start_tournament, made.id)
    answers = await asyncio.gather(
        *(run(db, tournaments.start_day, day.id) for day in [one, two] * 10), return_exceptions=True
    )
    on = [answer for answer in answers if not isinstance(answer, BaseException)]
    (other,) = [day for day in (one, two) if day.id != on[0].id]
    not_on = await refusal_of(run(db, tournaments.end_day, other.id))
    await run(db, tournaments.end_day, on[0].id)
    await run(db, tournaments.start_day, other.id)
    await run(db, tournaments.end_tournament, made.id)

    assert too_early == ("CONFLICT", "The tournament is not on: start it first.", "id")
    assert not_on == ("CONFLICT", "The day is not on.", "id")
    assert len(on) == 1
    told = {answer.message for answer in answers if isinstance(answer, Refusal)}
    assert told == {"The day is on already.", f"Day {on[0].number} is on: end it first."}
    async with db.read() as session:
        # The day that was on ended with the tournament.
        assert {row.state for row in await session.rows(select(TournamentDay))} == {"ENDED"}


async def test_a_fight_is_of_the_tournament_of_its_mat_and_of_the_day_that_is_on_when_it_is_loaded(
    db: Database,
) -> None:
    made = await hold(db)
    async with db.transaction() as tx:
        mat = await operations.create_mat(tx, name="Mat 1", tournament_id=made.id, now=NOW)
        alone = await operations.create_mat(tx, name="Mat 2", now=NOW)
    await log(db, mat.id, received(*loaded_fight("before")))
    async with db.transaction() as tx:
        day = await open_day(tx, made.id, FIRST, NOW)
    await log(db, mat.id, received(*loaded_fight("on the day")))
    await log(db, alone.id, received(*loaded_fight("elsewhere")))
    await run(db, tournaments.end_day, day.id)
    await log(db, mat.id, received("clk;02:00;start"))
    await log(db, mat.id, received(*loaded_fight("after")))

    async with db.read() as session:
        of = {row.number: (row.tournament_id, row.tournament_day_id) for row in await session.rows(select(Match))}
    assert of == {
        "before": (made.id, None),
        "on the day": (made.id, day.id),
        "elsewhere": (None, None),
        "after": (made.id, None),
    }


async def test_a_mat_goes_to_another_tournament_and_its_fights_stay_of_the_first(db: Database) -> None:
    swiss, german = await hold(db, "Swiss Open"), await hold(db, "German Open")
    async with db.transaction() as tx:
        mat = await operations.create_mat(tx, name="Mat 1", tournament_id=swiss.id, now=NOW)
        await operations.create_mat(tx, name="Mat 2", tournament_id=german.id, now=NOW)
        taken = await operations.create_mat(tx, name="Mat 2", tournament_id=swiss.id, now=NOW)
        await open_day(tx, swiss.id, FIRST, NOW)
        await plan(tx, mat, NOW, "1", "2")
    await log(db, mat.id, received(*loaded_fight("1")))

    moved = [await run(db, tournaments.assign_mat, mat.id, place) for place in (german.id, german.id, None, swiss.id)]
    await run(db, tournaments.assign_mat, mat.id, german.id)
    await log(db, mat.id, received(*loaded_fight("9")))
    refusals = [
        await refusal_of(run(db, tournaments.assign_mat, taken.id, german.id)),
        await refusal_of(run(db, tournaments.assign_mat, new_id(), german.id)),
        await refusal_of(run(db, tournaments.assign_mat, mat.id, new_id())),
    ]

    assert [row.tournament_id for row in moved] == [german.id, german.id, None, swiss.id]
    assert refusals == [
        ("CONFLICT", "There is a mat of this name in this tournament.", "tournament_id"),
        ("NOT_FOUND", "There is no such mat.", "id"),
        ("NOT_FOUND", "There is no such tournament.", "tournament_id"),
    ]
    async with db.read() as session:
        of = {row.number: row.tournament_id for row in await session.rows(select(Match))}
        planned = {row.number: row.tournament_day_id for row in await session.rows(select(PlannedMatch))}
    assert of == {"1": swiss.id, "9": german.id}
    assert planned["2"] is None
