"""What operators say, folded: what stays on top of the wire, what gives way to it, and what is taken back."""

from datetime import UTC, datetime, timedelta
from functools import reduce
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.workers.pss_protocol import parse
from db.matches.board import board
from db.matches.clocks import Clock
from db.matches.corrections import (
    ChallengeDecided,
    ClockSet,
    ClockStarted,
    ClockStopped,
    EntryVoided,
    GamJeomGiven,
    GamJeomTakenBack,
    LoadedByHand,
    PointsAwarded,
    PointsTakenBack,
    Redone,
    RoundDecided,
    RoundSet,
    ScoreSet,
    Undone,
    WinnerDeclared,
)
from db.matches.fold import Entry, apply, begin, begins_match, superseded
from db.matches.history import refold, voided_by
from db.matches.message import Message
from db.matches.messages import FightLoading, Link, points_of, side_of
from db.matches.rows import round_rows, side_rows
from db.matches.state import CurrentChallenge, FightState, RoundSide, from_json, to_json
from db.matches.vocabulary import ChallengeState, ClockState, MatchState, Outcome, Side
from tests.db.match_strategies import CORRECTIONS, MESSAGES

START = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
BLUE, RED = Side.BLUE, Side.RED


def at(milliseconds: int) -> datetime:
    return START + timedelta(milliseconds=milliseconds)


def said(*everything: str | Message) -> list[Entry]:
    """Entries a second apart: wire texts, and what operators say."""
    return [
        Entry(seq=seq, received_at=at(1_000 * seq), message=parse(one.encode()) if isinstance(one, str) else one)
        for seq, one in enumerate(everything, start=1)
    ]


def folded(*everything: str | Message) -> FightState:
    first, *others = said("pre;FightLoaded", "clk;02:00", "rdy;FightReady", *everything)
    return reduce(apply, others, begin(first))


def shown(state: FightState) -> tuple[tuple[int, int], tuple[int, int]]:
    """Score and gam-jeoms of either side, as the board has them."""
    sides = board(state)
    return tuple((sides[name]["score"], sides[name]["gamJeoms"]) for name in ("blue", "red"))  # type: ignore[return-value]  # there are two


def award(value: int = 3, side: Side = BLUE, number: int = 1) -> PointsAwarded:
    return PointsAwarded(side=side, value=value, round=number)


def take_back(value: int = 3, side: Side = BLUE, number: int = 1) -> PointsTakenBack:
    return PointsTakenBack(side=side, value=value, round=number)


# Changes stay, and levels give way.


@pytest.mark.parametrize(
    ("everything", "sides"),
    [
        ([award(3)], ((3, 0), (0, 0))),
        (["sc1;2;sc2;1", award(3)], ((5, 0), (1, 0))),
        ([award(3), "sc1;2;sc2;1"], ((5, 0), (1, 0))),
        ([award(3), "sc1;2", "sc1;4;sc2;0"], ((7, 0), (0, 0))),
        (["sc1;5", take_back(3), "sc1;6"], ((3, 0), (0, 0))),
        ([award(3), award(1, RED), take_back(3), "sc1;2;sc2;2"], ((2, 0), (3, 0))),
        ([GamJeomGiven(side=BLUE, round=1)], ((0, 1), (1, 0))),
        ([GamJeomGiven(side=RED, round=1), "wg1;1;wg2;1", "sc1;1;sc2;1"], ((2, 1), (1, 2))),
        (["wg1;2", "sc2;2", GamJeomTakenBack(side=BLUE, round=1)], ((0, 1), (1, 0))),
        (["sc1;4;sc2;2", ScoreSet(round=1, blue=9, red=None)], ((9, 0), (2, 0))),
        ([ScoreSet(round=1, blue=9, red=7), "sc1;4"], ((4, 0), (7, 0))),
        ([award(3), ScoreSet(round=1, blue=1, red=0), award(2), "sc1;4"], ((9, 0), (0, 0))),
    ],
)
def test_changes_stay_on_top_of_what_is_said_and_levels_hold_until_another_is(
    everything: list[str | Message], sides: tuple[tuple[int, int], tuple[int, int]]
) -> None:
    assert shown(folded(*everything)) == sides


@given(st.permutations(["sup;2", "sc1;0;sc2;2", "s11;0;s21;2", "pt2;2", award(3), GamJeomGiven(side=RED, round=1)]))
def test_it_does_not_matter_where_in_a_burst_an_operator_comes(everything: list[str | Message]) -> None:
    state = folded(*everything)

    assert shown(state) == ((4, 0), (2, 1))
    assert state.round_of(1).blue.point_counts == (0, 0, 1, 0, 0)


def test_what_is_taken_beyond_what_there_is_shows_as_nothing_and_is_not_forgotten() -> None:
    below = folded("sc1;5;sc2;0", "pt1;5", take_back(5), "sc1;3", GamJeomTakenBack(side=RED, round=1))
    again = apply(below, Entry(seq=99, received_at=at(99_000), message=parse(b"sc1;9;sc2;0")))

    assert shown(below) == ((0, 0), (0, 0))
    assert [row["score"] for row in side_rows(below)] == [0, 0]
    assert [(row["blue_score"], row["red_gam_jeom_count"]) for row in round_rows(below)] == [(0, 0)]
    assert below.round_of(1).blue.point_counts == (0, 0, 0, 0, 0)
    assert shown(again) == ((3, 0), (0, 0))


def test_a_round_that_is_over_is_corrected_apart_from_the_current_one() -> None:
    state = folded("sc1;4;sc2;5", "rnd;2", "sc1;1;sc2;0", award(3, RED, 1), ScoreSet(round=1, blue=6, red=None))

    assert shown(state) == ((1, 0), (0, 0))
    assert [(one.number, one.blue.score, one.red.score) for one in state.rounds] == [(1, 6, 8), (2, 1, 0)]


def test_a_level_of_all_rounds_leaves_what_operators_changed_in_each() -> None:
    state = folded("sc1;4;sc2;5", award(3), "rnd;2", award(1, BLUE, 2), "s11;4;s21;5;s12;2;s22;0")

    assert [(one.blue.score, one.red.score) for one in state.rounds] == [(7, 5), (3, 0)]
    assert folded("sc1;4", award(3), "rnd;2", "rnd;1").blue.score == 7


def test_points_by_hand_are_counted_with_those_of_the_wire() -> None:
    state = folded("pt1;3", award(3), award(1), take_back(3), GamJeomGiven(side=BLUE, round=1))

    assert state.round_of(1).blue == RoundSide(
        score=1, gam_jeoms=1, score_by_hand=1, gam_jeoms_by_hand=1, point_counts=(1, 0, 1, 0, 0)
    )
    assert state.round_of(1).red.score == 1


def test_a_round_is_gone_to_by_hand_as_over_the_wire() -> None:
    everything = ["sc1;4;sc2;5", "sup;2", "brk;00:30"]

    by_hand, by_wire = folded(*everything, RoundSet(number=2)), folded(*everything, "rnd;2")

    assert by_hand == by_wire
    assert folded(*everything, RoundSet(number=2), RoundSet(number=1)).blue.score == 4


def test_a_round_that_is_decided_by_hand_is_over_and_counts() -> None:
    decided = folded("clk;02:00;start", RoundDecided(round=1, winner=RED))
    undecided = apply(decided, Entry(seq=9, received_at=at(9_000), message=RoundDecided(round=1, winner=None)))
    overruled = apply(decided, Entry(seq=9, received_at=at(9_000), message=parse(b"wrd;rd1;1;rd2;0;rd3;0")))

    seen = [
        (one.round_of(1).winner, one.round_of(1).ended_at, one.blue.rounds_won, one.red.rounds_won)
        for one in (decided, undecided, overruled)
    ]
    assert seen == [(RED, at(5_000), 0, 1), (None, None, 0, 0), (BLUE, at(5_000), 1, 0)]


# The clock.


@pytest.mark.parametrize(
    ("everything", "clock"),
    [
        ([ClockSet(remaining_ms=90_500)], (ClockState.STOPPED, 90_500, 4)),
        ([ClockStarted()], (ClockState.RUNNING, 120_000, 4)),
        ([ClockStarted(remaining_ms=60_000)], (ClockState.RUNNING, 60_000, 4)),
        ([ClockStarted(), ClockSet(remaining_ms=30_000)], (ClockState.RUNNING, 30_000, 5)),
        ([ClockStarted(), ClockStopped()], (ClockState.STOPPED, 119_000, 5)),
        ([ClockStarted(), ClockStopped(remaining_ms=0)], (ClockState.STOPPED, 0, 5)),
        ([ClockStarted(), ClockStarted()], (ClockState.RUNNING, 119_000, 5)),
        # Whoever ticks is believed.
        ([ClockSet(remaining_ms=90_500), "clk;01:20"], (ClockState.STOPPED, 80_000, 5)),
        (["clk;02:00;start", ClockStopped(), "clk;01:58"], (ClockState.STOPPED, 118_000, 6)),
    ],
)
def test_the_clock_is_set_started_and_stopped(
    everything: list[str | Message], clock: tuple[ClockState, int, int]
) -> None:
    found = folded(*everything).clock

    assert (found.state, found.remaining_ms, found.as_of) == (*clock[:2], at(1_000 * clock[2]))


def test_a_clock_does_not_run_backwards_for_an_operator_whose_time_is_a_moment_behind() -> None:
    running = folded("clk;02:00;start")

    stopped = apply(running, Entry(seq=9, received_at=at(3_900), message=ClockStopped()))

    assert stopped.clock == Clock(state=ClockState.STOPPED, remaining_ms=120_000, as_of=at(3_900))


def test_the_first_start_by_hand_makes_a_fight_live() -> None:
    state = folded("brk;00:30", ClockStarted())

    seen = (state.state, state.started_at, state.round_of(1).started_at, state.break_clock)
    assert seen == (MatchState.LIVE, at(5_000), at(5_000), None)


# Results, challenges and loads.


def test_a_winner_by_hand_ends_the_fight_until_the_wire_says_another() -> None:
    by_hand = WinnerDeclared(outcome=Outcome.BLUE, winner_name="Ana", round_score="1-0", code="RSC")

    declared = folded(by_hand)
    announced = folded(by_hand, "win;RED", "wmh;Bo;0-2 PTF")
    corrected = folded("win;RED", "wmh;Bo;0-2 PTF", by_hand)

    seen = [
        (one.state, one.outcome, one.winner_name, one.round_score, one.result_code, one.ended_at)
        for one in (declared, announced, corrected)
    ]
    assert seen == [
        (MatchState.ENDED, Outcome.BLUE, "Ana", "1-0", "RSC", at(4_000)),
        (MatchState.ENDED, Outcome.RED, "Bo", "0-2", "PTF", at(4_000)),
        (MatchState.ENDED, Outcome.BLUE, "Ana", "1-0", "RSC", at(4_000)),
    ]


def test_a_challenge_is_decided() -> None:
    state = folded("ch1", ChallengeDecided(side=BLUE, state=ChallengeState.WON))

    assert state.challenge == CurrentChallenge(side=BLUE, state=ChallengeState.WON)


LOADED = LoadedByHand(
    number="12",
    phase="Final",
    weight="M -68kg",
    division="Seniors",
    round_count=3,
    round_seconds=90,
    blue_short_name="A. ONE",
    blue_long_name="Ana One",
    blue_country_code="SUI",
    blue_background="#0000ff",
    blue_foreground=None,
    red_short_name="B. TWO",
    red_long_name="Bo Two",
    red_country_code="GER",
    red_background=None,
    red_foreground=None,
)


def test_a_load_by_hand_begins_a_fight_whole() -> None:
    state = begin(Entry(seq=7, received_at=START, message=LOADED))

    assert [begins_match(one, LOADED) for one in (None, state, superseded(state))] == [True] * 3
    assert (state.seq, state.state, state.round, state.is_burst_open) == (7, MatchState.LOADED, 1, False)
    assert (state.number, state.phase, state.weight, state.division) == ("12", "Final", "M -68kg", "Seniors")
    assert (state.round_count, state.round_seconds) == (3, 90)
    assert state.clock == Clock(state=ClockState.STOPPED, remaining_ms=90_000, as_of=START)
    assert [
        (side.short_name, side.long_name, side.country_code, side.background) for side in (state.blue, state.red)
    ] == [
        ("A. ONE", "Ana One", "SUI", "#0000ff"),
        ("B. TWO", "Bo Two", "GER", None),
    ]


@pytest.mark.parametrize(
    ("message", "side", "points"),
    [
        (award(4, RED), RED, 4),
        (take_back(5), BLUE, -5),
        (GamJeomGiven(side=RED, round=1), RED, None),
        (GamJeomTakenBack(side=BLUE, round=2), BLUE, None),
        (ChallengeDecided(side=None, state=ChallengeState.ASKED), None, None),
        (RoundDecided(round=1, winner=RED), RED, None),
        (ScoreSet(round=1, blue=1, red=2), None, None),
        (EntryVoided(target=3), None, None),
    ],
)
def test_what_is_said_by_hand_names_its_side_and_its_points(
    message: Message, side: Side | None, points: int | None
) -> None:
    assert (side_of(message), points_of(message)) == (side, points)


# What is taken back.


def test_what_takes_back_may_be_taken_back() -> None:
    entries = said(FightLoading(), award(), EntryVoided(target=2), Undone(target=3), Redone(target=4))

    found = [voided_by(entries[:length]) for length in range(2, 6)]

    assert found == [{}, {2: 3}, {3: 4}, {4: 5, 2: 3}]


def test_what_was_taken_back_twice_names_the_last_who_did() -> None:
    entries = said(FightLoading(), award(), EntryVoided(target=2), EntryVoided(target=2), Undone(target=4))

    assert [voided_by(entries[:4]), voided_by(entries)] == [{2: 4}, {4: 5, 2: 3}]


def test_a_fight_is_what_it_would_be_if_what_was_taken_back_had_never_been_said() -> None:
    everything: list[str | Message] = ["pre;FightLoaded", "sc1;2", "win;BLUE", award(), RoundSet(number=2)]

    without_winner = refold(said(*everything, EntryVoided(target=3)))
    without_both = refold(said(*everything, EntryVoided(target=3), EntryVoided(target=5)))
    again = refold(said(*everything, EntryVoided(target=3), Undone(target=6)))

    seen = [
        (one.state, one.outcome, one.round, shown(one)[0], one.seq) for one in (without_winner, without_both, again)
    ]
    assert seen == [
        (MatchState.LOADED, None, 2, (0, 0), 6),
        (MatchState.LOADED, None, 1, (5, 0), 7),
        (MatchState.ENDED, Outcome.BLUE, 2, (0, 0), 7),
    ]


@pytest.mark.parametrize(
    ("left_at", "state"),
    [(None, MatchState.LIVE), (2, MatchState.NOT_FOUGHT), (3, MatchState.ABANDONED), (9, MatchState.ABANDONED)],
)
def test_a_fight_is_left_where_another_took_its_mat(left_at: int | None, state: MatchState) -> None:
    entries = said("pre;FightLoaded", "rdy;FightReady", ClockStarted(), award())

    assert refold(entries, left_at=left_at).state is state


@given(st.lists(st.one_of(MESSAGES, CORRECTIONS, st.integers(0, 40)), max_size=25))
def test_any_log_folds_again_as_if_what_was_taken_back_were_not_there(drawn: list[Any]) -> None:
    """A number that is drawn takes back the entry of that number, counted from the last."""
    messages: list[Message] = [FightLoading()]
    for one in drawn:
        is_target = isinstance(one, int) and one < len(messages) - 1
        messages.append(EntryVoided(target=len(messages) - one) if is_target else _harmless(one))
    entries = said(*messages)

    state = refold(entries)

    first, *others = [entry for entry in entries if counts(entry, entries)]
    assert first is entries[0]
    assert to_json(state) == to_json(reduce(apply, others, begin(first))) | {"seq": len(entries)}
    assert from_json(to_json(state)) == state


def _harmless(one: Any) -> Message:
    """A message that neither begins a fight nor is none."""
    return Link(port=1, is_connected=True) if isinstance(one, int | FightLoading) else one


def counts(entry: Entry, entries: list[Entry]) -> bool:
    takers = [
        other for other in entries if isinstance(other.message, EntryVoided) and other.message.target == entry.seq
    ]
    return not any(counts(taker, entries) for taker in takers)
