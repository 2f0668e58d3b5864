"""What the demonstration practises: a tree of goals, evenings of practice behind it, and a session that is on."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from db.practice import operations, sessions, templates
from db.practice.tables import Goal
from db.practice.vocabulary import GoalLevel, Weekday
from db.session import Transaction

_LINE = (
    (GoalLevel.ULTIMATE, "Fight well, and for long"),
    (GoalLevel.LONG_TERM, "Stand on a podium of the Ringside Open"),
    (GoalLevel.MID_TERM, "Score to the head from either leg"),
)
_SHORT = ("A spinning hook kick that lands", "Legs that last three rounds")
# How many evenings ago it was, and for how many minutes.
_EVENINGS = ((1, 55), (2, 70), (3, 45), (6, 60), (7, 30), (9, 65))
_TASKS = ("Warm up", "Fifty kicks, each leg", "Three rounds with the bag")


async def set_up_practice(tx: Transaction, owner_id: UUID, now: datetime) -> Goal:
    """Fill what somebody practises; return the goal at the top of his tree."""
    line = [await _goal(tx, owner_id, *_LINE[0], None, now, days=900)]
    for level, name in _LINE[1:]:
        line.append(await _goal(tx, owner_id, level, name, line[-1].id, now, days=400))
    short = [await _goal(tx, owner_id, GoalLevel.SHORT_TERM, name, line[-1].id, now, days=30) for name in _SHORT]
    for days_ago, minutes in _EVENINGS:
        await _evening(tx, short[days_ago % 2 :], now - timedelta(days=days_ago), minutes, now)
    await _tonight(tx, short, now)
    return line[0]


async def _goal(
    tx: Transaction, owner_id: UUID, level: GoalLevel, name: str, parent_id: UUID | None, now: datetime, *, days: int
) -> Goal:
    return await operations.create_goal(
        tx,
        owner_id=owner_id,
        level=level,
        changes={
            "name": name,
            "deadline": (now + timedelta(days=days)).date(),
            "is_completed_with_children": level is not GoalLevel.SHORT_TERM,
        },
        parent_id=parent_id,
        viewer=None,
        now=now,
    )


async def _evening(tx: Transaction, goals: Sequence[Goal], start: datetime, minutes: int, now: datetime) -> None:
    done = await sessions.create_session(
        tx,
        owner_id=goals[0].owner_id,
        goal_ids=[goal.id for goal in goals],
        changes={"name": "Evening practice", "focus": 5 + minutes % 5, "tags": ["kicks"], "location": "The old gym"},
        times=(start, start + timedelta(minutes=minutes)),
        viewer=None,
        now=now,
    )
    await sessions.review_session(tx, done.id, {"went_well": "The legs held."}, viewer=None, now=now)


async def _tonight(tx: Transaction, goals: Sequence[Goal], now: datetime) -> None:
    """Plan what recurs, and start a session from it."""
    template = await templates.create_template(
        tx,
        owner_id=goals[0].owner_id,
        goal_ids=[goal.id for goal in goals],
        changes={
            "name": "Tonight",
            "planned_seconds": 3600,
            "goal_names": list(_TASKS),
            "weekdays": [Weekday.MONDAY, Weekday.WEDNESDAY, Weekday.FRIDAY],
            "minute_of_day": 18 * 60 + 30,
        },
        viewer=None,
        now=now,
    )
    session = await templates.use_template(tx, template.id, viewer=None, now=now)
    await sessions.start_session(tx, session.id, viewer=None, now=now)
