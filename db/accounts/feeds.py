"""How feeds may change by hand."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import delete, func, insert, or_, update
from sqlmodel import col, select

from db.access.viewer import Viewer
from db.accounts.events import FeedDue
from db.accounts.holding import LONGEST_NAME, change_row, checked_web_url, owned_row
from db.accounts.schedule import PollRules
from db.accounts.tables import Account, Feed
from db.accounts.vocabulary import FeedKind, FeedState
from db.errors import Conflict
from db.ids import new_id
from db.session import Transaction
from db.texts import checked

MOST_FEEDS = 20_000
MOST_FEEDS_OF_ACCOUNT = 20
# All that was learned of an address, and is not true of another.
_LEARNED: dict[str, Any] = {
    "etag": "",
    "last_modified": "",
    "body_sha256": "",
    "error_count": 0,
    "last_fault": None,
    "last_error": "",
    "last_status": None,
    "gone_at": None,
    "redirect_url": "",
    "redirect_count": 0,
}


async def create_feed(
    tx: Transaction,
    *,
    owner_id: UUID,
    changes: Mapping[str, Any],
    account_id: UUID | None = None,
    viewer: Viewer | None,
    now: datetime,
) -> Feed:
    """Add a feed, of an account or of nobody. It is read at once, and what stands in it then is old.

    Raises `Invalid`, `Conflict` for too many, and `NotFound` for the account.
    """
    columns = _feed_columns({"url": "", "title": "", "keyword": "", **changes})
    if account_id is not None:
        owner_id = (await owned_row(tx, Account, account_id, viewer, field="account_id")).owner_id
    await _check_room(tx, owner_id, account_id)
    values = {
        "id": new_id(),
        "owner_id": owner_id,
        "account_id": account_id,
        "kind": _kind_of(account_id, columns["keyword"]),
        **columns,
        **_LEARNED,
        "is_enabled": True,
        "state": FeedState.PENDING,
        "interval_seconds": PollRules().usual_interval,
        "next_check_at": now,
        "poll_count": 0,
        "post_count": 0,
        "revision": 0,
        "created_at": now,
        "changed_at": now,
    }
    feed = cast("Feed", await tx.row(insert(Feed).values(**values).returning(Feed)))
    tx.record(FeedDue(feed_id=feed.id))
    return feed


async def update_feed(
    tx: Transaction, feed_id: UUID, changes: Mapping[str, Any], *, viewer: Viewer | None, now: datetime
) -> Feed:
    """Change a feed's title, keyword or address. At another address there is another baseline.

    Raises `Invalid` and `NotFound`.
    """
    columns = _feed_columns(changes)
    feed = await owned_row(tx, Feed, feed_id, viewer)
    if "keyword" in columns:
        columns["kind"] = _kind_of(feed.account_id, columns["keyword"])
    if columns.get("url") == feed.url:
        del columns["url"], columns["effective_url"]
    if "url" in columns:
        # Whoever reads the old address now must not report it as the new one.
        columns |= {**_LEARNED, "state": _first_state(feed.is_enabled), "baseline_at": None, "next_check_at": now}
        columns |= {"lease_id": None, "lease_until": None}
        tx.record(FeedDue(feed_id=feed_id))
    if not feed.is_enabled:
        columns.pop("next_check_at", None)
    return await change_row(tx, Feed, feed_id, columns, now) if columns else feed


async def enable_feed(
    tx: Transaction, feed_id: UUID, *, is_enabled: bool, viewer: Viewer | None, now: datetime
) -> Feed:
    """Switch a feed on or off. One that was gone or stopped is tried again."""
    feed = await owned_row(tx, Feed, feed_id, viewer)
    if is_enabled:
        state = FeedState.PENDING if feed.baseline_at is None else FeedState.ACTIVE
        columns = {"is_enabled": True, "state": state, "next_check_at": now, "error_count": 0, "gone_at": None}
        tx.record(FeedDue(feed_id=feed_id))
    else:
        columns = {"is_enabled": False, "state": FeedState.DISABLED, "next_check_at": None}
        columns |= {"lease_id": None, "lease_until": None}
    return await change_row(tx, Feed, feed_id, columns, now)


async def delete_feed(tx: Transaction, feed_id: UUID, *, viewer: Viewer | None) -> Feed:
    """Remove a feed with its posts; what they triggered stays. Returns it as it was. Raises `NotFound`."""
    feed = await owned_row(tx, Feed, feed_id, viewer)
    await tx.execute(delete(Feed).where(col(Feed.id) == feed_id))
    return feed


async def ask_for_poll(tx: Transaction, feed_id: UUID, *, viewer: Viewer | None, now: datetime) -> Feed:
    """Let a feed be due now. Raises `Conflict` while it is read, and for one that is off; `NotFound`."""
    feed = await owned_row(tx, Feed, feed_id, viewer)
    if not feed.is_enabled or feed.state in {FeedState.GONE, FeedState.STOPPED}:
        raise Conflict(f"The feed is {feed.state}: switch it on first.", field="id")
    is_free = or_(col(Feed.lease_until).is_(None), col(Feed.lease_until) <= now)
    due = update(Feed).where(col(Feed.id) == feed_id, is_free).values(next_check_at=now).returning(Feed)
    found = await tx.row(due)
    if found is None:
        raise Conflict("The feed is being read now: what comes of it will be told.", field="id")
    tx.record(FeedDue(feed_id=feed_id))
    return found


async def _check_room(tx: Transaction, owner_id: UUID, account_id: UUID | None) -> None:
    count = select(func.count()).select_from(Feed)
    if await tx.scalar(count.where(col(Feed.owner_id) == owner_id)) >= MOST_FEEDS:
        raise Conflict(f"You have {MOST_FEEDS:,} feeds, which is the most there may be.")
    if account_id is not None:
        of_account = await tx.scalar(count.where(col(Feed.account_id) == account_id))
        if of_account >= MOST_FEEDS_OF_ACCOUNT:
            raise Conflict(f"An account has {MOST_FEEDS_OF_ACCOUNT} feeds at most.", field="account_id")


def _feed_columns(changes: Mapping[str, Any]) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    if "url" in changes:
        url = checked_web_url(changes["url"] or "")
        columns |= {"url": url, "effective_url": url}
    for name, what in (("title", "A title"), ("keyword", "A keyword")):
        if name in changes:
            columns[name] = checked(changes[name] or "", what, field=name, longest=LONGEST_NAME, shortest=0)
    return columns


def _kind_of(account_id: UUID | None, keyword: str) -> FeedKind:
    if keyword:
        return FeedKind.KEYWORD
    return FeedKind.GENERAL if account_id is None else FeedKind.ACCOUNT


def _first_state(is_enabled: bool) -> FeedState:  # noqa: FBT001 -- a column's value
    return FeedState.PENDING if is_enabled else FeedState.DISABLED
