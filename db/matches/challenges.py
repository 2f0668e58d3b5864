"""Video challenges: which messages are of one, from the asking to the outcome, and how the score stood. Pure.

    ch1           asked
    ch1;1  ch1;0  accepted, refused
    ch1;-1        cancelled
    ch1;1;1       won, ch1;1;0 lost

Operators say the same words, and are heard alike. An answer or an outcome is of the last challenge of its side that has
none. Asking again before the fight goes on is the same challenge; an outcome that is said again corrects the one before
until then. What an outcome does to the score is said behind it, so the score afterwards is that at which the fight goes
on.
"""

from datetime import datetime

from db.matches import corrections, messages
from db.matches.message import Message
from db.matches.replacing import replace
from db.matches.state import ChallengeCase, FightState
from db.matches.vocabulary import ChallengeState, ClockState

# What tells of a challenge.
TELLING = frozenset({messages.Challenge, corrections.ChallengeDecided})
_OUTCOMES = {ChallengeState.REFUSED, ChallengeState.CANCELLED, ChallengeState.WON, ChallengeState.LOST}
_BEYOND = (
    messages.RoundBegan,
    messages.Winner,
    corrections.ClockStarted,
    corrections.RoundSet,
    corrections.WinnerDeclared,
)
_ANSWERS = {ChallengeState.ACCEPTED, ChallengeState.REFUSED}


def cases_after(state: FightState, message: Message, *, seq: int, at: datetime) -> FightState:
    """Return a state with its challenges as they are after a message; `state` is what the message made of the rest."""
    if isinstance(message, messages.Challenge | corrections.ChallengeDecided):
        return _with_case(state, _case_after(state, message, seq, at))
    if _goes_on(state, message):
        cases = tuple(_scored(state, case) for case in state.challenges)
        if cases != state.challenges:
            return replace(state, challenges=cases)
    return state


def _goes_on(state: FightState, message: Message) -> bool:
    """Say whether the fight goes on with this message, or is beyond what was challenged."""
    if isinstance(message, messages.ClockMessage):
        return message.action in {"start", "stopEnd"} or (not message.action and _has_just_started(state))
    return isinstance(message, _BEYOND)


def _has_just_started(state: FightState) -> bool:
    # The ticks of a clock that stands say nothing, and neither do those of one that ran on while somebody asked.
    return state.clock.state is ClockState.RUNNING and any(
        case.score_after is None and state.clock.as_of > case.asked_at for case in state.challenges
    )


def _case_after(
    state: FightState, message: messages.Challenge | corrections.ChallengeDecided, seq: int, at: datetime
) -> ChallengeCase:
    case = next((one for one in state.challenges if one.side is message.side), None)
    if case is None or not _is_of(case, message.state):
        case = ChallengeCase(
            seq=seq,
            side=message.side,
            state=ChallengeState.ASKED,
            round=state.round,
            clock_ms=state.clock.remaining_at(at),
            asked_at=at,
            score_before=(state.blue.score, state.red.score),
        )
    if message.state is ChallengeState.ASKED:
        return case
    return replace(
        case,
        state=message.state,
        answered_at=case.answered_at or (at if message.state in _ANSWERS else None),
        decided_at=at if message.state in _OUTCOMES else case.decided_at,
    )


def _is_of(case: ChallengeCase, state: ChallengeState) -> bool:
    """Say whether what is told is of this challenge, and not the first of another."""
    goes_on = case.score_after is not None
    if state is ChallengeState.ASKED:
        return case.decided_at is None and not goes_on
    return case.decided_at is None or (state in _OUTCOMES and not goes_on)


def _scored(state: FightState, case: ChallengeCase) -> ChallengeCase:
    if case.score_after is not None:
        return case
    told = state.round_of(case.round)
    return replace(case, score_after=(told.blue.score, told.red.score))


def _with_case(state: FightState, case: ChallengeCase) -> FightState:
    others = [one for one in state.challenges if one.side is not case.side]
    return replace(state, challenges=(*others, case))
