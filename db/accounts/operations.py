"""How accounts may change, and their tags."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import delete, func, insert, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlmodel import col, select

from db.access.viewer import Viewer
from db.accounts.events import FeedDue
from db.accounts.holding import (
    LONGEST_NAME,
    change_row,
    checked_limit,
    checked_web_url,
    owned_row,
)
from db.accounts.money import checked_amount
from db.accounts.tables import Account, AccountTag, Feed, Tag
from db.errors import Conflict, Invalid, NotFound
from db.ids import new_id
from db.parameters import any_of
from db.session import Transaction
from db.texts import checked

MOST_ACCOUNTS = 10_000
MOST_TAGS = 200
MOST_TAGS_OF_ACCOUNT = 20
LONGEST_PLATFORM = 60
LONGEST_TAG = 60
_USUAL_COLOR = "#6B7280"
_COLOR = re.compile(r"#[0-9a-fA-F]{6}")
NEW_ACCOUNT: dict[str, Any] = {
    "platform": "",
    "username": "",
    "display_name": "",
    "url": "",
    "daily_limit": None,
    "daily_spend_limit": None,
}


# Accounts


async def create_account(tx: Transaction, *, owner_id: UUID, changes: Mapping[str, Any], now: datetime) -> Account:
    """Add an account. Raises `Invalid`, and `Conflict` for one that this owner has."""
    columns = account_columns({**NEW_ACCOUNT, **changes})
    count = select(func.count()).select_from(Account).where(col(Account.owner_id) == owner_id)
    if await tx.scalar(count) >= MOST_ACCOUNTS:
        raise Conflict(f"You have {MOST_ACCOUNTS:,} accounts, which is the most there may be.")
    values = {
        "id": new_id(),
        "owner_id": owner_id,
        **columns,
        "is_enabled": True,
        "poll_count": 0,
        "post_count": 0,
        "revision": 0,
        "created_at": now,
        "changed_at": now,
    }
    account = await tx.row(upsert(Account).values(**values).on_conflict_do_nothing().returning(Account))
    if account is None:
        raise _taken_account()
    return account


async def update_account(
    tx: Transaction, account_id: UUID, changes: Mapping[str, Any], *, viewer: Viewer | None, now: datetime
) -> Account:
    """Change some of an account. Raises `Invalid`, `Conflict` and `NotFound`."""
    columns = account_columns(changes)
    account = await owned_row(tx, Account, account_id, viewer)
    named = {name: columns.get(name, getattr(account, name)) for name in ("platform", "username")}
    same = [col(getattr(Account, name)) == value for name, value in named.items()]
    other = select(Account).where(col(Account.owner_id) == account.owner_id, *same, col(Account.id) != account_id)
    if await tx.row(other) is not None:
        raise _taken_account()
    return await change_row(tx, Account, account_id, columns, now) if columns else account


async def enable_account(
    tx: Transaction, account_id: UUID, *, is_enabled: bool, viewer: Viewer | None, now: datetime
) -> Account:
    """Switch an account on or off: its feeds are read, and its actions run, only while it is on."""
    account = await owned_row(tx, Account, account_id, viewer)
    if account.is_enabled == is_enabled:
        return account
    await _tell_feeds(tx, account_id)
    return await change_row(tx, Account, account_id, {"is_enabled": is_enabled}, now)


async def delete_account(tx: Transaction, account_id: UUID, *, viewer: Viewer | None) -> Account:
    """Remove an account with its feeds and actions; what was carried out stays. Returns it as it was."""
    account = await owned_row(tx, Account, account_id, viewer)
    await tx.execute(delete(Account).where(col(Account.id) == account_id))
    return account


async def set_account_tags(
    tx: Transaction, account_id: UUID, tag_ids: Sequence[UUID], *, viewer: Viewer | None, now: datetime
) -> Account:
    """Say anew which tags an account bears. Raises `Invalid` and `NotFound`."""
    account = await owned_row(tx, Account, account_id, viewer)
    wanted = list(dict.fromkeys(tag_ids))
    if len(wanted) > MOST_TAGS_OF_ACCOUNT:
        raise Invalid(f"An account bears {MOST_TAGS_OF_ACCOUNT} tags at most.", field="tag_ids")
    own = any_of(col(Tag.id), wanted), col(Tag.owner_id) == account.owner_id
    found = await tx.rows(select(Tag).where(*own))
    if len(found) < len(wanted):
        raise NotFound("There is no such tag.", field="tag_ids")
    await tx.execute(delete(AccountTag).where(col(AccountTag.account_id) == account_id))
    await tx.execute_many(insert(AccountTag), [{"account_id": account_id, "tag_id": tag.id} for tag in found])
    return await change_row(tx, Account, account_id, {}, now)


# Tags


async def create_tag(tx: Transaction, *, owner_id: UUID, changes: Mapping[str, Any], now: datetime) -> Tag:
    """Make a tag. Raises `Invalid`, and `Conflict` for a name that this owner has given already."""
    columns = _tag_columns({"name": "", "color": _USUAL_COLOR, **changes})
    count = select(func.count()).select_from(Tag).where(col(Tag.owner_id) == owner_id)
    if await tx.scalar(count) >= MOST_TAGS:
        raise Conflict(f"You have {MOST_TAGS} tags, which is the most there may be.")
    values = {"id": new_id(), "owner_id": owner_id, **columns, "created_at": now}
    tag = await tx.row(upsert(Tag).values(**values).on_conflict_do_nothing().returning(Tag))
    if tag is None:
        raise _taken_tag()
    return tag


async def update_tag(tx: Transaction, tag_id: UUID, changes: Mapping[str, Any], *, viewer: Viewer | None) -> Tag:
    """Change a tag's name or colour. Raises `Invalid`, `Conflict` and `NotFound`."""
    columns = _tag_columns(changes)
    tag = await owned_row(tx, Tag, tag_id, viewer)
    if "name" in columns:
        same = col(Tag.owner_id) == tag.owner_id, col(Tag.name) == columns["name"], col(Tag.id) != tag_id
        if await tx.row(select(Tag).where(*same)) is not None:
            raise _taken_tag()
    if not columns:
        return tag
    changed = update(Tag).where(col(Tag.id) == tag_id).values(**columns).returning(Tag)
    return cast("Tag", await tx.row(changed))


async def delete_tag(tx: Transaction, tag_id: UUID, *, viewer: Viewer | None) -> Tag:
    """Remove a tag from all that bears it; return it as it was. Raises `NotFound`."""
    tag = await owned_row(tx, Tag, tag_id, viewer)
    await tx.execute(delete(Tag).where(col(Tag.id) == tag_id))
    return tag


# What they share


async def _tell_feeds(tx: Transaction, account_id: UUID) -> None:
    for feed in await tx.rows(select(Feed).where(col(Feed.account_id) == account_id)):
        tx.record(FeedDue(feed_id=feed.id))


def account_columns(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns of what is said of an account. Raises `Invalid`, naming the field."""
    columns: dict[str, Any] = {}
    if "platform" in changes:
        name = checked(changes["platform"] or "", "A platform", field="platform", longest=LONGEST_PLATFORM)
        columns["platform"] = name.lower()
    if "username" in changes:
        columns["username"] = checked(changes["username"] or "", "A name", field="username", longest=LONGEST_NAME)
    if "display_name" in changes:
        shown = changes["display_name"] or ""
        columns["display_name"] = checked(shown, "A name", field="display_name", longest=LONGEST_NAME, shortest=0)
    if "url" in changes:
        columns["url"] = checked_web_url(changes["url"] or "", shortest=0)
    if "daily_limit" in changes:
        columns["daily_limit"] = checked_limit(changes["daily_limit"], field="daily_limit")
    if "daily_spend_limit" in changes:
        most = changes["daily_spend_limit"]
        columns["daily_spend_limit"] = None if most is None else checked_amount(most, field="daily_spend_limit")
    return columns


def _tag_columns(changes: Mapping[str, Any]) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    if "name" in changes:
        columns["name"] = checked(changes["name"] or "", "A tag", field="name", longest=LONGEST_TAG)
    if "color" in changes:
        color = changes["color"] or _USUAL_COLOR
        if _COLOR.fullmatch(color) is None:
            raise Invalid("A colour is written as #6B7280 is.", field="color")
        columns["color"] = color.upper()
    return columns


def _taken_account() -> Conflict:
    return Conflict("You have this account of this platform already.", field="username")


def _taken_tag() -> Conflict:
    return Conflict("You have a tag of this name.", field="name")
