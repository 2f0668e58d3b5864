"""How what an operator says changes what is known of a fight: pure and total, as the fold of which it is a part."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from db.matches import corrections, rounds
from db.matches.clocks import Clock, halted
from db.matches.message import Message
from db.matches.replacing import replace
from db.matches.state import CurrentChallenge, FightState, SideState
from db.matches.vocabulary import ClockState, MatchState, Side


def _loaded(_state: FightState, message: corrections.LoadedByHand, at: datetime) -> FightState:
    return FightState(
        number=message.number,
        phase=message.phase,
        weight=message.weight,
        division=message.division,
        round_count=message.round_count,
        round_seconds=message.round_seconds,
        blue=SideState(
            short_name=message.blue_short_name,
            long_name=message.blue_long_name,
            country_code=message.blue_country_code,
            background=message.blue_background,
            foreground=message.blue_foreground,
        ),
        red=SideState(
            short_name=message.red_short_name,
            long_name=message.red_long_name,
            country_code=message.red_country_code,
            background=message.red_background,
            foreground=message.red_foreground,
        ),
        clock=Clock(state=ClockState.STOPPED, remaining_ms=message.round_seconds * 1_000, as_of=at),
        seq=0,
    )


def _points(state: FightState, message: corrections.PointsCorrection, _at: datetime) -> FightState:
    round_state = state.round_of(message.round)
    side = rounds.side_of(round_state, message.side)
    counts = tuple(
        max(0, count + message.SIGN) if kind == message.value else count
        for kind, count in enumerate(side.point_counts, start=1)
    )
    counted = rounds.with_side(round_state, message.side, replace(side, point_counts=counts))
    return _changed(rounds.with_round(state, counted), message.round, message.side, score=message.SIGN * message.value)


def _gam_jeom(state: FightState, message: corrections.GamJeomCorrection, _at: datetime) -> FightState:
    other = Side.RED if message.side is Side.BLUE else Side.BLUE
    fouled = _changed(state, message.round, message.side, gam_jeoms=message.SIGN)
    return _changed(fouled, message.round, other, score=message.SIGN)


def _changed(state: FightState, number: int, side: Side, *, score: int = 0, gam_jeoms: int = 0) -> FightState:
    """Change a side of a round by so much, and what is shown of it if it is the current round."""
    round_state = state.round_of(number)
    before = rounds.side_of(round_state, side)
    after = replace(
        before,
        score=before.score + score,
        gam_jeoms=before.gam_jeoms + gam_jeoms,
        score_by_hand=before.score_by_hand + score,
        gam_jeoms_by_hand=before.gam_jeoms_by_hand + gam_jeoms,
    )
    state = rounds.with_round(state, rounds.with_side(round_state, side, after))
    if number != state.round:
        return state
    if side is Side.BLUE:
        return replace(state, blue=_moved(state.blue, score, gam_jeoms))
    return replace(state, red=_moved(state.red, score, gam_jeoms))


def _moved(side: SideState, score: int, gam_jeoms: int) -> SideState:
    return replace(side, score=side.score + score, gam_jeoms=side.gam_jeoms + gam_jeoms)


def _score(state: FightState, message: corrections.ScoreSet, _at: datetime) -> FightState:
    round_state = state.round_of(message.round)
    blue, red = rounds.scored(round_state.blue, message.blue), rounds.scored(round_state.red, message.red)
    state = rounds.with_round(state, replace(round_state, blue=blue, red=red))
    if message.round != state.round:
        return state
    return replace(state, blue=rounds.scored(state.blue, message.blue), red=rounds.scored(state.red, message.red))


def _round(state: FightState, message: corrections.RoundSet, _at: datetime) -> FightState:
    return rounds.gone_to(state, message.number)


def _decided(state: FightState, message: corrections.RoundDecided, at: datetime) -> FightState:
    round_state = state.round_of(message.round)
    ended_at = None if message.winner is None else round_state.ended_at or at
    return rounds.counted(rounds.with_round(state, replace(round_state, winner=message.winner, ended_at=ended_at)))


def _clock_set(state: FightState, message: corrections.ClockSet, at: datetime) -> FightState:
    return replace(state, clock=Clock(state=state.clock.state, remaining_ms=message.remaining_ms, as_of=at))


def _clock_started(state: FightState, message: corrections.ClockStarted, at: datetime) -> FightState:
    clock = Clock(state=ClockState.RUNNING, remaining_ms=_remaining(state, message.remaining_ms, at), as_of=at)
    return rounds.clock_started(state, clock, at)


def _clock_stopped(state: FightState, message: corrections.ClockStopped, at: datetime) -> FightState:
    return replace(state, clock=halted(state.clock, _remaining(state, message.remaining_ms, at), at))


def _remaining(state: FightState, said: int | None, at: datetime) -> int:
    return state.clock.remaining_at(at) if said is None else said


def _challenge(state: FightState, message: corrections.ChallengeDecided, _at: datetime) -> FightState:
    return replace(state, challenge=CurrentChallenge(side=message.side, state=message.state))


def _winner(state: FightState, message: corrections.WinnerDeclared, at: datetime) -> FightState:
    return replace(
        state,
        state=MatchState.ENDED,
        ended_at=state.ended_at or at,
        outcome=message.outcome,
        winner_name=message.winner_name,
        round_score=message.round_score,
        result_code=message.code,
    )


# What takes an entry back changes nothing by itself: whoever folds leaves that entry out.
CORRECTING: dict[type[Message], Callable[[FightState, Any, datetime], FightState]] = {
    corrections.LoadedByHand: _loaded,
    corrections.PointsAwarded: _points,
    corrections.PointsTakenBack: _points,
    corrections.GamJeomGiven: _gam_jeom,
    corrections.GamJeomTakenBack: _gam_jeom,
    corrections.ScoreSet: _score,
    corrections.RoundSet: _round,
    corrections.RoundDecided: _decided,
    corrections.ClockSet: _clock_set,
    corrections.ClockStarted: _clock_started,
    corrections.ClockStopped: _clock_stopped,
    corrections.ChallengeDecided: _challenge,
    corrections.WinnerDeclared: _winner,
}
