"""What fights come to, as statements: records of athletes, and points by kind of a side, a round and a tournament.

A record counts fights that were ended and no others; points count from the moment they are given.
"""

from typing import Any
from uuid import UUID

from sqlalchemy import Integer, and_, case, cast, func, select
from sqlmodel import Field, col

from db.access.viewer import ViewerKind
from db.base import enum_type
from db.batches import Chosen
from db.derived import Derived, of_keys
from db.matches.tables import Athlete, Match, MatchSide, Round, RoundSide
from db.matches.visibility import visible_athletes, visible_matches, within_match
from db.matches.vocabulary import MatchState, Outcome, Side

_COUNTED = ("punch", "body", "head", "turning_body", "turning_head", "gam_jeom")


class AthleteRecord(Derived, table=True):
    """How the fights of an athlete ended."""

    __tablename__ = "athlete_records"

    id: UUID = Field(primary_key=True)
    fights: int
    wins: int
    losses: int
    ties: int


class SideTally(Derived, table=True):
    """What a side did in all rounds of a fight."""

    __tablename__ = "side_tallies"

    match_id: UUID = Field(primary_key=True)
    side: Side = Field(sa_type=enum_type(Side), primary_key=True)
    punch_count: int
    body_count: int
    head_count: int
    turning_body_count: int
    turning_head_count: int
    gam_jeom_count: int
    score: int


class TournamentAthlete(Derived, table=True):
    """What somebody did in a tournament."""

    __tablename__ = "tournament_athletes"

    tournament_id: UUID = Field(primary_key=True)
    athlete_id: UUID = Field(primary_key=True)
    name: str
    fights: int
    wins: int
    losses: int
    ties: int
    punch_count: int
    body_count: int
    head_count: int
    turning_body_count: int
    turning_head_count: int
    gam_jeom_count: int
    points: int


def records(kind: ViewerKind) -> Chosen:
    """Select the record of each athlete of `keys`."""
    fought = and_(col(Match.id) == col(MatchSide.match_id), *_seen(visible_matches(kind)))
    found: Chosen = (
        select(col(Athlete.id).label("id"), *_outcomes())
        .select_from(Athlete)
        .outerjoin(MatchSide, col(MatchSide.athlete_id) == col(Athlete.id))
        .outerjoin(Match, fought)
    )
    return found.where(of_keys(col(Athlete.id)), *_seen(visible_athletes(kind))).group_by(col(Athlete.id))


def sides_of_rounds(kind: ViewerKind) -> Chosen:
    """Select what each side did in each round of `keys`, as those of `round_id`."""
    told = col(RoundSide.match_id) == col(Round.match_id), col(RoundSide.round) == col(Round.number)
    found: Chosen = select(RoundSide, col(Round.id).label("round_id")).join(Round, and_(*told))
    return found.where(of_keys(col(Round.id)), *_seen(within_match(Round.match_id)(kind)))


def sides_of_matches(kind: ViewerKind) -> Chosen:
    """Select what each side did in each match of `keys`."""
    by = col(RoundSide.match_id), col(RoundSide.side)
    summed = [_sum(col(getattr(RoundSide, name)), name) for name in (*_names(), "score")]
    found: Chosen = select(*by, *summed).where(of_keys(by[0]), *_seen(within_match(RoundSide.match_id)(kind)))
    return found.group_by(*by)


def athletes_of_tournaments(kind: ViewerKind) -> Chosen:
    """Select what everybody did in each tournament of `keys`."""
    of_tournament = of_keys(col(Match.tournament_id)), *_seen(visible_matches(kind))
    by = col(RoundSide.match_id), col(RoundSide.side)
    told = (
        select(*by, *(_sum(col(getattr(RoundSide, name)), name) for name in _names()))
        .join(Match, col(Match.id) == col(RoundSide.match_id))
        .where(*of_tournament)
        .group_by(*by)
        .subquery("told")
    )
    worth = sum((told.c[name] * value for value, name in enumerate(_names()[:-1], start=1)), start=0)
    group = col(Match.tournament_id), col(MatchSide.athlete_id), col(Athlete.name)
    found: Chosen = (
        select(*group, *_outcomes(), *(_sum(told.c[name], name) for name in _names()), _sum(worth, "points"))
        .select_from(Match)
        .join(MatchSide, col(MatchSide.match_id) == col(Match.id))
        .join(Athlete, col(Athlete.id) == col(MatchSide.athlete_id))
        .outerjoin(told, and_(told.c.match_id == col(Match.id), told.c.side == col(MatchSide.side)))
    )
    return found.where(*of_tournament).group_by(*group)


def _names() -> list[str]:
    return [f"{name}_count" for name in _COUNTED]


def _outcomes() -> list[Any]:
    """Count fights that were ended, and how."""
    is_over = col(Match.state) == MatchState.ENDED
    is_tie = col(Match.outcome) == Outcome.TIE
    is_won = col(Match.outcome) == col(MatchSide.side)
    return [
        _count(is_over, "fights"),
        _count(and_(is_over, is_won), "wins"),
        _count(and_(is_over, ~is_tie, ~is_won), "losses"),
        _count(and_(is_over, is_tie), "ties"),
    ]


def _count(condition: Any, name: str) -> Any:
    return func.count(case((condition, 1))).label(name)


def _sum(value: Any, name: str) -> Any:
    # PostgreSQL's sums are wider than what they add up.
    return cast(func.coalesce(func.sum(value), 0), Integer).label(name)


def _seen(condition: Any) -> list[Any]:
    return [] if condition is None else [condition]
