"""What is read of feeds: what of it is new, is told, and makes actions run.

A feed is read by whoever holds its lease (`feed_leases`). What was found is stored in one transaction with the
executions it leads to, and only while the lease still stands: a post is remembered, and triggers, together or not at
all.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from typing import Any, cast
from uuid import UUID

from sqlalchemy import BigInteger, ColumnElement, case, literal_column, null
from sqlmodel import col, select

from db.accounts.entries import LONGEST_TITLE, LONGEST_URL, Entry, Known, New, choose_new, keys_of
from db.accounts.events import FeedPolled, PostsSeen
from db.accounts.queueing import Order, offers_of, order_of, queue
from db.accounts.schedule import PollRules, back_off, next_interval, spread
from db.accounts.tables import Account, Action, Feed, Poll, Post
from db.accounts.vocabulary import ExecutionCause, FeedFault, FeedState, PollState, PostOutcome
from db.batches import table_of
from db.ids import new_id
from db.parameters import any_of
from db.session import Transaction
from db.statements import insert_many, row_class, update_many

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


# What was found


@dataclass(frozen=True, kw_only=True)
class Reading:
    """A feed as it was claimed, and what came of asking for it. `chance` (0 to 1) moves the next reading a little."""

    feed: Feed
    read: Read
    chance: float = 0.5


async def record_reads(
    tx: Transaction, readings: Sequence[Reading], *, rules: PollRules, now: datetime
) -> list[Polled | None]:
    """Store what came of readings, each of another feed, and return each as it was stored.

    `None`, and nothing of it is stored, where the lease is not held any more that it was claimed under. All that
    brought nothing new cost three statements together, however many they are.
    """
    # Whoever stores posts holds the lease: should it be lost meanwhile, the feed is not found by it below.
    new = {one.feed.id: await _new_of(tx, one) for one in readings}
    told = [_after(one, len(new[one.feed.id]), rules, now) for one in readings]
    feeds = {feed.id: feed for feed in await tx.change_many(_WRITE_FEED, told)} if told else {}
    held = [one for one in readings if one.feed.id in feeds]
    numbers = await _number(tx, held, new)
    made: dict[UUID, tuple[Polled, Mapping[str, Any]]] = {}
    for one in held:
        feed, of = feeds[one.feed.id], numbers.get(one.feed.account_id)
        posts, triggered = await _take(tx, one.feed, of, new[feed.id], rules, now)
        row = _poll_row(feed, of, one.read, len(new[feed.id]), triggered)
        made[feed.id] = Polled(feed=feed, poll=_POLL._make(row[name] for name in _POLL_COLUMNS), posts=posts), row
    if made:
        await tx.execute_many(_INSERT_POLL, [row for _, row in made.values()])
    for polled, _ in made.values():
        _tell(tx, polled)
    return [made[one.feed.id][0] if one.feed.id in made else None for one in readings]


def _tell(tx: Transaction, polled: Polled) -> None:
    tx.record(FeedPolled(feed=polled.feed, poll=polled.poll))
    numbered = tuple(post for post in polled.posts if post.number)
    if polled.feed.account_id is not None and numbered:
        tx.record(PostsSeen(account_id=polled.feed.account_id, posts=numbered))


async def _new_of(tx: Transaction, reading: Reading) -> list[New]:
    """Return what stands in a document that was not there before."""
    feed, read = reading.feed, reading.read
    if not isinstance(read, Found):
        return []
    wanted = [one for one in read.entries if feed.keyword.lower() in one.title.lower()]
    known = await _known(tx, feed.id, wanted) if feed.post_count and wanted else {}
    return choose_new(wanted, known)


async def _known(tx: Transaction, feed_id: UUID, entries: Sequence[Entry]) -> Mapping[str, Known]:
    seen = col(Post.feed_id) == feed_id, any_of(col(Post.entry_key), keys_of(entries))
    found = await tx.tuples(select(col(Post.entry_key), col(Post.url), col(Post.title)).where(*seen))
    return {key: Known(url, title) for key, url, title in found}


@dataclass(frozen=True)
class _Numbers:
    """An account that is held, and the numbers of its polls and posts that were taken."""

    account: Account
    polls: Iterator[int]
    posts: Iterator[int]


async def _number(
    tx: Transaction, readings: Sequence[Reading], new: Mapping[UUID, Sequence[New]]
) -> dict[UUID | None, _Numbers]:
    """Hold the accounts of feeds, and take numbers for their polls and for all new posts but those of baselines."""
    polls: Counter[UUID] = Counter()
    posts: Counter[UUID] = Counter()
    for feed in (one.feed for one in readings):
        if feed.account_id is not None:
            polls[feed.account_id] += 1
            posts[feed.account_id] += 0 if feed.baseline_at is None else len(new[feed.id])
    # In one order, as far as the database keeps to it.
    told = [{"id": one, "polls": polls[one], "posts": posts[one]} for one in sorted(polls)]
    held = await tx.change_many(_WRITE_ACCOUNT, told) if told else []
    return {
        one.id: _Numbers(one, count(one.poll_count - polls[one.id] + 1), count(one.post_count - posts[one.id] + 1))
        for one in held
    }


async def _take(
    tx: Transaction, feed: Feed, of: _Numbers | None, new: Sequence[New], rules: PollRules, now: datetime
) -> tuple[list[Post], int]:
    """Store new posts, and queue what they make run. Returns the posts, and how many of them made something run.

    `feed` is as it was before.
    """
    if not new:
        return [], 0
    is_told = of is not None and feed.baseline_at is not None
    account = None if of is None else of.account
    actions = await _actions(tx, account) if account is not None and is_told else []
    # As they were written: documents begin with the newest.
    in_order = list(reversed(new))
    judged = _judged(feed, in_order, rules, now, has_actions=bool(actions))
    rows = [
        _row(feed, one, outcome, next(of.posts) if of is not None and is_told else 0, now)
        for one, outcome in zip(in_order, judged, strict=True)
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


def _after(reading: Reading, new_count: int, rules: PollRules, now: datetime) -> dict[str, Any]:
    """Return what `_WRITE_FEED` is told of a reading: the feed as it was, but for what it changes."""
    feed, read = reading.feed, reading.read
    changed = _after_failure if isinstance(read, Failed) else _after_success
    return {
        **{name: getattr(feed, name) for name in _TOLD},
        "id": feed.id,
        "lease_id": feed.lease_id,
        "checked_at": now,
        "last_status": read.http_status,
        "new_count": new_count,
        **_moved(feed, read, rules),
        **changed(reading, new_count, rules, now),
    }


def _after_success(reading: Reading, new_count: int, rules: PollRules, now: datetime) -> dict[str, Any]:
    feed, read = reading.feed, reading.read
    # What stood there before anybody looked says nothing of how often something comes.
    is_news = new_count > 0 and feed.baseline_at is not None
    interval = next_interval(feed.interval_seconds, has_news=is_news, hint=read.hint, rules=rules)
    columns: dict[str, Any] = {
        "state": FeedState.ACTIVE,
        "interval_seconds": interval,
        # Somebody may have asked for it meanwhile: then it was read for him.
        "next_check_at": now + timedelta(seconds=spread(float(interval), reading.chance)),
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


def _after_failure(reading: Reading, _: int, rules: PollRules, now: datetime) -> dict[str, Any]:
    feed, read = reading.feed, cast("Failed", reading.read)
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
    longest, asked = rules.longest_back_off, read.retry_after
    wait = back_off(failures, first=first, longest=longest, asked=asked, chance=reading.chance)
    return columns | {"state": FeedState.FAILING, "next_check_at": now + timedelta(seconds=wait)}


def _poll_row(feed: Feed, of: _Numbers | None, read: Read, new_count: int, triggered: int) -> dict[str, Any]:
    failed = read if isinstance(read, Failed) else None
    return {
        "id": new_id(),
        "feed_id": feed.id,
        "account_id": feed.account_id,
        "number": feed.poll_count if of is None else next(of.polls),
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


def _state_of(feed: Feed, read: Read, new_count: int) -> PollState:
    if isinstance(read, Failed):
        return PollState.FAILED
    if isinstance(read, Found) and feed.baseline_at == feed.last_checked_at:
        return PollState.BASELINE
    return PollState.CHANGED if new_count else PollState.UNCHANGED


def _columns(model: Any) -> tuple[str, ...]:
    return tuple(table_of(model).c.keys())


_POST_COLUMNS, _POLL_COLUMNS = _columns(Post), _columns(Poll)
_POST: Any = row_class("Posts", _POST_COLUMNS, table_of(Post))
_POLL: Any = row_class("Polls", _POLL_COLUMNS, table_of(Poll))
_INSERT_POST, _INSERT_POLL = insert_many(table_of(Post)), insert_many(table_of(Poll))

# What a reading may change of a feed. Who changes any of it by hand takes the lease away, or says a title.
_TOLD = (
    "state",
    "interval_seconds",
    "next_check_at",
    "error_count",
    "last_fault",
    "last_error",
    "last_status",
    "etag",
    "last_modified",
    "body_sha256",
    "baseline_at",
    "last_changed_at",
    "title",
    "effective_url",
    "gone_at",
    "redirect_url",
    "redirect_count",
)


def _write_feed() -> Any:
    table = table_of(Feed)
    one: ColumnElement[int] = literal_column("1")

    def values(told: Mapping[str, Any]) -> dict[str, Any]:
        return {
            **{name: told[name] for name in _TOLD},
            "title": case((table.c.title == literal_column("''"), told["title"]), else_=table.c.title),
            "lease_id": null(),
            "lease_until": null(),
            "last_checked_at": told["checked_at"],
            "changed_at": told["checked_at"],
            "revision": table.c.revision + one,
            "poll_count": table.c.poll_count + one,
            "post_count": table.c.post_count + told["new_count"],
        }

    kinds = {name: table.c[name].type for name in _TOLD}
    more = {"checked_at": table.c.changed_at.type, "new_count": BigInteger()}
    return update_many(table, by=("id", "lease_id"), told={**kinds, **more}, values=values)


def _write_account() -> Any:
    table = table_of(Account)
    return update_many(
        table,
        by=("id",),
        told={"polls": BigInteger(), "posts": BigInteger()},
        values=lambda told: {
            "poll_count": table.c.poll_count + told["polls"],
            "post_count": table.c.post_count + told["posts"],
        },
    )


_WRITE_FEED, _WRITE_ACCOUNT = _write_feed(), _write_account()
