"""How goals, sessions and templates are read."""

from sqlalchemy import Boolean, Date, Integer, bindparam
from sqlmodel import col

from db.batches import Order, Pages, ToOne
from db.derived import DerivedMany, DerivedOne, DerivedPages
from db.parameters import any_of
from db.practice import lines
from db.practice.lines import GoalDescendant, GoalTally
from db.practice.tables import Goal, PracticePause, PracticeReview, PracticeSession, SessionTemplate
from db.practice.visibility import (
    visible_deleted_goals,
    visible_goals,
    visible_root_goals,
    visible_sessions,
    visible_templates,
    within_session,
)

_NEWEST = Order(columns=("created_at", "id"), is_descending=True)
_GOAL_ORDERS = {"POSITION": Order(columns=("position", "id")), "NEWEST": _NEWEST}
_GOAL_FILTERS = {
    "levels": any_of(col(Goal.level), "filter_levels"),
    "is_completed": col(Goal.completed_at).is_not(None) == bindparam("filter_is_completed", type_=Boolean()),
    "due_by": col(Goal.deadline) <= bindparam("filter_due_by", type_=Date()),
}
_SESSION_ORDERS = {"NEWEST": _NEWEST}
_SESSION_FILTERS = {"states": any_of(col(PracticeSession.state), "filter_states")}

goal_by_id = ToOne(model=Goal, visible=visible_goals)
# Those at the top of their trees.
root_goals = Pages(model=Goal, orders=_GOAL_ORDERS, filters=_GOAL_FILTERS, visible=visible_root_goals)
root_goals_by_owner = Pages(
    model=Goal, by="owner_id", orders=_GOAL_ORDERS, filters=_GOAL_FILTERS, visible=visible_root_goals
)
deleted_goals = Pages(model=Goal, orders={"NEWEST": _NEWEST}, visible=visible_deleted_goals)
goals_by_parent = Pages(model=Goal, by="parent_id", orders=_GOAL_ORDERS, filters=_GOAL_FILTERS, visible=visible_goals)
goals_by_session = Pages(model=Goal, by="session_id", orders=_GOAL_ORDERS, filters=_GOAL_FILTERS, visible=visible_goals)
goals_above = DerivedMany(model=Goal, by="below_id", order=Order(columns=("path",)), source=lines.ancestors)
goals_for_session = DerivedMany(
    model=Goal, by="for_session_id", order=Order(columns=("path",)), source=lines.goals_of_session
)
goals_below = DerivedPages(
    model=GoalDescendant,
    by="top_id",
    orders={"TREE": Order(columns=("line",))},
    filters={
        "max_depth": col(GoalDescendant.depth) <= bindparam("filter_max_depth", type_=Integer()),
        "levels": any_of(col(GoalDescendant.level), "filter_levels"),
        "is_completed": col(GoalDescendant.is_completed) == bindparam("filter_is_completed", type_=Boolean()),
        "due_by": col(GoalDescendant.deadline) <= bindparam("filter_due_by", type_=Date()),
    },
    source=lines.descendants,
    # A tree of some hundreds comes whole.
    most=500,
)
tally_by_goal = DerivedOne(model=GoalTally, source=lines.tallies)

session_by_id = ToOne(model=PracticeSession, visible=visible_sessions)
sessions = Pages(model=PracticeSession, orders=_SESSION_ORDERS, filters=_SESSION_FILTERS, visible=visible_sessions)
sessions_by_owner = Pages(
    model=PracticeSession, by="owner_id", orders=_SESSION_ORDERS, filters=_SESSION_FILTERS, visible=visible_sessions
)
sessions_for_goal = DerivedPages(
    model=PracticeSession,
    by="for_goal_id",
    orders=_SESSION_ORDERS,
    filters=_SESSION_FILTERS,
    source=lines.sessions_of_goal,
)
sessions_below = DerivedPages(
    model=PracticeSession,
    by="top_id",
    orders=_SESSION_ORDERS,
    filters=_SESSION_FILTERS,
    source=lines.sessions_of_subtree,
)
pauses_by_session = Pages(
    model=PracticePause,
    by="session_id",
    orders={"OLDEST": Order(columns=("started_at", "id"))},
    visible=within_session(PracticePause.session_id),
)
review_by_session = ToOne(model=PracticeReview, by="session_id", visible=within_session(PracticeReview.session_id))

template_by_id = ToOne(model=SessionTemplate, visible=visible_templates)
templates = Pages(model=SessionTemplate, orders={"NAME": Order(columns=("name", "id"))}, visible=visible_templates)
sessions_of_template = Pages(
    model=PracticeSession,
    by="template_id",
    orders=_SESSION_ORDERS,
    filters=_SESSION_FILTERS,
    visible=visible_sessions,
)
goals_for_template = DerivedMany(
    model=Goal, by="for_template_id", order=Order(columns=("path",)), source=lines.goals_of_template
)
