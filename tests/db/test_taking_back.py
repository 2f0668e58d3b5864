"""Taking back what was said of a fight: undo, redo, and entries by name."""

from dataclasses import replace
from datetime import timedelta

import pytest

from db.database import Database
from db.matches import by_hand, taking_back
from db.matches.held import By
from db.matches.tables import Mat, Round
from db.matches.vocabulary import Outcome, PointKind, Side
from tests.db.fresh import assert_equal_to_a_fresh_fold
from tests.db.hands import HEAD, NOTHING_TO_REDO, NOTHING_TO_UNDO, begun, entries, refusal_of, scores
from tests.db.logs import rows_of
from tests.db.stored import NOW, lay_mat
from tests.support.operators import correct, load, make_operator

LATER = NOW + timedelta(minutes=1)


@pytest.fixture
async def olga(db: Database) -> By:
    return By(viewer=await make_operator(db, NOW), now=LATER, revision=None)


@pytest.fixture
async def mat(db: Database) -> Mat:
    return await lay_mat(db)


async def test_undo_takes_back_ones_own_corrections_from_the_last_on_and_redo_brings_them_back(
    db: Database, mat: Mat, olga: By
) -> None:
    match = await begun(db, mat)
    ben = replace(olga, viewer=await make_operator(db, NOW, "Ben"))
    for by, points in ((olga, PointKind.PUNCH), (ben, PointKind.HEAD), (olga, PointKind.BODY)):
        await correct(db, by_hand.award_points, match.id, by=by, side=Side.RED, kind=points)
    reds = [(await scores(db, match))[1]]

    for operation in (*[taking_back.undo] * 2, *[taking_back.redo] * 2, taking_back.undo):
        await correct(db, operation, match.id, by=olga)
        reds.append((await scores(db, match))[1])
    await correct(db, taking_back.undo, match.id, by=ben)

    assert reds == [6, 4, 3, 4, 6, 4]
    assert await scores(db, match) == (3, 1)
    *_, first, bens, last = [row for row in await entries(db, match) if row.kind == "POINTS_AWARDED"]
    by_id = {row.id: row for row in await entries(db, match)}
    assert first.voided_by_id is None
    assert [(by_id[one.voided_by_id].kind, by_id[one.voided_by_id].made_by_id) for one in (bens, last)] == [
        ("UNDONE", ben.viewer.user_id),
        ("UNDONE", olga.viewer.user_id),
    ]
    await assert_equal_to_a_fresh_fold(db, mat.id)


async def test_a_new_correction_leaves_nothing_to_redo(db: Database, mat: Mat, olga: By) -> None:
    match = await begun(db, mat)
    await correct(db, by_hand.award_points, match.id, by=olga, **HEAD)
    await correct(db, taking_back.undo, match.id, by=olga)
    await correct(db, by_hand.give_gam_jeom, match.id, by=olga, side=Side.RED)

    assert await refusal_of(correct(db, taking_back.redo, match.id, by=olga)) == NOTHING_TO_REDO
    await correct(db, taking_back.undo, match.id, by=olga)
    assert await refusal_of(correct(db, taking_back.undo, match.id, by=olga)) == NOTHING_TO_UNDO
    await correct(db, taking_back.redo, match.id, by=olga)
    assert await refusal_of(correct(db, taking_back.redo, match.id, by=olga)) == NOTHING_TO_REDO
    assert await scores(db, match) == (4, 0)


async def test_an_entry_of_the_wire_is_taken_back_and_brought_back(db: Database, mat: Mat, olga: By) -> None:
    match = await begun(db, mat)
    (score,) = [row for row in await entries(db, match) if row.record == {"blue": 3, "red": 0}]

    await correct(db, taking_back.void_event, match.id, score.id, by=replace(olga, why="Noise"))
    without = await scores(db, match)
    voiding = (await entries(db, match))[-1]
    again = await refusal_of(correct(db, taking_back.void_event, match.id, score.id, by=olga))
    await correct(db, taking_back.void_event, match.id, voiding.id, by=olga)

    assert (without, await scores(db, match)) == ((0, 0), (3, 0))
    assert again == ("CONFLICT", "This entry was taken back before.", "event_id")
    kept = {row.id: row for row in await entries(db, match)}
    *_, second = kept.values()
    assert (voiding.kind, voiding.voids_id, voiding.why, voiding.record) == (
        *("ENTRY_VOIDED", score.id, "Noise", {"target": score.seq}),
    )
    assert (kept[score.id].voided_by_id, kept[voiding.id].voided_by_id) == (None, second.id)
    assert kept[score.id]._replace(voided_by_id=None) == score
    await assert_equal_to_a_fresh_fold(db, mat.id)


async def test_what_was_named_and_taken_back_is_undone_like_any_correction(db: Database, mat: Mat, olga: By) -> None:
    match = await begun(db, mat)
    (score,) = [row for row in await entries(db, match) if row.record == {"blue": 3, "red": 0}]
    await correct(db, taking_back.void_event, match.id, score.id, by=olga)

    await correct(db, taking_back.undo, match.id, by=olga)

    assert await scores(db, match) == (3, 0)
    await assert_equal_to_a_fresh_fold(db, mat.id)


async def test_what_began_a_match_is_not_taken_back(db: Database, mat: Mat, olga: By) -> None:
    by_wire = await begun(db, mat)
    first, *_ = await entries(db, by_wire)
    refusals = [await refusal_of(correct(db, taking_back.void_event, by_wire.id, first.id, by=olga))]
    hand_made = await load(db, mat.id, olga, replaces=by_wire)
    (loaded,) = await entries(db, hand_made)
    refusals += [
        await refusal_of(correct(db, taking_back.void_event, hand_made.id, loaded.id, by=olga)),
        await refusal_of(correct(db, taking_back.undo, hand_made.id, by=olga)),
        await refusal_of(correct(db, taking_back.void_event, by_wire.id, loaded.id, by=olga)),
    ]

    began = ("CONFLICT", "This entry began the match: it cannot be taken back.", "event_id")
    elsewhere = ("NOT_FOUND", "There is no such entry of this match.", "event_id")
    assert refusals == [began, began, NOTHING_TO_UNDO, elsewhere]


async def test_a_round_that_was_only_gone_to_by_mistake_is_gone(db: Database, mat: Mat, olga: By) -> None:
    match = await begun(db, mat)
    await correct(db, by_hand.set_round, match.id, by=olga, number=7)
    assert sorted(row.number for row in await rows_of(db, Round)) == [1, 7]

    await correct(db, taking_back.undo, match.id, by=olga)

    assert sorted(row.number for row in await rows_of(db, Round)) == [1]
    await assert_equal_to_a_fresh_fold(db, mat.id)


async def test_a_winner_that_is_taken_back_lets_the_fight_go_on(db: Database, mat: Mat, olga: By) -> None:
    match = await begun(db, mat)
    await correct(db, by_hand.declare_winner, match.id, by=olga, outcome=Outcome.BLUE)

    going = await correct(db, taking_back.undo, match.id, by=olga)
    await correct(db, by_hand.award_points, match.id, by=olga, **HEAD)

    assert (going.state, going.outcome, going.winner_name, going.ended_at) == ("LIVE", None, "", None)
    assert await scores(db, match) == (6, 0)


async def test_a_log_that_is_too_long_is_not_folded_again(db: Database, mat: Mat, olga: By) -> None:
    match = await begun(db, mat)
    await correct(db, by_hand.award_points, match.id, by=olga, **HEAD)
    length = len(await entries(db, match))

    refusal = await refusal_of(correct(db, taking_back.undo, match.id, by=olga, most=length - 1))
    await correct(db, taking_back.undo, match.id, by=olga, most=length)

    assert refusal == (
        "CONFLICT",
        (
            f"The log of this match has more than {length - 1} entries, too many to be folded again. "
            "Correct what it came to instead."
        ),
        "id",
    )
