"""When the next backup is due by itself: so long after the last one, and at a time of day. Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from db.zones import time_zone

_DAY = timedelta(days=1)


def due_since(values: Mapping[str, Any], now: datetime) -> datetime | None:
    """Return the instant since which there has to be a backup for none to be due; `None` if none is made by itself.

    `values` are those of the settings.
    """
    found = []
    if values["backups.every_hours"]:
        # One that was begun just then is old enough.
        found.append(now - timedelta(hours=values["backups.every_hours"]) + timedelta.resolution)
    if values["backups.at"]:
        at = time.fromisoformat(values["backups.at"])
        found.append(last_time(at, time_zone(values["backups.time_zone"]), now))
    return max(found, default=None)


def last_time(at: time, zone: ZoneInfo, now: datetime) -> datetime:
    """Return when the clocks of a zone last showed a time of day.

    A time that clocks skip in spring is when they have moved on; of one that they repeat in autumn it is the first.
    """
    today = now.astimezone(zone).date()
    days = (today - _DAY, today)
    times = [datetime.combine(day, at, zone).astimezone(UTC) for day in days]
    return max(one for one in times if one <= now)
