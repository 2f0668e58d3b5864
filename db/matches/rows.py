"""A fight's state as the tables hold it: plain values by column, compared to know what must be written."""

from typing import Any

from db.matches.state import FightState, RoundSide
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
            "superiority": one.superiority,
            "has_statistics_conflict": one.has_count_difference,
            "started_at": one.started_at,
            "ended_at": one.ended_at,
        }
        for one in state.rounds
    ]


def round_side_rows(state: FightState) -> list[dict[str, Any]]:
    """Return the columns of `round_sides`, two rows for each round that something was said of."""
    return [
        _round_side_row(one.number, side, told)
        for one in state.rounds
        for side, told in ((Side.BLUE, one.blue), (Side.RED, one.red))
    ]


def _round_side_row(number: int, side: Side, told: RoundSide) -> dict[str, Any]:
    punch, body, head, turning_body, turning_head = told.point_counts
    return {
        "round": number,
        "side": side,
        "score": max(0, told.score),
        "punch_count": punch,
        "body_count": body,
        "head_count": head,
        "turning_body_count": turning_body,
        "turning_head_count": turning_head,
        "gam_jeom_count": max(0, told.gam_jeoms),
        **dict(zip(_REPORTED, told.reported or (None,) * len(_REPORTED), strict=True)),
    }


# In the order in which the sender reports them.
_REPORTED = tuple(f"reported_{name}_count" for name in ("body", "head", "punch", "fourth", "fifth", "gam_jeom"))
