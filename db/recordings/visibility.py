"""What of recordings a viewer may see: a user all of them, an overlay those of the mats that its token names.

How an OBS is reached concerns those who run the event, and nobody else.
"""

from sqlalchemy import ColumnElement, false
from sqlmodel import col

from db.access.viewer import Role, ViewerKind
from db.parameters import any_of
from db.recordings.tables import Bookmark, Recording


def visible_recordings(viewer: ViewerKind) -> ColumnElement[bool] | None:
    """The recordings of a bound mat."""
    return any_of(col(Recording.mat_id), "viewer_nodes") if viewer.is_overlay else None


def visible_bookmarks(viewer: ViewerKind) -> ColumnElement[bool] | None:
    """The bookmarks of a bound mat."""
    return any_of(col(Bookmark.mat_id), "viewer_nodes") if viewer.is_overlay else None


def visible_machines(viewer: ViewerKind) -> ColumnElement[bool] | None:
    """Those of all mats, with what they were told, for who runs the event."""
    return None if viewer.has_role(Role.OPERATOR) else false()
