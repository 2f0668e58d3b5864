"""What of practice a viewer may see: his own, and everything for an admin.

An overlay sees the goals its token is bound to and what they come to, counted; no goal above, under or beside them and
no session: diaries are nobody's business.
"""

from typing import Any

from sqlalchemy import ColumnElement, Uuid, and_, bindparam, false, select
from sqlmodel import col

from db.access.viewer import Role, ViewerKind
from db.batches import Visible
from db.parameters import any_of
from db.practice.tables import Goal, PracticeSession, SessionTemplate


def owned(owner_id: Any, viewer: ViewerKind) -> ColumnElement[bool] | None:
    """Say of a row by its owner that it is one's own; `None` for whoever sees all."""
    if viewer.is_overlay:
        return false()
    return None if viewer.has_role(Role.ADMIN) else owner_id == bindparam("viewer_id", type_=Uuid())


def visible_goals(viewer: ViewerKind) -> ColumnElement[bool]:
    """One's own goals that were not deleted; those that an overlay is bound to."""
    bound = any_of(col(Goal.id), "viewer_nodes") if viewer.is_overlay else owned(col(Goal.owner_id), viewer)
    return _and(col(Goal.deleted_at).is_(None), bound)


def visible_under_own(viewer: ViewerKind) -> ColumnElement[bool]:
    """Of the goals under one that is seen: what stands under one's own is one's own, the guard sees to that."""
    return visible_goals(viewer) if viewer.is_overlay else col(Goal.deleted_at).is_(None)


def visible_root_goals(viewer: ViewerKind) -> ColumnElement[bool]:
    """One's own goals that stand at the top of a tree of their own."""
    return and_(col(Goal.parent_id).is_(None), col(Goal.session_id).is_(None), visible_goals(viewer))


def visible_deleted_goals(viewer: ViewerKind) -> ColumnElement[bool]:
    """One's own goals that were deleted: those that were named, without what was under them."""
    return _and(col(Goal.deletion_id) == col(Goal.id), owned(col(Goal.owner_id), viewer))


def visible_sessions(viewer: ViewerKind) -> ColumnElement[bool]:
    """One's own sessions that were not deleted."""
    return _and(col(PracticeSession.deleted_at).is_(None), owned(col(PracticeSession.owner_id), viewer))


def visible_templates(viewer: ViewerKind) -> ColumnElement[bool] | None:
    """One's own templates."""
    return owned(col(SessionTemplate.owner_id), viewer)


def within_session(session_id: Any) -> Visible:
    """Say of a table that its rows are seen with the session they belong to."""

    def visible(viewer: ViewerKind) -> ColumnElement[bool]:
        sessions = select(col(PracticeSession.id)).correlate(None).where(visible_sessions(viewer))
        return col(session_id).in_(sessions)

    return visible


def _and(first: ColumnElement[bool], second: ColumnElement[bool] | None) -> ColumnElement[bool]:
    return first if second is None else and_(first, second)
