"""Logs of mats in tests: what is written to them, and what they should come to."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import pytest
from sqlalchemy import select

from api.capture import read_capture
from api.workers.pss_protocol import parse
from db.batches import table_of
from db.database import Database
from db.errors import Refusal
from db.matches import operations
from db.matches.fold import Entry
from db.matches.log import Advance, MatProgress, Received, advance
from db.matches.messages import from_record
from db.matches.rows import match_row, round_rows, round_side_rows, side_rows
from db.matches.state import to_json
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
    UnknownMessage,
)
from db.matches.tallies import count_entries
from tests.db.stored import NOW

# What is another in each database, and what the log does not tell.
_LEFT_OUT = {"id", "mat_id", "event_id", "tournament_id", "tournament_day_id"}


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


async def log(
    db: Database, mat_id: UUID, messages: Sequence[Received], progress: MatProgress | None = None
) -> MatProgress:
    """Log messages in one transaction; where the log stands is read again, as after a restart, unless it is given."""
    async with db.transaction() as tx:
        return await operations.log_messages(tx, progress or await operations.load_progress(tx, mat_id), messages)


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


def as_json(progress: MatProgress) -> tuple[Any, ...]:
    fight = progress.fight
    if fight is None:
        return (progress.seq, None)
    shown = orjson.loads(orjson.dumps(fight.shown))
    return (progress.seq, fight.match_id, fight.begun_seq, fight.state, shown, fight.revision, fight.changed_at)


def row_of(row: Any) -> dict[str, Any]:
    values: dict[str, Any] = row._asdict()
    return values


def told(refusal: pytest.ExceptionInfo[Refusal]) -> tuple[str, str, str | None]:
    return (refusal.value.code, refusal.value.message, refusal.value.field)


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


async def log_in_batches(db: Database, mat_id: UUID, batches: Iterable[Sequence[Received]]) -> None:
    progress: MatProgress | None = None
    for batch in batches:
        progress = await log(db, mat_id, batch, progress)


def cut(messages: Sequence[Received], size: int) -> list[Sequence[Received]]:
    return [messages[start : start + size] for start in range(0, len(messages), size)]
