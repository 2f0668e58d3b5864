"""Queues of mats: planned, moved by several at once with nothing lost, and taken by the fights that are loaded."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any
from uuid import UUID

import pytest
from sqlmodel import col, select

from db.bus import Event
from db.database import Database
from db.errors import Refusal
from db.ids import new_id
from db.matches import operations, planning, tournaments
from db.matches.events import MatQueueChanged
from db.matches.planning import Place
from db.matches.tables import Athlete, Mat, Match, PlannedMatch
from db.session import Transaction
from tests.db.logs import log, received
from tests.db.stored import NOW, everything, lay_mat
from tests.support.competition import begun_fight, loaded_fight
from tests.support.house import PATIENCE_SECONDS

LAST = Place()


async def plan(db: Database, mat: Mat, *numbers: str, place: Place = LAST) -> list[PlannedMatch]:
    async with db.transaction() as tx:
        return [await planning.plan_match(tx, mat.id, {"number": number}, place, now=NOW) for number in numbers]


async def move(db: Database, planned: PlannedMatch, *, mat_id: UUID | None = None, place: Place = LAST) -> PlannedMatch:
    async with db.transaction() as tx:
        return await planning.move_planned(tx, planned.id, mat_id=mat_id, place=place)


async def change(db: Database, planned: PlannedMatch, *, revision: int = 0, **changes: Any) -> PlannedMatch:
    async with db.transaction() as tx:
        return await planning.update_planned(tx, planned.id, changes, revision=revision)


async def remove(db: Database, planned: PlannedMatch) -> PlannedMatch:
    async with db.transaction() as tx:
        return await planning.remove_planned(tx, planned.id)


async def queue(db: Database, mat: Mat) -> list[str]:
    """The numbers that wait, in order."""
    waiting = col(PlannedMatch.mat_id) == mat.id, col(PlannedMatch.match_id).is_(None)
    ordered = select(PlannedMatch).where(*waiting).order_by(col(PlannedMatch.position), col(PlannedMatch.id))
    async with db.read() as session:
        return [row.number for row in await session.rows(ordered)]


async def became(db: Database) -> dict[str, tuple[str, int] | None]:
    """What each planned fight became: the number of a match, and the entry it began with."""
    async with db.read() as session:
        matches = {row.id: (row.number, row.begun_seq) for row in await session.rows(select(Match))}
        return {
            row.number: None if row.match_id is None else matches[row.match_id]
            for row in await session.rows(select(PlannedMatch))
        }


async def mat_row(db: Database, mat: Mat) -> Mat:
    async with db.read() as session:
        found = await session.row(select(Mat).where(col(Mat.id) == mat.id))
    assert found is not None
    return found


async def refusal_of(attempt: Coroutine[Any, Any, Any]) -> tuple[str, str, str | None]:
    with pytest.raises(Refusal) as refusal:
        await attempt
    return refusal.value.code, refusal.value.message, refusal.value.field


# By hand.


async def test_fights_are_planned_in_order_and_put_beside_each_other(db: Database) -> None:
    mat = await lay_mat(db)
    one, _, three = await plan(db, mat, "1", "2", "3")
    await plan(db, mat, "0", place=Place(before_id=one.id))
    await plan(db, mat, "2b", place=Place(before_id=three.id))
    await plan(db, mat, "3b", place=Place(after_id=three.id))

    assert await queue(db, mat) == ["0", "1", "2", "2b", "3", "3b"]
    assert (await mat_row(db, mat)).queue_revision == 6


async def test_there_is_room_between_two_fights_however_often_one_is_put_there(db: Database) -> None:
    mat = await lay_mat(db)
    _, last = await plan(db, mat, "first", "last")

    numbers = [str(number) for number in range(45)]
    await plan(db, mat, *numbers, place=Place(before_id=last.id))

    assert await queue(db, mat) == ["first", *numbers, "last"]


async def test_fights_move_within_a_queue_and_to_that_of_another_mat(db: Database) -> None:
    mat, other = await lay_mat(db), await lay_mat(db, "Mat 2")
    one, two, three = await plan(db, mat, "1", "2", "3")
    (four,) = await plan(db, other, "4")

    await move(db, three, place=Place(before_id=one.id))
    await move(db, two, mat_id=other.id)
    await move(db, one, place=Place(before_id=four.id))
    moved = await move(db, three)

    assert (await queue(db, mat), await queue(db, other)) == (["3"], ["1", "4", "2"])
    assert (moved.mat_id, moved.revision) == (mat.id, 2)
    assert ((await mat_row(db, mat)).queue_revision, (await mat_row(db, other)).queue_revision) == (7, 3)


async def test_a_planned_fight_has_athletes_a_day_and_what_is_said_of_it(db: Database) -> None:
    async with db.transaction() as tx:
        held = await operations.create_tournament(tx, name="Open", now=NOW)
        mat = await operations.create_mat(tx, name="Mat 1", tournament_id=held.id, now=NOW)
        day = await tournaments.create_day(tx, held.id, held_on=NOW.date(), now=NOW)
        said = {
            "number": " 7.A ",
            "phase": "Final",
            "weight": "M -68kg",
            "division": "Seniors",
            "blue": {"name": "Ana One", "country_code": "sui"},
            "red": {"name": "Bo Two", "short_name": "B. TWO", "country_code": None},
            "tournament_day_id": day.id,
        }
        planned = await planning.plan_match(tx, mat.id, said, LAST, now=NOW)

    changed = await change(db, planned, phase=None, red=None, weight="M -74kg")

    async with db.read() as session:
        athletes = {row.id: (row.name, row.short_name, row.country_code) for row in await session.rows(select(Athlete))}
    assert set(athletes.values()) == {("Ana One", "Ana One", "SUI"), ("Bo Two", "B. TWO", "")}
    assert (planned.number, planned.phase, planned.weight, planned.division, planned.tournament_day_id) == (
        "7.A",
        "Final",
        "M -68kg",
        "Seniors",
        day.id,
    )
    assert (changed.phase, changed.weight, changed.blue_athlete_id, changed.red_athlete_id, changed.revision) == (
        "",
        "M -74kg",
        planned.blue_athlete_id,
        None,
        1,
    )


async def test_a_known_athlete_keeps_the_short_name_that_a_scoreboard_showed(db: Database) -> None:
    mat = await lay_mat(db)
    await log(db, mat.id, received(*loaded_fight("1")))

    async with db.transaction() as tx:
        said = {"number": "2", "blue": {"name": "Blue 1", "country_code": "KOR"}}
        await planning.plan_match(tx, mat.id, said, LAST, now=NOW)

    async with db.read() as session:
        names = {row.name: row.short_name for row in await session.rows(select(Athlete))}
    assert names == {"Blue 1": "B. 1", "Red 1": "R. 1"}


async def test_what_cannot_be_is_refused_and_leaves_everything_as_it_was(db: Database) -> None:
    mat, other = await lay_mat(db), await lay_mat(db, "Mat 2")
    async with db.transaction() as tx:
        held = await operations.create_tournament(tx, name="Open", now=NOW)
        foreign = await operations.create_mat(tx, name="Mat 3", tournament_id=held.id, now=NOW)
        day = await tournaments.create_day(tx, held.id, held_on=NOW.date(), now=NOW)
    one, two = await plan(db, mat, "1", "2")
    (three,) = await plan(db, other, "3")
    nobody = PlannedMatch(id=new_id(), mat_id=mat.id, position=0, number="", created_at=NOW)
    before = await everything(db)
    same = {"name": "Ana", "country_code": "SUI"}

    def planned(place: Place = LAST, mat_id: UUID = mat.id, **said: Any) -> Coroutine[Any, Any, Any]:
        async def attempt() -> None:
            async with db.transaction() as tx:
                await planning.plan_match(tx, mat_id, {"number": "9", **said}, place, now=NOW)

        return attempt()

    refusals = [
        await refusal_of(planned(number=" ")),
        await refusal_of(planned(number="x" * 33)),
        await refusal_of(planned(phase="a\0b")),
        await refusal_of(planned(blue={"name": ""})),
        await refusal_of(planned(red={"name": "A", "country_code": "ABCDEFGHI"})),
        await refusal_of(planned(blue=same, red=same)),
        await refusal_of(planned(tournament_day_id=day.id)),
        await refusal_of(planned(tournament_day_id=new_id())),
        await refusal_of(planned(mat_id=new_id())),
        await refusal_of(planned(Place(before_id=new_id()))),
        await refusal_of(planned(Place(after_id=three.id))),
        await refusal_of(planned(Place(before_id=one.id, after_id=two.id))),
        await refusal_of(move(db, one, place=Place(before_id=one.id))),
        await refusal_of(move(db, one, mat_id=other.id, place=Place(before_id=two.id))),
        await refusal_of(move(db, one, mat_id=new_id())),
        await refusal_of(move(db, one, mat_id=foreign.id)),
        await refusal_of(move(db, nobody)),
        await refusal_of(change(db, one, revision=3, phase="Final")),
        await refusal_of(change(db, nobody, phase="Final")),
        await refusal_of(remove(db, nobody)),
    ]

    unknown = "There is no such planned fight."
    assert refusals == [
        ("BAD_USER_INPUT", "A number has 1 to 32 characters.", "number"),
        ("BAD_USER_INPUT", "A number has 1 to 32 characters.", "number"),
        ("BAD_USER_INPUT", "A phase holds a character that cannot be stored.", "phase"),
        ("BAD_USER_INPUT", "A name has 1 to 200 characters.", "blue"),
        ("BAD_USER_INPUT", "A country code has 0 to 8 characters.", "red"),
        ("BAD_USER_INPUT", "Nobody fights against himself.", "red"),
        ("NOT_FOUND", "The tournament of this mat has no such day.", "day_id"),
        ("NOT_FOUND", "The tournament of this mat has no such day.", "day_id"),
        ("NOT_FOUND", "There is no such mat.", "mat_id"),
        ("NOT_FOUND", unknown, "before_id"),
        ("NOT_FOUND", "There is no such planned fight in this queue.", "after_id"),
        ("BAD_USER_INPUT", "Name one place: before a fight, or after one.", "after_id"),
        ("BAD_USER_INPUT", "A fight cannot stand beside itself.", "before_id"),
        ("BAD_USER_INPUT", "Name one place: a mat, before a fight, or after one.", "mat_id"),
        ("NOT_FOUND", "There is no such mat.", "mat_id"),
        ("CONFLICT", "That mat is of another tournament.", "mat_id"),
        ("NOT_FOUND", unknown, "id"),
        ("CONFLICT", "The planned fight was changed meanwhile, it is at revision 0 now: read it again.", "revision"),
        ("NOT_FOUND", unknown, "id"),
        ("NOT_FOUND", unknown, "id"),
    ]
    assert await everything(db) == before


async def test_a_queue_that_is_full_takes_no_more(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("db.matches.planning.MOST_WAITING", 2)
    mat, other = await lay_mat(db), await lay_mat(db, "Mat 2")
    one, _ = await plan(db, mat, "1", "2")
    (three,) = await plan(db, other, "3")

    refusals = [await refusal_of(plan(db, mat, "4")), await refusal_of(move(db, three, place=Place(after_id=one.id)))]

    assert refusals == [("CONFLICT", "2 fights wait on this mat, which is as many as may.", "mat_id")] * 2
    await move(db, one)
    assert await queue(db, mat) == ["2", "1"]


# Several at once.


async def test_of_fifty_moves_at_once_none_is_lost(db: Database) -> None:
    """Each of them is to stand before the last: whoever comes later stands nearer to it, and nobody is left out."""
    mat, other = await lay_mat(db), await lay_mat(db, "Mat 2")
    *fights, last = await plan(db, mat, *(str(number) for number in range(50)), "last")

    await asyncio.gather(*(move(db, fight, place=Place(before_id=last.id)) for fight in fights[:25]))
    await asyncio.gather(
        *(move(db, fight, mat_id=other.id) for fight in fights[25:]),
        *(move(db, fight) for fight in fights[:10]),
        *(plan(db, other, f"new {number}") for number in range(10)),
    )

    here, there = await queue(db, mat), await queue(db, other)
    assert sorted(here) == sorted([*(str(number) for number in range(25)), "last"])
    assert set(here[here.index("last") + 1 :]) == {str(number) for number in range(10)}
    assert sorted(there) == sorted(
        [*(str(number) for number in range(25, 50)), *(f"new {number}" for number in range(10))]
    )
    assert ((await mat_row(db, mat)).queue_revision, (await mat_row(db, other)).queue_revision) == (51 + 25 + 35, 35)


async def test_of_fifty_who_change_a_fight_that_they_saw_alike_one_does(db: Database) -> None:
    mat = await lay_mat(db)
    (fight,) = await plan(db, mat, "1")

    answers = await asyncio.gather(
        *(change(db, fight, phase=f"Phase {number}") for number in range(50)), return_exceptions=True
    )

    winners = [answer for answer in answers if not isinstance(answer, BaseException)]
    assert [winner.revision for winner in winners] == [1]
    assert sum(isinstance(answer, Refusal) and answer.code == "CONFLICT" for answer in answers) == 49
    async with db.read() as session:
        assert [row.phase for row in await session.rows(select(PlannedMatch))] == [winners[0].phase]


async def test_moves_across_two_mats_in_either_direction_at_once_wait_for_nobody_for_ever(db: Database) -> None:
    mat, other = await lay_mat(db), await lay_mat(db, "Mat 2")
    here = await plan(db, mat, *(f"a{number}" for number in range(15)))
    there = await plan(db, other, *(f"b{number}" for number in range(15)))

    async with asyncio.timeout(PATIENCE_SECONDS):
        await asyncio.gather(
            *(move(db, fight, mat_id=other.id) for fight in here), *(move(db, fight, mat_id=mat.id) for fight in there)
        )

    assert sorted(await queue(db, mat)) == sorted(fight.number for fight in there)
    assert sorted(await queue(db, other)) == sorted(fight.number for fight in here)


# Taken by loads.


async def test_a_load_takes_the_planned_fight_of_its_number_on_its_mat(db: Database) -> None:
    mat, other = await lay_mat(db), await lay_mat(db, "Mat 2")
    await plan(db, mat, "1", "2", "3")
    await plan(db, other, "2")

    await log(db, mat.id, received(*loaded_fight("2")))

    assert (await queue(db, mat), await queue(db, other)) == (["1", "3"], ["2"])
    async with db.read() as session:
        (match,) = await session.rows(select(Match))
        (taken,) = await session.rows(select(PlannedMatch).where(col(PlannedMatch.match_id) == match.id))
    assert (taken.mat_id, taken.number) == (mat.id, match.number)


async def test_a_number_that_nobody_planned_takes_nothing(db: Database) -> None:
    mat = await lay_mat(db)
    await plan(db, mat, "1")

    await log(db, mat.id, received(*loaded_fight("9"), "clk;02:00;start"))

    assert (await queue(db, mat), (await mat_row(db, mat)).queue_revision) == (["1"], 1)


async def test_of_two_of_one_number_the_first_is_taken_first(db: Database) -> None:
    mat = await lay_mat(db)
    first, second = await plan(db, mat, "1", "1")

    await log(db, mat.id, received(*begun_fight("1"), "win;BLUE"))
    async with db.read() as session:
        rows = {row.id: row.match_id for row in await session.rows(select(PlannedMatch))}
    await log(db, mat.id, received(*loaded_fight("1")))

    assert rows[first.id] is not None
    assert rows[second.id] is None
    assert await queue(db, mat) == []


@pytest.mark.parametrize("batch", [1, 3, 100])
async def test_a_fight_that_gives_way_waits_again_in_its_place_and_its_next_load_takes_it(
    db: Database, batch: int
) -> None:
    mat = await lay_mat(db)
    await plan(db, mat, "1", "2", "3")
    said = received(*loaded_fight("1"), *loaded_fight("2"))
    for start in range(0, len(said), batch):
        await log(db, mat.id, said[start : start + batch])
    after_another = await queue(db, mat), await became(db)

    again = await log(db, mat.id, received(*begun_fight("1")))

    assert again.fight is not None
    assert after_another == (["1", "3"], {"1": None, "2": ("2", len(loaded_fight("1")) + 1), "3": None})
    assert await became(db) == {"1": ("1", again.fight.begun_seq), "2": None, "3": None}


async def test_a_fight_that_was_fought_to_the_end_keeps_its_plan_when_its_number_is_loaded_again(db: Database) -> None:
    mat = await lay_mat(db)
    await plan(db, mat, "1")
    first = await log(db, mat.id, received(*begun_fight("1"), "win;BLUE"))
    await log(db, mat.id, received(*loaded_fight("1")))

    assert first.fight is not None
    assert await became(db) == {"1": ("1", first.fight.begun_seq)}


async def test_a_load_whose_number_is_corrected_gives_one_back_and_takes_the_other(db: Database) -> None:
    mat = await lay_mat(db)
    await plan(db, mat, "1", "2")
    await log(db, mat.id, received(*loaded_fight("1")))

    await log(db, mat.id, received("mch;2;;;;;;;;;;;;;;"))

    assert (await queue(db, mat), await became(db)) == (["1"], {"1": None, "2": ("2", 1)})


async def test_a_fight_that_is_on_its_mat_is_moved_changed_and_removed_no_more(db: Database) -> None:
    mat = await lay_mat(db)
    (planned,) = await plan(db, mat, "1")
    await log(db, mat.id, received(*loaded_fight("1")))

    refusals = [
        await refusal_of(move(db, planned)),
        await refusal_of(change(db, planned, revision=1, phase="Final")),
        await refusal_of(remove(db, planned)),
    ]

    assert refusals == [("CONFLICT", "This fight is on its mat or was fought, and waits no more.", "id")] * 3


async def test_loads_and_moves_at_once_come_to_what_is_said(db: Database) -> None:
    mat = await lay_mat(db)
    fights = await plan(db, mat, *(str(number) for number in range(10)))

    async def replay() -> None:
        progress = None
        for number in range(0, 10, 2):
            progress = await log(db, mat.id, received(*begun_fight(str(number)), "win;RED"), progress)

    async def shuffle() -> None:
        for fight in fights[1::2]:
            await move(db, fight)

    await asyncio.gather(replay(), shuffle())

    assert await queue(db, mat) == ["1", "3", "5", "7", "9"]
    assert {number for number, match in (await became(db)).items() if match} == {"0", "2", "4", "6", "8"}


# What is told.


async def told(db: Database, mat: Mat, work: Callable[[], Coroutine[Any, Any, Any]]) -> list[Any]:
    with db.bus.listen(mat.id, of=MatQueueChanged) as listener:
        await work()
        return [event.mat for event in listener._events]


async def test_watchers_of_a_mat_are_told_of_every_change_of_its_queue(db: Database) -> None:
    mat, other = await lay_mat(db), await lay_mat(db, "Mat 2")
    one, two = [(await plan(db, mat, number))[0] for number in ("1", "2")]

    async def work() -> None:
        await plan(db, mat, "3")
        await move(db, one)
        await change(db, two, phase="Final")
        await move(db, one, mat_id=other.id)
        await remove(db, two)
        await log(db, mat.id, received(*loaded_fight("3")))
        await log(db, mat.id, received("clk;02:00;start"))
        await move(db, one)

    heard = await told(db, mat, work)

    assert [row.queue_revision for row in heard] == [3, 4, 5, 6, 7, 8]


async def test_a_change_that_is_rolled_back_is_silent(db: Database) -> None:
    mat = await lay_mat(db)
    (one,) = await plan(db, mat, "1")
    before = await everything(db)

    async def broken_off(make: Callable[[Transaction], Coroutine[Any, Any, Any]]) -> None:
        async with db.transaction() as tx:
            await make(tx)
            raise LookupError("a bug")

    async def broken(make: Callable[[Transaction], Coroutine[Any, Any, Any]]) -> None:
        with pytest.raises(LookupError):
            await broken_off(make)

    async def load(tx: Transaction) -> None:
        await operations.log_messages(tx, await operations.load_progress(tx, mat.id), received(*loaded_fight("1")))

    with db.bus.listen(mat.id, of=Event) as listener:
        await broken(lambda tx: planning.plan_match(tx, mat.id, {"number": "2"}, LAST, now=NOW))
        await broken(lambda tx: planning.move_planned(tx, one.id, place=LAST))
        await broken(lambda tx: planning.update_planned(tx, one.id, {"phase": "F"}, revision=0))
        await broken(lambda tx: planning.remove_planned(tx, one.id))
        await broken(load)
        heard = list(listener._events)

    assert (await everything(db), heard) == (before, [])
