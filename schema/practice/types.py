"""The types of practice: goals with what stands above and below them, sessions, templates."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import strawberry

from db.access.queries import user_by_id
from db.practice import queries
from db.practice.paths import depth_of, ids_of
from db.social import queries as social
from schema.access.types import LazyEntry, User
from schema.connections import Connection
from schema.fields import Node, column, computed, connection, node, to_many, to_one, value
from schema.ids import encode_id
from schema.matches.arguments import NewestOrder
from schema.practice.arguments import (
    GoalDescendantFilter,
    GoalFilter,
    GoalOrder,
    GoalTreeOrder,
    OldestOrder,
    PracticeSessionFilter,
)
from schema.practice.vocabulary import GoalCompletionCause, GoalLevel, PracticeSessionState, Weekday
from schema.social.arguments import EntryFilter, TimeOrder

_MILLISECONDS = 1000
_MINUTES = 60


@value
class GoalTally:
    """Goals and sessions, counted."""

    goals: int = strawberry.field(description="How many goals.")
    completed: int = strawberry.field(description="How many of them are complete.")
    percent: int = strawberry.field(description="That in whole percent, rounded. 0 where there are none.")
    sessions: int = strawberry.field(
        description="How many sessions, planned ones too. One that is for several of the goals is counted once."
    )
    practised_seconds: int = strawberry.field(
        description="How long those were, pauses left out. A running clock counts up to where it last started."
    )


def _tally(goals: int, completed: int, sessions: int, practised_ms: int) -> GoalTally:
    percent = (200 * completed + goals) // (2 * goals) if goals else 0
    return GoalTally(
        goals=goals,
        completed=completed,
        percent=percent,
        sessions=sessions,
        practised_seconds=practised_ms // _MILLISECONDS,
    )


@strawberry.type(description="What a goal comes to.")
class GoalRollup:
    """What a goal comes to."""

    direct: GoalTally = computed(
        "The goals right under it, and the sessions that are for it alone or among others.",
        ("child_count", "completed_child_count", "session_count", "practised_ms"),
        _tally,
    )
    subtree: GoalTally = computed(
        "The goal itself and all under it, at any depth, also by way of sessions; and the sessions for any of them.",
        ("all_goal_count", "all_completed_count", "all_session_count", "all_practised_ms"),
        _tally,
    )


def _ids(path: str) -> list[strawberry.ID]:
    return [strawberry.ID(encode_id("goal", goal_id)) for goal_id in ids_of(path)]


@node("goal", queries.goal_by_id)
class Goal(Node):
    """Something to be reached: at the top of a tree, under another goal, or under a session."""

    level: GoalLevel = column("How far away it is.")
    name: str = column("What it is called.")
    description: str = column("What is said of it. Empty if nothing is.")
    deadline: date | None = column("The day by which it is to be reached. Null: there is none.")
    position: float = computed("Its place among its siblings: the lower comes first.", ("position",), float)
    is_completed_with_children: bool = column("Whether it completes once all goals under it are complete.")
    is_completed: bool = computed("Whether it is complete.", ("completed_at",), lambda at: at is not None)
    completed_at: datetime | None = column("When it was completed. Null while it is open.")
    completion_cause: GoalCompletionCause | None = column("How it came to be complete. Null while it is open.")
    depth: int = computed("How many goals stand above it. Right under a session: 0.", ("path",), depth_of)
    path: list[strawberry.ID] = computed(
        "The ids of the goals from the top of its tree, or from the session it is under, down to itself.",
        ("path",),
        _ids,
    )
    revision: int = column("Raised by one at every change of it: the higher is the newer.")
    created_at: datetime = column("When it was set.")
    changed_at: datetime = column("When it last changed.")
    deleted_at: datetime | None = column("When it was deleted. Null if it was not.")
    owner: User = to_one("Whose it is.", user_by_id, key="owner_id")
    completed_by: User | None = to_one(
        "Who completed it. Null while it is open, and where nobody did it by hand.", user_by_id, key="completed_by_id"
    )
    parent: Goal | None = to_one(
        "The goal it stands under. Null at the top, and right under a session.", queries.goal_by_id, key="parent_id"
    )
    session: PracticeSession | None = to_one(
        "The session it stands under. Null unless it stands right under one.",
        queries.session_by_id,
        key="session_id",
    )
    root: Goal | None = to_one(
        "The goal at the top of its path, itself if it stands there or right under a session. Null if that is deleted.",
        queries.goal_by_id,
        key="root_id",
    )
    within: PracticeSession | None = to_one(
        "The session that its path begins under. Null if it begins under none.",
        queries.session_by_id,
        key="within_session_id",
    )
    ancestors: list[Goal] = to_many("The goals above it, from the top of its path down.", queries.goals_above)
    children: Connection[Goal] = connection(
        "The goals right under it.", queries.goals_by_parent, order=GoalOrder, filter=GoalFilter
    )
    descendants: Connection[GoalDescendant] = connection(
        "All goals under it, at any depth, in one flat list; also those under sessions that are for any of them.",
        queries.goals_below,
        order=GoalTreeOrder,
        filter=GoalDescendantFilter,
    )
    sessions: Connection[PracticeSession] = connection(
        "The sessions that are for it.", queries.sessions_for_goal, order=NewestOrder, filter=PracticeSessionFilter
    )
    subtree_sessions: Connection[PracticeSession] = connection(
        "The sessions that are for it or for any goal under it, each once.",
        queries.sessions_below,
        order=NewestOrder,
        filter=PracticeSessionFilter,
    )
    rollup: GoalRollup | None = to_one(
        "What it comes to, counted now. Null if it is deleted.", queries.tally_by_goal, key="id"
    )
    entries: Connection[LazyEntry] = connection(
        "What was written about it, as far as it is for you.",
        social.entries_by_subject,
        order=TimeOrder,
        filter=EntryFilter,
    )


@strawberry.type(description="A goal under another, and how it gets there.")
class GoalDescendant:
    """A goal under another, and how it gets there."""

    depth: int = column("How many steps down it stands: 1 is right under the goal, or under a session of it.")
    path: list[strawberry.ID] = computed(
        "The ids of the goals on the way down, itself at the end. A session on the way is `goal.within`; of one that "
        "is for several goals, the first way in the order of the tree.",
        ("line",),
        _ids,
    )
    goal: Goal | None = to_one(
        "The goal. Null if it was deleted while this was answered.", queries.goal_by_id, key="goal_id"
    )


@value
class PracticeTimer:
    """A session's clock. It is no change that it runs: count on from `asOf` while `state` is RUNNING."""

    state: PracticeSessionState = strawberry.field(description="Whether it runs.")
    elapsed_ms: float = strawberry.field(description="What it had counted at `asOf`, pauses left out.")
    as_of: datetime = strawberry.field(description="When that was.")


def _timer(
    state: PracticeSessionState, practised_ms: int, running_since: datetime | None, changed_at: datetime
) -> PracticeTimer:
    return PracticeTimer(state=state, elapsed_ms=float(practised_ms), as_of=running_since or changed_at)


@node("practicesession", queries.session_by_id)
class PracticeSession(Node):
    """A time of practice, planned or done."""

    name: str = column("What it is called.")
    description: str = column("What is said of it. Empty if nothing is.")
    state: PracticeSessionState = column("Where it stands.")
    is_completed: bool = computed(
        "Whether it is finished.", ("state",), lambda state: state is PracticeSessionState.FINISHED
    )
    planned_at: datetime | None = column("When it is to start. Null: that was not said.")
    planned_seconds: int | None = column("How long it is to be. Null: that was not said.")
    started_at: datetime | None = column("When it started. Null before, and for one that was done without a time.")
    ended_at: datetime | None = column("When it ended. Null before, and for one that was done without a time.")
    practised_seconds: int = computed(
        "How long it was, pauses left out. A running clock counts up to where it last started: see `timer`.",
        ("practised_ms",),
        lambda practised_ms: practised_ms // _MILLISECONDS,
    )
    timer: PracticeTimer = computed("Its clock.", ("state", "practised_ms", "running_since", "changed_at"), _timer)
    focus: int | None = column("How well its owner kept to it, 1 to 10. Null: that was not said.")
    energy: int | None = column("How much strength there was, 1 to 10. Null: that was not said.")
    productivity: int | None = column("What came of it, 1 to 10. Null: that was not said.")
    notes: str = column("What its owner noted. Empty if nothing.")
    tags: list[str] = computed("Words to find it by, in lower case, sorted.", ("tags",), list)
    location: str = column("Where it is. Empty if that was not said.")
    interruption_count: int = column("How often it was interrupted.")
    occurs_on: date | None = column("The day of a recurring one. Null for others.")
    revision: int = column("Raised by one at every change of it: the higher is the newer.")
    created_at: datetime = column("When it was planned or noted down.")
    changed_at: datetime = column("When it last changed.")
    deleted_at: datetime | None = column("When it was deleted. Null if it was not.")
    owner: User = to_one("Whose it is.", user_by_id, key="owner_id")
    goals: list[Goal] = to_many("The short-term goals it is for, at most 10.", queries.goals_for_session)
    immediate_goals: Connection[Goal] = connection(
        "The goals right under it.", queries.goals_by_session, order=GoalOrder, filter=GoalFilter
    )
    pauses: Connection[PracticePause] = connection(
        "The times in which nobody practised.", queries.pauses_by_session, order=OldestOrder
    )
    review: PracticeReview | None = to_one(
        "What its owner makes of it. Null if nothing was written.", queries.review_by_session, key="id"
    )
    template: SessionTemplate | None = to_one(
        "The template it was made from. Null if it was made from none, or that is gone.",
        queries.template_by_id,
        key="template_id",
    )
    entries: Connection[LazyEntry] = connection(
        "What was written about it, as far as it is for you.",
        social.entries_by_subject,
        order=TimeOrder,
        filter=EntryFilter,
    )


@strawberry.type(description="A time in a session in which nobody practised.")
class PracticePause:
    """A time in a session in which nobody practised."""

    started_at: datetime = column("When it began.")
    ended_at: datetime | None = column("When it ended. Null while it lasts.")


@strawberry.type(description="What its owner makes of a session afterwards.")
class PracticeReview:
    """What its owner makes of a session afterwards."""

    went_well: str = column("What went well. Empty if nothing was said.")
    went_badly: str = column("What did not. Empty if nothing was said.")
    next_time: str = column("What to do next time. Empty if nothing was said.")
    created_at: datetime = column("When it was first written.")
    changed_at: datetime = column("When it was last changed.")


def _weekdays(names: list[Any]) -> list[Weekday]:
    return [Weekday(name) for name in names]


@node("sessiontemplate", queries.template_by_id)
class SessionTemplate(Node):
    """What sessions are made from, again and again."""

    name: str = column("What it is called, and its sessions after it. No two of an owner share a name.")
    description: str = column("What is said of its sessions. Empty if nothing is.")
    planned_seconds: int | None = column("How long its sessions are to be. Null: that was not said.")
    location: str = column("Where they are. Empty if that was not said.")
    tags: list[str] = computed("Words to find them by.", ("tags",), list)
    goal_names: list[str] = computed("The immediate goals that each of them begins with.", ("goal_names",), list)
    weekdays: list[Weekday] = computed("The days on which it recurs. Empty: it does not.", ("weekdays",), _weekdays)
    time_of_day: str = computed(
        "When its sessions start on those, by its owner's clocks, such as `18:30`.",
        ("minute_of_day",),
        lambda minute: f"{minute // _MINUTES:02}:{minute % _MINUTES:02}",
    )
    starts_on: date | None = column("The first day it may recur on. Null: any.")
    ends_on: date | None = column("The last day it may recur on. Null: it goes on for ever.")
    created_at: datetime = column("When it was made.")
    changed_at: datetime = column("When it last changed.")
    owner: User = to_one("Whose it is.", user_by_id, key="owner_id")
    goals: list[Goal] = to_many("The short-term goals its sessions are for.", queries.goals_for_template)
    sessions: Connection[PracticeSession] = connection(
        "The sessions that were made from it.",
        queries.sessions_of_template,
        order=NewestOrder,
        filter=PracticeSessionFilter,
    )
