"""Who reads a feed now: whoever holds its lease, which is compared and set, and runs out when he dies."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import and_, not_, null, or_, update
from sqlmodel import col, select

from db.accounts.schedule import PollRules
from db.accounts.tables import Account, Feed
from db.accounts.vocabulary import FeedState
from db.batches import table_of
from db.session import Transaction
from db.statements import update_many


async def claim_due(tx: Transaction, *, lease_id: UUID, limit: int, rules: PollRules, now: datetime) -> list[Feed]:
    """Take the lease of feeds that are due, the longest due first."""
    due = select(col(Feed.id)).where(*_is_due(now)).order_by(col(Feed.next_check_at)).limit(limit)
    held = {"lease_id": lease_id, "lease_until": now + timedelta(seconds=rules.lease)}
    # Said of the row once more: of two who chose it at once, one finds it taken.
    claimed = update(Feed).where(col(Feed.id).in_(due), _is_free(now)).values(**held)
    return await tx.rows(claimed.returning(Feed))


async def release(tx: Transaction, feeds: Iterable[Feed]) -> None:
    """Give back the leases of feeds that were claimed and not read."""
    await defer(tx, [(feed, feed.next_check_at) for feed in feeds])


async def defer(tx: Transaction, late: Iterable[tuple[Feed, datetime | None]]) -> None:
    """Give back the leases of feeds that were claimed, and let each be due a little later."""
    told = [{"id": feed.id, "lease_id": feed.lease_id, "until": until} for feed, until in late]
    if told:
        await tx.change_many(_GIVE_BACK, told)


async def hasten(tx: Transaction, *, rules: PollRules, now: datetime) -> None:
    """Let feeds that are well be due after the longest interval at the latest, because that is shorter by now."""
    latest = now + timedelta(seconds=rules.most_interval)
    late = col(Feed.state) == FeedState.ACTIVE, col(Feed.next_check_at) > latest
    sooner = {"next_check_at": latest, "interval_seconds": rules.most_interval}
    await tx.execute(update(Feed).where(*late).values(**sooner))


def _is_due(now: datetime) -> tuple[Any, ...]:
    off = select(col(Account.id)).where(col(Account.id) == col(Feed.account_id), col(Account.is_enabled).is_(False))
    is_due = and_(col(Feed.next_check_at).is_not(None), col(Feed.next_check_at) <= now)
    return is_due, col(Feed.is_enabled).is_(True), not_(off.exists()), _is_free(now)


def _is_free(now: datetime) -> Any:
    return or_(col(Feed.lease_until).is_(None), col(Feed.lease_until) <= now)


_GIVE_BACK = update_many(
    table_of(Feed),
    by=("id", "lease_id"),
    told={"until": table_of(Feed).c.next_check_at.type},
    values=lambda told: {"lease_id": null(), "lease_until": null(), "next_check_at": told["until"]},
)
