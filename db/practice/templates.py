"""Templates: sessions that are made from them, by hand or as they recur, and whose days those are."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, cast
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import delete, insert, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlmodel import col, select

from db.access.viewer import Viewer
from db.errors import Conflict, Forbidden, Invalid
from db.ids import new_id
from db.parameters import any_of
from db.practice.events import PracticeSessionChanged
from db.practice.operations import LONGEST_NAME, goal_columns
from db.practice.sessions import (
    MOST_IMMEDIATE_GOALS,
    NEW_SESSION,
    insert_session,
    session_columns,
    set_goals,
    short_term_goals,
)
from db.practice.tables import (
    Goal,
    Practice,
    PracticeSession,
    PracticeSessionGoal,
    SessionTemplate,
    SessionTemplateGoal,
)
from db.practice.vocabulary import Weekday
from db.practice.writing import held_template, hold_practice, may_change, touch_session
from db.session import Session, Transaction
from db.zones import time_zone

MOST_DAYS_AHEAD = 92
_MINUTES_OF_DAY = 24 * 60
_WEEKDAYS = tuple(Weekday)
# What a template says in the words of a session.
_OF_SESSION = ("name", "description", "planned_seconds", "location", "tags")
# A template as it is where nothing else is said.
NEW_TEMPLATE: dict[str, Any] = {
    **{name: NEW_SESSION[name] for name in _OF_SESSION},
    "goal_names": [],
    "weekdays": [],
    "minute_of_day": 0,
    "starts_on": None,
    "ends_on": None,
}


async def create_template(
    tx: Transaction,
    *,
    owner_id: UUID,
    goal_ids: Sequence[UUID],
    changes: Mapping[str, Any],
    viewer: Viewer | None,
    now: datetime,
) -> SessionTemplate:
    """Make a template of sessions for short-term goals. `changes` say what differs from `NEW_TEMPLATE`.

    Raises `Invalid`, `NotFound`, `Forbidden`, and `Conflict` for a name that is taken.
    """
    if not may_change(viewer, owner_id):
        raise Forbidden("These templates belong to somebody else.")
    columns = template_columns({**NEW_TEMPLATE, **changes})
    await hold_practice(tx, owner_id)
    values = {"id": new_id(), "owner_id": owner_id, **columns, "created_at": now, "changed_at": now}
    made = upsert(SessionTemplate).values(**values).on_conflict_do_nothing(index_elements=["owner_id", "name"])
    template = await tx.row(made.returning(SessionTemplate))
    if template is None:
        raise _taken()
    await _link(tx, template, goal_ids)
    return template


async def update_template(
    tx: Transaction,
    template_id: UUID,
    changes: Mapping[str, Any],
    *,
    goal_ids: Sequence[UUID] | None = None,
    viewer: Viewer | None,
    now: datetime,
) -> SessionTemplate:
    """Change some of a template; sessions that were made from it stay as they are.

    Raises `Invalid`, `NotFound`, and `Conflict` for a name that is taken.
    """
    columns = template_columns(changes)
    template = await held_template(tx, template_id, viewer)
    same = select(SessionTemplate).where(
        col(SessionTemplate.owner_id) == template.owner_id,
        col(SessionTemplate.name) == columns.get("name", ""),
        col(SessionTemplate.id) != template_id,
    )
    if await tx.row(same) is not None:
        raise _taken()
    if goal_ids is not None:
        await tx.execute(delete(SessionTemplateGoal).where(col(SessionTemplateGoal.template_id) == template_id))
        await _link(tx, template, goal_ids)
    changed = update(SessionTemplate).where(col(SessionTemplate.id) == template_id)
    after = changed.values(**columns, changed_at=now).returning(SessionTemplate)
    return cast("SessionTemplate", await tx.row(after))


async def delete_template(
    tx: Transaction,
    template_id: UUID,
    *,
    viewer: Viewer | None,
    now: datetime,  # noqa: ARG001 -- every change is told the time
) -> SessionTemplate:
    """Remove a template; its sessions stay. Returns it as it was. Raises `NotFound`."""
    template = await held_template(tx, template_id, viewer)
    await tx.execute(delete(SessionTemplate).where(col(SessionTemplate.id) == template_id))
    return template


async def use_template(tx: Transaction, template_id: UUID, *, viewer: Viewer | None, now: datetime) -> PracticeSession:
    """Make a planned session from a template. Raises `NotFound`, `Conflict` if all its goals are gone."""
    template = await held_template(tx, template_id, viewer)
    goals = await _goals_of(tx, template)
    if not goals:
        raise Conflict("None of the goals that its sessions are for is left: name others.", field="id")
    return await _made(tx, template, goals, {}, now)


async def plan_recurring(
    tx: Transaction, *, owner_id: UUID, until: date, viewer: Viewer | None, now: datetime
) -> list[PracticeSession]:
    """Plan the sessions that recur from today to a day, as far as they are not planned yet; return those.

    One that was planned and deleted does not come again. Raises `Invalid` and `Forbidden`.
    """
    if not may_change(viewer, owner_id):
        raise Forbidden("These sessions belong to somebody else.")
    practice = await hold_practice(tx, owner_id)
    today = today_of(practice.time_zone, now)
    if not today <= until <= today + timedelta(days=MOST_DAYS_AHEAD):
        raise Invalid(f"Plan from today, {today}, to {MOST_DAYS_AHEAD} days ahead.", field="until")
    return await _planned(tx, practice, today, until, now)


async def plan_ahead(tx: Transaction, *, owner_id: UUID, days: int, now: datetime) -> list[PracticeSession]:
    """Plan the sessions that recur from today to so many days later, as `plan_recurring` does.

    Raises `Invalid` for a zone that this machine does not know.
    """
    practice = await hold_practice(tx, owner_id)
    today = today_of(practice.time_zone, now)
    return await _planned(tx, practice, today, today + timedelta(days=days), now)


def today_of(zone: str, now: datetime) -> date:
    """Return which day it is by the clocks of a zone. Raises `Invalid` for one that nobody knows."""
    return now.astimezone(time_zone(zone)).date()


def days_of(template: SessionTemplate, first: date, last: date) -> Iterator[date]:
    """Return the days between two on which a template recurs. Pure."""
    first = max(first, template.starts_on or first)
    last = min(last, template.ends_on or last)
    for number in range((last - first).days + 1):
        day = first + timedelta(days=number)
        if _WEEKDAYS[day.weekday()] in template.weekdays:
            yield day


def instant_of(day: date, minute: int, zone: ZoneInfo) -> datetime:
    """Return the instant of a minute of a day by the clocks of a zone. Pure.

    Where a clock is set forward over it, it is as long after midnight as it would have been.
    """
    return datetime.combine(day, time(minute // 60, minute % 60), zone).astimezone(UTC)


async def set_time_zone(
    tx: Transaction,
    *,
    owner_id: UUID,
    name: str,
    viewer: Viewer | None,
    now: datetime,  # noqa: ARG001 -- as above
) -> Practice:
    """Say in which zone somebody's days begin. Raises `Invalid` and `Forbidden`."""
    if not may_change(viewer, owner_id):
        raise Forbidden("These sessions belong to somebody else.")
    zone = time_zone(name)
    await hold_practice(tx, owner_id)
    changed = update(Practice).where(col(Practice.owner_id) == owner_id).values(time_zone=zone.key)
    return cast("Practice", await tx.row(changed.returning(Practice)))


async def zone_of(session: Session, owner_id: UUID) -> ZoneInfo:
    """Return the zone in which somebody's days begin: UTC where he never said."""
    practice = await session.row(select(Practice).where(col(Practice.owner_id) == owner_id))
    return time_zone("UTC" if practice is None else practice.time_zone)


def template_columns(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return what changes of a template come to. Raises `Invalid`."""
    columns = session_columns({name: changes[name] for name in _OF_SESSION if name in changes})
    if "goal_names" in changes:
        columns["goal_names"] = _goal_names(changes["goal_names"] or [])
    if "weekdays" in changes:
        named = set(changes["weekdays"] or ())
        columns["weekdays"] = [day.value for day in _WEEKDAYS if day in named]
    if "minute_of_day" in changes:
        columns["minute_of_day"] = changes["minute_of_day"] or 0
        if not 0 <= columns["minute_of_day"] < _MINUTES_OF_DAY:
            raise Invalid("A day has the minutes 0 to 1439.", field="minute_of_day")
    for field in ("starts_on", "ends_on"):
        if field in changes:
            columns[field] = changes[field]
    return columns


def _goal_names(names: Sequence[str]) -> list[str]:
    named = [goal_columns({"name": name})["name"] for name in names if name.strip()]
    if len(named) > MOST_IMMEDIATE_GOALS:
        raise Invalid(f"A session begins with {MOST_IMMEDIATE_GOALS} goals at most.", field="goal_names")
    return named


async def _link(tx: Transaction, template: SessionTemplate, goal_ids: Sequence[UUID]) -> None:
    goals = await short_term_goals(tx, template.owner_id, goal_ids)
    links = [{"template_id": template.id, "goal_id": goal.id} for goal in goals]
    await tx.execute_many(insert(SessionTemplateGoal), links)


async def _planned(
    tx: Transaction, practice: Practice, first: date, last: date, now: datetime
) -> list[PracticeSession]:
    """Plan what recurs between two days, as far as it was not planned before. The practice is held."""
    own = select(SessionTemplate).where(col(SessionTemplate.owner_id) == practice.owner_id)
    planned: list[PracticeSession] = []
    for template in await tx.rows(own.order_by(col(SessionTemplate.name))):
        days = list(days_of(template, first, last))
        goals = await _goals_of(tx, template) if days else []
        known = await known_days(tx, [template.id], first) if goals else set()
        for day in days if goals else ():
            if (template.id, day) not in known:
                when = instant_of(day, template.minute_of_day, time_zone(practice.time_zone))
                planned.append(await _made(tx, template, goals, {"occurs_on": day, "planned_at": when}, now))
    return planned


async def known_days(session: Session, template_ids: Sequence[UUID], first: date) -> set[tuple[UUID, date]]:
    """Return for which days from a first on sessions of templates were planned, those that were deleted included."""
    columns = col(PracticeSession.template_id), col(PracticeSession.occurs_on)
    known = select(*columns).where(any_of(columns[0], template_ids), columns[1] >= first)
    return {(template_id, day) for template_id, day in await session.tuples(known)}


async def _goals_of(tx: Transaction, template: SessionTemplate) -> list[Goal]:
    """Return the goals of a template that sessions may still be for."""
    linked = select(col(SessionTemplateGoal.goal_id)).where(col(SessionTemplateGoal.template_id) == template.id)
    live = col(Goal.id).in_(linked), col(Goal.deleted_at).is_(None), col(Goal.level) == "SHORT_TERM"
    return await tx.rows(select(Goal).where(*live).order_by(col(Goal.path)))


async def _made(
    tx: Transaction, template: SessionTemplate, goals: Sequence[Goal], when: Mapping[str, Any], now: datetime
) -> PracticeSession:
    said = {name: getattr(template, name) for name in _OF_SESSION}
    columns = {**session_columns({**NEW_SESSION, **said}), **when, "template_id": template.id}
    session = await insert_session(tx, template.owner_id, columns, now)
    links = [{"session_id": session.id, "goal_id": goal.id} for goal in goals]
    await tx.execute_many(insert(PracticeSessionGoal), links)
    await set_goals(tx, session, template.goal_names, now)
    tx.record(PracticeSessionChanged(session=session))
    await touch_session(tx, session.id)
    return session


def _taken() -> Conflict:
    return Conflict(f"You have a template of this name. A name has 1 to {LONGEST_NAME} characters.", field="name")
