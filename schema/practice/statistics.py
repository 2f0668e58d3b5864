"""What sessions come to over time, as it can be asked: sums by period and hour, and streaks."""

from datetime import date
from typing import Annotated, Any

import strawberry

from db.practice.statistics import PracticePeriod, Statistics, Sum, read_statistics
from schema.context import Asked
from schema.fields import Demand, enum, value

_MILLISECONDS = 1000
# What somebody's sessions are taken to be before they are read.
_ROWS = 1000

enum(PracticePeriod, "What is taken together.", DAY="A day.", WEEK="A week, from Monday.", MONTH="A month.")


@value
class PracticePeriodSum:
    """What the sessions of a period come to."""

    starts_on: date = strawberry.field(description="Its first day.")
    sessions: int = strawberry.field(description="How many sessions started in it.")
    practised_seconds: int = strawberry.field(description="How long those were, pauses left out.")


@value
class PracticeHourSum:
    """What the sessions of an hour of the day come to."""

    hour: int = strawberry.field(description="The hour: 0 is that after midnight.")
    sessions: int = strawberry.field(description="How many sessions started in it.")
    practised_seconds: int = strawberry.field(description="How long those were, pauses left out.")


@value
class PracticeStreak:
    """Days in a row on which somebody practised."""

    current: int = strawberry.field(description="How many there are up to today or, until today's, up to yesterday.")
    longest: int = strawberry.field(description="The most there ever were.")
    last_on: date | None = strawberry.field(description="The last day of practice. Null if there never was any.")


@value
class PracticeStatistics:
    """What the sessions of some days come to, each counted on the day it started."""

    time_zone: str = strawberry.field(description="The zone that days and hours are of: see `practiceSetTimeZone`.")
    periods: list[PracticePeriodSum] = strawberry.field(
        description="By period, in order. Those without a session are left out."
    )
    hours: list[PracticeHourSum] = strawberry.field(
        description="By the hour of the day at which they started. Those without a session are left out."
    )
    streak: PracticeStreak = strawberry.field(description="Days in a row, of all sessions there are.")


@strawberry.type
class PracticeStatisticsQueries:
    """What can be asked about practice over time."""

    @strawberry.field(description="What your sessions of some days come to.", extensions=[Demand(None, rows=_ROWS)])
    async def practice_statistics(
        self,
        info: Asked,
        first_on: Annotated[date, strawberry.argument(description="The first day.")],
        last_on: Annotated[date, strawberry.argument(description="The last day, ten years later at most.")],
        period: Annotated[PracticePeriod, strawberry.argument(description="What is taken together.")] = (
            PracticePeriod.DAY
        ),
    ) -> PracticeStatistics:
        """Read and add up."""
        context = info.context
        asked: dict[str, Any] = {"period": period, "first": first_on, "last": last_on, "now": context.now()}
        asked["note"] = context.rows.note
        async with context.db.read() as session:
            found = await read_statistics(session, context.viewer, context.viewer.user_id, **asked)
        return _shown(found)


def _shown(found: Statistics) -> PracticeStatistics:
    return PracticeStatistics(
        time_zone=found.time_zone,
        periods=[PracticePeriodSum(starts_on=one.key, **_counts(one)) for one in found.periods],  # type: ignore[arg-type]  # of periods, keys are days
        hours=[PracticeHourSum(hour=one.key, **_counts(one)) for one in found.hours],  # type: ignore[arg-type]  # of hours, numbers
        streak=PracticeStreak(current=found.streak.current, longest=found.streak.longest, last_on=found.streak.last_on),
    )


def _counts(one: Sum) -> dict[str, int]:
    return {"sessions": one.sessions, "practised_seconds": one.practised_ms // _MILLISECONDS}
