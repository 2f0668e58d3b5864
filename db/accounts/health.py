"""How accounts are doing, as statements: read for many at once."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import case, func, or_, select, type_coerce
from sqlmodel import Field, col

from db.access.viewer import ViewerKind
from db.accounts.tables import Account, AccountTag, Feed, Post, Tag
from db.accounts.visibility import visible_accounts, visible_tags
from db.accounts.vocabulary import AccountState, FeedState, PostOutcome
from db.base import enum_type
from db.batches import Chosen
from db.derived import Derived, of_keys


class AccountHealth(Derived, table=True):
    """How an account is doing, by its feeds."""

    __tablename__ = "account_health"

    id: UUID = Field(primary_key=True)
    state: AccountState = Field(sa_type=enum_type(AccountState))
    feed_count: int
    failing_feed_count: int
    polled_at: datetime | None
    post_at: datetime | None


def health(kind: ViewerKind) -> Chosen:
    """Select how each of `keys` is doing."""
    of_account = col(Feed.account_id) == col(Account.id)
    feeds = _counted(of_account)
    failing = _counted(of_account, or_(*(col(Feed.state) == state for state in _TROUBLE)))
    pending = _counted(of_account, col(Feed.state) == FeedState.PENDING)
    state = case(
        (col(Account.is_enabled).is_(False), AccountState.DISABLED.value),
        (feeds == 0, AccountState.NO_FEED.value),
        (failing > 0, AccountState.FAILING.value),
        (pending > 0, AccountState.PENDING.value),
        else_=AccountState.WELL.value,
    )
    polled = select(func.max(col(Feed.last_checked_at))).where(of_account).correlate(Account).scalar_subquery()
    seen = col(Post.account_id) == col(Account.id), col(Post.outcome) != PostOutcome.BASELINE
    post = select(func.max(col(Post.seen_at))).where(*seen).correlate(Account).scalar_subquery()
    found = select(
        col(Account.id),
        type_coerce(state, enum_type(AccountState)).label("state"),
        feeds.label("feed_count"),
        failing.label("failing_feed_count"),
        polled.label("polled_at"),
        post.label("post_at"),
    ).where(of_keys(col(Account.id)))
    visible = visible_accounts(kind)
    return found if visible is None else found.where(visible)


def tags_of_account(kind: ViewerKind) -> Chosen:
    """Select the tags that each of `keys` bears, as those of `of_account_id`."""
    borne: Any = select(Tag, col(AccountTag.account_id).label("of_account_id"))
    found: Chosen = borne.join(AccountTag, col(AccountTag.tag_id) == col(Tag.id)).where(
        of_keys(col(AccountTag.account_id))
    )
    visible = visible_tags(kind)
    return found if visible is None else found.where(visible)


def accounts_of_tag(kind: ViewerKind) -> Chosen:
    """Select the accounts that bear each of `keys`, as those of `of_tag_id`."""
    borne: Any = select(Account, col(AccountTag.tag_id).label("of_tag_id"))
    found: Chosen = borne.join(AccountTag, col(AccountTag.account_id) == col(Account.id)).where(
        of_keys(col(AccountTag.tag_id))
    )
    visible = visible_accounts(kind)
    return found if visible is None else found.where(visible)


def _counted(*conditions: Any) -> Any:
    counted = select(func.count()).select_from(Feed).where(*conditions).correlate(Account)
    return counted.scalar_subquery()


_TROUBLE = (FeedState.FAILING, FeedState.GONE, FeedState.STOPPED)
