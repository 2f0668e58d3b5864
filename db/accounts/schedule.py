"""When something is due again: after a success, after failures, and by a cron line. All of it pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from db.errors import Invalid

_LONGEST_CRON = 100
_MOST_DAYS = 366 * 4 + 1
_FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day", 1, 31), ("month", 1, 12), ("weekday", 0, 7))
_CRON_FORM = "A schedule has five fields: minute, hour, day, month and weekday, as `30 18 * * 1-5` has"


@dataclass(frozen=True, kw_only=True)
class PollRules:
    """How often feeds are read, and what is done about what is found. Durations in seconds where it is not said."""

    least_interval: int = 300
    usual_interval: int = 900
    most_interval: int = 21_600
    longest_back_off: int = 86_400
    lease: int = 120
    # How often in a row a feed may not be found, and a lasting redirect be seen, until that is believed.
    not_found: int = 10
    redirects: int = 10
    oldest_post: timedelta = timedelta(days=7)
    most_posts: int = 10


def next_interval(interval: int, *, has_news: bool, hint: int | None, rules: PollRules) -> int:
    """Return how long to wait after a success: less for a feed with news, more for a quiet one.

    What the server asks for (`hint`) is the least, as far as we ever wait.
    """
    wanted = interval // 2 if has_news else interval + interval // 4
    wanted = max(wanted, min(hint or 0, rules.most_interval))
    return max(rules.least_interval, min(rules.most_interval, wanted))


def back_off(failures: int, *, first: int, longest: int, asked: int | None = None, chance: float = 0.0) -> float:
    """Return how many seconds to wait after so many failures in a row, a quarter of it left to `chance` (0 to 1).

    Never less than was `asked` for, and never more than the longest.
    """
    doubled: int = first * 2 ** min(max(failures, 1) - 1, 40)
    return min(float(longest), max(min(doubled, longest) * (1 + chance / 4), float(asked or 0)))


def spread(seconds: float, chance: float) -> float:
    """Return a time moved by a tenth at most, so that many feeds are not read at once."""
    return seconds * (0.9 + chance / 5)


@dataclass(frozen=True)
class Cron:
    """A schedule: the minutes, hours, days, months and weekdays (Sunday is 0) at which something is due."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    # Whether days and weekdays are both said: either of them will then do, as cron has it.
    is_either: bool

    def falls_on(self, day: datetime) -> bool:
        """Say whether anything is due on a day."""
        weekday = (day.weekday() + 1) % 7 in self.weekdays
        fits = (day.day in self.days or weekday) if self.is_either else (day.day in self.days and weekday)
        return fits and day.month in self.months


def read_cron(text: str) -> Cron:
    """Read a cron line. Raises `Invalid`, saying what is wrong with it."""
    fields = text.split()
    if len(fields) != len(_FIELDS) or len(text) > _LONGEST_CRON:
        raise Invalid(f"{_CRON_FORM}.", field="cron")
    found = [_read_field(field, *of) for field, of in zip(fields, _FIELDS, strict=True)]
    minutes, hours, days, months, weekdays = found
    is_either = not fields[2].startswith("*") and not fields[4].startswith("*")
    return Cron(minutes, hours, days, months, frozenset(day % 7 for day in weekdays), is_either)


def next_time(cron: Cron, after: datetime, zone: ZoneInfo) -> datetime | None:
    """Return when a schedule is next due, by the clocks of a zone; `None` if it never is.

    A time that clocks skip in spring is due when they have moved on; one that they repeat in autumn, the first time.
    """
    local = after.astimezone(zone)
    day = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0, tzinfo=None)
    for number in range(_MOST_DAYS):
        date = day + timedelta(days=number)
        if not cron.falls_on(date):
            continue
        due = _first_after(_times(cron, date, zone), after)
        if due is not None:
            return due
    return None


def _times(cron: Cron, date: datetime, zone: ZoneInfo) -> Iterable[datetime]:
    for hour in sorted(cron.hours):
        for minute in sorted(cron.minutes):
            yield date.replace(hour=hour, minute=minute, tzinfo=zone).astimezone(UTC)


def _first_after(times: Iterable[datetime], after: datetime) -> datetime | None:
    # Where clocks are moved, later readings may be earlier instants.
    return min((time for time in times if time > after), default=None)


def _read_field(text: str, name: str, least: int, most: int) -> frozenset[int]:
    found: set[int] = set()
    for part in text.split(","):
        span, slash, step_text = part.partition("/")
        step = _number(step_text, name, 1, most) if slash else 1
        if span == "*":
            first, last = least, most
        else:
            begin, dash, end = span.partition("-")
            first = _number(begin, name, least, most)
            last = _number(end, name, least, most) if dash else (most if slash else first)
        if first > last:
            raise Invalid(f"In {_shown(part)}, the {name} ends before it begins.", field="cron")
        found.update(range(first, last + 1, step))
    return frozenset(found)


def _number(text: str, name: str, least: int, most: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(most)) and least <= int(text) <= most):
        raise Invalid(f"{_CRON_FORM}; {_shown(text)} is no {name} from {least} to {most}.", field="cron")
    return int(text)


def _shown(text: str) -> str:
    return repr(text[:20])
