"""Where in a recording a moment is found: the stretches that a recording shows, and offsets into its file. Pure.

A recording's times are by the clock of the machine that made it, which may be ahead of ours, and its picture may come
late. Both together are its shift: what happens now is found in it at its machine's time `now + shift`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from db.errors import Invalid

MOST_GAPS = 1000
# How long a recording is at most; one that is under way is taken to last so long.
LONGEST = timedelta(days=7)
MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Gap:
    """A time in which nothing was written to a recording; `until` is `None` while it lasts."""

    since: datetime
    until: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Segment:
    """A stretch without gaps, by our clock, and where in the file it begins."""

    shows_from: datetime
    shows_until: datetime
    begins_ms: int


def segments_of(
    started_at: datetime | None, ended_at: datetime | None, gaps: Iterable[Gap], *, shift: timedelta
) -> list[Segment]:
    """Return the stretches that a recording shows, in order. Of one whose start nobody knows there are none."""
    if started_at is None:
        return []
    found: list[Segment] = []
    begins, begins_ms = started_at, 0
    for gap in gaps:
        if gap.since > begins:
            found.append(Segment(shows_from=begins - shift, shows_until=gap.since - shift, begins_ms=begins_ms))
            begins_ms += (gap.since - begins) // MILLISECOND
        if gap.until is None:
            return found
        begins = gap.until
    ends = started_at + LONGEST if ended_at is None else ended_at
    if begins < ends:
        found.append(Segment(shows_from=begins - shift, shows_until=ends - shift, begins_ms=begins_ms))
    return found


def offset_ms(happened_at: datetime, shows_from: datetime, begins_ms: int) -> int:
    """Return where in the file a moment is found, by the stretch that it is in."""
    return begins_ms + (happened_at - shows_from) // MILLISECOND


def checked_gaps(gaps: Sequence[Gap], started_at: datetime | None, ended_at: datetime | None) -> list[Gap]:
    """Return gaps in order. Raises `Invalid` for those that overlap, or lie outside of their recording."""
    if len(gaps) > MOST_GAPS:
        raise Invalid(f"A recording has {MOST_GAPS} gaps at most.", field="gaps")
    in_order = sorted(gaps, key=lambda gap: gap.since)
    if in_order and started_at is None:
        raise Invalid("Gaps can be told once the start of the recording is known.", field="gaps")
    earliest = started_at
    for number, gap in enumerate(in_order):
        is_last = number == len(in_order) - 1
        if gap.until is None and not (is_last and ended_at is None):
            raise Invalid("Only the last gap of a recording that is under way may have no end.", field="gaps")
        if (gap.until is not None and gap.until <= gap.since) or (earliest is not None and gap.since < earliest):
            raise Invalid("Gaps end after they begin, do not overlap, and begin after the recording.", field="gaps")
        earliest = gap.until
    if ended_at is not None and earliest is not None and in_order and earliest > ended_at:
        raise Invalid("Gaps end before the recording does.", field="gaps")
    return in_order


def gaps_to_json(gaps: Iterable[Gap]) -> list[dict[str, str | None]]:
    """Write gaps as they are stored."""
    return [
        {"from": gap.since.isoformat(), "until": None if gap.until is None else gap.until.isoformat()} for gap in gaps
    ]


def gaps_from_json(stored: Iterable[Mapping[str, Any]]) -> list[Gap]:
    """Read gaps back."""
    return [
        Gap(
            since=datetime.fromisoformat(one["from"]),
            until=None if one["until"] is None else datetime.fromisoformat(one["until"]),
        )
        for one in stored
    ]
