"""How fights go in real traffic, line by line of what is known of it: folded, and as the tables have it."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from db.database import Database
from db.matches.board import board
from db.matches.clocks import Clock
from db.matches.log import Received
from db.matches.tables import Athlete, Mat, Match, MatchEvent, MatchSide, Point, Round, RoundSide
from db.matches.vocabulary import ClockState, MatchState, Outcome, PointKind, RejectionReason, Side
from tests.db.folding import after, at
from tests.db.logs import captured, log, received, rows_of
from tests.db.stored import NOW, lay_mat
from tests.support.captures import FINAL
from tests.support.competition import begun_fight, loaded_fight

_MINUTE = 60_000


# Its clock, and its rounds.


async def test_a_fight_may_rest_for_hours_and_goes_on_where_it_stood(db: Database) -> None:
    mat = await lay_mat(db)
    begun = [*begun_fight("1"), "clk;01:50;stop"]
    goes_on = ["clk;01:50;start", "sc1;4;sc2;0", "pt1;1"]

    await log(db, mat.id, received(*begun))
    progress = await log(db, mat.id, received(*goes_on, at=NOW + timedelta(hours=5)))

    (match,) = await rows_of(db, Match)
    assert (match.state, match.started_at) == (MatchState.LIVE, NOW + timedelta(milliseconds=9))
    assert progress.fight is not None
    # It was stopped 4 ms behind its start, in the second that was said.
    assert progress.fight.state.clock == Clock(
        state=ClockState.RUNNING, remaining_ms=110_999, as_of=NOW + timedelta(hours=5)
    )
    (blue,) = [row for row in await rows_of(db, RoundSide) if row.side is Side.BLUE]
    assert (blue.score, blue.punch_count, blue.head_count) == (4, 1, 1)


async def test_a_round_may_be_decided_hours_behind_its_end(db: Database) -> None:
    mat = await lay_mat(db)
    decided = ["wrd;rd1;1;rd2;0;rd3;0", "s11;3;s21;0", "rst;1;st1;0;1;0;0;0;0;st2;0;0;0;0;0;0", "rsr;", "brk;00:59"]

    await log(db, mat.id, received(*begun_fight("1"), "clk;0:00;stopEnd"))
    await log(db, mat.id, received(*decided, at=NOW + timedelta(hours=2, minutes=36)))

    (match,) = await rows_of(db, Match)
    (first,) = await rows_of(db, Round)
    ended_at = NOW + timedelta(milliseconds=len(begun_fight("1")))
    assert (match.state, first.winner, first.ended_at) == (MatchState.LIVE, Side.BLUE, ended_at)
    assert first.has_statistics_conflict is False


@pytest.mark.parametrize(
    "ending",
    [
        # Its time is over.
        [(118_000, "clk;00:01"), (119_000, "clk;00:00"), (120_000, "clk;0:00;stopEnd"), (120_013, "clk;00:00;stop")],
        # It is ended before its time: by a gap of points, or by a hand.
        [(119_900, "clk;01:27;stop"), (120_000, "clk;0:00;stopEnd")],
        # Its clock stood already.
        [(10_000, "clk;01:50;stop"), (120_000, "clk;0:00;stopEnd")],
    ],
)
def test_a_round_ends_however_its_clock_came_there(ending: list[tuple[int, str]]) -> None:
    state = after((0, "clk;02:00;start"), *ending)

    ended_at = at(_MINUTE + 120_000)
    assert (state.state, state.round, state.round_of(1).ended_at) == (MatchState.LIVE, 1, ended_at)
    assert (state.clock.state, state.clock.remaining_ms, state.clock.as_of) == (ClockState.STOPPED, 0, ended_at)


@pytest.mark.parametrize("wires", [("sup;0", "rnd;2"), ("rnd;2", "sup;0")])
@pytest.mark.parametrize("rest", [["brk;00:59"], ["brk;00:59", "brk;0:00;stopEnd"]])
def test_the_next_round_begins_in_whatever_order_it_is_said(rest: list[str], wires: Sequence[str]) -> None:
    ended = [(0, "sc1;3;sc2;1"), (13, "sup;1"), (500, "clk;0:00;stopEnd"), (3_000, "wrd;rd1;1;rd2;0;rd3;0")]
    said = [(20_000 + 13 * number, wire) for number, wire in enumerate([*rest, *wires])]

    state = after(*ended, *said)
    started = after((40_000, "clk;02:00;start"), state=state)

    assert (state.round, state.superiority, state.break_clock) == (2, None, None)
    assert [(side.score, side.gam_jeoms, side.rounds_won) for side in (state.blue, state.red)] == [(0, 0, 1), (0, 0, 0)]
    # Nobody says that the clock is at two minutes before it starts from there.
    assert [(one.clock.state, one.clock.remaining_ms) for one in (state, started)] == [
        (ClockState.STOPPED, 0),
        (ClockState.RUNNING, 120_000),
    ]


@pytest.mark.parametrize(
    "wires",
    [
        ["sc1;12;sc2;0", "s11;12;s21;0", "pt1;3"],
        ["sc1;57;sc2;0"],
        ["wg1;5;wg2;0", "sc1;0;sc2;5"],
        ["wg1;11;wg2;0"],
    ],
)
def test_a_round_goes_on_until_it_is_said_to_end_whatever_the_rules_are(wires: list[str]) -> None:
    """A point gap, and how many gam-jeoms lose a round, are settings of the sender: nothing follows from either."""
    state = after((0, "clk;02:00;start"), *((1_000 + number, wire) for number, wire in enumerate(wires)))

    ended = state.round_of(1).ended_at, state.round_of(1).winner, state.outcome
    assert (state.state, state.clock.state, ended) == (MatchState.LIVE, ClockState.RUNNING, (None, None, None))


def test_an_injury_clock_that_runs_out_is_hidden_however_often_that_is_said() -> None:
    hidden = after((0, "ij0;01:00;show"), (60_000, "ij0;00:00"), (60_013, "ij0;00:00;hide"))

    again = after((60_026, "ij0;0:00;hide"), state=hidden)

    assert hidden.injury is None
    assert board(again) == board(hidden)


# Its end.


@pytest.mark.parametrize(
    ("said", "outcome", "name", "result"),
    [
        (["win;BLUE", "wmh;Perica;1-0 PTF"], Outcome.BLUE, "Perica", ("1-0", "PTF")),
        (["win;RED", "wmh;Bo Two;0-1 RSC"], Outcome.RED, "Bo Two", ("0-1", "RSC")),
        (["win;BLUE", "wmh;Perica;2-1 SUP"], Outcome.BLUE, "Perica", ("2-1", "SUP")),
        (["win;RED", "wmh;;0-1 WDR"], Outcome.RED, "", ("0-1", "WDR")),
        (["win;TIE", "wmh;;0-0 WDR"], Outcome.TIE, "", ("0-0", "WDR")),
        # A code that nobody has seen yet is kept as it is.
        (["win;BLUE", "wmh;Perica;2-0 XYZ 7"], Outcome.BLUE, "Perica", ("2-0", "XYZ 7")),
    ],
)
async def test_a_fight_may_end_after_any_round_and_by_any_code(
    db: Database, said: list[str], outcome: Outcome, name: str, result: tuple[str, str]
) -> None:
    mat = await lay_mat(db)
    await log(db, mat.id, received(*begun_fight("1"), *said))

    (match,) = await rows_of(db, Match)
    assert (match.state, match.outcome, match.winner_name) == (MatchState.ENDED, outcome, name)
    assert (match.round_score, match.result_code) == result


# The order in which it is told.


def _point_first(messages: Sequence[Received]) -> list[Received]:
    """Put each point before the totals that it led to, as the protocol's text has it; the times stay where they are."""
    wires = [(one.raw, one.message) for one in messages]
    for place in range(len(wires)):
        if wires[place][0][:2] != b"pt":
            continue
        first = place
        while first and wires[first - 1][0][:2] in {b"s1", b"sc", b"su"}:
            first -= 1
        wires.insert(first, wires.pop(place))
    return [
        Received(received_at=one.received_at, sender=one.sender, raw=raw, message=message)
        for one, (raw, message) in zip(messages, wires, strict=True)
    ]


async def test_a_fight_told_with_each_point_before_its_totals_comes_to_the_same(db: Database) -> None:
    as_it_was, as_the_text_has_it = await lay_mat(db, "Mat 1"), await lay_mat(db, "Mat 2")
    mended = _point_first(captured(FINAL))

    first = await log(db, as_it_was.id, captured(FINAL))
    second = await log(db, as_the_text_has_it.id, mended)

    assert [one.raw for one in mended] != [one.raw for one in captured(FINAL)]
    assert first.fight is not None
    assert second.fight is not None
    assert first.fight.shown == second.fight.shown


async def test_what_is_left_out_of_a_load_leaves_the_fight_whole(db: Database) -> None:
    """As the protocol's text has a load: the time of a video in it, and no officials, superiority or statistics."""
    mat = await lay_mat(db)
    load = [wire for wire in loaded_fight("T001") if wire[:2] not in {"wg", "rn"}]
    await log(db, mat.id, received(*load[:-1], "avt;0", load[-1], "clk;02:00;start", "pt2;3", "sc1;0;sc2;3"))

    (match,) = await rows_of(db, Match)
    scores = {row.side: row.score for row in await rows_of(db, MatchSide)}
    assert (match.number, match.state, scores) == ("T001", MatchState.LIVE, {Side.BLUE: 0, Side.RED: 3})


# What says nothing of a fight.


async def test_connections_are_not_paired_and_no_fight_hangs_on_them(db: Database) -> None:
    """Real senders said four times as often that they were connected as that they were not."""
    mat = await lay_mat(db)
    on, off = "Udp Port 8888 connected;", "Udp Port 8888 disconnected;"
    states = []

    progress = await log(db, mat.id, received(on, on, *begun_fight("1")))
    shown = progress.fight and progress.fight.shown
    for wire in (on, off, off, on, on):
        progress = await log(db, mat.id, received(wire), progress)
        (row,) = [one for one in await rows_of(db, Mat) if one.id == mat.id]
        states.append(row.sender_state)

    (match,) = await rows_of(db, Match)
    assert states == ["ALIVE", "OFF", "OFF", "ALIVE", "ALIVE"]
    assert progress.fight is not None
    assert (match.state, progress.fight.match_id, progress.fight.shown) == (MatchState.LIVE, match.id, shown)


# Who fights, and under which number.


async def test_a_corrected_athlete_takes_the_place_of_the_first_under_his_own_names(db: Database) -> None:
    mat = await lay_mat(db)
    corrected = "at1;N. DESMOND;Nicolas DESMOND;MRN;at2;R. 1;Red 1;GER"
    await log(db, mat.id, received(*loaded_fight("1")))
    await log(db, mat.id, received(corrected, at=NOW + timedelta(seconds=9)))

    athletes = {row.id: (row.short_name, row.name, row.country_code) for row in await rows_of(db, Athlete)}
    sides = {row.side: athletes[row.athlete_id] for row in await rows_of(db, MatchSide)}
    assert sides == {Side.BLUE: ("N. DESMOND", "Nicolas DESMOND", "MRN"), Side.RED: ("R. 1", "Red 1", "GER")}
    assert len(athletes) == 3


async def test_a_corrected_number_renames_the_fight_that_is_on(db: Database) -> None:
    mat = await lay_mat(db)
    await log(db, mat.id, received(*begun_fight("1")))
    settings = "mch;2;Bronze medal contest;W +73kg;0;#0000ff;#FFFFFF;#ff0000;#FFFFFF;null;Under 21;3;120;cntDown;20;5;"
    await log(db, mat.id, received(settings, at=NOW + timedelta(seconds=9)))

    (match,) = await rows_of(db, Match)
    assert (match.number, match.phase, match.weight, match.division, match.state) == (
        "2",
        "Bronze medal contest",
        "W +73kg",
        "Under 21",
        MatchState.LIVE,
    )


async def test_one_number_loaded_again_and_again_is_a_fight_each_time_and_only_the_fought_are_fought(
    db: Database,
) -> None:
    mat = await lay_mat(db)
    progress = None
    for number in range(31):
        wires = loaded_fight("101") if number % 10 else [*begun_fight("101"), "win;BLUE"]
        progress = await log(db, mat.id, received(*wires, at=NOW + timedelta(minutes=number)), progress)

    fights = sorted(await rows_of(db, Match), key=lambda row: row.begun_seq)
    assert {row.number for row in fights} == {"101"}
    assert [row.state for row in fights] == [
        MatchState.NOT_FOUGHT if number % 10 else MatchState.ENDED for number in range(31)
    ]


# Points.


async def test_the_number_of_a_point_is_its_kind_and_what_it_is_worth(db: Database) -> None:
    mat = await lay_mat(db)
    progress = await log(db, mat.id, received(*loaded_fight("1"), *(f"pt2;{number}" for number in range(1, 6))))

    kinds = [row.kind for row in sorted(await rows_of(db, Point), key=lambda row: row.seq)]
    assert kinds == [
        PointKind.PUNCH,
        PointKind.BODY,
        PointKind.HEAD,
        PointKind.TURNING_BODY,
        PointKind.TURNING_HEAD,
    ]
    assert progress.fight is not None
    assert progress.fight.state.round_of(1).red.point_total == 1 + 2 + 3 + 4 + 5


# What is too long to be true.


async def test_what_is_longer_than_it_should_be_is_kept_and_says_so(db: Database) -> None:
    mat = await lay_mat(db)
    phase, time = "Final " * 40, "clk;000000000000:30"
    settings = f"mch;1;{phase};M -68kg;0;#0000ff;#FFFFFF;#ff0000;#FFFFFF;null;Seniors;3;120;cntDown;20;5"
    await log(db, mat.id, received(*loaded_fight("1"), settings, time))

    (match,) = await rows_of(db, Match)
    *_, long, last = sorted(await rows_of(db, MatchEvent), key=lambda row: row.seq)
    assert match.phase == phase.strip()
    assert (long.raw, long.is_valid, long.reason) == (settings.encode(), True, RejectionReason.TOO_LONG)
    assert (last.raw, last.is_valid, last.reason) == (time.encode(), False, RejectionReason.BAD_TIME)
