"""How feeds are read: who reads one now, and what of what was found is new, is told, and makes actions run.

A feed is read by whoever holds its lease. What was found is stored in one transaction with the executions it leads to,
and only while the lease still stands: a post is remembered, and triggers, together or not at all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

from sqlalchemy import and_, bindparam, delete, insert, or_, update
from sqlmodel import col, select

from db.accounts.entries import LONGEST_TITLE, LONGEST_URL, Entry, Known, New, choose_new, keys_of
from db.accounts.events import FeedPolled, PostsSeen
from db.accounts.executions import Order, offers_of, order_of, queue
from db.accounts.schedule import PollRules, back_off, next_interval, spread
from db.accounts.tables import Account, Action, Feed, Poll, Post
from db.accounts.vocabulary import ExecutionCause, FeedFault, FeedState, PollState, PostOutcome
from db.batches import table_of
from db.ids import new_id
from db.session import Transaction
from db.statements import any_of, row_class

LONGEST_ERROR = 300
_LONGEST_VALIDATOR = 1000


@dataclass(frozen=True, kw_only=True)
class Read:
    """What came of asking for a feed. `lasting_url` is where a chain of nothing but lasting redirects led to.

    `hint` is how many seconds its server wants to be left alone.
    """

    started_at: datetime
    duration_ms: int = 0
    http_status: int | None = None
    lasting_url: str | None = None
    etag: str | None = None
    last_modified: str | None = None
    hint: int | None = None


@dataclass(frozen=True, kw_only=True)
class Unchanged(Read):
    """It is as it was."""


@dataclass(frozen=True, kw_only=True)
class Found(Read):
    """It was read. `discovered_url` is the feed that a page pointed at, `warning` what is wrong with it still."""

    entries: Sequence[Entry]
    body_sha256: str
    title: str = ""
    discovered_url: str | None = None
    warning: str = ""


@dataclass(frozen=True, kw_only=True)
class Failed(Read):
    """It could not be read."""

    fault: FeedFault
    error: str
    retry_after: int | None = None


@dataclass(frozen=True, kw_only=True)
class Polled:
    """A poll as it was stored."""

    feed: Feed
    poll: Poll
    posts: Sequence[Post] = ()


# Who reads


async def claim_due(tx: Transaction, *, lease_id: UUID, limit: int, rules: PollRules, now: datetime) -> list[Feed]:
    """Take the lease of feeds that are due, the longest due first."""
    due = select(col(Feed.id)).where(*_is_due(now)).order_by(col(Feed.next_check_at)).limit(limit)
    held = {"lease_id": lease_id, "lease_until": now + timedelta(seconds=rules.lease)}
    # Said of the row once more: of two who chose it at once, one finds it taken.
    claimed = update(Feed).where(col(Feed.id).in_(due), _is_free(now)).values(**held)
    return await tx.rows(claimed.returning(Feed))


async def release(tx: Transaction, feed_id: UUID, lease_id: UUID) -> None:
    """Give a lease back without having read."""
    mine = col(Feed.id) == feed_id, col(Feed.lease_id) == lease_id
    await tx.execute(update(Feed).where(*mine).values(lease_id=None, lease_until=None))


async def defer(tx: Transaction, feed_id: UUID, lease_id: UUID, until: datetime) -> None:
    """Give a lease back, and let the feed be due a little later."""
    mine = col(Feed.id) == feed_id, col(Feed.lease_id) == lease_id
    later = {"lease_id": None, "lease_until": None, "next_check_at": until}
    await tx.execute(update(Feed).where(*mine).values(**later))


def _is_due(now: datetime) -> tuple[Any, ...]:
    off = select(col(Account.id)).where(col(Account.is_enabled).is_(False))
    is_wanted = or_(col(Feed.account_id).is_(None), col(Feed.account_id).not_in(off))
    is_due = and_(col(Feed.next_check_at).is_not(None), col(Feed.next_check_at) <= now)
    return is_due, col(Feed.is_enabled).is_(True), is_wanted, _is_free(now)


def _is_free(now: datetime) -> Any:
    return or_(col(Feed.lease_until).is_(None), col(Feed.lease_until) <= now)


# What was found


async def record_read(
    tx: Transaction, feed_id: UUID, lease_id: UUID, read: Read, *, rules: PollRules, chance: float, now: datetime
) -> Polled | None:
    """Store what came of a reading. `None`, and nothing is stored, if the lease is not held any more.

    `chance` (0 to 1) moves the next reading a little.
    """
    mine = col(Feed.id) == feed_id, col(Feed.lease_id) == lease_id
    held = update(Feed).where(*mine).values(poll_count=col(Feed.poll_count) + 1).returning(Feed)
    feed = await tx.row(held)
    if feed is None:
        return None
    account = await _hold_account(tx, feed)
    posts: list[Post] = []
    triggered = 0
    new: list[New] = []
    if isinstance(read, Found):
        wanted = [one for one in read.entries if feed.keyword.lower() in one.title.lower()]
        new = choose_new(wanted, await _known(tx, feed_id, wanted))
        posts, triggered = await _take(tx, feed, account, new, rules, now)
    columns = _after(feed, read, len(new), rules, chance, now)
    feed = cast(
        "Feed",
        await tx.row(
            update(Feed)
            .where(col(Feed.id) == feed_id)
            .values(**columns, post_count=col(Feed.post_count) + len(new))
            .returning(Feed)
        ),
    )
    poll = await _insert_poll(tx, feed, account, read, len(new), triggered)
    tx.record(FeedPolled(feed=feed, poll=poll))
    numbered = tuple(post for post in posts if post.number)
    if account is not None and numbered:
        tx.record(PostsSeen(account_id=account.id, posts=numbered))
    return Polled(feed=feed, poll=poll, posts=posts)


async def forget_polls(tx: Transaction, *, kept: timedelta, now: datetime) -> None:
    """Let go of polls that are older than what is to be kept. Posts are kept: they would be new again."""
    await tx.execute(delete(Poll).where(col(Poll.started_at) < now - kept))


async def _hold_account(tx: Transaction, feed: Feed) -> Account | None:
    if feed.account_id is None:
        return None
    held = update(Account).where(col(Account.id) == feed.account_id)
    return await tx.row(held.values(poll_count=col(Account.poll_count) + 1).returning(Account))


async def _known(tx: Transaction, feed_id: UUID, entries: Sequence[Entry]) -> Mapping[str, Known]:
    seen = col(Post.feed_id) == feed_id, any_of(col(Post.entry_key), keys_of(entries))
    found = await tx.tuples(select(col(Post.entry_key), col(Post.url), col(Post.title)).where(*seen))
    return {key: Known(url, title) for key, url, title in found}


async def _take(
    tx: Transaction,
    feed: Feed,
    account: Account | None,
    new: Sequence[New],
    rules: PollRules,
    now: datetime,
) -> tuple[list[Post], int]:
    """Store new posts, and queue what they make run. Returns the posts, and how many of them made something run."""
    if not new:
        return [], 0
    actions = [] if account is None or feed.baseline_at is None else await _actions(tx, account)
    # As they were written: documents begin with the newest.
    in_order = list(reversed(new))
    judged = _judged(feed, in_order, rules, now, has_actions=bool(actions))
    first = 0 if account is None or feed.baseline_at is None else await _number(tx, account, len(new))
    rows = [
        _row(feed, one, outcome, first + place if first else 0, now)
        for place, (one, outcome) in enumerate(zip(in_order, judged, strict=True))
    ]
    await tx.execute_many(_INSERT_POST, rows)
    posts = [_POST._make(row[name] for name in _POST_COLUMNS) for row in rows]
    orders = await _orders(tx, actions, account, posts)
    executions = await queue(tx, orders, now)
    return posts, len({one.post_id for one in executions})


async def _orders(
    tx: Transaction, actions: Sequence[Action], account: Account | None, posts: Sequence[Post]
) -> list[Order]:
    """Return what each post that triggers asks of each action."""
    if account is None or not actions:
        return []
    offers = await offers_of(tx, actions)
    return [
        order_of(
            offers[action.service_id],
            action,
            account,
            post.url or account.url,
            ExecutionCause.POST,
            title=post.title,
            post_id=post.id,
        )
        for post in posts
        if post.outcome is PostOutcome.TRIGGERED
        for action in actions
    ]


async def _actions(tx: Transaction, account: Account) -> list[Action]:
    active = col(Action.account_id) == account.id, col(Action.is_active).is_(True), col(Action.is_for_posts).is_(True)
    return await tx.rows(select(Action).where(*active).order_by(col(Action.created_at), col(Action.id)))


def _judged(
    feed: Feed, in_order: Sequence[New], rules: PollRules, now: datetime, *, has_actions: bool
) -> list[PostOutcome]:
    """Say what becomes of each new post. Of too many, the newest are acted upon."""
    if feed.baseline_at is None:
        return [PostOutcome.BASELINE] * len(in_order)
    left = rules.most_posts
    judged: list[PostOutcome] = []
    for one in reversed(in_order):
        published = one.entry.published_at
        if published is not None and published < now - rules.oldest_post:
            judged.append(PostOutcome.TOO_OLD)
        elif left == 0:
            judged.append(PostOutcome.TOO_MANY)
        else:
            left -= 1
            judged.append(PostOutcome.TRIGGERED if has_actions else PostOutcome.UNTRIGGERED)
    return judged[::-1]


async def _number(tx: Transaction, account: Account, count: int) -> int:
    """Take so many numbers of an account's posts, and return the first."""
    taken = update(Account).where(col(Account.id) == account.id).values(post_count=col(Account.post_count) + count)
    after = cast("Account", await tx.row(taken.returning(Account)))
    return after.post_count - count + 1


def _row(feed: Feed, one: New, outcome: PostOutcome, number: int, now: datetime) -> dict[str, Any]:
    return {
        "id": new_id(),
        "feed_id": feed.id,
        "account_id": feed.account_id,
        "number": number,
        "entry_key": one.key,
        "url": one.entry.url[:LONGEST_URL],
        "title": one.entry.title[:LONGEST_TITLE],
        "published_at": one.entry.published_at,
        "seen_at": now,
        "outcome": outcome,
    }


def _after(feed: Feed, read: Read, new_count: int, rules: PollRules, chance: float, now: datetime) -> dict[str, Any]:
    """Return what a feed is after a reading."""
    columns: dict[str, Any] = {
        "lease_id": None,
        "lease_until": None,
        "last_checked_at": now,
        "last_status": read.http_status,
        "revision": col(Feed.revision) + 1,
        "changed_at": now,
        **_moved(feed, read, rules),
    }
    if isinstance(read, Failed):
        return columns | _after_failure(feed, read, rules, chance, now)
    # What stood there before anybody looked says nothing of how often something comes.
    is_news = new_count > 0 and feed.baseline_at is not None
    interval = next_interval(feed.interval_seconds, has_news=is_news, hint=read.hint, rules=rules)
    wait = spread(float(interval), chance)
    columns |= {
        "state": FeedState.ACTIVE,
        "interval_seconds": interval,
        # Somebody may have asked for it meanwhile: then it was read for him.
        "next_check_at": now + timedelta(seconds=wait),
        "error_count": 0,
        "last_fault": None,
        "last_error": read.warning[:LONGEST_ERROR] if isinstance(read, Found) else "",
    }
    for name in ("etag", "last_modified"):
        given = getattr(read, name)
        if given is not None:
            columns[name] = given if len(given) <= _LONGEST_VALIDATOR else ""
    if isinstance(read, Found):
        columns["body_sha256"] = read.body_sha256
        columns["baseline_at"] = feed.baseline_at or now
        columns["last_changed_at"] = now if new_count else feed.last_changed_at
        if not feed.title:
            columns["title"] = read.title[:LONGEST_TITLE]
        if read.discovered_url:
            columns["effective_url"] = read.discovered_url
    return columns


def _moved(feed: Feed, read: Read, rules: PollRules) -> dict[str, Any]:
    """Count how often in a row a lasting redirect was seen, and believe it in the end."""
    lasting = read.lasting_url
    if lasting is None or len(lasting) > LONGEST_URL or (isinstance(read, Failed) and read.fault is not FeedFault.GONE):
        return {} if isinstance(read, Failed) else {"redirect_url": "", "redirect_count": 0}
    count = feed.redirect_count + 1 if lasting == feed.redirect_url else 1
    if count >= rules.redirects:
        return {"effective_url": lasting, "redirect_url": "", "redirect_count": 0}
    return {"redirect_url": lasting, "redirect_count": count}


def _after_failure(feed: Feed, read: Failed, rules: PollRules, chance: float, now: datetime) -> dict[str, Any]:
    failures = feed.error_count + 1
    columns: dict[str, Any] = {
        "error_count": failures,
        "last_fault": read.fault,
        "last_error": read.error[:LONGEST_ERROR],
    }
    if read.fault is FeedFault.GONE:
        return columns | {"state": FeedState.GONE, "gone_at": now, "next_check_at": None}
    if read.fault is FeedFault.NOT_FOUND and failures >= rules.not_found:
        return columns | {"state": FeedState.STOPPED, "next_check_at": None}
    first = max(rules.least_interval, min(feed.interval_seconds, rules.usual_interval))
    wait = back_off(failures, first=first, longest=rules.longest_back_off, asked=read.retry_after, chance=chance)
    return columns | {"state": FeedState.FAILING, "next_check_at": now + timedelta(seconds=wait)}


async def _insert_poll(
    tx: Transaction, feed: Feed, account: Account | None, read: Read, new_count: int, triggered: int
) -> Poll:
    failed = read if isinstance(read, Failed) else None
    values = {
        "id": new_id(),
        "feed_id": feed.id,
        "account_id": feed.account_id,
        "number": feed.poll_count if account is None else account.poll_count,
        "state": _state_of(feed, read, new_count),
        "started_at": read.started_at,
        "duration_ms": read.duration_ms,
        "http_status": read.http_status,
        "found_count": len(read.entries) if isinstance(read, Found) else 0,
        "new_count": new_count,
        "triggered_count": triggered,
        "fault": None if failed is None else failed.fault,
        "error": "" if failed is None else failed.error[:LONGEST_ERROR],
    }
    return cast("Poll", await tx.row(insert(Poll).values(**values).returning(Poll)))


def _state_of(feed: Feed, read: Read, new_count: int) -> PollState:
    if isinstance(read, Failed):
        return PollState.FAILED
    if isinstance(read, Found) and feed.baseline_at == feed.last_checked_at:
        return PollState.BASELINE
    return PollState.CHANGED if new_count else PollState.UNCHANGED


_POST_COLUMNS = tuple(table_of(Post).c.keys())
_POST: Any = row_class("Posts", _POST_COLUMNS, table_of(Post))
_INSERT_POST = insert(Post).values(
    {column.name: bindparam(column.name, type_=column.type) for column in table_of(Post).c}
)
