"""A board that waits for the rest of a burst, and fights that give way to others."""

import asyncio
from datetime import datetime, timedelta
from itertools import accumulate

import pytest

from db.database import Database
from db.errors import Conflict
from db.matches import operations
from db.matches.events import ScoreboardChanged
from db.matches.log import MatProgress
from db.matches.tables import (
    Athlete,
    Mat,
    Match,
    MatchSide,
    Scoreboard,
)
from db.matches.vocabulary import MatchState, Side
from tests.db.logs import (
    as_json,
    assert_equal_to_a_fresh_fold,
    log,
    received,
    row_of,
    rows_of,
)
from tests.db.stored import NOW, everything, lay_mat
from tests.support.competition import begun_fight, loaded_fight


async def test_settling_shows_an_open_burst_once_and_raises_the_revision_by_one(db: Database) -> None:
    mat = await lay_mat(db)
    await log(db, mat.id, received(*begun_fight("1")))
    waiting = await log(db, mat.id, received("sc1;4;sc2;0", at=NOW + timedelta(seconds=1)))
    assert waiting.fight is not None
    (before,) = await rows_of(db, Scoreboard, mat.id)
    later = NOW + timedelta(seconds=2)

    with db.bus.listen(mat.id, of=ScoreboardChanged) as listener:
        settled = await settle(db, waiting, later)
        again = await settle(db, settled, later + timedelta(seconds=1))
        heard = list(listener._events)

    (after,) = await rows_of(db, Scoreboard, mat.id)
    assert (before.board["blue"]["score"], after.board["blue"]["score"]) == (3, 4)
    assert (after.revision, after.changed_at) == (before.revision + 1, later)
    assert again == settled
    assert [row_of(event.scoreboard) for event in heard] == [row_of(after)]
    async with db.read() as session:
        assert as_json(await operations.load_progress(session, mat.id)) == as_json(settled)


async def settle(db: Database, progress: MatProgress, now: datetime) -> MatProgress:
    async with db.transaction() as tx:
        return await operations.settle_scoreboard(tx, progress, now=now)


async def test_settling_where_nothing_waits_changes_nothing(db: Database) -> None:
    mat, empty = await lay_mat(db), await lay_mat(db, "Mat 2")
    progress = await log(db, mat.id, received(*begun_fight("1")))
    nothing = MatProgress(mat_id=empty.id, seq=0, fight=None)
    before = await everything(db)

    with db.bus.listen(mat.id, of=ScoreboardChanged) as listener:
        answers = [await settle(db, one, NOW + timedelta(seconds=9)) for one in (progress, nothing)]
        heard = list(listener._events)

    assert (answers, heard) == ([progress, nothing], [])
    assert await everything(db) == before


async def test_settling_what_somebody_else_has_changed_is_refused(db: Database) -> None:
    mat = await lay_mat(db)
    await log(db, mat.id, received(*begun_fight("1")))
    waiting = await log(db, mat.id, received("sc1;4;sc2;0", at=NOW + timedelta(seconds=1)))

    answers = await asyncio.gather(*(settle(db, waiting, NOW) for _ in range(50)), return_exceptions=True)

    refusals = {str(answer) for answer in answers if isinstance(answer, Conflict)}
    assert refusals == {"The scoreboard was changed by somebody else."}
    assert sum(isinstance(answer, MatProgress) for answer in answers) == 1


async def test_a_rolled_back_settling_is_silent(db: Database) -> None:
    mat = await lay_mat(db)
    await log(db, mat.id, received(*begun_fight("1")))
    waiting = await log(db, mat.id, received("sc1;4;sc2;0", at=NOW + timedelta(seconds=1)))
    before = await everything(db)

    async def change() -> None:
        async with db.transaction() as tx:
            await operations.settle_scoreboard(tx, waiting, now=NOW)
            raise LookupError("a bug")

    with db.bus.listen(mat.id, of=ScoreboardChanged) as listener:
        with pytest.raises(LookupError):
            await change()
        heard = list(listener._events)

    assert (await everything(db), heard) == (before, [])


async def test_the_revision_rises_by_one_for_each_batch_that_changes_what_is_shown(db: Database) -> None:
    mat = await lay_mat(db)
    batches = [
        loaded_fight("1"),
        ["clk;02:00;start"],
        ["clk;01:59", "clk;01:58"],
        ["sc1;1;sc2;0", "pt1;1", "sc1;3;sc2;0", "pt1;2"],
        ["sc1;5;sc2;0"],
        ["pt1;2"],
        ["vch;0", "nonsense"],
    ]
    revisions = []

    for second, wires in enumerate(batches):
        await log(db, mat.id, received(*wires, at=NOW + timedelta(seconds=second)))
        revisions += [row.revision for row in await rows_of(db, Scoreboard, mat.id)]

    raised = [1, 1, 0, 1, 0, 1]
    assert revisions[:6] == list(accumulate(raised))


# Fights and those who fight them.


async def test_a_fight_whose_place_is_taken_was_not_fought_abandoned_or_has_ended(db: Database) -> None:
    mat = await lay_mat(db)
    ended = [*begun_fight("3"), "win;BLUE"]

    for minute, wires in enumerate([loaded_fight("1"), begun_fight("2"), ended, loaded_fight("4")]):
        await log(db, mat.id, received(*wires, at=NOW + timedelta(minutes=minute)))

    matches = sorted(await rows_of(db, Match, mat.id), key=lambda row: row.begun_seq)
    boards = {row.match_id: row.board["state"] for row in await rows_of(db, Scoreboard, mat.id)}
    expected = [MatchState.NOT_FOUGHT, MatchState.ABANDONED, MatchState.ENDED, MatchState.LOADED]
    assert [(row.number, row.state) for row in matches] == list(zip("1234", expected, strict=True))
    assert [boards[row.id] for row in matches] == expected
    await assert_equal_to_a_fresh_fold(db, mat.id)


async def test_loads_that_follow_at_once_in_one_batch_are_fights_of_their_own(db: Database) -> None:
    mat = await lay_mat(db)

    await log(db, mat.id, received(*loaded_fight("1"), *begun_fight("2"), *loaded_fight("3")))

    matches = sorted(await rows_of(db, Match, mat.id), key=lambda row: row.begun_seq)
    assert [(row.number, row.state) for row in matches] == [
        ("1", MatchState.NOT_FOUGHT),
        ("2", MatchState.ABANDONED),
        ("3", MatchState.LOADED),
    ]
    (stored,) = await rows_of(db, Mat)
    assert stored.current_match_id == matches[-1].id
    await assert_equal_to_a_fresh_fold(db, mat.id)


async def test_athletes_are_found_again_by_name_and_country(db: Database) -> None:
    mats = [await lay_mat(db), await lay_mat(db, "Mat 2")]
    loads = [
        "at1;A. ONE;Ana One;SUI;at2;B. TWO;Bo Two;GER",
        "at1;BO;Bo Two;GER;at2;A. ONE;Ana One;SUI",
        "at1;A. ONE;Ana One;FRA;at2;B. TWO;;GER",
    ]

    for number, names in enumerate(loads):
        await log(db, mats[number % 2].id, received("pre;FightLoaded", names, "rdy;FightReady"))

    athletes = {row.id: (row.name, row.short_name, row.country_code) for row in await rows_of(db, Athlete)}
    matches = {row.id: row.mat_id for row in await rows_of(db, Match)}
    who = sorted(
        (mats.index(next(mat for mat in mats if mat.id == matches[row.match_id])), row.side, *athletes[row.athlete_id])
        for row in await rows_of(db, MatchSide)
    )
    assert len(athletes) == 4
    assert who == [
        (0, Side.BLUE, "Ana One", "A. ONE", "FRA"),
        (0, Side.BLUE, "Ana One", "A. ONE", "SUI"),
        (0, Side.RED, "B. TWO", "B. TWO", "GER"),
        (0, Side.RED, "Bo Two", "BO", "GER"),
        (1, Side.BLUE, "Bo Two", "BO", "GER"),
        (1, Side.RED, "Ana One", "A. ONE", "SUI"),
    ]


async def test_a_load_that_names_nobody_has_no_athletes(db: Database) -> None:
    mat = await lay_mat(db)

    await log(db, mat.id, received("pre;FightLoaded", "at1;;;;at2;;;", "rdy;FightReady"))

    assert [row.athlete_id for row in await rows_of(db, MatchSide)] == [None, None]
    assert await rows_of(db, Athlete) == []
