"""What a fight's log tells beside its state: points, penalties and challenges, and what was counted of a log."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from api.workers.pss_protocol import parse
from db.batches import table_of
from db.database import Database
from db.matches.facts import Facts
from db.matches.fold import Entry, apply, begin
from db.matches.state import FightState
from db.matches.tables import Challenge, EventType, Match, MatchEvent, Penalty, Point, RoundSide, UnknownMessage
from db.matches.tallies import code_of, pattern_of
from db.matches.vocabulary import PointKind, Side
from tests.db.logs import captured, log, received
from tests.db.stored import NOW, lay_mat
from tests.support.captures import CHALLENGE, FINAL
from tests.support.competition import loaded_fight

LOAD = loaded_fight("1")
BLUE, RED = Side.BLUE, Side.RED


def told(*wires: str) -> tuple[Facts, FightState]:
    """Fold a loaded fight and what is said of it, a second apart. Entries behind the load are numbered from 1."""
    facts, state = Facts(), begin(Entry(seq=-len(LOAD), received_at=NOW, message=parse(LOAD[0].encode())))
    said = [*enumerate(LOAD[1:], start=1 - len(LOAD)), *enumerate(wires, start=1)]
    for seq, wire in said:
        entry = Entry(seq=seq, received_at=NOW + timedelta(seconds=seq), message=parse(wire.encode()))
        before, state = state, apply(state, entry)
        facts.note(before, entry, state)
    return facts, state


def shown(row: dict[str, Any], *names: str) -> tuple[Any, ...]:
    return tuple(row[name] for name in names)


# Points.


def test_a_point_says_how_it_was_made_and_where_the_fight_stood() -> None:
    facts, _ = told("clk;02:00;start", "pt1;3", "clk;01:50;stop", "rnd;2", "pt2;5", "pt1;1")

    assert [shown(row, "seq", "side", "kind", "round", "clock_ms") for row in facts.points] == [
        (2, BLUE, PointKind.HEAD, 1, 119_000),
        (5, RED, PointKind.TURNING_HEAD, 2, 110_999),
        (6, BLUE, PointKind.PUNCH, 2, 110_999),
    ]


# Penalties.


def test_a_count_that_rises_is_a_penalty_and_one_that_is_said_again_is_none() -> None:
    facts, _ = told("wg1;1;wg2;0", "wg1;1;wg2;1", "wg2;3", "rnd;2", "wg1;0;wg2;0", "wg1;1")

    assert [shown(row, "seq", "side", "number", "round") for row in facts.penalties] == [
        (1, BLUE, 1, 1),
        (2, RED, 1, 1),
        (3, RED, 2, 1),
        (3, RED, 3, 1),
        (6, BLUE, 1, 2),
    ]


def test_a_count_that_falls_takes_the_last_penalties_back() -> None:
    facts, _ = told("wg1;2", "wg1;1", "wg1;2", "wg1;0")

    assert [shown(row, "seq", "number", "taken_back_seq") for row in facts.penalties] == [
        (1, 1, 4),
        (1, 2, 2),
        (3, 2, 4),
    ]


def test_a_count_that_nobody_can_have_makes_a_few_rows_and_not_a_million() -> None:
    facts, state = told("wg1;999999")

    assert (len(facts.penalties), state.blue.gam_jeoms) == (20, 999_999)


# Challenges.


CASE = ("seq", "side", "state", "blue_score_before", "red_score_before", "blue_score_after", "red_score_after")


@pytest.mark.parametrize(
    ("wires", "challenges"),
    [
        (["ch1"], [(1, BLUE, "ASKED", 0, 0, None, None)]),
        (["ch2;1"], [(1, RED, "ACCEPTED", 0, 0, None, None)]),
        (["ch0", "ch0;0"], [(1, None, "REFUSED", 0, 0, None, None)]),
        # What the one real challenge came to.
        (["ch1", "ch1;1", "ch1;-1"], [(1, BLUE, "CANCELLED", 0, 0, None, None)]),
        # The score that an outcome leads to is said behind it.
        (
            ["sc1;2;sc2;1", "ch1", "ch1;1", "ch1;1;1", "sc1;5", "pt1;3", "clk;01:00;start", "sc1;9"],
            [(2, BLUE, "WON", 2, 1, 5, 1)],
        ),
        # Asking again before anything came of it is the same challenge; afterwards it is another.
        (["ch1", "ch1", "ch1;1;0", "ch1"], [(1, BLUE, "LOST", 0, 0, None, None), (4, BLUE, "ASKED", 0, 0, None, None)]),
        # An outcome that is said again corrects the first, until the fight goes on.
        (["ch1", "ch1;1;0", "ch1;1;1"], [(1, BLUE, "WON", 0, 0, None, None)]),
        (
            ["ch1", "ch1;1;0", "clk;01:00;start", "ch1;1;1"],
            [(1, BLUE, "LOST", 0, 0, 0, 0), (4, BLUE, "WON", 0, 0, None, None)],
        ),
        # An outcome that comes late is still of the challenge that has none.
        (["ch2", "ch2;1", "clk;01:00;start", "ch2;1;0"], [(1, RED, "LOST", 0, 0, 0, 0)]),
        # One of which nothing was heard again does not swallow the next.
        (
            ["ch2", "clk;01:00;start", "clk;00:50;stop", "ch2"],
            [(1, RED, "ASKED", 0, 0, 0, 0), (4, RED, "ASKED", 0, 0, None, None)],
        ),
        # Sides do not disturb each other.
        (
            ["ch1", "ch2", "ch1;0", "ch2;1"],
            [(1, BLUE, "REFUSED", 0, 0, None, None), (2, RED, "ACCEPTED", 0, 0, None, None)],
        ),
        # The score afterwards is that of its own round.
        (["sc1;4;sc2;3", "ch1", "ch1;1", "rnd;2"], [(2, BLUE, "ACCEPTED", 4, 3, 4, 3)]),
        (["ch1", "win;BLUE"], [(1, BLUE, "ASKED", 0, 0, 0, 0)]),
    ],
)
def test_a_challenge_is_one_thing_from_the_asking_to_the_outcome(
    wires: list[str], challenges: list[tuple[Any, ...]]
) -> None:
    facts, _ = told(*wires)

    assert [shown(facts.challenges[seq], *CASE) for seq in sorted(facts.challenges)] == challenges


def test_a_challenge_keeps_when_each_thing_of_it_happened() -> None:
    facts, _ = told("ch1", "ch1;1", "ch1;1;1")

    (row,) = facts.challenges.values()
    assert shown(row, "asked_at", "answered_at", "decided_at") == tuple(
        NOW + timedelta(seconds=number) for number in (1, 2, 3)
    )


def test_what_was_folded_knows_no_more_challenges_than_there_are_who_ask() -> None:
    _, state = told(*["ch1", "ch1;0", "ch2", "ch2;0", "ch0", "ch0;0"] * 50)

    assert len(state.challenges) == 3


# As they are stored.


async def rows_of(db: Database, model: Any, *order: str) -> list[Any]:
    table = table_of(model)
    async with db.read() as session:
        found: list[Any] = await session.rows(select(table).order_by(*(table.c[name] for name in order)))
        return found


async def test_what_a_fight_told_is_stored_with_the_entries_that_told_it(db: Database) -> None:
    mat = await lay_mat(db)
    await log(db, mat.id, captured(FINAL))

    entries = {row.id: row for row in await rows_of(db, MatchEvent, "seq")}
    points, penalties = await rows_of(db, Point, "seq"), await rows_of(db, Penalty, "seq")
    for row in (*points, *penalties):
        entry = entries[row.event_id]
        assert (row.seq, row.given_at, row.round, row.clock_ms) == (
            entry.seq,
            entry.received_at,
            entry.round,
            entry.clock_ms,
        )
    assert len(points) == 18
    assert {entries[row.event_id].raw[:2] for row in points} == {b"pt"}
    assert [(row.side, row.round, row.number, row.taken_back_seq) for row in penalties] == [
        (RED, 1, 1, None),
        (BLUE, 1, 1, None),
        (RED, 2, 1, None),
    ]


async def test_penalties_and_challenges_go_on_from_one_batch_to_the_next(db: Database) -> None:
    mat = await lay_mat(db)
    progress = await log(db, mat.id, received(*LOAD, "wg1;2", "ch1"))
    progress = await log(db, mat.id, received("ch1;1", "wg1;1"), progress)
    await log(db, mat.id, received("ch1;1;0", "clk;01:00;start", "wg1;0"))

    asked = len(LOAD) + 2
    assert [(row.number, row.taken_back_seq) for row in await rows_of(db, Penalty, "number")] == [
        (1, asked + 5),
        (2, asked + 2),
    ]
    (challenge,) = await rows_of(db, Challenge, "seq")
    assert (challenge.seq, challenge.state, challenge.blue_score_after) == (asked, "LOST", 0)


# The facts of the captures, as the tables have them.


@pytest.mark.parametrize("path", [FINAL, CHALLENGE], ids=lambda path: path.stem)
async def test_at_every_round_end_what_is_counted_is_what_was_reported_and_makes_the_score(
    db: Database, path: Any
) -> None:
    mat = await lay_mat(db)
    await log(db, mat.id, captured(path))

    sides = {(row.round, row.side): row for row in await rows_of(db, RoundSide, "round", "side")}
    ended = [row for row in sides.values() if row.reported_gam_jeom_count is not None]
    points = await rows_of(db, Point, "seq")
    assert ended
    for row in ended:
        other = sides[row.round, RED if row.side is BLUE else BLUE]
        reported = (row.reported_punch_count, row.reported_body_count, row.reported_head_count)
        assert (row.punch_count, row.body_count, row.head_count) == reported
        assert row.gam_jeom_count == row.reported_gam_jeom_count
        assert row.score == row.punch_count + 2 * row.body_count + 3 * row.head_count + other.gam_jeom_count
        told_of = [point.kind for point in points if (point.round, point.side) == (row.round, row.side)]
        assert (
            told_of.count(PointKind.PUNCH),
            told_of.count(PointKind.BODY),
            told_of.count(PointKind.HEAD),
        ) == reported


async def test_the_final_has_its_points_by_kind_side_and_round(db: Database) -> None:
    mat = await lay_mat(db)
    await log(db, mat.id, captured(FINAL))

    counted = [
        (row.round, row.side, row.score, row.body_count, row.head_count, row.gam_jeom_count)
        for row in await rows_of(db, RoundSide, "round", "side")
    ]
    assert counted == [
        (1, BLUE, 4, 0, 1, 1),
        (1, RED, 5, 2, 0, 1),
        (2, BLUE, 19, 0, 6, 0),
        (2, RED, 12, 3, 2, 1),
        (3, BLUE, 12, 0, 4, 0),
        (3, RED, 0, 0, 0, 0),
    ]


async def test_a_withdrawal_with_a_cancelled_challenge_ends_in_a_tie(db: Database) -> None:
    mat = await lay_mat(db)
    await log(db, mat.id, captured(CHALLENGE))

    (match,) = [row for row in await rows_of(db, Match, "begun_seq") if row.ended_at is not None]
    (challenge,) = await rows_of(db, Challenge, "seq")
    assert (match.outcome, match.winner_name, match.round_score, match.result_code) == ("TIE", "", "0-0", "WDR")
    assert (challenge.side, challenge.state) == (BLUE, "CANCELLED")
    assert challenge.decided_at - challenge.answered_at == timedelta(milliseconds=12)


async def test_a_fight_that_was_loaded_again_under_its_number_is_another_and_the_first_was_not_fought(
    db: Database,
) -> None:
    mat = await lay_mat(db)
    await log(db, mat.id, received(*loaded_fight("101")))
    await log(db, mat.id, received(*loaded_fight("101"), "clk;02:00;start", at=NOW + timedelta(hours=3)))

    fights = [(row.number, row.state) for row in await rows_of(db, Match, "begun_seq")]
    assert fights == [("101", "NOT_FOUGHT"), ("101", "LIVE")]


async def test_a_fight_may_be_won_by_the_side_that_lost_the_rounds_and_says_so(db: Database) -> None:
    mat = await lay_mat(db)
    await log(db, mat.id, received(*LOAD, "wrd;rd1;1;rd2;2;rd3;1", "win;RED", "wmh;Red 1;1-2 PTF"))

    (match,) = await rows_of(db, Match, "begun_seq")
    assert (match.outcome, match.round_score, match.has_result_conflict) == (RED, "1-2", True)


# What was counted.


@pytest.mark.parametrize(
    ("raw", "code", "pattern"),
    [
        (b"pt1;3", "pt1", "pt#;#"),
        (b"Udp Port 8888 connected;", "Udp Port", "Udp Port # connected;"),
        (b"vch;12;x7", "vch", "vch;#;x#"),
        (b" zz ;1", "zz", "zz ;#"),
        (b"", "", ""),
        (b"\xff\x00a;1", "\ufffd\ufffda", "\ufffd\ufffda;#"),
        (b"a" * 5_000, "a" * 32, "a" * 200),
    ],
)
def test_a_message_has_a_code_and_a_pattern_whatever_it_is(raw: bytes, code: str, pattern: str) -> None:
    assert (code_of(parse(raw), raw), pattern_of(raw)) == (code, pattern)


async def test_entries_are_counted_by_kind_and_code_and_what_is_unknown_by_how_it_looks(db: Database) -> None:
    mat = await lay_mat(db)
    await log(db, mat.id, received("vch;1;2", "pt1;3", "pt1;9"))
    await log(db, mat.id, received("vch;20;3", "pt1;2", "vch", "pt1;8", at=NOW + timedelta(minutes=1)))

    types = {
        (row.kind, row.code): (row.count, row.first_seen_at, row.last_seen_at)
        for row in await rows_of(db, EventType, "code")
    }
    unknown = {row.pattern: (row.reason, row.count) for row in await rows_of(db, UnknownMessage, "pattern")}
    later = NOW + timedelta(minutes=1)
    millisecond = timedelta(milliseconds=1)
    assert types == {
        ("UNKNOWN", "vch"): (3, NOW, later + 2 * millisecond),
        ("POINT", "pt1"): (2, NOW + millisecond, later + millisecond),
        ("UNREADABLE", "pt1"): (2, NOW + 2 * millisecond, later + 3 * millisecond),
    }
    assert unknown == {"vch;#;#": (None, 2), "vch": (None, 1), "pt#;#": ("OUT_OF_RANGE", 2)}
