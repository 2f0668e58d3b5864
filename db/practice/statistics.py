"""What sessions come to over time: by day, week and month, by the time of day, and in streaks. Mostly pure."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from sqlmodel import col, select

from db.access.viewer import Viewer
from db.errors import Invalid
from db.practice.tables import PracticeSession
from db.practice.templates import zone_of
from db.practice.visibility import visible_sessions
from db.session import Session

MOST_DAYS = 3700
_DAY = timedelta(days=1)


class PracticePeriod(StrEnum):
    """What is taken together."""

    DAY = "DAY"
    WEEK = "WEEK"
    MONTH = "MONTH"


class Practised(NamedTuple):
    """One session: the local time at which it started, and how long it was."""

    at: datetime
    milliseconds: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Sum:
    """What sessions of a period, or of an hour of the day, come to. `key` is its first day or its hour."""

    key: date | int
    sessions: int
    practised_ms: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Streak:
    """How many days in a row somebody practised, now and at most; `last_on` is the last of all days."""

    current: int
    longest: int
    last_on: date | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Statistics:
    """What the sessions of some days come to."""

    time_zone: str
    periods: list[Sum]
    hours: list[Sum]
    streak: Streak


async def read_statistics(
    session: Session,
    viewer: Viewer,
    owner_id: UUID,
    *,
    period: PracticePeriod,
    first: date,
    last: date,
    now: datetime,
    note: Callable[[int], None],
) -> Statistics:
    """Read what somebody practised from a day to a day; streaks go as far back as there are sessions.

    `note` is told how many of those were read. Raises `Invalid` for days the wrong way round, or too many.
    """
    if not first <= last <= first + timedelta(days=MOST_DAYS):
        raise Invalid(f"Ask for 1 to {MOST_DAYS} days, the first before the last.", field="last_on")
    zone = await zone_of(session, owner_id)
    found = select(col(PracticeSession.started_at), col(PracticeSession.practised_ms)).where(
        visible_sessions(viewer.kind),
        col(PracticeSession.owner_id) == owner_id,
        col(PracticeSession.started_at).is_not(None),
    )
    rows = await session.tuples(found, **viewer.parameters)
    note(len(rows))
    practised = [Practised(at.astimezone(zone), milliseconds) for at, milliseconds in rows]
    asked = [one for one in practised if first <= one.at.date() <= last]
    return Statistics(
        time_zone=zone.key,
        periods=sums(asked, lambda one: period_start(one.at.date(), period)),
        hours=sums(asked, lambda one: one.at.hour),
        streak=streak_of({one.at.date() for one in practised}, now.astimezone(zone).date()),
    )


def sums(practised: Iterable[Practised], key: Callable[[Practised], date | int]) -> list[Sum]:
    """Add up what has the same key, in the order of the keys. What there is nothing of is left out."""
    found: dict[date | int, list[int]] = {}
    for one in practised:
        found.setdefault(key(one), []).append(one.milliseconds)
    return [
        Sum(key=each, sessions=len(found[each]), practised_ms=sum(found[each]))
        for each in sorted(found, key=lambda one: one if isinstance(one, int) else one.toordinal())
    ]


def period_start(day: date, period: PracticePeriod) -> date:
    """Return the first day of the period a day is in. Weeks begin on Monday."""
    if period is PracticePeriod.WEEK:
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if period is PracticePeriod.MONTH else day


def streak_of(days: set[date], today: date) -> Streak:
    """Count days in a row. A streak goes on while its last day is today or yesterday: today is not over."""
    in_order = sorted(days)
    lengths = _lengths(in_order)
    is_on = bool(in_order) and in_order[-1] >= today - _DAY
    return Streak(
        current=lengths[-1] if is_on else 0,
        longest=max(lengths, default=0),
        last_on=in_order[-1] if in_order else None,
    )


def _lengths(in_order: Sequence[date]) -> list[int]:
    """Return for each day how many days in a row end with it."""
    lengths: list[int] = []
    for number, day in enumerate(in_order):
        follows = number > 0 and in_order[number - 1] == day - _DAY
        lengths.append(lengths[-1] + 1 if follows else 1)
    return lengths
