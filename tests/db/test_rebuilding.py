"""Making again what is folded from a log: the same as it was, whatever became of the tables meanwhile."""

from typing import Any

import pytest
from sqlalchemy import delete, update
from sqlmodel import col, select

from db.bus import Event
from db.database import Database
from db.errors import NotFound
from db.ids import new_id
from db.matches.events import ScoreboardChanged
from db.matches.rebuilding import Rebuilt, rebuild_mat
from db.matches.tables import Challenge, EventType, Mat, Match, MatchEvent, Penalty, Point, Round, Scoreboard
from db.matches.vocabulary import MatchState, Side
from tests.db.logs import assert_equal_to_a_fresh_fold, captured, cut, log, log_in_batches, on_mat, received
from tests.db.stored import NOW, everything, lay_mat
from tests.support.captures import CHALLENGE, FINAL
from tests.support.competition import begun_fight, loaded_fight


async def fill(db: Database) -> Mat:
    """A mat on which much has happened, with entries of no fight at all."""
    mat = await lay_mat(db)
    await log(db, mat.id, received("Udp Port 6000 connected;", "nonsense;1;2"))
    await log_in_batches(db, mat.id, [*cut(captured(FINAL), 40), *cut(captured(CHALLENGE), 7)])
    await log(db, mat.id, received(*loaded_fight("9"), "wg1;2", "wg1;1", "ch1", *begun_fight("10"), "ch2", "ch2;1"))
    return mat


async def rebuild(db: Database, mat: Mat) -> Rebuilt:
    async with db.transaction() as tx:
        return await rebuild_mat(tx, mat.id, now=NOW)


async def mat_row(db: Database) -> Mat:
    async with db.read() as session:
        found = await session.row(select(Mat))
    assert found is not None
    return found


async def test_what_is_right_stays_as_it_is_and_nobody_is_told(db: Database) -> None:
    mat = await fill(db)
    before, row = await on_mat(db, mat.id), await mat_row(db)
    ids = {name: rows for name, rows in (await everything(db)).items() if name in {"matches", "rounds", "match_events"}}

    with db.bus.listen(mat.id, of=Event) as listener:
        rebuilt = await rebuild(db, mat)
        heard = list(listener._events)

    assert rebuilt == Rebuilt(mat=row, entries=row.last_seq, fights=4, changed=0)
    assert (await on_mat(db, mat.id), heard) == (before, [])
    assert {name: rows for name, rows in (await everything(db)).items() if name in ids} == ids
    assert await mat_row(db) == row


async def test_a_mat_without_a_fight_stays_as_it_is(db: Database) -> None:
    mat = await lay_mat(db)
    await log(db, mat.id, received("Udp Port 6000 connected;", "nonsense;1;2"))
    before = await on_mat(db, mat.id)

    rebuilt = await rebuild(db, mat)

    assert (rebuilt.entries, rebuilt.fights, rebuilt.changed) == (2, 0, 0)
    assert await on_mat(db, mat.id) == before


async def test_whatever_became_of_the_tables_is_mended(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("db.matches.rebuilding._AT_A_TIME", 50)
    mat = await fill(db)
    before = await on_mat(db, mat.id)
    async with db.read() as session:
        (ended,) = await session.rows(select(Match).where(col(Match.number) == "1945"))
    async with db.transaction() as tx:
        for spoiled in (
            delete(Point),
            delete(Challenge),
            update(Penalty).values(side=Side.RED, taken_back_seq=1),
            update(Round).values(blue_score=7, winner=None),
            update(EventType).values(count=1),
            update(Match).values(state=MatchState.LOADED, number="?", ended_at=None),
            update(Scoreboard).where(col(Scoreboard.match_id) == ended.id).values(board={}, fold={}),
        ):
            await tx.execute(spoiled)

    with db.bus.listen(ended.id, of=Event) as listener:
        rebuilt = await rebuild(db, mat)
        heard: list[Any] = list(listener._events)

    after = await on_mat(db, mat.id)
    # When a board that had to be made again changed is not in the log.
    for rows in (before["scoreboards"], after["scoreboards"]):
        next(row for row in rows if row["fold"]["number"] == "1945").pop("changed_at")
    assert after == before
    assert rebuilt.changed == 1
    assert [(type(event), event.scoreboard.match_id) for event in heard] == [(ScoreboardChanged, ended.id)]


async def test_the_log_goes_on_after_it(db: Database) -> None:
    mat = await fill(db)
    await rebuild(db, mat)

    await log(db, mat.id, received("ch2;1;1", "sc1;4;sc2;0", "pt1;1", "clk;01:50;start", "wg1;1"))

    await assert_equal_to_a_fresh_fold(db, mat.id)


async def test_a_mat_that_is_not_there_is_refused(db: Database) -> None:
    with pytest.raises(NotFound) as refusal:
        async with db.transaction() as tx:
            await rebuild_mat(tx, new_id(), now=NOW)

    assert (refusal.value.message, refusal.value.field) == ("There is no such mat.", "mat_id")


async def test_one_that_is_broken_off_changes_nothing_and_is_silent(db: Database) -> None:
    mat = await fill(db)
    async with db.transaction() as tx:
        await tx.execute(update(Scoreboard).values(board={}))
    before = await everything(db)

    async def broken_off() -> None:
        async with db.transaction() as tx:
            await rebuild_mat(tx, mat.id, now=NOW)
            raise LookupError("a bug")

    with db.bus.listen(mat.id, of=Event) as listener:
        with pytest.raises(LookupError):
            await broken_off()
        heard = list(listener._events)

    assert (await everything(db), heard) == (before, [])
    async with db.read() as session:
        assert len(await session.rows(select(MatchEvent))) == (await mat_row(db)).last_seq
