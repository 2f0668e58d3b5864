"""The fold, message by message: rounds, clocks, results and bursts, for any log."""

from functools import reduce

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.matches.board import board
from db.matches.fold import Entry, apply
from db.matches.messages import (
    Athletes,
    FightLoading,
    GamJeoms,
    Link,
    MatchSettings,
    Message,
    Point,
    RoundBegan,
    Unknown,
    Unreadable,
)
from db.matches.state import RoundSide, from_json, to_json
from db.matches.vocabulary import (
    BurstKind,
    ClockState,
    MatchState,
    Outcome,
    RejectionReason,
    Side,
)
from tests.db.folding import LOADED, after, at, fold
from tests.db.match_strategies import MESSAGES, logs


def test_a_new_round_begins_at_zero_without_being_told() -> None:
    state = after(
        (0, "sc1;4;sc2;5"), (13, "wg1;1;wg2;2"), (26, "sup;2"), (39, "brk;00:59"), (52, "rnd;2"), (65, "rnd;2")
    )

    current = [(side.score, side.gam_jeoms) for side in (state.blue, state.red)]
    assert (state.round, current, state.superiority, state.break_clock) == (2, [(0, 0), (0, 0)], None, None)


def test_the_same_round_again_changes_nothing() -> None:
    state = after((0, "sc1;4;sc2;5"), (13, "sup;2"))

    again = after((26, "rnd;1"), state=state)

    assert board(again) == board(state)


def test_a_round_that_goes_back_shows_its_own_score_again() -> None:
    state = after((0, "sc1;4;sc2;5"), (13, "wg1;1;wg2;0"), (500, "rnd;2"), (600, "sc1;7;sc2;0"), (1_000, "rnd;1"))

    assert [(side.score, side.gam_jeoms) for side in (state.blue, state.red)] == [(4, 1), (5, 0)]
    assert [(each.number, each.blue.score) for each in state.rounds] == [(1, 4), (2, 7)]


def test_there_may_be_more_than_three_rounds() -> None:
    state = after((0, "rnd;4"), (13, "sc1;1;sc2;0"))

    assert [(each.number, each.blue.score) for each in state.rounds] == [(1, 0), (4, 1)]


def test_a_side_alone_may_be_told_of() -> None:
    state = after((0, "sc1;4;sc2;5"), (13, "sc1;6"), (26, "wg2;11"), (39, "s12;51"))

    assert [(side.score, side.gam_jeoms) for side in (state.blue, state.red)] == [(6, 0), (5, 11)]
    assert [(each.number, each.blue.score, each.red.score) for each in state.rounds] == [(1, 6, 5), (2, 51, 0)]


@given(st.permutations(["hl2;99", "sup;2", "sc1;0;sc2;2", "s11;0;s21;2;s12;0;s22;0;s13;0;s23;0", "pt2;2"]))
def test_the_order_inside_a_burst_does_not_matter(wires: list[str]) -> None:
    in_order = after((0, "hl2;99"), (1, "sup;2"), (2, "sc1;0;sc2;2"), (3, "s11;0;s21;2"), (4, "pt2;2"))

    shuffled = after(*enumerate(wires))

    assert board(shuffled) == board(in_order)


def test_a_point_without_its_total_leaves_the_score() -> None:
    state = after((0, "pt1;3"))

    assert (state.blue.score, state.round_of(1).blue) == (0, RoundSide(point_counts=(0, 0, 1, 0, 0)))


def test_a_flagged_point_counts() -> None:
    flagged = Entry(
        seq=9, received_at=at(0), message=Point(side=Side.RED, value=2, flags=(RejectionReason.EXTRA_PARTS,))
    )

    assert apply(LOADED, flagged).round_of(1).red.point_counts == (0, 1, 0, 0, 0)


def test_a_winner_of_a_round_can_be_corrected() -> None:
    first = after((0, "wrd;rd1;2;rd2;1;rd3;0"))
    corrected = after((500, "wrd;rd1;1;rd2;0;rd3;0"), state=first)

    assert [(state.blue.rounds_won, state.red.rounds_won) for state in (first, corrected)] == [(1, 1), (1, 0)]


def test_counts_that_differ_from_the_senders_are_seen() -> None:
    right = after((0, "pt1;3"), (100, "pt1;1"), (200, "wg2;1"), (300, "rst;1;st1;0;1;1;9;9;0;st2;0;0;0;0;0;1"))
    wrong = after((400, "rst;1;st1;0;2;1;0;0;0;st2;0;0;0;0;0;1"), state=right)

    assert [state.round_of(1).has_count_difference for state in (LOADED, right, wrong)] == [False, False, True]


# The clock.


def test_the_first_start_makes_a_fight_live() -> None:
    state = after((0, "clk;02:00;start"), (5_000, "clk;01:55;stop"), (9_000, "clk;01:55;start"))

    assert (state.state, state.started_at, state.round_of(1).started_at) == (MatchState.LIVE, at(60_000), at(60_000))


@pytest.mark.parametrize(
    ("wires", "clock"),
    [
        # 1:58 is expected 1.001 to 2 s after a start at 2:00, and believed a quarter of a second to each side.
        ([(751, "clk;01:58")], (ClockState.RUNNING, 120_000, 0)),
        ([(750, "clk;01:58")], (ClockState.RUNNING, 118_999, 750)),
        ([(2_250, "clk;01:58")], (ClockState.RUNNING, 120_000, 0)),
        ([(2_251, "clk;01:58")], (ClockState.RUNNING, 118_999, 2_251)),
        # Somebody set the clock while it ran.
        ([(3_000, "clk;01:30")], (ClockState.RUNNING, 90_999, 3_000)),
        ([(3_000, "clk;01:30;corr")], (ClockState.RUNNING, 90_999, 3_000)),
        # We had it at 1:57.0; the sender stopped it in another second.
        ([(3_000, "clk;01:57;stop")], (ClockState.STOPPED, 117_000, 3_000)),
        ([(3_000, "clk;01:56;stop")], (ClockState.STOPPED, 116_999, 3_000)),
        ([(3_000, "clk;01:58;stop")], (ClockState.STOPPED, 118_000, 3_000)),
        # The part of a second is kept through a pause, unless another second was set meanwhile.
        ([(2_600, "clk;01:57;stop"), (9_000, "clk;01:57;start")], (ClockState.RUNNING, 117_400, 9_000)),
        ([(2_600, "clk;01:57;stop"), (9_000, "clk;01:40;start")], (ClockState.RUNNING, 100_000, 9_000)),
        ([(2_600, "clk;01:57;stop"), (9_000, "clk;01:57")], (ClockState.STOPPED, 117_400, 2_600)),
        ([(2_600, "clk;01:57;stop"), (9_000, "clk;01:40;corr")], (ClockState.STOPPED, 100_000, 9_000)),
        ([(2_600, "clk;01:57;stop"), (9_000, "clk;01:56")], (ClockState.STOPPED, 116_000, 9_000)),
        # A lost start shows in the second tick.
        (
            [(2_600, "clk;01:57;stop"), (9_000, "clk;01:56"), (10_010, "clk;01:55")],
            (ClockState.RUNNING, 115_999, 10_010),
        ),
        (
            [(2_600, "clk;01:57;stop"), (9_000, "clk;01:56"), (10_501, "clk;01:55")],
            (ClockState.STOPPED, 115_000, 10_501),
        ),
        (
            [(2_600, "clk;01:57;stop"), (9_000, "clk;01:56"), (10_000, "clk;01:54")],
            (ClockState.STOPPED, 114_000, 10_000),
        ),
        ([(2_600, "clk;01:57;stop"), (2_601, "clk;0:00;stopEnd")], (ClockState.STOPPED, 0, 2_601)),
        ([(2_600, "clk;0:00;stopEnd"), (2_700, "clk;00:00;stop")], (ClockState.STOPPED, 0, 2_600)),
    ],
)
def test_a_clock_started_at_two_minutes(wires: list[tuple[int, str]], clock: tuple[ClockState, int, int]) -> None:
    heard = after((0, "clk;02:00;start"), *wires).clock

    assert (heard.state, heard.remaining_ms, heard.as_of) == (clock[0], clock[1], at(60_000 + clock[2]))


def test_a_lost_start_makes_a_fight_live_all_the_same() -> None:
    state = after((0, "clk;01:59"), (1_000, "clk;01:58"))

    assert (state.state, state.started_at, state.round_of(1).started_at) == (MatchState.LIVE, at(61_000), at(61_000))


def test_a_round_that_goes_on_has_not_ended() -> None:
    ended = after((0, "clk;02:00;start"), (5_000, "clk;0:00;stopEnd"), (6_000, "clk;0:00;stopEnd"))
    going = after((9_000, "clk;01:55;start"), state=ended)

    assert [state.round_of(1).ended_at for state in (ended, going)] == [at(65_000), None]


def test_a_start_ends_the_break_and_leaves_the_injury() -> None:
    state = after((0, "brk;00:59"), (100, "ij0;01:00;show"), (200, "clk;02:00;start"))

    assert (state.break_clock, state.injury is None) == (None, False)


@pytest.mark.parametrize("wire", ["brk;0:00;stop", "brk;0:00;stopEnd", "rnd;2"])
def test_a_break_ends(wire: str) -> None:
    assert after((0, "brk;00:59"), (1_000, wire)).break_clock is None


def test_an_injury_clock_can_be_reset_and_hidden() -> None:
    reset = after((0, "ij1;01:00;show"), (1_000, "ij1;00:59"), (2_000, "ij1;01:00;reset"))
    hidden = after((3_000, "ij1;01:00;hide"), state=reset)

    assert to_json(reset)["injury"] == {
        "side": "BLUE",
        "clock": {"state": "STOPPED", "remaining_ms": 60_000, "as_of": at(62_000).isoformat(), "bare_at": None},
    }
    assert hidden.injury is None


# Results.


def test_the_announced_winner_may_contradict_the_rounds() -> None:
    state = after((0, "wrd;rd1;1;rd2;2;rd3;1"), (500, "win;RED"), (513, "wmh;Bo Two;1-2 PTF"))

    assert (state.outcome, state.round_score, state.has_result_conflict) == (Outcome.RED, "1-2", True)


def test_a_result_before_its_winner_names_him_and_ends_nothing() -> None:
    state = after((0, "wmh;Ana One;2-0 PTF"))

    assert (state.state, state.winner_name, state.outcome) == (MatchState.LOADED, "Ana One", None)


def test_a_winner_can_be_corrected_and_the_end_stays() -> None:
    state = after((0, "win;RED"), (5_000, "win;BLUE"), (5_013, "wmh;Ana One;2-1 PTF"), (9_000, "wmh;Ana One;2-1 SUP"))

    assert (state.outcome, state.ended_at, state.result_code) == (Outcome.BLUE, at(60_000), "SUP")


# Bursts.


@pytest.mark.parametrize(
    ("wires", "open_burst"),
    [
        ([(0, "pre;FightLoaded"), (13, "wg1;0;wg2;0"), (26, "sc1;0;sc2;0"), (39, "rsr")], BurstKind.LOAD),
        ([(0, "pre;FightLoaded"), (90, "sup;0"), (180, "rdy;FightReady")], None),
        ([(0, "hl1;99")], BurstKind.ACTION),
        ([(0, "sup;1"), (13, "sc1;1;sc2;0"), (26, "clk;01:59"), (39, "s11;1;s21;0")], BurstKind.ACTION),
        ([(0, "sc1;1;sc2;0"), (13, "wg1;0;wg2;1")], None),
        ([(0, "sc1;2;sc2;0"), (13, "pt1;2")], None),
        (
            [(0, "wrd;rd1;1"), (13, "s11;1;s21;0"), (26, "rst;1;st1;0;0;0;0;0;0;st2;0;0;0;0;0;0")],
            BurstKind.ROUND_RESULTS,
        ),
        ([(0, "wrd;rd1;1"), (13, "s11;1;s21;0"), (26, "rsr;")], None),
        ([(0, "wrd;rd1;1"), (13, "sc1;1;sc2;0")], BurstKind.ACTION),
        ([(0, "sc1;1;sc2;0"), (13, "wrd;rd1;1")], BurstKind.ROUND_RESULTS),
        ([(0, "clk;02:00;start"), (13, "rnd;2"), (26, "ch1"), (39, "win;BLUE"), (52, "wmh;A;")], None),
        # Nothing new waits for a burst whose end was lost.
        ([(0, "wrd;rd1;1"), (100, "brk;00:59")], BurstKind.ROUND_RESULTS),
        ([(0, "wrd;rd1;1"), (101, "brk;00:59")], None),
        ([(0, "sc1;1;sc2;0"), (101, "sup;1")], BurstKind.ACTION),
    ],
)
def test_a_burst_is_open_until_all_of_it_was_told(wires: list[tuple[int, str]], open_burst: BurstKind | None) -> None:
    state = after(*wires)

    assert (state.burst.kind if state.burst else None, state.is_burst_open) == (open_burst, open_burst is not None)


# Every state and every message.


@given(logs())
def test_any_log_folds(log: list[Entry]) -> None:
    state = fold(log)

    assert state.seq == len(log)
    assert [each.number for each in state.rounds] == sorted({each.number for each in state.rounds})
    assert state.round in {each.number for each in state.rounds}
    orjson.dumps(board(state))


@given(logs())
def test_a_state_comes_back_from_json(log: list[Entry]) -> None:
    state = fold(log)

    assert from_json(orjson.loads(orjson.dumps(to_json(state)))) == state


@given(logs(), logs())
def test_a_state_goes_on_after_json_as_if_it_had_never_left(log: list[Entry], rest: list[Entry]) -> None:
    state = fold(log)

    assert reduce(apply, rest, from_json(to_json(state))) == reduce(apply, rest, state)


@given(logs(), MESSAGES)
def test_what_says_nothing_of_the_fight_changes_no_scoreboard(log: list[Entry], message: Message) -> None:
    state = fold(log)

    after_it = apply(state, Entry(seq=99, received_at=log[-1].received_at, message=message))

    assert board(after_it) == board(state) or not isinstance(message, Link | Unknown | Unreadable)


@given(logs(), st.sampled_from([FightLoading, Athletes, MatchSettings, RoundBegan, GamJeoms]))
def test_a_message_folded_twice_changes_the_scoreboard_once(log: list[Entry], level: type[Message]) -> None:
    state = fold(log)
    for said in log:
        if isinstance(said.message, level):
            once = apply(state, said)
            assert board(apply(once, said)) == board(once)
