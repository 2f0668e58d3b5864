"""Operators: fights run and corrected by hand, one entry for each change, and refusals that change nothing."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import orjson
import pytest

from db.database import Database
from db.errors import Stale
from db.ids import new_id
from db.matches import by_hand, taking_back
from db.matches.by_hand import FightToLoad, SideToLoad
from db.matches.held import By
from db.matches.tables import Mat, Match, MatchSide, Penalty, Point, Round, Scoreboard
from db.matches.vocabulary import ChallengeState, Outcome, PointKind, Side
from tests.db.fresh import assert_equal_to_a_fresh_fold
from tests.db.hands import HEAD, NOTHING_TO_REDO, NOTHING_TO_UNDO, begun, entries, refusal_of, scores
from tests.db.logs import log, received, rows_of
from tests.db.stored import NOW, everything, lay_mat
from tests.support.operators import FIGHT, correct, load, make_operator, revision_of

LATER = NOW + timedelta(minutes=1)


ENDED = ("CONFLICT", "The match has ended.", "id")


GONE = ("CONFLICT", "The match is not on its mat any more.", "id")


@pytest.fixture
async def olga(db: Database) -> By:
    return By(viewer=await make_operator(db, NOW), now=LATER, revision=None)


@pytest.fixture
async def mat(db: Database) -> Mat:
    return await lay_mat(db)


# A fight without a scoring program.


async def test_a_fight_is_run_by_hand_from_its_load_to_its_winner(db: Database, mat: Mat, olga: By) -> None:
    match = await load(db, mat.id, olga)
    do = partial(correct, db, match_id=match.id)

    await do(by_hand.start_clock, by=olga)
    await do(by_hand.award_points, by=olga, **HEAD)
    await do(by_hand.give_gam_jeom, by=olga, side=Side.BLUE)
    await do(by_hand.stop_clock, by=replace(olga, now=LATER + timedelta(seconds=30)))
    await do(by_hand.decide_round, by=olga, winner=Side.BLUE)
    await do(by_hand.set_round, by=olga, number=2)
    await do(by_hand.start_clock, by=olga, remaining_ms=90_000)
    await do(by_hand.decide_challenge, by=olga, side=Side.RED, state=ChallengeState.LOST)
    await do(by_hand.decide_round, by=olga, winner=Side.BLUE)
    ended = await do(by_hand.declare_winner, by=replace(olga, why="Two rounds"), outcome=Outcome.BLUE, code="PTF")

    assert (match.number, match.phase, match.state, match.loaded_at) == ("12", "Final", "LOADED", LATER)
    assert (ended.state, ended.outcome, ended.winner_name, ended.round_score, ended.result_code) == (
        *("ENDED", "BLUE", "Ana One", "2-0", "PTF"),
    )
    rounds = sorted(await rows_of(db, Round), key=lambda row: row.number)
    assert [(row.number, row.blue_score, row.red_score, row.blue_gam_jeom_count, row.winner) for row in rounds] == [
        (1, 3, 1, 1, Side.BLUE),
        (2, 0, 0, 0, Side.BLUE),
    ]
    sides = {row.side: (row.score, row.rounds_won, row.background) for row in await rows_of(db, MatchSide)}
    assert sides == {Side.BLUE: (0, 2, "#0000ff"), Side.RED: (0, 0, "")}
    assert [row.kind.value for row in await entries(db, match)] == [
        "LOADED_BY_HAND",
        "CLOCK_STARTED",
        "POINTS_AWARDED",
        "GAM_JEOM_GIVEN",
        "CLOCK_STOPPED",
        "ROUND_DECIDED",
        "ROUND_SET",
        "CLOCK_STARTED",
        "CHALLENGE_DECIDED",
        "ROUND_DECIDED",
        "WINNER_DECLARED",
    ]
    await assert_equal_to_a_fresh_fold(db, mat.id)


async def test_an_entry_by_hand_says_who_made_it_why_and_where_the_fight_stood(
    db: Database, mat: Mat, olga: By
) -> None:
    match = await begun(db, mat)

    await correct(db, by_hand.award_points, match.id, by=replace(olga, why=" The video showed it. "), **HEAD)

    *wire, entry = await entries(db, match)
    assert {(row.made_by_id, row.why, row.voids_id, row.voided_by_id) for row in wire} == {(None, "", None, None)}
    assert (entry.seq, entry.kind, entry.side, entry.points, entry.round) == (
        *(len(wire) + 1, "POINTS_AWARDED", Side.BLUE, 3, 1),
    )
    assert (entry.made_by_id, entry.why, entry.sender) == (olga.viewer.user_id, "The video showed it.", "@olga")
    assert orjson.loads(entry.raw) == entry.record == {"side": "BLUE", "value": 3, "round": 1}
    assert (entry.received_at, entry.is_valid, entry.reason) == (LATER, True, None)


async def test_points_and_penalties_by_hand_are_things_of_their_own_until_they_are_taken_back(
    db: Database, mat: Mat, olga: By
) -> None:
    match = await begun(db, mat)
    do = partial(correct, db, match_id=match.id, by=olga)

    async def told() -> tuple[list[tuple[str, str, int]], list[tuple[str, int, int | None]]]:
        points = sorted(await rows_of(db, Point), key=lambda row: row.seq)
        penalties = sorted(await rows_of(db, Penalty), key=lambda row: row.seq)
        return (
            [(row.side.value, row.kind.value, row.round) for row in points],
            [(row.side.value, row.number, row.taken_back_seq) for row in penalties],
        )

    of_wire = ("BLUE", "HEAD", 1)
    await do(by_hand.award_points, side=Side.RED, kind=PointKind.PUNCH)
    await do(by_hand.award_points, **HEAD)
    await do(by_hand.give_gam_jeom, side=Side.RED)
    given = await told()
    await do(by_hand.take_back_points, **HEAD)
    await do(by_hand.take_back_gam_jeom, side=Side.RED)
    taken = await told()
    await do(by_hand.take_back_points, **HEAD)
    without = await told()
    await do(taking_back.undo)
    again = await told()

    assert given == ([of_wire, ("RED", "PUNCH", 1), of_wire], [("RED", 1, None)])
    seq = (await entries(db, match))[-3].seq
    assert taken == ([of_wire, ("RED", "PUNCH", 1)], [("RED", 1, seq)])
    assert without == ([("RED", "PUNCH", 1)], taken[1])
    assert again == taken
    await assert_equal_to_a_fresh_fold(db, mat.id)


async def test_a_correction_is_shown_at_once_even_inside_a_burst(db: Database, mat: Mat, olga: By) -> None:
    match = await begun(db, mat)
    await log(db, mat.id, received("sc1;4;sc2;0", at=LATER))
    assert await scores(db, match) == (3, 0)

    await correct(db, by_hand.award_points, match.id, by=olga, **HEAD)

    assert await scores(db, match) == (7, 0)
    await log(db, mat.id, received("pt1;1", "sc1;5;sc2;0", "pt1;1", at=LATER + timedelta(milliseconds=20)))
    assert await scores(db, match) == (8, 0)
    await assert_equal_to_a_fresh_fold(db, mat.id)


async def test_a_fight_that_has_left_its_mat_is_still_corrected(db: Database, mat: Mat, olga: By) -> None:
    match = await begun(db, mat)
    other = await begun(db, mat, "2")

    await correct(db, by_hand.set_score, match.id, by=olga, blue=9, red=8)
    await correct(db, by_hand.decide_round, match.id, by=olga, winner=Side.BLUE)
    await correct(db, by_hand.declare_winner, match.id, by=olga, outcome=Outcome.RED)
    corrected = await correct(db, taking_back.undo, match.id, by=olga)

    assert (corrected.state, corrected.outcome) == ("ABANDONED", None)
    assert (await scores(db, match), await scores(db, other)) == ((9, 8), (3, 0))
    (stored,) = await rows_of(db, Mat)
    assert stored.current_match_id == other.id
    await assert_equal_to_a_fresh_fold(db, mat.id)


async def test_a_load_by_hand_takes_the_place_of_the_fight_on_the_mat(db: Database, mat: Mat, olga: By) -> None:
    first = await begun(db, mat)

    second = await load(db, mat.id, olga, replaces=first)

    states = {row.id: row.state.value for row in await rows_of(db, Match)}
    assert states == {first.id: "ABANDONED", second.id: "LOADED"}
    assert await revision_of(db, second.id) == 1
    await log(db, mat.id, received("sc1;1;sc2;0", "pt1;1", at=LATER))
    assert await scores(db, second) == (1, 0)
    await assert_equal_to_a_fresh_fold(db, mat.id)


# Refusals.


async def test_a_stale_revision_is_refused_with_the_present_one_and_changes_nothing(
    db: Database, mat: Mat, olga: By
) -> None:
    match = await begun(db, mat)
    seen = await revision_of(db, match.id)
    await correct(db, by_hand.award_points, match.id, by=olga, **HEAD)
    before = await everything(db)

    with pytest.raises(Stale) as refusal:
        await correct(db, by_hand.award_points, match.id, by=replace(olga, revision=seen), **HEAD)

    assert (refusal.value.code, refusal.value.field, refusal.value.revision) == ("CONFLICT", "revision", seen + 1)
    assert await everything(db) == before


async def test_what_an_operator_says_raises_the_revision_even_if_nothing_looks_other(
    db: Database, mat: Mat, olga: By
) -> None:
    match = await begun(db, mat)
    seen = await revision_of(db, match.id)
    (before,) = await rows_of(db, Scoreboard)

    await correct(db, by_hand.set_score, match.id, by=olga, blue=3)

    (after,) = await rows_of(db, Scoreboard)
    assert (after.revision, after.board, after.changed_at) == (seen + 1, before.board, before.changed_at)


UNFOUGHT: dict[str, Callable[..., Any]] = {
    "award points": partial(by_hand.award_points, **HEAD),
    "take back points": partial(by_hand.take_back_points, **HEAD),
    "give a gam-jeom": partial(by_hand.give_gam_jeom, side=Side.RED),
    "take back a gam-jeom": partial(by_hand.take_back_gam_jeom, side=Side.RED),
    "set the round": partial(by_hand.set_round, number=2),
    "set the clock": partial(by_hand.set_clock, remaining_ms=1),
    "start the clock": by_hand.start_clock,
    "stop the clock": by_hand.stop_clock,
    "decide a challenge": partial(by_hand.decide_challenge, side=None, state=ChallengeState.WON),
}


async def test_a_fight_that_is_over_or_gone_takes_nothing_that_happens_in_a_fight(
    db: Database, mat: Mat, olga: By
) -> None:
    gone, ended = await begun(db, mat), await begun(db, mat, "2")
    await log(db, mat.id, received("win;BLUE", at=LATER))
    before = await everything(db)

    refusals = {
        (name, await refusal_of(correct(db, operation, match.id, by=olga)))
        for match in (gone, ended)
        for name, operation in UNFOUGHT.items()
    }

    assert refusals == {(name, refusal) for name in UNFOUGHT for refusal in (GONE, ENDED)}
    assert await everything(db) == before


REFUSED: dict[str, tuple[Callable[..., Any], tuple[str, str, str | None]]] = {
    "points in a round to come": (
        partial(by_hand.award_points, **HEAD, number=2),
        ("BAD_USER_INPUT", "Round 2 has not begun.", "round"),
    ),
    "points that were not given": (
        partial(by_hand.take_back_points, side=Side.BLUE, kind=PointKind.BODY),
        ("CONFLICT", "BLUE has no points of the kind BODY in round 1.", "kind"),
    ),
    "points that the other was given": (
        partial(by_hand.take_back_points, side=Side.RED, kind=PointKind.HEAD),
        ("CONFLICT", "RED has no points of the kind HEAD in round 1.", "kind"),
    ),
    "a gam-jeom that was not given": (
        partial(by_hand.take_back_gam_jeom, side=Side.RED),
        ("CONFLICT", "RED has no gam-jeom in round 1.", "side"),
    ),
    "no score": (by_hand.set_score, ("BAD_USER_INPUT", "Give the score of a side.", "blue")),
    "a score below zero": (
        partial(by_hand.set_score, red=-1),
        ("BAD_USER_INPUT", "A score is between 0 and 999.", "red"),
    ),
    "a score beyond all": (
        partial(by_hand.set_score, blue=1_000, red=1),
        ("BAD_USER_INPUT", "A score is between 0 and 999.", "blue"),
    ),
    "the same round": (
        partial(by_hand.set_round, number=1),
        ("CONFLICT", "It is round 1 already.", "number"),
    ),
    "round zero": (
        partial(by_hand.set_round, number=0),
        ("BAD_USER_INPUT", "A round is between 1 and 99.", "number"),
    ),
    "a clock below zero": (
        partial(by_hand.set_clock, remaining_ms=-1),
        ("BAD_USER_INPUT", "What remains on a clock is between 0 and 3600000 ms.", "remaining_ms"),
    ),
    "a clock that runs": (by_hand.start_clock, ("CONFLICT", "The clock is running.", "id")),
    "a code that is too long": (
        partial(by_hand.declare_winner, outcome=Outcome.BLUE, code="x" * 11),
        ("BAD_USER_INPUT", "A result code has 0 to 10 characters.", "result_code"),
    ),
    "nothing to undo": (taking_back.undo, NOTHING_TO_UNDO),
    "nothing to redo": (taking_back.redo, NOTHING_TO_REDO),
    "an entry of nobody": (
        partial(taking_back.void_event, event_id=new_id()),
        ("NOT_FOUND", "There is no such entry of this match.", "event_id"),
    ),
}


async def test_what_cannot_be_is_refused_and_changes_nothing(db: Database, mat: Mat, olga: By) -> None:
    match = await begun(db, mat)
    before = await everything(db)

    refusals = {
        name: await refusal_of(correct(db, operation, match.id, by=olga)) for name, (operation, _) in REFUSED.items()
    }

    assert refusals == {name: refusal for name, (_, refusal) in REFUSED.items()}
    assert await everything(db) == before


async def test_a_reason_has_five_hundred_characters_at_most(db: Database, mat: Mat, olga: By) -> None:
    match = await begun(db, mat)

    refusals = [
        await refusal_of(correct(db, by_hand.award_points, match.id, by=replace(olga, why=why), **HEAD))
        for why in ("x" * 501, "a\0b")
    ]
    await correct(db, by_hand.award_points, match.id, by=replace(olga, why="x" * 500), **HEAD)

    assert refusals == [
        ("BAD_USER_INPUT", "A reason has 0 to 500 characters.", "why"),
        ("BAD_USER_INPUT", "A reason holds a character that cannot be stored.", "why"),
    ]


async def test_a_clock_that_stands_is_not_stopped_and_does_not_start_at_nothing(
    db: Database, mat: Mat, olga: By
) -> None:
    match = await load(db, mat.id, olga)

    stop = await refusal_of(correct(db, by_hand.stop_clock, match.id, by=olga))
    await correct(db, by_hand.set_clock, match.id, by=olga, remaining_ms=0)
    start = await refusal_of(correct(db, by_hand.start_clock, match.id, by=olga))

    assert stop == ("CONFLICT", "The clock stands.", "id")
    assert start == ("CONFLICT", "Nothing remains on the clock. Say from where it is to run.", "remaining_ms")


BLUE = SideToLoad(name="Ana")


LOADS: dict[str, tuple[FightToLoad, str, str]] = {
    "no number": (replace(FIGHT, number=" "), "A match number has 1 to 100 characters.", "number"),
    "a long phase": (replace(FIGHT, phase="x" * 101), "A phase has 0 to 100 characters.", "phase"),
    "a long weight": (replace(FIGHT, weight="x" * 101), "A weight class has 0 to 100 characters.", "weight"),
    "a long division": (replace(FIGHT, division="x" * 101), "A division has 0 to 100 characters.", "division"),
    "no rounds": (replace(FIGHT, round_count=0), "A match has 1 to 99 rounds.", "round_count"),
    "no time": (replace(FIGHT, round_seconds=0), "A round has 1 to 3600 seconds.", "round_seconds"),
    "nobody": (replace(FIGHT, blue=replace(BLUE, name="")), "A name has 1 to 200 characters.", "blue"),
    "a long short name": (
        replace(FIGHT, red=replace(BLUE, short_name="x" * 101)),
        "A short name has 0 to 100 characters.",
        "red",
    ),
    "a long country": (
        replace(FIGHT, red=replace(BLUE, country_code="x" * 11)),
        "A country code has 0 to 10 characters.",
        "red",
    ),
    "no colour": (replace(FIGHT, blue=replace(BLUE, foreground="red")), "A colour is written as #rrggbb.", "blue"),
}


async def test_a_load_that_cannot_be_is_refused(db: Database, mat: Mat, olga: By) -> None:
    before = await everything(db)

    refusals = {name: await refusal_of(load(db, mat.id, olga, fight)) for name, (fight, _, _) in LOADS.items()}
    nowhere = await refusal_of(load(db, new_id(), olga))

    assert refusals == {name: ("BAD_USER_INPUT", message, field) for name, (_, message, field) in LOADS.items()}
    assert nowhere == ("NOT_FOUND", "There is no such mat.", "mat_id")
    assert await everything(db) == before


async def test_a_load_names_the_fight_that_it_replaces_as_it_was_seen(db: Database, mat: Mat, olga: By) -> None:
    first = await load(db, mat.id, olga)
    other = ("CONFLICT", "Another match is on the mat. Look at it again.", "replaced_match_id")

    unseen = await refusal_of(load(db, mat.id, olga))
    stale = await refusal_of(load(db, mat.id, replace(olga, revision=0), replaces=first))
    second = await load(db, mat.id, olga, replaces=first)
    gone = await refusal_of(load(db, mat.id, replace(olga, revision=1), replaces=first))

    assert (unseen, gone) == (other, other)
    assert stale[0::2] == ("CONFLICT", "revision")
    (stored,) = await rows_of(db, Mat)
    assert stored.current_match_id == second.id


async def test_a_match_that_is_not_there_is_not_found(db: Database, olga: By) -> None:
    missing = ("NOT_FOUND", "There is no such match.", "id")

    assert await refusal_of(correct(db, by_hand.start_clock, new_id(), by=replace(olga, revision=1))) == missing
    assert await refusal_of(correct(db, taking_back.undo, new_id(), by=replace(olga, revision=1))) == missing
