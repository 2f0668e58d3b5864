"""What of the users and tokens a viewer may see: himself and his own, and everything for an admin."""

from sqlalchemy import ColumnElement, Uuid, bindparam, false
from sqlmodel import col

from db.access.tables import Token
from db.access.viewer import Role, ViewerKind


def visible_users(viewer: ViewerKind) -> ColumnElement[bool] | None:
    """Overlays see nobody; users see each other."""
    return false() if viewer.is_overlay else None


def visible_tokens(viewer: ViewerKind) -> ColumnElement[bool] | None:
    """A token is shown to its user and to admins."""
    if viewer.is_overlay:
        return false()
    return None if viewer.has_role(Role.ADMIN) else col(Token.user_id) == bindparam("viewer_id", type_=Uuid())
