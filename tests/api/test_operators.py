"""Operators in the middle of traffic: nothing that is said by anybody is lost."""

import asyncio
from collections import Counter
from dataclasses import replace
from typing import Any
from uuid import UUID

from api.capture import CapturedMessage, read_capture
from api.replay import replay
from db.database import Database
from db.errors import Stale
from db.matches import by_hand, operations, taking_back
from db.matches.held import By
from db.matches.history import refold
from db.matches.past import entry_of
from db.matches.state import from_json
from db.matches.tables import MatchEvent, Round, Scoreboard
from db.matches.vocabulary import PointKind, Side
from tests.conftest import ManualClock
from tests.db.logs import rows_of
from tests.support.captures import FINAL
from tests.support.house import RunningHouse, eventually, running_house
from tests.support.operators import correct, make_operator, revision_of

OPERATORS = 50
REGRETS = 5
LOAD_LENGTH = 12
SPEED = 200


async def test_fifty_operators_and_a_running_replay_at_once_lose_nothing(database_url: str, clock: ManualClock) -> None:
    """Each operator gives blue a punch in the first round, and some of them take it back."""
    messages = [one for one in read_capture(FINAL) if not one.wire.startswith(("win", "wmh"))]
    async with running_house(database_url) as house:
        db = house.house.db
        await _send(house, messages[:LOAD_LENGTH])
        await house.logged(LOAD_LENGTH)
        match_id = await _current(house)
        viewers = [await make_operator(db, clock.now(), f"Operator {number}") for number in range(OPERATORS)]

        async def work(by: By) -> None:
            await _insist(db, by_hand.award_points, match_id, by, side=Side.BLUE, kind=PointKind.PUNCH, number=1)
            if by.viewer in viewers[:REGRETS]:
                await _insist(db, taking_back.undo, match_id, by)

        corrections = [work(By(viewer=viewer, now=clock.now(), revision=None)) for viewer in viewers]
        await asyncio.gather(_send(house, messages[LOAD_LENGTH:]), *corrections)

        entries = len(messages) + OPERATORS + REGRETS
        await eventually(lambda: _has_come(db, house.mat_id, entries), "the end of the log")
        log = sorted(await rows_of(db, MatchEvent, house.mat_id), key=lambda row: row.seq)
        assert [row.raw.decode() for row in log if row.made_by_id is None] == [one.wire for one in messages]
        assert Counter(row.kind.value for row in log if row.made_by_id) == {
            "POINTS_AWARDED": OPERATORS,
            "UNDONE": REGRETS,
        }
        rounds = sorted(await rows_of(db, Round), key=lambda row: row.number)
        assert [(row.blue_score, row.red_score) for row in rounds] == [(4 + OPERATORS - REGRETS, 5), (19, 12), (12, 0)]
        (scoreboard,) = await rows_of(db, Scoreboard)
        assert from_json(scoreboard.fold) == refold([entry_of(row) for row in log])


async def _send(house: RunningHouse, messages: list[CapturedMessage]) -> None:
    assert house.listener is not None
    address = ("127.0.0.1", await house.listener.wait_until_bound())
    began = messages[0].offset
    await replay([replace(one, offset=one.offset - began) for one in messages], address, speed=SPEED)


async def _insist(db: Database, operation: Any, match_id: UUID, by: By, **named: Any) -> None:
    """Say it of what is shown, and look again as often as that has changed meanwhile."""
    by = replace(by, revision=await revision_of(db, match_id))
    while True:
        try:
            await correct(db, operation, match_id, by=by, **named)
        except Stale as stale:
            by = replace(by, revision=stale.revision)
        else:
            return


async def _has_come(db: Database, mat_id: UUID, seq: int) -> bool:
    async with db.read() as session:
        return (await operations.load_progress(session, mat_id)).seq == seq


async def _current(house: RunningHouse) -> UUID:
    async with house.house.db.read() as session:
        fight = (await operations.load_progress(session, house.mat_id)).fight
    assert fight is not None
    return fight.match_id
