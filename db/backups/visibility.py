"""What of backups a viewer may see: an admin sees all of it, others and overlays nothing."""

from sqlalchemy import ColumnElement, false

from db.access.viewer import Role, ViewerKind


def visible_to_admins(viewer: ViewerKind) -> ColumnElement[bool] | None:
    """All, for an admin."""
    return None if viewer.has_role(Role.ADMIN) else false()
