"""How each message of the log changes what is known of a fight: pure, and total over any order of messages."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

from db.matches import clocks, messages, rounds
from db.matches.bursts import burst_after
from db.matches.challenges import TELLING, cases_after
from db.matches.clocks import Clock
from db.matches.correcting import CORRECTING
from db.matches.corrections import LoadedByHand
from db.matches.messages import Message
from db.matches.replacing import replace
from db.matches.state import CurrentChallenge, FightState, InjuryClock, RoundSide, SideState
from db.matches.vocabulary import ClockState, MatchState

# What both have: a score and gam-jeoms.
_Side = TypeVar("_Side", SideState, RoundSide)
# These say nothing about a fight, so a fight need not exist for them.
_ABOUT_NO_FIGHT = frozenset({messages.Link, messages.Unknown, messages.Unreadable})
_LOADS = frozenset({messages.FightLoading, LoadedByHand})
# After a fight that has ended, these are of the next one.
_OF_ANOTHER = frozenset({messages.Athletes, messages.MatchSettings})


class Entry(NamedTuple):
    """One line of the log: its number, when its datagram was received (aware, UTC), and what it says."""

    seq: int
    received_at: datetime
    message: Message


def begins_match(state: FightState | None, message: Message) -> bool:
    """Say whether a new fight begins with this message.

    It does with every `pre`, and with every load by hand. Without one, a fight is made of whatever comes first, so that
    nothing of a fight that was on before we were is lost; and after an ended fight the next athletes or settings can
    only be a new one's.
    """
    kind = type(message)
    if kind in _LOADS:
        return True
    if state is None:
        return kind not in _ABOUT_NO_FIGHT
    return state.state is MatchState.ENDED and kind in _OF_ANOTHER


def begin(entry: Entry) -> FightState:
    """Make the state of a fight whose first message this is."""
    return apply(_blank(entry.received_at), entry)


def superseded(state: FightState) -> FightState:
    """Say what becomes of a fight when another takes its mat."""
    if state.state is MatchState.LOADED:
        return replace(state, state=MatchState.NOT_FOUGHT, burst=None)
    if state.state is MatchState.LIVE:
        return replace(state, state=MatchState.ABANDONED, burst=None)
    return state


def apply(state: FightState, entry: Entry) -> FightState:
    """Fold one message; what changes nothing, like a tick that fits, moves only `seq`."""
    after = told(state, entry)
    return replace(state if after is None else after, seq=entry.seq)


def told(state: FightState, entry: Entry) -> FightState | None:
    """Return what a message makes of a state, its number apart; None if it changes nothing, as most ticks do."""
    message = entry.message
    fold = _FOLDS.get(type(message))
    after = state if fold is None else fold(state, message, entry.received_at)
    if after.challenges or type(message) in TELLING:
        after = cases_after(after, message, seq=entry.seq, at=entry.received_at)
    burst = burst_after(after.burst, message, entry.received_at, seq=entry.seq)
    if burst is not after.burst:
        return replace(after, burst=burst)
    return None if after is state else after


def _blank(at: datetime) -> FightState:
    return FightState(clock=Clock(state=ClockState.STOPPED, remaining_ms=0, as_of=at), seq=0)


def _fight_loading(_state: FightState, _message: messages.FightLoading, at: datetime) -> FightState:
    return _blank(at)


def _athletes(state: FightState, message: messages.Athletes, _at: datetime) -> FightState:
    blue = replace(
        state.blue,
        short_name=message.blue_short_name,
        long_name=message.blue_long_name,
        country_code=message.blue_country_code,
    )
    red = replace(
        state.red,
        short_name=message.red_short_name,
        long_name=message.red_long_name,
        country_code=message.red_country_code,
    )
    return replace(state, blue=blue, red=red)


def _match_settings(state: FightState, message: messages.MatchSettings, _at: datetime) -> FightState:
    return replace(
        state,
        number=message.number,
        phase=message.phase,
        weight=message.weight,
        division=message.division,
        round_count=message.round_count,
        round_seconds=message.round_seconds,
        settings=message.values,
        blue=replace(state.blue, background=message.blue_background, foreground=message.blue_foreground),
        red=replace(state.red, background=message.red_background, foreground=message.red_foreground),
    )


def _clock(state: FightState, message: messages.ClockMessage, at: datetime) -> FightState:
    match message.action:
        case "":
            return _clock_heard(state, clocks.ticked(state.clock, message.seconds, at), at)
        case "start":
            return rounds.clock_started(state, clocks.started(state.clock, message.seconds, at), at)
        case "stop":
            return replace(state, clock=clocks.stopped(state.clock, message.seconds, at))
        case "stopEnd":
            return _round_ended(state, clocks.halted(state.clock, message.seconds * 1_000, at), at)
        case _:
            return _clock_heard(state, clocks.corrected(state.clock, message.seconds, at), at)


def _clock_heard(state: FightState, clock: Clock, at: datetime) -> FightState:
    if clock is state.clock:
        return state
    if clock.state is ClockState.RUNNING and state.clock.state is ClockState.STOPPED:
        return rounds.clock_started(state, clock, at)
    return replace(state, clock=clock)


def _round_ended(state: FightState, clock: Clock, at: datetime) -> FightState:
    round_state = state.round_of(state.round)
    ended = replace(round_state, ended_at=round_state.ended_at or at)
    return replace(rounds.with_round(state, ended), clock=clock)


def _round_began(state: FightState, message: messages.RoundBegan, _at: datetime) -> FightState:
    return rounds.gone_to(state, message.number)


def _point(state: FightState, message: messages.Point, _at: datetime) -> FightState:
    """Count the point, and leave the score alone: totals are said as levels, before it or after."""
    round_state = state.round_of(state.round)
    side = rounds.side_of(round_state, message.side)
    counts = tuple(count + (kind == message.value) for kind, count in enumerate(side.point_counts, start=1))
    return rounds.with_round(state, rounds.with_side(round_state, message.side, replace(side, point_counts=counts)))


def _score(state: FightState, message: messages.Score, _at: datetime) -> FightState:
    current = state.round_of(state.round)
    blue, red = _by_hand(message.blue, current.blue.score_by_hand), _by_hand(message.red, current.red.score_by_hand)
    scored = replace(current, blue=rounds.scored(current.blue, blue), red=rounds.scored(current.red, red))
    return replace(
        state,
        blue=rounds.scored(state.blue, blue),
        red=rounds.scored(state.red, red),
        rounds=rounds.rounds_with(state.rounds, scored),
    )


def _by_hand(level: int | None, by_hand: int) -> int | None:
    """Put what operators changed on top of what is said."""
    return None if level is None else level + by_hand


def _gam_jeoms(state: FightState, message: messages.GamJeoms, _at: datetime) -> FightState:
    current = state.round_of(state.round)
    blue = _by_hand(message.blue, current.blue.gam_jeoms_by_hand)
    red = _by_hand(message.red, current.red.gam_jeoms_by_hand)
    fouled = replace(current, blue=_fouled(current.blue, blue), red=_fouled(current.red, red))
    return replace(
        state,
        blue=_fouled(state.blue, blue),
        red=_fouled(state.red, red),
        rounds=rounds.rounds_with(state.rounds, fouled),
    )


def _fouled(side: _Side, gam_jeoms: int | None) -> _Side:
    return side if gam_jeoms is None or gam_jeoms == side.gam_jeoms else replace(side, gam_jeoms=gam_jeoms)


def _round_scores(state: FightState, message: messages.RoundScores, _at: datetime) -> FightState:
    """Set the named rounds' scores, and never the current score: should a `rnd` be lost, that one stays right."""
    for side, number, score in message.scores:
        round_state = state.round_of(number)
        round_side = rounds.side_of(round_state, side)
        changed = rounds.scored(round_side, score + round_side.score_by_hand)
        if changed is not round_side:
            state = rounds.with_round(state, rounds.with_side(round_state, side, changed))
    return state


def _superiority(state: FightState, message: messages.Superiority, _at: datetime) -> FightState:
    current = state.round_of(state.round)
    # Before the next round it is taken back, while the round that was won keeps what it was won by.
    if current.winner is None and current.superiority is not message.side:
        state = rounds.with_round(state, replace(current, superiority=message.side))
    return replace(state, superiority=message.side)


def _injury(state: FightState, message: messages.Injury, at: datetime) -> FightState:
    if message.action == "hide":
        return replace(state, injury=None)
    clock = _injury_clock(state.injury, message, at)
    if state.injury is not None and state.injury.clock is clock and state.injury.side is message.side:
        return state
    return replace(state, injury=InjuryClock(side=message.side, clock=clock))


def _injury_clock(injury: InjuryClock | None, message: messages.Injury, at: datetime) -> Clock:
    if message.action in {"show", "reset"}:
        running = ClockState.RUNNING if message.action == "show" else ClockState.STOPPED
        return Clock(state=running, remaining_ms=message.seconds * 1_000, as_of=at)
    if injury is None:
        return clocks.ticking(message.seconds, at)
    return clocks.ticked(injury.clock, message.seconds, at)


def _challenge(state: FightState, message: messages.Challenge, _at: datetime) -> FightState:
    return replace(state, challenge=CurrentChallenge(side=message.side, state=message.state))


def _break(state: FightState, message: messages.Break, at: datetime) -> FightState:
    if message.action in {"stop", "stopEnd"}:
        return replace(state, break_clock=None)
    if state.break_clock is None:
        return replace(state, break_clock=clocks.ticking(message.seconds, at))
    clock = clocks.ticked(state.break_clock, message.seconds, at)
    return state if clock is state.break_clock else replace(state, break_clock=clock)


def _round_winners(state: FightState, message: messages.RoundWinners, _at: datetime) -> FightState:
    decided = state.rounds
    for number, winner in enumerate(message.winners, start=1):
        round_state = state.round_of(number)
        if round_state.winner is not winner:
            decided = rounds.rounds_with(decided, replace(round_state, winner=winner))
    return rounds.counted(replace(state, rounds=decided))


def _round_statistics(state: FightState, message: messages.RoundStatistics, _at: datetime) -> FightState:
    round_state = state.round_of(message.round)
    blue = replace(round_state.blue, reported=message.blue_counts)
    red = replace(round_state.red, reported=message.red_counts)
    return rounds.with_round(state, replace(round_state, blue=blue, red=red))


def _winner(state: FightState, message: messages.Winner, at: datetime) -> FightState:
    """End the fight; a second announcement corrects the first, and leaves the moment it ended."""
    return replace(state, outcome=message.outcome, state=MatchState.ENDED, ended_at=state.ended_at or at)


def _result(state: FightState, message: messages.Result, _at: datetime) -> FightState:
    return replace(
        state,
        winner_name=message.winner_name,
        round_score=message.round_score,
        result_code=message.code,
    )


# Messages that are not here tell nothing of the scoreboard.
_FOLDS: dict[type[Message], Callable[[FightState, Any, datetime], FightState]] = {
    messages.FightLoading: _fight_loading,
    messages.Athletes: _athletes,
    messages.MatchSettings: _match_settings,
    messages.ClockMessage: _clock,
    messages.RoundBegan: _round_began,
    messages.Point: _point,
    messages.Score: _score,
    messages.GamJeoms: _gam_jeoms,
    messages.RoundScores: _round_scores,
    messages.Superiority: _superiority,
    messages.Injury: _injury,
    messages.Challenge: _challenge,
    messages.Break: _break,
    messages.RoundWinners: _round_winners,
    messages.RoundStatistics: _round_statistics,
    messages.Winner: _winner,
    messages.Result: _result,
    **CORRECTING,
}
