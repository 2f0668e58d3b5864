"""A fight's state as the tables hold it: plain values by column, compared to know what must be written."""

from typing import Any

from db.matches.state import FightState
from db.matches.vocabulary import Side


def match_row(state: FightState) -> dict[str, Any]:
    """Return the columns of `matches` that the fold decides."""
    return {
        "state": state.state,
        "number": state.number,
        "phase": state.phase,
        "weight": state.weight,
        "division": state.division,
        "round_count": state.round_count,
        "round_seconds": state.round_seconds,
        "outcome": state.outcome,
        "winner_name": state.winner_name,
        "round_score": state.round_score,
        "result_code": state.result_code,
        "has_result_conflict": state.has_result_conflict,
        "started_at": state.started_at,
        "ended_at": state.ended_at,
    }


def side_rows(state: FightState) -> list[dict[str, Any]]:
    """Return the columns of both `match_sides`, with the names that an athlete is found by."""
    return [
        {
            "side": side,
            "name": shown.long_name or shown.short_name,
            "short_name": shown.short_name,
            "country_code": shown.country_code,
            "background": shown.background or "",
            "foreground": shown.foreground or "",
            "score": max(0, shown.score),
            "gam_jeom_count": max(0, shown.gam_jeoms),
            "rounds_won": shown.rounds_won,
        }
        for side, shown in ((Side.BLUE, state.blue), (Side.RED, state.red))
    ]


def round_rows(state: FightState) -> list[dict[str, Any]]:
    """Return the columns of `rounds`, one row for each round that something was said of."""
    return [
        {
            "number": one.number,
            "blue_score": max(0, one.blue.score),
            "red_score": max(0, one.red.score),
            "blue_gam_jeom_count": max(0, one.blue.gam_jeoms),
            "red_gam_jeom_count": max(0, one.red.gam_jeoms),
            "winner": one.winner,
            "has_statistics_conflict": one.has_count_difference,
            "started_at": one.started_at,
            "ended_at": one.ended_at,
        }
        for one in state.rounds
    ]
