"""Periods of a goal: when the next one begins, in the time zone of its stream."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from db.streams.vocabulary import StreamGoalPeriod

_DAYS_OF_A_WEEK = 7


def period_end(period: StreamGoalPeriod, now: datetime, zone: ZoneInfo) -> datetime | None:
    """Return when the period that `now` is in will be over: at a midnight there. `None` if no clock decides that.

    Weeks begin on Monday, months on the first.
    """
    today = now.astimezone(zone).date()
    if period is StreamGoalPeriod.DAILY:
        day = today + timedelta(days=1)
    elif period is StreamGoalPeriod.WEEKLY:
        day = today + timedelta(days=_DAYS_OF_A_WEEK - today.weekday())
    elif period is StreamGoalPeriod.MONTHLY:
        day = (today.replace(day=28) + timedelta(days=4)).replace(day=1)
    else:
        return None
    # Where a clock is set forward at midnight, that hour is read as the moment of the change.
    return datetime.combine(day, time(), zone).astimezone(UTC)
