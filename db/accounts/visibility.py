"""What of accounts a viewer may see: his own, and everything for an admin; overlays see nothing.

Providers and their services are everybody's who may keep accounts: what is secret of them is no column that is shown.
"""

from collections.abc import Callable
from typing import Any

from sqlalchemy import ColumnElement, Select, Uuid, bindparam, false, select
from sqlmodel import col

from db.access.viewer import Role, ViewerKind
from db.accounts.tables import Account, Action, Execution, Feed, Screenshot, Tag
from db.batches import Visible


def owned(owner_id: Any) -> Visible:
    """Say of a table by its rows' owner that they are one's own; of those of anybody, for an admin."""

    def visible(viewer: ViewerKind) -> ColumnElement[bool] | None:
        if viewer.is_overlay:
            return false()
        return None if viewer.has_role(Role.ADMIN) else col(owner_id) == bindparam("viewer_id", type_=Uuid())

    return visible


visible_accounts = owned(Account.owner_id)
visible_tags = owned(Tag.owner_id)
visible_feeds = owned(Feed.owner_id)
visible_actions = owned(Action.owner_id)
visible_executions = owned(Execution.owner_id)
visible_screenshots = owned(Screenshot.owner_id)


def visible_providers(viewer: ViewerKind) -> ColumnElement[bool] | None:
    """Users see all of them."""
    return false() if viewer.is_overlay else None


def within_feed(feed_id: Any) -> Visible:
    """Say of a table that its rows are seen with the feed they belong to."""
    return _within(feed_id, lambda viewer: _select(Feed.id, visible_feeds(viewer)))


def within_action(action_id: Any) -> Visible:
    """Say of a table that its rows are seen with the action they belong to."""
    return _within(action_id, lambda viewer: _select(Action.id, visible_actions(viewer)))


def within_execution(execution_id: Any) -> Visible:
    """Say of a table that its rows are seen with the execution they belong to."""
    return _within(execution_id, lambda viewer: _select(Execution.id, visible_executions(viewer)))


def _within(column: Any, owners: Callable[[ViewerKind], Select[Any]]) -> Visible:
    def visible(viewer: ViewerKind) -> ColumnElement[bool] | None:
        if viewer.is_overlay:
            return false()
        return None if viewer.has_role(Role.ADMIN) else col(column).in_(owners(viewer))

    return visible


def _select(column: Any, condition: ColumnElement[bool] | None) -> Select[Any]:
    found = select(col(column)).correlate(None)
    return found if condition is None else found.where(condition)
