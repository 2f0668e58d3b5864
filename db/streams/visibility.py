"""What of streams a viewer may see: a user all but other people's sources, an overlay what its token is bound to.

A token bound to a stream opens the stream and its goals; one bound to a goal opens that goal and, above it, its stream.
"""

from collections.abc import Callable
from typing import Any

from sqlalchemy import ColumnElement, Select, Uuid, bindparam, false, or_, select
from sqlmodel import col

from db.access.viewer import Role, ViewerKind
from db.batches import Visible
from db.parameters import any_of
from db.streams.tables import Stream, StreamGoal, StreamSource


def visible_goals(viewer: ViewerKind) -> ColumnElement[bool] | None:
    """A bound goal, and the goals of a bound stream."""
    if not viewer.is_overlay:
        return None
    return or_(any_of(col(StreamGoal.id), "viewer_nodes"), any_of(col(StreamGoal.stream_id), "viewer_nodes"))


def visible_streams(viewer: ViewerKind) -> ColumnElement[bool] | None:
    """A bound stream, and the stream of a bound goal."""
    if not viewer.is_overlay:
        return None
    of_bound_goal = select(col(StreamGoal.stream_id)).where(any_of(col(StreamGoal.id), "viewer_nodes"))
    return or_(any_of(col(Stream.id), "viewer_nodes"), col(Stream.id).in_(of_bound_goal))


def visible_sources(viewer: ViewerKind) -> ColumnElement[bool] | None:
    """One's own streams' sources; all of them for who runs the event. Overlays see none."""
    if viewer.is_overlay:
        return false()
    if viewer.has_role(Role.OPERATOR):
        return None
    own = select(col(Stream.id)).where(col(Stream.owner_id) == bindparam("viewer_id", type_=Uuid()))
    return col(StreamSource.stream_id).in_(own)


def within_stream(stream_id: Any) -> Visible:
    """Say of a table that its rows are seen with the stream they belong to."""
    return _within(stream_id, lambda viewer: _select(Stream.id, visible_streams(viewer)))


def within_goal(goal_id: Any) -> Visible:
    """Say of a table that its rows are seen with the goal they belong to."""
    return _within(goal_id, lambda viewer: _select(StreamGoal.id, visible_goals(viewer)))


def _within(column: Any, owners: Callable[[ViewerKind], Select[Any]]) -> Visible:
    def visible(viewer: ViewerKind) -> ColumnElement[bool] | None:
        return None if not viewer.is_overlay else col(column).in_(owners(viewer))

    return visible


def _select(column: Any, condition: ColumnElement[bool] | None) -> Select[Any]:
    # On its own: its tables are not those of the statement it stands in.
    found = select(col(column)).correlate(None)
    return found if condition is None else found.where(condition)
