"""Who won medals, as statements: by the fights that were ended, and so by what was announced last.

Gold and silver are of the final. Bronze is of those who won a bronze medal contest, or, in a category that had none,
of both who lost a semifinal. A fight that was fought again under its number counts as it ended then, and so does a
final that was fought again under another: a category has one.
"""

from typing import Any
from uuid import UUID

from sqlalchemy import and_, case, exists, func, literal_column, or_, select, type_coerce
from sqlmodel import Field, col

from db.access.viewer import ViewerKind
from db.base import datetime, enum_type
from db.batches import Chosen, table_of
from db.derived import Derived, of_keys
from db.matches.tables import Athlete, Match, MatchSide
from db.matches.visibility import within_match, within_tournament
from db.matches.vocabulary import MatchState, MedalKind, Outcome

# What a phase is called on the wire and by those who plan, in small letters.
_FINALS = ("final", "finals", "f", "gold medal contest", "gold medal match")
_SEMIFINALS = ("semifinal", "semifinals", "semi-final", "semi-finals", "semi final", "semi finals", "sf")
_BRONZE_CONTESTS = (
    *("bronze medal contest", "bronze medal contests", "bronze medal match", "bronze medal matches"),
    *("bronze medal fight", "bronze medal fights", "bmd"),
)


class Medal(Derived, table=True):
    """A medal, and who won it."""

    __tablename__ = "medals"

    match_id: UUID = Field(primary_key=True)
    athlete_id: UUID = Field(primary_key=True)
    tournament_id: UUID
    kind: MedalKind = Field(sa_type=enum_type(MedalKind))
    # 1 for gold.
    place: int
    division: str
    weight: str
    name: str
    short_name: str
    country_code: str
    round_score: str
    ended_at: datetime


def medals_of_tournaments(kind: ViewerKind) -> Chosen:
    """Select the medals of each tournament of `keys`."""
    return _medals(kind).where(of_keys(col(Match.tournament_id)))


def medals_of_matches(kind: ViewerKind) -> Chosen:
    """Select the medals of the category of each match of `keys`, as those of `of_match_id`."""
    of_match = table_of(Match).alias("of_match")
    seen = within_match(of_match.c.id)(kind)
    found = _medals(kind).add_columns(of_match.c.id.label("of_match_id"))
    found = found.join(of_match, _is_of_category(of_match.c)).where(of_keys(of_match.c.id))
    return found if seen is None else found.where(seen)


def _medals(kind: ViewerKind) -> Chosen:
    fights, is_won = table_of(Match).c, col(Match.outcome) == col(MatchSide.side)
    is_final, is_contest = _is_phase(fights, _FINALS), _is_phase(fights, _BRONZE_CONTESTS)
    wins_bronze = or_(and_(is_contest, is_won), and_(_is_phase(fights, _SEMIFINALS), ~is_won, ~_had_contest()))
    medal = case(
        (and_(is_final, is_won), MedalKind.GOLD.value),
        (is_final, MedalKind.SILVER.value),
        else_=MedalKind.BRONZE.value,
    )
    place = case((and_(is_final, is_won), 1), (is_final, 2), else_=3)
    columns = {
        "match_id": col(Match.id),
        "athlete_id": col(Athlete.id),
        "tournament_id": col(Match.tournament_id),
        "kind": type_coerce(medal, table_of(Medal).c.kind.type),
        "place": place,
        "division": col(Match.division),
        "weight": col(Match.weight),
        "name": col(Athlete.name),
        "short_name": col(Athlete.short_name),
        "country_code": col(Athlete.country_code),
        "round_score": col(Match.round_score),
        "ended_at": col(Match.ended_at),
    }
    found: Chosen = (
        select(*(value.label(name) for name, value in columns.items()))
        .select_from(Match)
        .join(MatchSide, col(MatchSide.match_id) == col(Match.id))
        .join(Athlete, col(Athlete.id) == col(MatchSide.athlete_id))
        .where(_is_decided(fights), or_(is_final, wins_bronze), ~_was_fought_again())
    )
    seen = within_tournament(Match.tournament_id)(kind)
    return found if seen is None else found.where(seen)


def _is_decided(fights: Any) -> Any:
    return and_(fights.state == MatchState.ENDED, fights.outcome != Outcome.TIE, fights.tournament_id.is_not(None))


def _is_phase(fights: Any, names: tuple[str, ...]) -> Any:
    return func.lower(func.trim(fights.phase)).in_([literal_column(f"'{name}'") for name in names])


def _is_of_category(other: Any) -> Any:
    same = (getattr(other, name) == col(getattr(Match, name)) for name in ("tournament_id", "division", "weight"))
    return and_(*same)


def _had_contest() -> Any:
    """Say of a semifinal that there was a contest for bronze in its category."""
    other = table_of(Match).alias("contest")
    return exists().where(_is_of_category(other.c), _is_decided(other.c), _is_phase(other.c, _BRONZE_CONTESTS))


def _was_fought_again() -> Any:
    """Say of a fight that another of its number was ended later, or of a final that another final was."""
    other, fights = table_of(Match).alias("later"), table_of(Match).c
    is_same = and_(other.c.number == fights.number, func.lower(other.c.phase) == func.lower(fights.phase))
    are_finals = and_(_is_phase(fights, _FINALS), _is_phase(other.c, _FINALS))
    is_later = other.c.state == MatchState.ENDED, other.c.ended_at > fights.ended_at
    return exists().where(_is_of_category(other.c), or_(is_same, are_finals), *is_later)
