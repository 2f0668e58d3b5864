"""The types of what is planned: the days of a tournament, the queues of its mats, and who fights in it."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from db.matches import queries
from schema.connections import Connection
from schema.fields import Node, column, computed, connection, node, to_one
from schema.matches.arguments import MatchFilter, MatchOrder
from schema.matches.told_types import LazyMat, LazyMatch, points_in
from schema.matches.vocabulary import MedalKind, TournamentState

if TYPE_CHECKING:
    from schema.matches.types import Athlete, Tournament

LazyAthlete = Annotated["Athlete", strawberry.lazy("schema.matches.types")]
LazyTournament = Annotated["Tournament", strawberry.lazy("schema.matches.types")]


@node("tournamentday", queries.day_by_id)
class TournamentDay(Node):
    """A day of a tournament. Fights are of the day that is on when they are loaded."""

    number: int = column("Which day it is: 1 is the first.")
    held_on: date = column("Its date.")
    state: TournamentState = column("Where it stands. One day of a tournament is on at a time.")
    revision: int = column("Raised by one at every change of it: give back the one you saw when you change it.")
    created_at: datetime = column("When it was added.")
    tournament: LazyTournament = to_one("The tournament.", queries.tournament_by_id, key="tournament_id")
    matches: Connection[LazyMatch] = connection(
        "The fights that were loaded on it.", queries.matches_by_day, order=MatchOrder, filter=MatchFilter
    )


@node("plannedmatch", queries.planned_by_id)
class PlannedMatch(Node):
    """A fight that is to come on a mat. It becomes the fight that is loaded there under its number."""

    number: str = column("The number it will be loaded under, such as `245.A`.")
    phase: str = column("Such as `Final`. Empty if that was not said.")
    weight: str = column("The weight class, such as `M -68kg`. Empty if that was not said.")
    division: str = column("The age group, such as `Seniors`. Empty if that was not said.")
    is_waiting: bool = computed("Whether it waits in the queue.", ("match_id",), lambda match_id: match_id is None)
    revision: int = column("Raised by one at every change of it: give back the one you saw when you change it.")
    created_at: datetime = column("When it was planned.")
    mat: LazyMat = to_one("The mat it is to be fought on.", queries.mat_by_id, key="mat_id")
    day: TournamentDay | None = to_one(
        "The day it is planned for. Null if none was named.", queries.day_by_id, key="tournament_day_id"
    )
    blue: LazyAthlete | None = to_one(
        "Who is to fight as blue. Null until named.", queries.athlete_by_id, key="blue_athlete_id"
    )
    red: LazyAthlete | None = to_one(
        "Who is to fight as red. Null until named.", queries.athlete_by_id, key="red_athlete_id"
    )
    match: LazyMatch | None = to_one(
        "The fight it became. Null while it waits; again null if that gave way to another before it was over.",
        queries.match_by_id,
        key="match_id",
    )


@strawberry.type(description="A medal, by the fights that are over: another if one of them is decided otherwise.")
class Medal:
    """A medal, by the fights that are over."""

    kind: MedalKind = column("Which.")
    division: str = column("The age group it was won in. Empty if none was said.")
    weight: str = column("The weight class it was won in. Empty if none was said.")
    name: str = column("Who won it, by the full name.")
    short_name: str = column("Who won it, as a scoreboard shows it.")
    country_code: str = column("The country, by its code. Empty if none was said.")
    round_score: str = column(
        "The rounds won in the fight that decided it, blue's first: `2-1`. Empty if not announced."
    )
    ended_at: datetime = column("When the fight that decided it was over.")
    athlete: LazyAthlete | None = to_one(
        "Who won it, with all else. Null for an overlay that sees none of his or her fights.",
        queries.athlete_by_id,
        key="athlete_id",
    )
    match: LazyMatch | None = to_one(
        "The fight that decided it. Null for an overlay that does not see it.", queries.match_by_id, key="match_id"
    )


_KINDS = ("punch_count", "body_count", "head_count", "turning_body_count", "turning_head_count")


@strawberry.type(description="What somebody did in a tournament.")
class TournamentAthlete:
    """What somebody did in a tournament."""

    fights: int = column("How many of his or her fights are over. Others are not counted.")
    wins: int = column("How many of them were won.")
    losses: int = column("How many were lost.")
    ties: int = column("How many ended with nobody announced.")
    points: int = computed("What his or her points come to, those of fights that are not over too.", _KINDS, points_in)
    punches: int = column("Punches that scored.", "punch_count")
    body_kicks: int = column("Kicks to the body that scored.", "body_count")
    head_kicks: int = column("Kicks to the head that scored.", "head_count")
    turning_body_kicks: int = column("Turning kicks to the body that scored.", "turning_body_count")
    turning_head_kicks: int = column("Turning kicks to the head that scored.", "turning_head_count")
    gam_jeoms: int = column("Penalties.", "gam_jeom_count")
    athlete: LazyAthlete | None = to_one(
        "Who. Null if that is gone while this was answered.", queries.athlete_by_id, key="athlete_id"
    )
