"""Goals and sessions to ask about and to change, and what a tree comes to, counted one by one."""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlmodel import col, select

from db.access import operations as access
from db.access.tables import User
from db.access.viewer import Role, Viewer
from db.database import Database
from db.ids import new_id
from db.practice import operations, sessions, templates
from db.practice.tables import Goal, PracticeSession, PracticeSessionGoal, SessionTemplate
from db.practice.vocabulary import GoalLevel, Weekday
from db.session import Transaction
from schema.ids import encode_id
from tests.support.graph import Graph

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
LEVELS = tuple(GoalLevel)


async def make_user(db: Database, *, role: Role = Role.MEMBER) -> User:
    async with db.transaction() as tx:
        return await access.create_user(tx, name=f"User {new_id().hex[-12:]}", role=role, now=NOW)


def viewer_of(user: User, role: Role | None = None) -> Viewer:
    return Viewer(user_id=user.id, token_id=new_id(), role=role or user.role)


async def make_goal(
    db: Database,
    owner_id: UUID,
    level: GoalLevel = GoalLevel.ULTIMATE,
    *,
    under: Goal | PracticeSession | None = None,
    now: datetime = NOW,
    **changes: Any,
) -> Goal:
    is_session = under is not None and not hasattr(under, "level")
    async with db.transaction() as tx:
        return await operations.create_goal(
            tx,
            owner_id=owner_id,
            level=level,
            changes={"name": level.title(), **changes},
            parent_id=None if under is None or is_session else under.id,
            session_id=under.id if under is not None and is_session else None,
            viewer=None,
            now=now,
        )


async def make_line(db: Database, owner_id: UUID, *levels: GoalLevel, **changes: Any) -> list[Goal]:
    """Goals of some levels, each under the one before."""
    made: list[Goal] = []
    for level in levels:
        made.append(await make_goal(db, owner_id, level, under=made[-1] if made else None, **changes))
    return made


async def make_session(
    db: Database, *goals: Goal, goal_names: Sequence[str] = (), now: datetime = NOW, **changes: Any
) -> PracticeSession:
    """A planned session for some short-term goals."""
    async with db.transaction() as tx:
        return await sessions.create_session(
            tx,
            owner_id=goals[0].owner_id,
            goal_ids=[goal.id for goal in goals],
            goal_names=goal_names,
            changes={"name": "Practice", **changes},
            viewer=None,
            now=now,
        )


async def make_template(db: Database, *goals: Goal, now: datetime = NOW, **changes: Any) -> SessionTemplate:
    """A template of sessions for some short-term goals."""
    async with db.transaction() as tx:
        return await templates.create_template(
            tx,
            owner_id=goals[0].owner_id,
            goal_ids=[goal.id for goal in goals],
            changes={"name": "Evenings", **changes},
            viewer=None,
            now=now,
        )


async def all_goals(db: Database) -> dict[UUID, Goal]:
    async with db.read() as session:
        return {goal.id: goal for goal in await session.rows(select(Goal))}


async def links(db: Database) -> set[tuple[UUID, UUID]]:
    """Pairs of a session that is not deleted and a goal it is for."""
    async with db.read() as session:
        live = {one.id for one in await session.rows(select(PracticeSession)) if one.deleted_at is None}
        return {
            (one.session_id, one.goal_id)
            for one in await session.rows(select(PracticeSessionGoal))
            if one.session_id in live
        }


def counted_below(goals: Iterable[Goal], linked: set[tuple[UUID, UUID]], top: UUID) -> tuple[set[UUID], set[UUID]]:
    """The goals and the sessions of a subtree, found by going down from parent to child."""
    live = [goal for goal in goals if goal.deleted_at is None]
    found: set[UUID] = {top}
    tried: set[UUID] = set()
    size = (0, 0)
    while size != (len(found), len(tried)):
        size = (len(found), len(tried))
        tried |= {session_id for session_id, goal_id in linked if goal_id in found}
        found |= {goal.id for goal in live if goal.parent_id in found or goal.session_id in tried}
    return found, tried


async def fill(db: Database, owner_id: UUID, other_id: UUID) -> list[Goal]:
    """Trees of two people, with sessions in every state, goals under them, and things that were deleted."""
    ultimate, long, mid, short, low = await make_line(db, owner_id, *LEVELS[:5], deadline=date(2026, 12, 31))
    skipped = await make_goal(db, owner_id, LEVELS[3], under=ultimate, name="Zürich — 서울 🥋")
    await make_goal(db, owner_id, LEVELS[6], under=low, is_completed_with_children=True)
    alone = await make_goal(db, owner_id, LEVELS[3], deadline=date(2026, 11, 1))
    theirs = await make_goal(db, other_id, LEVELS[3], name="Theirs")
    shared = await make_session(db, short, skipped, alone, goal_names=["First", "Second", ""], tags=["Kick", "a"])
    running = await make_session(db, short, goal_names=["Open"], planned_seconds=60, now=NOW + timedelta(seconds=1))
    await make_session(db, theirs, goal_names=["Theirs, too"])
    done = (await all_goals(db)).values()
    first = next(goal for goal in done if goal.name == "First")
    await make_goal(db, owner_id, LEVELS[5], under=first, name="Under the first")
    gone = await make_session(db, skipped, goal_names=["Gone"])
    async with db.transaction() as tx:
        asked: dict[str, Any] = {"viewer": None, "now": NOW + timedelta(minutes=1)}
        await operations.complete_goal(tx, first.id, **asked)
        await sessions.start_session(tx, shared.id, **asked)
        await sessions.pause_session(tx, shared.id, viewer=None, now=NOW + timedelta(minutes=2))
        await sessions.start_session(tx, running.id, **asked)
        template = await templates.create_template(
            tx,
            owner_id=owner_id,
            goal_ids=[short.id, skipped.id],
            changes={
                "name": "Evenings",
                "goal_names": ["Warm up"],
                "weekdays": list(Weekday)[:5],
                "minute_of_day": 1110,
            },
            **asked,
        )
        await templates.use_template(tx, template.id, **asked)
        await templates.plan_recurring(tx, owner_id=owner_id, until=NOW.date() + timedelta(days=3), **asked)
        await sessions.review_session(tx, shared.id, {"went_well": "Much"}, **asked)
        await sessions.delete_session(tx, gone.id, **asked)
        await operations.delete_goal(tx, mid.id, **asked)
        await operations.restore_goal(tx, mid.id, **asked)
        await operations.delete_goal(tx, (await all_deletable(tx)).id, **asked)
    return [ultimate, long, mid, short, skipped, alone, theirs]


async def all_deletable(tx: Transaction) -> Goal:
    """Some goal that stands under a session."""
    found = await tx.row(select(Goal).where(col(Goal.name) == "Second"))
    assert found is not None
    return found


async def practice_variables(graph: Graph, owner: User) -> dict[str, dict[str, Any]]:
    """What the examples of practice are asked with, by their names: each mutation has things of its own."""
    db = graph.db
    top, mid, short = await make_line(db, owner.id, LEVELS[0], LEVELS[2], LEVELS[3])
    other, done, gone, lost = [await make_goal(db, owner.id, LEVELS[3], under=mid, name=name) for name in "abcd"]
    convertible = await make_goal(db, owner.id, LEVELS[1], under=top)
    planned = [await make_session(db, short, other, goal_names=["Kick"]) for _ in range(6)]
    async with db.transaction() as tx:
        asked: dict[str, Any] = {"viewer": None, "now": graph.clock.now()}
        await operations.complete_goal(tx, done.id, **asked)
        await operations.delete_goal(tx, gone.id, **asked)
        await sessions.delete_session(tx, planned[5].id, **asked)
        await sessions.start_session(tx, planned[2].id, **asked)
        await sessions.pause_session(tx, planned[2].id, **asked)
        await sessions.start_session(tx, planned[1].id, **asked)
    templates_made = [await make_template(db, short, name=name) for name in ("Evenings", "Mornings")]
    evenings, mornings = [encode_id("sessiontemplate", one.id) for one in templates_made]
    # One runs already.
    theirs = await make_session(db, await make_goal(db, (await make_user(db)).id, LEVELS[3]))
    goals = {
        name: encode_id("goal", goal.id)
        for name, goal in zip("tmsodgl", (top, mid, short, other, done, gone, lost), strict=True)
    }
    first, running, waiting, *others = [encode_id("practicesession", one.id) for one in planned]
    of_top, of_short = {"id": goals["t"]}, {"id": goals["s"]}
    over = {"startedAt": "2020-01-01T10:00:00Z", "endedAt": "2020-01-01T11:00:00Z"}
    return {
        "ChangePracticeGoal": {**of_top, "name": "Play well", "deadline": "2030-12-31"},
        "ChangeTemplate": {"id": evenings, "timeOfDay": "19:15"},
        "CompleteGoal": of_short,
        "ConvertGoal": {"id": encode_id("goal", convertible.id)},
        "DeletePracticeGoal": {"id": goals["l"]},
        "DeleteSession": {"id": others[0]},
        "DeleteTemplate": {"id": mornings},
        "FinishSession": {"id": others[1]},
        "ImportGoals": {"document": "[]"},
        "ImmediateGoalsOfSession": {"id": first},
        "InterruptSession": {"id": first},
        "LogSession": {"goalIds": [goals["s"]], **over},
        "MakeTemplate": {"goalIds": [goals["s"]], "input": {"name": "Weekdays", "weekdays": ["MONDAY"]}},
        "MoveGoalBehind": {"id": goals["o"], "afterId": goals["s"]},
        "NoteSession": {"id": first, "notes": "Slept badly"},
        "OpenGoalsDue": {**of_top, "day": "2030-12-31"},
        "PauseSession": {"id": running},
        "PlanWeek": {"until": "2026-11-28"},
        "PlanSession": {"goalIds": [goals["s"], goals["o"]], "name": "Monday", "goalNames": ["Kick", "Block"]},
        "PracticeByWeek": {"firstOn": "2026-01-01", "lastOn": "2026-12-31"},
        "ReopenGoal": {"id": goals["d"]},
        "RestoreGoal": {"id": goals["g"]},
        "RestoreSession": {"id": others[2]},
        "ResumeSession": {"id": waiting},
        "ReviewSession": {"id": first, "wentWell": "Kicks", "nextTime": "Sleep"},
        "SayWhatSessionIsFor": {"id": first, "goalIds": [goals["s"]]},
        "SessionInFull": {"id": first},
        "SessionsForGoal": of_short,
        "SetGoalAtTop": {"name": "Play well"},
        "SetGoalUnder": {"parentId": goals["s"], "name": "Twenty kicks"},
        "SetMyTimeZone": {"timeZone": "Asia/Seoul"},
        "StartSession": {"id": encode_id("practicesession", theirs.id)},
        "TreeOfGoal": of_top,
        "UseTemplate": {"id": evenings},
        "WatchGoal": of_short,
        "WatchSession": {"id": first},
        "WatchTree": {"rootId": goals["t"]},
        "WhereGoalStands": of_short,
    }
