"""Corrections of a fight: what is heard of them, and many at once."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from db.bus import Event
from db.database import Database
from db.errors import Refusal, Stale
from db.matches import by_hand, taking_back
from db.matches.by_hand import FightToLoad, SideToLoad
from db.matches.events import MatchEventsLogged, ScoreboardChanged
from db.matches.held import By
from db.matches.tables import Mat, Match, Scoreboard
from db.matches.vocabulary import Side
from tests.db.fresh import assert_equal_to_a_fresh_fold
from tests.db.hands import HEAD, begun, entries, scores
from tests.db.logs import log, received, rows_of
from tests.db.stored import NOW, everything, lay_mat, statements_of
from tests.support.competition import loaded_fight
from tests.support.operators import FIGHT, correct, load, make_operator, revision_of

LATER = NOW + timedelta(minutes=1)


@pytest.fixture
async def olga(db: Database) -> By:
    return By(viewer=await make_operator(db, NOW), now=LATER, revision=None)


@pytest.fixture
async def mat(db: Database) -> Mat:
    return await lay_mat(db)


async def test_a_correction_is_heard_once_it_is_committed(db: Database, mat: Mat, olga: By) -> None:
    match = await begun(db, mat)

    with db.bus.listen(match.id, of=Event) as listener:
        await correct(db, by_hand.award_points, match.id, by=olga, **HEAD)
        logged, changed = listener._events

    (scoreboard,) = await rows_of(db, Scoreboard)
    assert isinstance(logged, MatchEventsLogged)
    assert list(logged.events) == (await entries(db, match))[-1:]
    assert isinstance(changed, ScoreboardChanged)
    assert (changed.scoreboard.revision, changed.is_current) == (scoreboard.revision, True)
    assert changed.scoreboard.board["blue"]["score"] == 6


@pytest.mark.parametrize("operation", [partial(by_hand.award_points, **HEAD), taking_back.undo])
async def test_a_rolled_back_correction_is_silent(
    db: Database, mat: Mat, olga: By, operation: Callable[..., Any]
) -> None:
    match = await begun(db, mat)
    await correct(db, by_hand.give_gam_jeom, match.id, by=olga, side=Side.RED)
    by = replace(olga, revision=await revision_of(db, match.id))
    before = await everything(db)

    async def change() -> None:
        async with db.transaction() as tx:
            await operation(tx, match.id, by=by)
            raise LookupError("a bug")

    with db.bus.listen(match.id, mat.id, of=Event) as listener:
        with pytest.raises(LookupError):
            await change()
        heard = list(listener._events)

    assert (await everything(db), heard) == (before, [])


async def test_a_rolled_back_load_is_silent(db: Database, mat: Mat, olga: By) -> None:
    before = await everything(db)

    async def change() -> None:
        async with db.transaction() as tx:
            await by_hand.load_match(tx, mat.id, FIGHT, by=olga)
            raise LookupError("a bug")

    with db.bus.listen(mat.id, of=Event) as listener:
        with pytest.raises(LookupError):
            await change()
        heard = list(listener._events)

    assert (await everything(db), heard) == (before, [])


async def test_of_fifty_operators_at_one_revision_one_is_heard(db: Database, mat: Mat, olga: By) -> None:
    match = await begun(db, mat)
    by = replace(olga, revision=await revision_of(db, match.id))

    answers = await asyncio.gather(
        *(correct(db, by_hand.award_points, match.id, by=by, **HEAD) for _ in range(50)), return_exceptions=True
    )

    refused = [answer for answer in answers if isinstance(answer, Stale)]
    assert (len(refused), {one.revision for one in refused}) == (49, {by.revision + 1})  # type: ignore[operator]  # it was given
    assert await scores(db, match) == (6, 0)
    await assert_equal_to_a_fresh_fold(db, mat.id)


async def test_of_fifty_loads_at_once_one_takes_the_mat(db: Database, mat: Mat, olga: By) -> None:
    answers = await asyncio.gather(*(load(db, mat.id, olga) for _ in range(50)), return_exceptions=True)

    assert {answer.code for answer in answers if isinstance(answer, Refusal)} == {"CONFLICT"}
    assert [row.number for row in await rows_of(db, Match)] == ["12"]


async def test_a_correction_takes_a_number_of_statements_that_does_not_grow(db: Database, mat: Mat, olga: By) -> None:
    match = await begun(db, mat)
    counts = []

    for _ in range(3):
        by = replace(olga, revision=await revision_of(db, match.id))
        with statements_of(db) as heard:
            await correct(db, by_hand.award_points, match.id, by=by, **HEAD)
        counts.append(len(heard))
        await log(db, mat.id, received("sc1;9;sc2;0", "pt1;1", "clk;01:50"))

    assert len(set(counts)) == 1
    assert counts[0] <= 16


async def test_a_load_of_the_wire_and_one_by_hand_come_to_the_same(db: Database, olga: By) -> None:
    by_wire, hand_made = await lay_mat(db, "Mat 1"), await lay_mat(db, "Mat 2")
    await log(db, by_wire.id, received(*loaded_fight("7")))
    sides = (SideToLoad(name=f"{colour} 7", short_name=f"{colour[0]}. 7") for colour in ("Blue", "Red"))
    blue, red = (
        replace(side, country_code=country, background=back, foreground="#FFFFFF")
        for side, country, back in zip(sides, ("KOR", "GER"), ("#0000ff", "#ff0000"), strict=True)
    )

    match = await load(
        db,
        hand_made.id,
        olga,
        FightToLoad(number="7", phase="Final", weight="M -68kg", division="Seniors", blue=blue, red=red),
    )

    boards = {row.match_id: row.board for row in await rows_of(db, Scoreboard)}
    of_hand = boards.pop(match.id)
    (of_wire,) = boards.values()
    left_out = {"clock", "rounds"}
    assert {name: value for name, value in of_hand.items() if name not in left_out} == {
        name: value for name, value in of_wire.items() if name not in left_out
    }
    assert of_hand["clock"]["remainingMs"] == of_wire["clock"]["remainingMs"] == 120_000
