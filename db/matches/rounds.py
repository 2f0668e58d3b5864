"""How a state's rounds move, whoever says so."""

from datetime import datetime
from operator import attrgetter
from typing import TypeVar

from db.matches.clocks import Clock
from db.matches.replacing import replace
from db.matches.state import FightState, RoundSide, RoundState, SideState
from db.matches.vocabulary import MatchState, Side

_NUMBER = attrgetter("number")
# What both have: a score and gam-jeoms.
_Side = TypeVar("_Side", SideState, RoundSide)


def side_of(round_state: RoundState, side: Side) -> RoundSide:
    """Give one side of a round."""
    return round_state.blue if side is Side.BLUE else round_state.red


def with_side(round_state: RoundState, side: Side, changed: RoundSide) -> RoundState:
    """Put a side into a round."""
    return replace(round_state, blue=changed) if side is Side.BLUE else replace(round_state, red=changed)


def with_round(state: FightState, changed: RoundState) -> FightState:
    """Put a round into a fight."""
    return replace(state, rounds=rounds_with(state.rounds, changed))


def rounds_with(rounds: tuple[RoundState, ...], changed: RoundState) -> tuple[RoundState, ...]:
    """Put a round in the place of the one of its number, in order."""
    others = [round_state for round_state in rounds if round_state.number != changed.number]
    return tuple(sorted([*others, changed], key=_NUMBER))


def scored(side: _Side, score: int | None) -> _Side:
    """Give a side a score; the same side if it has it, or if None was said."""
    return side if score is None or score == side.score else replace(side, score=score)


def gone_to(state: FightState, number: int) -> FightState:
    """Go to another round, forwards or back; its own score and gam-jeoms are shown, zero where nothing was said."""
    if number == state.round:
        return state
    round_state = state.round_of(number)
    return replace(
        with_round(state, round_state),
        round=number,
        blue=replace(state.blue, score=round_state.blue.score, gam_jeoms=round_state.blue.gam_jeoms),
        red=replace(state.red, score=round_state.red.score, gam_jeoms=round_state.red.gam_jeoms),
        superiority=None,
        break_clock=None,
    )


def clock_started(state: FightState, clock: Clock, at: datetime) -> FightState:
    """Run the clock. An injury clock stays: it has a message of its own to hide it, which always came."""
    round_state = state.round_of(state.round)
    # A round that ended and goes on, because somebody corrected something, has not ended.
    going = replace(round_state, started_at=round_state.started_at or at, ended_at=None)
    return replace(
        with_round(state, going),
        clock=clock,
        break_clock=None,
        state=MatchState.LIVE if state.state is MatchState.LOADED else state.state,
        started_at=state.started_at or at,
    )


def counted(state: FightState) -> FightState:
    """Count the rounds that each side has won."""
    winners = [round_state.winner for round_state in state.rounds]
    blue = replace(state.blue, rounds_won=winners.count(Side.BLUE))
    red = replace(state.red, rounds_won=winners.count(Side.RED))
    return replace(state, blue=blue, red=red)
