"""Made-up fights: whatever is invented obeys what is true of real ones, and folds to what was meant."""

from collections import Counter
from datetime import UTC, datetime
from functools import reduce

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.capture import CapturedMessage
from api.fights import invented_fight
from api.workers.pss_protocol import parse
from db.matches.fold import Entry, apply, begin
from db.matches.messages import GamJeoms, Message, Point, RoundScores, RoundStatistics, Score, Unknown, Unreadable
from db.matches.state import FightState
from db.matches.vocabulary import ClockState, MatchState, Side

START = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
SEEDS = st.integers(0, 2**32)
LOAD = ["pre", "ref", "at1", "mch", "wg1", "wrd", "s11", "sc1", "clk", "rnd", "sup", "rdy"]


def messages_of(fight: list[CapturedMessage]) -> list[Message]:
    return [parse(one.wire.encode()) for one in fight]


def entries_of(fight: list[CapturedMessage]) -> list[Entry]:
    said = zip(fight, messages_of(fight), strict=True)
    return [
        Entry(seq=seq, received_at=START + one.offset, message=message)
        for seq, (one, message) in enumerate(said, start=1)
    ]


def folded(fight: list[CapturedMessage]) -> FightState:
    entries = entries_of(fight)
    return reduce(apply, entries[1:], begin(entries[0]))


def codes(fight: list[CapturedMessage]) -> list[str]:
    return [one.wire.partition(";")[0] for one in fight]


def test_a_fight_is_the_same_for_the_same_seed_and_another_for_another() -> None:
    assert invented_fight(7) == invented_fight(7)
    assert invented_fight(7) != invented_fight(8)
    assert invented_fight(7, number="12.A")[3].wire.startswith("mch;12.A;")


@given(SEEDS)
@settings(max_examples=25)
def test_a_fight_is_said_in_the_order_of_real_ones(seed: int) -> None:
    fight = invented_fight(seed)
    said = codes(fight)

    offsets = [one.offset for one in fight]
    assert offsets[0].total_seconds() == 0
    assert offsets == sorted(offsets)
    assert said[:12] == LOAD
    assert said[-2:] == ["win", "wmh"]
    assert said.count("rst") == said.count("rsr") == said.count("rnd")
    assert [one for one in messages_of(fight) if isinstance(one, Unknown | Unreadable) or one.flags] == []
    # A point is told behind the totals it leads to.
    for place, code in enumerate(said):
        if code in {"pt1", "pt2"}:
            assert said[place - 2 : place] == ["sc1", "s11"]


@given(SEEDS)
@settings(max_examples=25)
def test_what_is_true_of_real_fights_is_true_of_invented_ones(seed: int) -> None:
    """At every round's end: its counts are its points, its score is their sum and the other side's gam-jeoms."""
    points: dict[Side, list[int]] = {side: [] for side in Side}
    gam_jeoms, scores = dict.fromkeys(Side, 0), dict.fromkeys(Side, 0)
    rounds: dict[tuple[Side, int], int] = {}
    for message in messages_of(invented_fight(seed)):
        match message:
            case Point():
                points[message.side].append(message.value)
            case GamJeoms():
                gam_jeoms = {Side.BLUE: message.blue or 0, Side.RED: message.red or 0}
            case Score():
                scores = {Side.BLUE: message.blue or 0, Side.RED: message.red or 0}
            case RoundScores():
                rounds = {(side, number): score for side, number, score in message.scores}
            case RoundStatistics():
                stated = {Side.BLUE: message.blue_counts, Side.RED: message.red_counts}
                for side, other in ((Side.BLUE, Side.RED), (Side.RED, Side.BLUE)):
                    counted = Counter(points[side])
                    assert stated[side] == (counted[2], counted[3], counted[1], 0, 0, gam_jeoms[side])
                    assert scores[side] == sum(points[side]) + gam_jeoms[other]
                    assert rounds[side, message.round] == scores[side]
                points = {side: [] for side in Side}
                gam_jeoms, scores = dict.fromkeys(Side, 0), dict.fromkeys(Side, 0)


@given(SEEDS)
@settings(max_examples=25)
def test_the_fold_of_an_invented_fight_comes_to_what_was_announced(seed: int) -> None:
    state = folded(invented_fight(seed))

    won = Counter(each.winner for each in state.rounds)
    assert state.state is MatchState.ENDED
    assert (state.blue.rounds_won, state.red.rounds_won) == (won[Side.BLUE], won[Side.RED])
    assert max(won.values()) == 2
    assert len(state.rounds) == won.total()
    assert not state.has_result_conflict
    assert not any(each.has_count_difference for each in state.rounds)
    assert state.round_score == f"{won[Side.BLUE]}-{won[Side.RED]}"
    assert state.outcome is not None
    winner = state.blue if state.outcome.value == "BLUE" else state.red
    assert (state.winner_name, winner.rounds_won) == (winner.long_name, 2)
    assert state.clock.state is ClockState.STOPPED
    assert not state.is_burst_open


@pytest.mark.parametrize("code", ["hl1", "ij0", "ch1", "wg1", "brk"])
def test_among_many_fights_everything_happens(code: str) -> None:
    assert any(code in codes(invented_fight(seed)) for seed in range(40))
