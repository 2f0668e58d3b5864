"""Where a goal may stand: the one guard of every write that gives a goal a parent. Pure."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from db.errors import Conflict, Invalid
from db.practice.paths import is_within
from db.practice.vocabulary import RANKS, GoalLevel

LOWEST_ROOT = GoalLevel.SHORT_TERM
HIGHEST_UNDER_SESSION = GoalLevel.IMMEDIATE


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """A goal that is to be placed, with all that is under it.

    `latest_deadline` is the latest in its subtree. `path` is where it stands so far; `None` for a new one.
    """

    owner_id: UUID
    level: GoalLevel
    latest_deadline: date | None = None
    path: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """What a goal is to stand under: another goal, a session, or nothing.

    `deadline` is the earliest of the goals along the path down to it.
    """

    owner_id: UUID
    parent_id: UUID | None = None
    session_id: UUID | None = None
    level: GoalLevel | None = None
    deadline: date | None = None
    path: str = ""
    root_id: UUID | None = None
    within_session_id: UUID | None = None


def check_place(candidate: Candidate, place: Place, *, field: str) -> None:
    """Refuse a place that a goal may not take. `field` names the input that says the place.

    Raises `Invalid` for another owner's place, a level that is not below the place's and a deadline behind its, and
    `Conflict` for a place inside the goal's own subtree.
    """
    if candidate.owner_id != place.owner_id:
        raise Invalid("A goal stands under goals and sessions of its owner alone.", field=field)
    if candidate.path is not None and is_within(place.path, candidate.path):
        raise Conflict("A goal cannot stand under itself or under what stands under it.", field=field)
    check_rank(candidate.level, place, field=field)
    check_deadline(candidate.latest_deadline, place.deadline, field="deadline" if candidate.path is None else field)


def check_rank(level: GoalLevel, place: Place, *, field: str) -> None:
    """Raise `Invalid` for a level that cannot stand there."""
    if place.level is not None:
        if RANKS[level] <= RANKS[place.level]:
            raise Invalid(
                f"A goal of level {level} cannot stand under one of level {place.level}: it must be nearer.",
                field=field,
            )
    elif place.session_id is not None:
        if RANKS[level] < RANKS[HIGHEST_UNDER_SESSION]:
            raise Invalid(f"Under a session stand goals of level {HIGHEST_UNDER_SESSION} and nearer.", field=field)
    elif RANKS[level] > RANKS[LOWEST_ROOT]:
        raise Invalid(f"A goal of level {level} stands under another goal or a session: name one.", field=field)


def check_deadline(deadline: date | None, of_parents: date | None, *, field: str) -> None:
    """Raise `Invalid` for a deadline behind that of a goal above."""
    if deadline is not None and of_parents is not None and deadline > of_parents:
        raise Invalid(f"The deadline {deadline} is behind {of_parents}, which is that of a goal above.", field=field)
