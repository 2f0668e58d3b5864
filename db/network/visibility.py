"""What of listening a viewer may see: who runs the event sees all of it, others and overlays nothing.

Addresses of machines are nobody else's business.
"""

from sqlalchemy import ColumnElement, false

from db.access.viewer import Role, ViewerKind


def visible_to_operators(viewer: ViewerKind) -> ColumnElement[bool] | None:
    """All, for who runs the event."""
    return None if viewer.has_role(Role.OPERATOR) else false()
