"""The scoreboard an overlay shows: all that is public of a fight's state, and none of its bookkeeping."""

from datetime import datetime
from typing import Any

from db.matches.clocks import Clock
from db.matches.state import FightState, InjuryClock, RoundSide, RoundState, SideState

Board = dict[str, Any]


def board(state: FightState, before: tuple[FightState, Board] | None = None) -> Board:
    """Show a state as JSON; states with equal boards show the same scoreboard, and a tick leaves it equal.

    `before` is a state that was shown, and as what: pieces that are the same in both are not made again.
    """
    was, shown = before or (None, {})
    return {
        "state": state.state,
        "number": state.number,
        "phase": state.phase,
        "weight": state.weight,
        "division": state.division,
        "roundCount": state.round_count,
        "roundSeconds": state.round_seconds,
        "blue": shown["blue"] if was is not None and was.blue is state.blue else _side(state.blue),
        "red": shown["red"] if was is not None and was.red is state.red else _side(state.red),
        "round": state.round,
        "rounds": _rounds(state) if was is None else _changed_rounds(state, was, shown["rounds"]),
        "superiority": state.superiority,
        "clock": _clock(state.clock),
        "breakClock": None if state.break_clock is None else _clock(state.break_clock),
        "injury": None if state.injury is None else _injury(state.injury),
        "challenge": _challenge(state),
        "startedAt": _time(state.started_at),
        "endedAt": _time(state.ended_at),
        **_result(state),
    }


def _result(state: FightState) -> dict[str, Any]:
    return {
        "outcome": state.outcome,
        "winnerName": state.winner_name,
        "roundScore": state.round_score,
        "resultCode": state.result_code,
        "hasResultConflict": state.has_result_conflict,
    }


def _side(side: SideState) -> dict[str, Any]:
    return {
        "shortName": side.short_name,
        "longName": side.long_name,
        "countryCode": side.country_code,
        "background": side.background,
        "foreground": side.foreground,
        "score": max(0, side.score),
        "gamJeoms": max(0, side.gam_jeoms),
        "roundsWon": side.rounds_won,
    }


def _rounds(state: FightState) -> list[Board]:
    return [_round(round_state) for round_state in state.rounds]


def _changed_rounds(state: FightState, was: FightState, shown: list[Board]) -> list[Board]:
    if state.rounds is was.rounds:
        return shown
    known = {id(round_state): one for round_state, one in zip(was.rounds, shown, strict=True)}
    return [known.get(id(round_state)) or _round(round_state) for round_state in state.rounds]


def _round(round_state: RoundState) -> dict[str, Any]:
    return {
        "number": round_state.number,
        "blue": _round_side(round_state.blue),
        "red": _round_side(round_state.red),
        "winner": round_state.winner,
        "startedAt": _time(round_state.started_at),
        "endedAt": _time(round_state.ended_at),
        "hasCountDifference": round_state.has_count_difference,
    }


def _round_side(side: RoundSide) -> dict[str, Any]:
    return {
        "score": max(0, side.score),
        "gamJeoms": max(0, side.gam_jeoms),
        "pointCounts": list(side.point_counts),
        "pointTotal": side.point_total,
        "reported": None if side.reported is None else list(side.reported),
    }


def _clock(clock: Clock) -> dict[str, Any]:
    return {"state": clock.state, "remainingMs": clock.remaining_ms, "asOf": clock.as_of.isoformat()}


def _injury(injury: InjuryClock) -> dict[str, Any]:
    return {"side": injury.side, "clock": _clock(injury.clock)}


def _challenge(state: FightState) -> dict[str, Any] | None:
    if state.challenge is None:
        return None
    return {"side": state.challenge.side, "state": state.challenge.state}


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
