"""What of settings a viewer may see: an admin sees all of it but secrets, others and overlays nothing."""

from sqlalchemy import ColumnElement, and_, false
from sqlmodel import col

from db.access.viewer import Role, ViewerKind
from db.parameters import any_of
from db.settings.registry import KEYS
from db.settings.tables import Setting


def visible_to_admins(viewer: ViewerKind) -> ColumnElement[bool] | None:
    """All, for an admin."""
    return None if viewer.has_role(Role.ADMIN) else false()


def visible_settings(viewer: ViewerKind) -> ColumnElement[bool]:
    """Those whose keys this version knows, for an admin: an older or a newer one may have left others."""
    is_known = any_of(col(Setting.key), list(KEYS))
    seen = visible_to_admins(viewer)
    return is_known if seen is None else and_(is_known, seen)
