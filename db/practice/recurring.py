"""What recurs and is not planned yet: told to whoever looks after the sessions of everybody."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlmodel import col, select

from db.errors import Invalid
from db.parameters import any_of
from db.practice.tables import Goal, Practice, SessionTemplate, SessionTemplateGoal
from db.practice.templates import days_of, known_days, today_of
from db.practice.vocabulary import GoalLevel
from db.session import Session

_AT_ONCE = 500
# However far a zone is from UTC, its day is no earlier than the one before.
_EARLIER = timedelta(days=1)


async def owners_to_plan(session: Session, *, days: int, now: datetime) -> list[UUID]:
    """Return whose templates recur on a day from today to so many later for which nothing was planned.

    Whoever has a zone that this machine does not know is among them: what their days are, nobody can tell.
    """
    found: dict[UUID, None] = {}
    last: UUID | None = None
    while True:
        templates = await session.rows(_templates(last))
        recurring = [one for one in templates if one.weekdays]
        found |= dict.fromkeys(await _owners(session, recurring, days, now))
        if len(templates) < _AT_ONCE:
            return list(found)
        last = templates[-1].id


async def _owners(session: Session, templates: Sequence[SessionTemplate], days: int, now: datetime) -> list[UUID]:
    if not templates:
        return []
    owners = any_of(col(Practice.owner_id), {one.owner_id for one in templates})
    zones = {one.owner_id: one.time_zone for one in await session.rows(select(Practice).where(owners))}
    known = await known_days(session, [one.id for one in templates], now.date() - _EARLIER)
    return [one.owner_id for one in templates if _has_days_left(one, zones, known, days, now)]


def _has_days_left(
    template: SessionTemplate, zones: Mapping[UUID, str], known: set[tuple[UUID, Any]], days: int, now: datetime
) -> bool:
    try:
        today = today_of(zones.get(template.owner_id, "UTC"), now)
    except Invalid:
        return True
    return any((template.id, day) not in known for day in days_of(template, today, today + timedelta(days=days)))


def _templates(after: UUID | None) -> Any:
    """Select templates whose sessions would be for a goal that is still there, some at once."""
    live = (
        select(col(SessionTemplateGoal.goal_id))
        .join(Goal, col(Goal.id) == col(SessionTemplateGoal.goal_id))
        .where(
            col(SessionTemplateGoal.template_id) == col(SessionTemplate.id),
            col(Goal.deleted_at).is_(None),
            col(Goal.level) == GoalLevel.SHORT_TERM,
        )
    )
    found = select(SessionTemplate).where(live.exists()).order_by(col(SessionTemplate.id)).limit(_AT_ONCE)
    return found if after is None else found.where(col(SessionTemplate.id) > after)
