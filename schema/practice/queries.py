"""What can be asked about practice."""

import strawberry

from db.practice import queries
from schema.connections import Connection
from schema.fields import Demand, connection, lookup
from schema.matches.arguments import NameOrder, NewestOrder
from schema.practice.arguments import GoalFilter, GoalOrder, PracticeSessionFilter
from schema.practice.types import Goal, PracticeSession, SessionTemplate

# An overlay may ask, and is shown nothing.
_DEMAND = Demand(None)


@strawberry.type
class PracticeQueries:
    """What can be asked about practice."""

    goals: Connection[Goal] = connection(
        "The goals at the top of your trees; an admin is shown everybody's.",
        queries.root_goals,
        key=None,
        order=GoalOrder,
        filter=GoalFilter,
        demand=_DEMAND,
    )
    deleted_goals: Connection[Goal] = connection(
        "Your goals that were deleted and can be restored, each for all that was deleted with it.",
        queries.deleted_goals,
        key=None,
        order=NewestOrder,
        demand=_DEMAND,
    )
    goal: Goal | None = lookup(
        "One goal. Null if there is none, or it is somebody else's.", "goal", queries.goal_by_id, demand=_DEMAND
    )
    practice_sessions: Connection[PracticeSession] = connection(
        "Your sessions; an admin is shown everybody's.",
        queries.sessions,
        key=None,
        order=NewestOrder,
        filter=PracticeSessionFilter,
        demand=_DEMAND,
    )
    practice_session: PracticeSession | None = lookup(
        "One session. Null if there is none, or it is somebody else's.",
        "practicesession",
        queries.session_by_id,
        demand=_DEMAND,
    )
    session_templates: Connection[SessionTemplate] = connection(
        "Your templates of sessions; an admin is shown everybody's.",
        queries.templates,
        key=None,
        order=NameOrder,
        demand=_DEMAND,
    )
