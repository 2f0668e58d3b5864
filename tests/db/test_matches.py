"""Competitions: mats and tournaments, and logs that come to the same however they are cut."""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlmodel import col

from api.capture import read_capture
from api.workers.pss_protocol import parse
from db.batches import table_of
from db.bus import Event
from db.errors import Conflict, Refusal
from db.ids import new_id
from db.matches import operations
from db.matches.board import board
from db.matches.events import MatchEventsLogged, MatHeard, ScoreboardChanged
from db.matches.fold import Entry
from db.matches.log import Advance, MatProgress, Received, advance
from db.matches.messages import from_record
from db.matches.rows import match_row, round_rows, round_side_rows, side_rows
from db.matches.state import from_json, to_json
from db.matches.tables import (
    Athlete,
    Challenge,
    EventType,
    Mat,
    Match,
    MatchEvent,
    MatchSide,
    Penalty,
    Point,
    Round,
    RoundSide,
    Scoreboard,
    Tournament,
    UnknownMessage,
)
from db.matches.tallies import count_entries
from db.matches.vocabulary import MatchState, Side
from db.session import Database, Transaction
from tests.db.match_strategies import logs
from tests.db.stored import NOW, everything, lay_mat
from tests.support.captures import CHALLENGE, FINAL
from tests.support.competition import begun_fight, loaded_fight

Heard = list[tuple[str, Any]]

CAPTURES = [FINAL, CHALLENGE]
# What is another in each database, and what the log does not tell.
_LEFT_OUT = {"id", "mat_id", "event_id", "tournament_id", "tournament_day_id"}
TAKEN = ("CONFLICT", "There is a mat of this name in this tournament.", "name")
SOMEBODY_ELSE = ("CONFLICT", "Somebody else writes to the log of this mat.", None)
LENGTH = ("BAD_USER_INPUT", "A name has 1 to 200 characters.", "name")
CHARACTER = ("BAD_USER_INPUT", "A name holds a character that cannot be stored.", "name")


def received(*wires: str, at: datetime = NOW) -> list[Received]:
    """Messages a millisecond apart."""
    return [
        Received(
            received_at=at + timedelta(milliseconds=offset),
            sender="127.0.0.1:50000",
            raw=wire.encode(),
            message=parse(wire.encode()),
        )
        for offset, wire in enumerate(wires)
    ]


def captured(path: Path) -> list[Received]:
    return [
        Received(
            received_at=NOW + message.offset,
            sender="10.0.0.7:6000",
            raw=message.wire.encode(),
            message=parse(message.wire.encode()),
        )
        for message in read_capture(path)
    ]


def said(entries: Iterable[Entry]) -> list[Received]:
    return [
        Received(
            received_at=entry.received_at,
            sender="10.0.0.7:6000",
            raw=repr(entry.message).encode(errors="replace"),
            message=entry.message,
        )
        for entry in entries
    ]


async def log(
    db: Database, mat_id: UUID, messages: Sequence[Received], progress: MatProgress | None = None
) -> MatProgress:
    """Log messages in one transaction; where the log stands is read again, as after a restart, unless it is given."""
    async with db.transaction() as tx:
        return await operations.log_messages(tx, progress or await operations.load_progress(tx, mat_id), messages)


async def log_in_batches(db: Database, mat_id: UUID, batches: Iterable[Sequence[Received]]) -> None:
    progress: MatProgress | None = None
    for batch in batches:
        progress = await log(db, mat_id, batch, progress)


def cut(messages: Sequence[Received], size: int) -> list[Sequence[Received]]:
    return [messages[start : start + size] for start in range(0, len(messages), size)]


async def rows_of(db: Database, model: Any, mat_id: UUID | None = None) -> list[Any]:
    table = table_of(model)
    statement = select(table) if mat_id is None else select(table).where(table.c.mat_id == mat_id)
    async with db.read() as session:
        rows: list[Any] = await session.rows(statement)
        return rows


async def on_mat(db: Database, mat_id: UUID) -> dict[str, Any]:
    """All that is stored of a mat, its fights by the numbers they began at in place of ids."""
    matches = {row.id: row for row in await rows_of(db, Match, mat_id)}
    athletes = {row.id: row for row in await rows_of(db, Athlete)}
    began: dict[UUID | None, int | None] = {None: None, **{row.id: row.begun_seq for row in matches.values()}}
    (mat,) = [row for row in await rows_of(db, Mat) if row.id == mat_id]

    def plain(row: Any, *left_out: str) -> dict[str, Any]:
        values = {name: value for name, value in row._asdict().items() if name not in {*_LEFT_OUT, *left_out}}
        if "match_id" in values:
            values["match_id"] = began[values["match_id"]]
        if values.get("athlete_id"):
            athlete = athletes[values["athlete_id"]]
            values["athlete_id"] = (athlete.name, athlete.country_code)
        return values

    def of_matches(rows: Iterable[Any], *order: str) -> list[dict[str, Any]]:
        wanted = [plain(row) for row in rows if row.match_id in matches]
        return sorted(wanted, key=lambda row: [row[name] for name in order])

    return {
        "mat": (mat.last_seq, began[mat.current_match_id]),
        "matches": sorted((plain(row) for row in matches.values()), key=lambda row: row["begun_seq"]),
        "sides": of_matches(await rows_of(db, MatchSide), "match_id", "side"),
        "rounds": of_matches(await rows_of(db, Round), "match_id", "number"),
        "round sides": of_matches(await rows_of(db, RoundSide), "match_id", "round", "side"),
        "points": of_matches(await rows_of(db, Point), "match_id", "seq"),
        "penalties": of_matches(await rows_of(db, Penalty), "match_id", "seq", "side", "number"),
        "challenges": of_matches(await rows_of(db, Challenge), "match_id", "seq"),
        "types": sorted(
            (plain(row) for row in await rows_of(db, EventType, mat_id)), key=lambda row: (row["kind"], row["code"])
        ),
        "unknown": sorted(
            (plain(row) for row in await rows_of(db, UnknownMessage, mat_id)), key=lambda row: row["pattern"]
        ),
        "events": sorted((plain(row) for row in await rows_of(db, MatchEvent, mat_id)), key=lambda row: row["seq"]),
        # How often a board was changed depends on how many transactions there were.
        "scoreboards": sorted(
            (plain(row, "revision") for row in await rows_of(db, Scoreboard, mat_id)), key=lambda row: row["match_id"]
        ),
    }


async def folded_afresh(db: Database, mat_id: UUID) -> dict[str, Any]:
    """What the tables should hold, from the log alone."""
    events = sorted(await rows_of(db, MatchEvent, mat_id), key=lambda row: row.seq)
    told = [
        Received(received_at=row.received_at, sender=row.sender, raw=row.raw, message=from_record(row.kind, row.record))
        for row in events
    ]
    steps = advance(MatProgress(mat_id=mat_id, seq=0, fight=None), told)
    loaded_at = {row.seq: row.received_at for row in events}
    return {
        "mat": (len(events), steps.progress.fight and steps.progress.fight.begun_seq),
        "matches": [
            {"begun_seq": fight.begun_seq, "loaded_at": loaded_at[fight.begun_seq], **match_row(fight.state)}
            for fight in steps.fights
        ],
        "sides": [
            {"match_id": fight.begun_seq, **without_names(row)}
            for fight in steps.fights
            for row in side_rows(fight.state)
        ],
        "rounds": [{"match_id": fight.begun_seq, **row} for fight in steps.fights for row in round_rows(fight.state)],
        "round sides": [
            {"match_id": fight.begun_seq, **row} for fight in steps.fights for row in round_side_rows(fight.state)
        ],
        **told_of(steps),
        "fights of events": [logged.fight and logged.fight.begun_seq for logged in steps.logged],
        "scoreboards": [
            {
                "match_id": fight.begun_seq,
                "seq": fight.state.seq,
                "fold": orjson.loads(orjson.dumps(to_json(fight.state))),
                "board": orjson.loads(orjson.dumps(fight.shown)),
                "changed_at": fight.changed_at,
            }
            for fight in steps.fights
        ],
    }


def told_of(steps: Advance) -> dict[str, list[dict[str, Any]]]:
    """The rows of facts and counts that a fold of a whole log leads to."""
    facts = [(fight.begun_seq, steps.facts[fight.match_id]) for fight in steps.fights]
    tally = count_entries(steps.logged)
    return {
        "points": [{"match_id": began, **row} for began, told in facts for row in told.points],
        "penalties": sorted(
            ({"match_id": began, **row} for began, told in facts for row in told.penalties),
            key=lambda row: [row[name] for name in ("match_id", "seq", "side", "number")],
        ),
        "challenges": [
            {"match_id": began, **told.challenges[seq]} for began, told in facts for seq in sorted(told.challenges)
        ],
        "types": sorted(tally.types, key=lambda row: (row["kind"], row["code"])),
        "unknown": sorted(tally.unknown, key=lambda row: row["pattern"]),
    }


def without_names(row: dict[str, Any]) -> dict[str, Any]:
    names = {name: row.pop(name) for name in ("name", "short_name", "country_code")}
    return {"athlete_id": (names["name"], names["country_code"]) if names["name"] else None, **row}


async def assert_equal_to_a_fresh_fold(db: Database, mat_id: UUID) -> None:
    stored = await on_mat(db, mat_id)
    events = stored.pop("events")
    assert [row["seq"] for row in events] == list(range(1, len(events) + 1))
    stored["fights of events"] = [row["match_id"] for row in events]
    assert stored == await folded_afresh(db, mat_id)


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


def as_json(progress: MatProgress) -> tuple[Any, ...]:
    fight = progress.fight
    if fight is None:
        return (progress.seq, None)
    shown = orjson.loads(orjson.dumps(fight.shown))
    return (progress.seq, fight.match_id, fight.begun_seq, fight.state, shown, fight.revision, fight.changed_at)


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


def row_of(row: Any) -> dict[str, Any]:
    values: dict[str, Any] = row._asdict()
    return values


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


# A board that waits for the rest of a burst.


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


# Mats and tournaments.


def told(refusal: pytest.ExceptionInfo[Refusal]) -> tuple[str, str, str | None]:
    return (refusal.value.code, refusal.value.message, refusal.value.field)


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
