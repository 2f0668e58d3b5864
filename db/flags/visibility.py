"""What of flags a viewer may see: everything. Flags are on every overlay."""

from sqlalchemy import ColumnElement

from db.access.viewer import ViewerKind


def visible_to_all(viewer: ViewerKind) -> ColumnElement[bool] | None:  # noqa: ARG001 -- what every condition is given
    """All, for everybody."""
    return None
