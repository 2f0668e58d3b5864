"""How accounts, feeds and executions are read."""

from collections.abc import Callable

from sqlalchemy import Boolean, ColumnElement, DateTime, and_, bindparam, or_, select
from sqlmodel import col

from db.access.viewer import ViewerKind
from db.accounts import health
from db.accounts.health import AccountHealth
from db.accounts.tables import (
    Account,
    Action,
    Execution,
    ExecutionEvent,
    Feed,
    Poll,
    Post,
    Provider,
    Screenshot,
    Service,
    Tag,
    Trigger,
)
from db.accounts.visibility import (
    visible_accounts,
    visible_actions,
    visible_executions,
    visible_feeds,
    visible_providers,
    visible_screenshots,
    visible_tags,
    within_action,
    within_execution,
    within_feed,
)
from db.accounts.vocabulary import ExecutionState
from db.batches import Order, Pages, ToMany, ToOne, Visible
from db.derived import DerivedMany, DerivedOne, DerivedPages
from db.parameters import any_of

_NEWEST = {"NEWEST": Order(columns=("created_at", "id"), is_descending=True)}
_QUEUED = {"NEWEST": Order(columns=("queued_at", "id"), is_descending=True)}
_NUMBERED = {
    "NEWEST": Order(columns=("number", "id"), is_descending=True),
    "OLDEST": Order(columns=("number", "id")),
}
_BY_NAME = Order(columns=("name", "id"))

_ACCOUNT_FILTERS = {
    "platforms": any_of(col(Account.platform), "filter_platforms"),
    "is_enabled": col(Account.is_enabled) == bindparam("filter_is_enabled", type_=Boolean()),
}
_FEED_FILTERS = {
    "kinds": any_of(col(Feed.kind), "filter_kinds"),
    "states": any_of(col(Feed.state), "filter_states"),
}
_POST_FILTERS = {"outcomes": any_of(col(Post.outcome), "filter_outcomes")}
_POLL_FILTERS = {"states": any_of(col(Poll.state), "filter_states")}
_EXECUTION_FILTERS = {
    "states": any_of(col(Execution.state), "filter_states"),
    "causes": any_of(col(Execution.cause), "filter_causes"),
    "platforms": any_of(col(Execution.platform), "filter_platforms"),
    "queued_before": col(Execution.queued_at) < bindparam("filter_queued_before", type_=DateTime(timezone=True)),
}
_SCREENSHOT_FILTERS = {
    "states": any_of(col(Screenshot.state), "filter_states"),
    "moments": any_of(col(Screenshot.moment), "filter_moments"),
}


def _both(visible: Visible, condition: Callable[[], ColumnElement[bool]]) -> Visible:
    """Say what is seen of rows that fit a condition."""

    def both(viewer: ViewerKind) -> ColumnElement[bool]:
        seen = visible(viewer)
        return condition() if seen is None else and_(condition(), seen)

    return both


def _without_feed() -> ColumnElement[bool]:
    fed = select(col(Feed.account_id)).correlate(None).where(col(Feed.account_id).is_not(None))
    return and_(col(Account.is_enabled).is_(True), col(Account.id).not_in(fed))


def _without_active_account() -> ColumnElement[bool]:
    off = select(col(Account.id)).correlate(None).where(col(Account.is_enabled).is_(False))
    return and_(col(Action.is_active).is_(True), col(Action.account_id).in_(off))


def _is_stuck() -> ColumnElement[bool]:
    return or_(*(col(Execution.state) == state for state in _NOT_FINAL))


account_by_id = ToOne(model=Account, visible=visible_accounts)
accounts = Pages(model=Account, orders=_NEWEST, filters=_ACCOUNT_FILTERS, visible=visible_accounts)
accounts_by_owner = Pages(
    model=Account, by="owner_id", orders=_NEWEST, filters=_ACCOUNT_FILTERS, visible=visible_accounts
)
accounts_without_feed = Pages(model=Account, orders=_NEWEST, visible=_both(visible_accounts, _without_feed))
accounts_by_tag = DerivedPages(
    model=Account, by="of_tag_id", orders=_NEWEST, filters=_ACCOUNT_FILTERS, source=health.accounts_of_tag
)
health_by_account = DerivedOne(model=AccountHealth, source=health.health)

tag_by_id = ToOne(model=Tag, visible=visible_tags)
tags = Pages(model=Tag, orders={"NAME": _BY_NAME}, visible=visible_tags)
tags_by_account = DerivedMany(
    model=Tag, by="of_account_id", order=Order(columns=("name",)), source=health.tags_of_account
)

feed_by_id = ToOne(model=Feed, visible=visible_feeds)
feeds = Pages(model=Feed, orders=_NEWEST, filters=_FEED_FILTERS, visible=visible_feeds)
feeds_by_account = Pages(model=Feed, by="account_id", orders=_NEWEST, filters=_FEED_FILTERS, visible=visible_feeds)
poll_by_id = ToOne(model=Poll, visible=within_feed(Poll.feed_id))
polls_by_feed = Pages(
    model=Poll, by="feed_id", orders=_NUMBERED, filters=_POLL_FILTERS, visible=within_feed(Poll.feed_id)
)
polls_by_account = Pages(model=Poll, by="account_id", orders=_NUMBERED, visible=within_feed(Poll.feed_id))
post_by_id = ToOne(model=Post, visible=within_feed(Post.feed_id))
posts_by_feed = Pages(
    model=Post,
    by="feed_id",
    orders={"NEWEST": Order(columns=("seen_at", "id"), is_descending=True)},
    filters=_POST_FILTERS,
    visible=within_feed(Post.feed_id),
)
# Those that were new: what stood in a feed before it was read has no number.
new_posts_by_account = Pages(
    model=Post,
    by="account_id",
    orders=_NUMBERED,
    filters=_POST_FILTERS,
    visible=_both(within_feed(Post.feed_id), lambda: col(Post.number) > 0),
)

action_by_id = ToOne(model=Action, visible=visible_actions)
actions_by_account = Pages(model=Action, by="account_id", orders=_NEWEST, visible=visible_actions)
actions_without_active_account = Pages(
    model=Action, orders=_NEWEST, visible=_both(visible_actions, _without_active_account)
)
trigger_by_id = ToOne(model=Trigger, visible=within_action(Trigger.action_id))
triggers_by_action = ToMany(
    model=Trigger,
    by="action_id",
    order=Order(columns=("created_at", "id")),
    visible=within_action(Trigger.action_id),
)

provider_by_id = ToOne(model=Provider, visible=visible_providers)
providers = Pages(model=Provider, orders={"NAME": _BY_NAME}, visible=visible_providers)
service_by_id = ToOne(model=Service, visible=visible_providers)
services_by_provider = Pages(model=Service, by="provider_id", orders={"NAME": _BY_NAME}, visible=visible_providers)

execution_by_id = ToOne(model=Execution, visible=visible_executions)
executions = Pages(model=Execution, orders=_QUEUED, filters=_EXECUTION_FILTERS, visible=visible_executions)
executions_by_account = Pages(
    model=Execution, by="account_id", orders=_QUEUED, filters=_EXECUTION_FILTERS, visible=visible_executions
)
executions_by_action = Pages(
    model=Execution, by="action_id", orders=_QUEUED, filters=_EXECUTION_FILTERS, visible=visible_executions
)
executions_by_post = Pages(
    model=Execution, by="post_id", orders=_QUEUED, filters=_EXECUTION_FILTERS, visible=visible_executions
)
# Those that something should still happen to.
stuck_executions = Pages(
    model=Execution,
    orders=_QUEUED,
    filters=_EXECUTION_FILTERS,
    visible=_both(visible_executions, _is_stuck),
)
timeline_by_execution = Pages(
    model=ExecutionEvent,
    by="execution_id",
    orders={"OLDEST": Order(columns=("revision", "id"))},
    visible=within_execution(ExecutionEvent.execution_id),
)
screenshot_by_id = ToOne(model=Screenshot, visible=visible_screenshots)
screenshots = Pages(model=Screenshot, orders=_NEWEST, filters=_SCREENSHOT_FILTERS, visible=visible_screenshots)
screenshots_by_account = Pages(
    model=Screenshot, by="account_id", orders=_NEWEST, filters=_SCREENSHOT_FILTERS, visible=visible_screenshots
)
screenshots_by_execution = ToMany(
    model=Screenshot,
    by="execution_id",
    order=Order(columns=("moment",), is_descending=True),
    visible=visible_screenshots,
)

_NOT_FINAL = (
    ExecutionState.QUEUED,
    ExecutionState.SUBMITTING,
    ExecutionState.SUBMITTED,
    ExecutionState.IN_PROGRESS,
    ExecutionState.UNKNOWN,
)
