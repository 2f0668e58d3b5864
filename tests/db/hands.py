"""Fights that operators run, in tests: how they begin, and how they stand."""

from collections.abc import Awaitable
from typing import Any

import pytest

from db.database import Database
from db.errors import Refusal
from db.matches.tables import Mat, Match, MatchEvent, Scoreboard
from db.matches.vocabulary import PointKind, Side
from tests.db.logs import log, received, rows_of
from tests.support.competition import begun_fight

HEAD: dict[str, Any] = {"side": Side.BLUE, "kind": PointKind.HEAD}

NOTHING_TO_UNDO = ("CONFLICT", "You have corrected nothing of this match that is in force.", "id")
NOTHING_TO_REDO = ("CONFLICT", "You have undone nothing of this match since your last correction.", "id")


async def begun(db: Database, mat: Mat, number: str = "1") -> Match:
    """A fight on the mat, its clock running, blue with three points of the wire."""
    progress = await log(db, mat.id, received(*begun_fight(number)))
    assert progress.fight is not None
    (match,) = [row for row in await rows_of(db, Match) if row.id == progress.fight.match_id]
    found: Match = match
    return found


async def entries(db: Database, match: Match) -> list[Any]:
    return sorted([row for row in await rows_of(db, MatchEvent) if row.match_id == match.id], key=lambda row: row.seq)


async def board(db: Database, match: Match) -> Any:
    (row,) = [row for row in await rows_of(db, Scoreboard) if row.match_id == match.id]
    return row.board


async def scores(db: Database, match: Match) -> tuple[int, int]:
    shown = await board(db, match)
    return shown["blue"]["score"], shown["red"]["score"]


async def refusal_of(attempt: Awaitable[Any]) -> tuple[str, str, str | None]:
    with pytest.raises(Refusal) as refusal:
        await attempt
    return (refusal.value.code, refusal.value.message, refusal.value.field)
