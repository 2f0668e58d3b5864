"""What stands above and below a goal, as statements: each reads whole subtrees at once, however deep they are.

Below a goal stand the goals whose paths go on from its own, and those under sessions that were practised for any of
them. A session that is for several goals is found once, and what stands under it, too.
"""

from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import CTE, BigInteger, Date, Integer, Subquery, case, func, select, union_all
from sqlalchemy.orm import aliased
from sqlmodel import Field, col

from db.access.viewer import ViewerKind
from db.base import enum_type
from db.batches import Chosen
from db.derived import Derived, of_keys
from db.practice.paths import END, LABEL
from db.practice.tables import Goal, PracticeSession, PracticeSessionGoal, SessionTemplateGoal
from db.practice.visibility import visible_goals, visible_sessions, visible_under_own
from db.practice.vocabulary import RANKS, GoalLevel


class GoalDescendant(Derived, table=True):
    """A goal under another, `top_id`, and how it gets there."""

    __tablename__ = "goal_descendants"

    top_id: UUID = Field(primary_key=True)
    goal_id: UUID = Field(primary_key=True)
    # The path from the goal asked about, which is not part of it.
    line: str
    depth: int
    level: GoalLevel = Field(sa_type=enum_type(GoalLevel))
    is_completed: bool
    deadline: date | None = Field(default=None, sa_type=Date)


class GoalTally(Derived, table=True):
    """What stands under a goal, counted: directly, and at any depth with the goal itself."""

    __tablename__ = "goal_tallies"

    id: UUID = Field(primary_key=True)
    child_count: int
    completed_child_count: int
    session_count: int
    practised_ms: int = Field(sa_type=BigInteger)
    all_goal_count: int
    all_completed_count: int
    all_session_count: int
    all_practised_ms: int = Field(sa_type=BigInteger)


def is_under(path: Any, top: Any) -> Any:
    """Say that a path is that of a goal, `top`, or of something under it."""
    return (path >= top) & (path < top + END)


def is_below(path: Any, top: Any) -> Any:
    """Say the same of two columns, as each row of some has a range of its own.

    PostgreSQL takes each comparison of two columns for a third of all rows, and then rather reads the whole table than
    the index of paths, also for a subtree of ten. What it is told twice it takes for less.
    """
    return is_under(path, top) & (path >= top + "") & (path <= top + END)


def goals_of(owner_id: UUID) -> Any:
    """Select all goals of somebody, by way of those that paths begin with: no index holds all of an owner's."""
    top: Any = aliased(Goal)
    of_owner = (top.owner_id == owner_id) & top.parent_id.is_(None)
    return select(Goal).join(top, of_owner & is_below(col(Goal.path), top.path))


def links_of(owner_id: UUID) -> Any:
    """Select which sessions of somebody are for which goals."""
    own = select(col(PracticeSession.id)).where(col(PracticeSession.owner_id) == owner_id)
    return select(PracticeSessionGoal).where(col(PracticeSessionGoal.session_id).in_(own))


def ancestors(kind: ViewerKind) -> Chosen:
    """Select the goals above each of `keys`, as those above `below_id`."""
    below: Any = aliased(Goal)
    # The path of each is one of the beginnings of the path below it; there cannot be more of them than levels.
    beginnings = [func.substr(below.path, 1, LABEL * length) for length in range(1, len(RANKS))]
    above = select(Goal, below.id.label("below_id")).join(below, col(Goal.path).in_(beginnings))
    return above.where(of_keys(below.id), col(Goal.path) < below.path, visible_goals(kind))


def goals_of_session(kind: ViewerKind) -> Chosen:
    """Select the goals that each session of `keys` is for, as those of `for_session_id`."""
    link = PracticeSessionGoal
    return _linked(Goal, link, link.goal_id, link.session_id, "for_session_id").where(visible_goals(kind))


def goals_of_template(kind: ViewerKind) -> Chosen:
    """Select the goals that the sessions of each template of `keys` are for, as those of `for_template_id`."""
    link = SessionTemplateGoal
    return _linked(Goal, link, link.goal_id, link.template_id, "for_template_id").where(visible_goals(kind))


def sessions_of_goal(kind: ViewerKind) -> Chosen:
    """Select the sessions that are for each goal of `keys`, as those of `for_goal_id`."""
    link = PracticeSessionGoal
    return _linked(PracticeSession, link, link.session_id, link.goal_id, "for_goal_id").where(visible_sessions(kind))


def sessions_of_subtree(kind: ViewerKind) -> Chosen:
    """Select the sessions that are for a goal of `keys` or for any under it, each once, as those of `top_id`."""
    tried = _tried(_tops(kind))
    found = select(PracticeSession, tried.c.top_id).join(tried, tried.c.session_id == col(PracticeSession.id))
    return found.where(visible_sessions(kind))


def descendants(kind: ViewerKind) -> Chosen:
    """Select what stands under each goal of `keys`, at any depth."""
    tops = _tops(kind)
    short: Any = aliased(Goal)
    link: Any = aliased(PracticeSessionGoal)
    rest = func.length(tops.c.path) + 1
    under = select(tops.c.id.label("top_id"), *_shown(), func.substr(Goal.path, rest).label("line")).where(
        is_below(col(Goal.path), tops.c.path), col(Goal.path) > tops.c.path, visible_under_own(kind)
    )
    # By way of a session. Where it is for several goals, it is shown under the first of them.
    practised = (
        select(
            tops.c.id.label("top_id"),
            *_shown(),
            func.min(func.substr(short.path + col(Goal.path), rest)).label("line"),
        )
        .join_from(tops, short, is_below(short.path, tops.c.path) & short.deleted_at.is_(None))
        .join(link, _for(link, short))
        .join(PracticeSession, (col(PracticeSession.id) == link.session_id) & _is_there(PracticeSession))
        .join(Goal, col(Goal.within_session_id) == link.session_id)
        .where(visible_under_own(kind))
        .group_by(tops.c.id, *_grouped())
    )
    found = union_all(under, practised).subquery("lines")
    return select(
        found.c.top_id,
        found.c.goal_id,
        found.c.line,
        (func.length(found.c.line, type_=Integer()) // LABEL).label("depth"),
        found.c.level,
        found.c.is_completed,
        found.c.deadline,
    )


def tallies(kind: ViewerKind) -> Chosen:
    """Select what stands under each goal of `keys`, counted."""
    tops = _tops(kind)
    tried = _tried(tops)
    goals, tries = _goals_counted(tops, tried), _tries_counted(tried)
    child: Any = aliased(Goal)
    children = (child.parent_id == tops.c.id) & child.deleted_at.is_(None)
    return (
        select(
            tops.c.id,
            select(func.count()).select_from(child).where(children).scalar_subquery().label("child_count"),
            select(func.count(child.completed_at)).where(children).scalar_subquery().label("completed_child_count"),
            goals.c.all_goal_count,
            goals.c.all_completed_count,
            *(func.coalesce(tries.c[name], 0).label(name) for name in _TRIED),
        )
        .join_from(tops, goals, goals.c.top_id == tops.c.id)
        .outerjoin(tries, tries.c.top_id == tops.c.id)
    )


def _linked(model: Any, link: Any, linked_id: Any, by: Any, name: str) -> Chosen:
    """Select rows by way of a table of links, each with the key it is found by."""
    found: Chosen = select(model, col(by).label(name)).join_from(model, link, linked_id == model.id)
    return found.where(of_keys(col(by)))


def _tops(kind: ViewerKind) -> CTE:
    return select(col(Goal.id), col(Goal.path)).where(of_keys(col(Goal.id)), visible_goals(kind)).cte("tops")


def _for(link: Any, goal: Any) -> Any:
    """Say that a link is to a goal. No index leads back from the link: SQLite would look at all links there are."""
    return link.goal_id == func.coalesce(goal.id, goal.id)


def _is_there(model: Any) -> Any:
    """Say that something was not deleted."""
    return col(model.deleted_at).is_(None)


def _tried(tops: CTE) -> CTE:
    """Select the sessions of each subtree, each once: whose, which, and whether it is for the top itself."""
    goal: Any = aliased(Goal)
    link: Any = aliased(PracticeSessionGoal)
    is_direct = func.max(case((goal.id == tops.c.id, 1), else_=0)).label("is_direct")
    return (
        select(tops.c.id.label("top_id"), link.session_id, is_direct)
        .join_from(tops, goal, is_below(goal.path, tops.c.path) & goal.deleted_at.is_(None))
        .join(link, _for(link, goal))
        .join(PracticeSession, (col(PracticeSession.id) == link.session_id) & _is_there(PracticeSession))
        .group_by(tops.c.id, link.session_id)
        .cte("tried")
    )


def _shown() -> list[Any]:
    is_completed = col(Goal.completed_at).is_not(None).label("is_completed")
    return [col(Goal.id).label("goal_id"), col(Goal.level), is_completed, col(Goal.deadline)]


def _grouped() -> list[Any]:
    return [col(Goal.id), col(Goal.level), col(Goal.completed_at), col(Goal.deadline)]


def _goals_counted(tops: CTE, tried: CTE) -> Subquery:
    """Count the goals of each subtree, the top itself and what stands under its sessions among them, each once."""
    own = select(tops.c.id.label("top_id"), col(Goal.completed_at)).where(
        is_below(col(Goal.path), tops.c.path), _is_there(Goal)
    )
    practised = select(tried.c.top_id, col(Goal.completed_at)).where(
        col(Goal.within_session_id) == tried.c.session_id, _is_there(Goal)
    )
    within = union_all(own, practised).subquery("within")
    counts = func.count().label("all_goal_count"), func.count(within.c.completed_at).label("all_completed_count")
    return select(within.c.top_id, *counts).group_by(within.c.top_id).subquery("goals_counted")


def _tries_counted(tried: CTE) -> Subquery:
    """Count the sessions of each subtree and add up how long they were."""
    found = col(PracticeSession.practised_ms)
    return (
        select(
            tried.c.top_id,
            func.sum(tried.c.is_direct).cast(BigInteger).label("session_count"),
            func.sum(tried.c.is_direct * found).cast(BigInteger).label("practised_ms"),
            func.count().label("all_session_count"),
            func.sum(found).cast(BigInteger).label("all_practised_ms"),
        )
        .join(PracticeSession, col(PracticeSession.id) == tried.c.session_id)
        .group_by(tried.c.top_id)
        .subquery("tries_counted")
    )


_TRIED = ("session_count", "practised_ms", "all_session_count", "all_practised_ms")
