"""Time zones by their names."""

from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from db.errors import Invalid


def time_zone(name: str) -> ZoneInfo:
    """Return a time zone. Raises `Invalid` for a name that nobody knows."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        message = f"There is no time zone {name[:60]!r}. They are named as Europe/Berlin or Asia/Seoul is."
        raise Invalid(message, field="time_zone") from error
