"""How streams, their goals and histories are read."""

from sqlmodel import col

from db.batches import Order, Pages, ToMany, ToOne
from db.parameters import any_of
from db.streams.tables import Stream, StreamGoal, StreamGoalChange, StreamSession, StreamSource
from db.streams.visibility import visible_goals, visible_sources, visible_streams, within_goal, within_stream

_BY_POSITION = Order(columns=("position", "id"))
_CHANGE_ORDERS = {
    "NEWEST": Order(columns=("revision", "part"), is_descending=True),
    "OLDEST": Order(columns=("revision", "part")),
}

stream_by_id = ToOne(model=Stream, visible=visible_streams)
streams = Pages(model=Stream, orders={"NAME": Order(columns=("name", "id"))}, visible=visible_streams)

streams_by_owner = Pages(
    model=Stream, by="owner_id", orders={"NAME": Order(columns=("name", "id"))}, visible=visible_streams
)

session_by_id = ToOne(model=StreamSession, visible=within_stream(StreamSession.stream_id))
sessions_by_stream = Pages(
    model=StreamSession,
    by="stream_id",
    orders={"NEWEST": Order(columns=("started_at", "id"), is_descending=True)},
    visible=within_stream(StreamSession.stream_id),
)

goal_by_id = ToOne(model=StreamGoal, visible=visible_goals)
goals_by_stream = Pages(
    model=StreamGoal,
    by="stream_id",
    orders={"POSITION": _BY_POSITION},
    filters={
        "kinds": any_of(col(StreamGoal.kind), "filter_kinds"),
        "states": any_of(col(StreamGoal.state), "filter_states"),
    },
    visible=visible_goals,
)
# A stream has a hundred goals at most: who shows them wants them all.
all_goals_by_stream = ToMany(model=StreamGoal, by="stream_id", order=_BY_POSITION, visible=visible_goals)

change_by_id = ToOne(model=StreamGoalChange, visible=within_goal(StreamGoalChange.goal_id))
changes_by_goal = Pages(
    model=StreamGoalChange,
    by="goal_id",
    orders=_CHANGE_ORDERS,
    filters={"kinds": any_of(col(StreamGoalChange.kind), "filter_kinds")},
    visible=within_goal(StreamGoalChange.goal_id),
)

source_by_id = ToOne(model=StreamSource, visible=visible_sources)
sources_by_stream = ToMany(model=StreamSource, by="stream_id", order=Order(columns=("name",)), visible=visible_sources)
