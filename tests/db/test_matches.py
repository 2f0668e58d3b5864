"""Logs of mats: fights that come to the same however their messages are cut."""

import asyncio
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from db.bus import Event
from db.database import Database
from db.errors import Conflict, Refusal
from db.ids import new_id
from db.matches import operations
from db.matches.board import board
from db.matches.events import MatchEventsLogged, MatHeard, ScoreboardChanged
from db.matches.fold import Entry
from db.matches.log import MatProgress
from db.matches.state import from_json
from db.matches.tables import (
    Athlete,
    Mat,
    MatchEvent,
    MatchSide,
    Scoreboard,
)
from tests.db.logs import (
    as_json,
    assert_equal_to_a_fresh_fold,
    captured,
    cut,
    log,
    log_in_batches,
    on_mat,
    received,
    row_of,
    rows_of,
    said,
    told,
)
from tests.db.match_strategies import logs
from tests.db.stored import everything, lay_mat
from tests.support.captures import CHALLENGE, FINAL
from tests.support.competition import begun_fight, loaded_fight

Heard = list[tuple[str, Any]]


CAPTURES = [FINAL, CHALLENGE]


SOMEBODY_ELSE = ("CONFLICT", "Somebody else writes to the log of this mat.", None)


# The log.


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.stem)
async def test_a_captured_fight_comes_to_the_same_in_batches_of_every_size(db: Database, path: Path) -> None:
    messages = captured(path)
    sizes = [1, 2, 3, 7, 40, len(messages)]
    found = []

    for size in sizes:
        mat = await lay_mat(db, f"Batches of {size}")
        await log_in_batches(db, mat.id, cut(messages, size))
        found.append(await on_mat(db, mat.id))

    assert [one == found[-1] for one in found] == [True] * len(sizes)
    assert [row["seq"] for row in found[0]["events"]] == list(range(1, len(messages) + 1))
    assert [row["raw"] for row in found[0]["events"]] == [message.raw for message in messages]
    await assert_equal_to_a_fresh_fold(db, mat.id)


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.stem)
async def test_what_is_shown_at_the_end_is_what_the_fight_came_to(db: Database, path: Path) -> None:
    mat = await lay_mat(db)

    progress = await log(db, mat.id, captured(path))

    assert progress.fight is not None
    (scoreboard,) = await rows_of(db, Scoreboard, mat.id)
    assert scoreboard.board == orjson.loads(orjson.dumps(board(progress.fight.state)))
    assert scoreboard.board["state"] == "ENDED"
    assert from_json(scoreboard.fold) == progress.fight.state
    assert scoreboard.revision == progress.fight.revision


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(entries=logs(), data=st.data())
async def test_any_messages_in_any_batches_with_any_restarts_are_a_fold_of_their_log(
    db: Database, entries: list[Entry], data: st.DataObject
) -> None:
    messages = said(entries)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(messages)), max_size=6)))
    batches = [messages[start:end] for start, end in pairwise([0, *cuts, len(messages)])]
    restarts = data.draw(st.lists(st.booleans(), min_size=len(batches), max_size=len(batches)))
    in_pieces, at_once = await lay_mat(db, str(new_id())), await lay_mat(db, str(new_id()))

    progress: MatProgress | None = None
    for batch, is_restarted in zip(batches, restarts, strict=True):
        async with db.read() as session:
            stored = await operations.load_progress(session, in_pieces.id)
        assert progress is None or as_json(stored) == as_json(progress)
        progress = await log(db, in_pieces.id, batch, None if is_restarted else progress)
    await log(db, at_once.id, messages)

    assert await on_mat(db, in_pieces.id) == await on_mat(db, at_once.id)
    await assert_equal_to_a_fresh_fold(db, in_pieces.id)


async def test_the_messages_of_no_fight_are_logged_all_the_same(db: Database) -> None:
    mat = await lay_mat(db)

    progress = await log(db, mat.id, received("Udp Port 6000 connected;", "nonsense;1;2", ""))

    stored = await on_mat(db, mat.id)
    assert progress == MatProgress(mat_id=mat.id, seq=3, fight=None)
    assert [(row["seq"], row["match_id"], row["kind"]) for row in stored["events"]] == [
        (1, None, "LINK"),
        (2, None, "UNKNOWN"),
        (3, None, "UNREADABLE"),
    ]
    assert (stored["mat"], stored["matches"], stored["scoreboards"]) == ((3, None), [], [])


async def test_logging_nothing_changes_nothing(db: Database) -> None:
    mat = await lay_mat(db)
    await log(db, mat.id, received(*begun_fight("1")))
    before = await everything(db)

    with db.bus.listen(mat.id, of=Event) as listener:
        await log(db, mat.id, [])
        heard = list(listener._events)

    assert heard == []
    assert await everything(db) == before


async def test_a_log_of_a_mat_that_is_not_there_is_refused(db: Database) -> None:
    nowhere = new_id()

    with pytest.raises(Refusal) as unknown:
        await log(db, nowhere, received("pre;FightLoaded"))
    with pytest.raises(Refusal) as gone:
        await log(db, nowhere, received("pre;FightLoaded"), MatProgress(mat_id=nowhere, seq=0, fight=None))

    assert told(unknown) == ("NOT_FOUND", "There is no such mat.", "mat_id")
    assert told(gone) == SOMEBODY_ELSE


async def test_a_second_writer_is_refused_and_stores_nothing(db: Database) -> None:
    mat = await lay_mat(db)
    stale = await log(db, mat.id, received(*loaded_fight("1")))
    await log(db, mat.id, received("clk;02:00;start"), stale)
    before = await everything(db)

    with db.bus.listen(mat.id, stale.fight.match_id if stale.fight else mat.id, of=Event) as listener:
        with pytest.raises(Conflict) as refusal:
            await log(db, mat.id, received("clk;02:00;start", "sc1;3;sc2;0", "pt1;3"), stale)
        heard = list(listener._events)

    assert told(refusal) == SOMEBODY_ELSE
    assert (await everything(db), heard) == (before, [])


async def test_of_fifty_who_write_at_once_from_one_place_one_is_heard(db: Database) -> None:
    mat = await lay_mat(db)
    start = await log(db, mat.id, received(*loaded_fight("1")))

    answers = await asyncio.gather(
        *(log(db, mat.id, received(f"sc1;{number};sc2;0", "pt1;3"), start) for number in range(50)),
        return_exceptions=True,
    )

    winners = [answer for answer in answers if isinstance(answer, MatProgress)]
    assert [winner.seq for winner in winners] == [start.seq + 2]
    assert sum(isinstance(answer, Conflict) for answer in answers) == 49
    await assert_equal_to_a_fresh_fold(db, mat.id)


async def test_fifty_mats_at_once_do_not_disturb_each_other(db: Database) -> None:
    """All of them know the same two athletes, named in either order."""
    mats = [await lay_mat(db, f"Mat {number}") for number in range(50)]
    names = ["at1;A. ONE;Ana One;SUI;at2;B. TWO;Bo Two;GER", "at1;B. TWO;Bo Two;GER;at2;A. ONE;Ana One;SUI"]

    async def fight(number: int) -> None:
        await log(db, mats[number].id, received("pre;FightLoaded", names[number % 2], "rdy;FightReady"))

    await asyncio.gather(*(fight(number) for number in range(50)))

    athletes = {(row.name, row.short_name, row.country_code) for row in await rows_of(db, Athlete)}
    assert athletes == {("Ana One", "A. ONE", "SUI"), ("Bo Two", "B. TWO", "GER")}
    assert len(await rows_of(db, Athlete)) == 2
    assert len(await rows_of(db, MatchSide)) == 100


async def test_a_rolled_back_batch_is_silent_and_leaves_nothing(db: Database) -> None:
    mat = await lay_mat(db)
    start = await log(db, mat.id, received(*loaded_fight("1")))
    assert start.fight is not None
    before = await everything(db)

    async def change() -> None:
        async with db.transaction() as tx:
            await operations.log_messages(tx, start, received(*begun_fight("2")))
            raise LookupError("a bug")

    with db.bus.listen(mat.id, start.fight.match_id, of=Event) as listener:
        with pytest.raises(LookupError):
            await change()
        heard = list(listener._events)

    assert (await everything(db), heard) == (before, [])


async def test_events_tell_of_the_rows_as_they_are_stored(db: Database) -> None:
    mat = await lay_mat(db)
    start = await log(db, mat.id, received(*loaded_fight("1")))
    assert start.fight is not None

    with db.bus.listen(mat.id, start.fight.match_id, of=Event) as listener:
        await log(db, mat.id, received("clk;02:00;start", "pt1;3"), start)
        heard = list(listener._events)

    (scoreboard,) = await rows_of(db, Scoreboard, mat.id)
    events = sorted(await rows_of(db, MatchEvent, mat.id), key=lambda row: row.seq)
    from_sender, logged, changed = heard
    assert from_sender == MatHeard(mat=(await rows_of(db, Mat))[0])
    assert isinstance(logged, MatchEventsLogged)
    assert isinstance(changed, ScoreboardChanged)
    assert (logged.match_id, list(logged.events)) == (start.fight.match_id, events[-2:])
    assert changed.is_current
    assert orjson.dumps(row_of(changed.scoreboard), default=str) == orjson.dumps(row_of(scoreboard), default=str)


async def test_a_load_tells_the_watchers_of_the_mat_of_the_new_fight_and_those_of_the_old_of_its_end(
    db: Database,
) -> None:
    mat = await lay_mat(db)
    first = await log(db, mat.id, received(*begun_fight("1")))
    assert first.fight is not None

    with (
        db.bus.listen(mat.id, of=ScoreboardChanged) as of_mat,
        db.bus.listen(first.fight.match_id, of=ScoreboardChanged) as of_first,
    ):
        second = await log(db, mat.id, received(*loaded_fight("2")), first)
        on_the_mat, on_the_first = list(of_mat._events), list(of_first._events)

    assert second.fight is not None
    assert [(event.scoreboard.match_id, event.is_current) for event in on_the_mat] == [(second.fight.match_id, True)]
    assert [(event.scoreboard.match_id, event.is_current) for event in on_the_first] == [(first.fight.match_id, False)]
    assert on_the_first[0].scoreboard.board["state"] == "ABANDONED"
