"""The reader of feeds: many at once, each one at a time by its lease, few of one host, and never two answers of one.

What is due is claimed, asked for with no transaction open, and what came of it is stored while the lease stands.
"""

import asyncio
import hashlib
import logging
import random
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import httpx

from api.outbound import Guard, open_client
from api.workers.feed_documents import Discovered, Document, Parsed, Unreadable
from api.workers.feed_fetching import Fetched, FetchFailure, FetchLimits, fetch, read_max_age
from api.workers.feed_parser import FeedParser
from db.accounts import polling
from db.accounts.events import ALL_FEEDS, FeedDue
from db.accounts.polling import Failed, Found, Polled, Read, Unchanged
from db.accounts.schedule import PollRules
from db.accounts.tables import Feed
from db.accounts.vocabulary import FeedFault
from db.bus import Lagged
from db.clock import Clock
from db.errors import Unavailable
from db.ids import new_id
from db.session import Database

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class PollerLimits:
    """How much is done at once. `look_seconds` is how often it is looked for what is due."""

    at_once: int = 32
    of_host: int = 4
    parsers: int = 1
    parse_seconds: float = 5.0
    connect_seconds: float = 10.0
    look_seconds: float = 1.0
    # How long a feed waits whose host is busy.
    busy_seconds: float = 2.0
    # How long polls are kept.
    kept: timedelta = timedelta(days=30)


@dataclass
class FeedPoller:
    """Reads feeds until cancelled."""

    db: Database
    clock: Clock
    guard: Guard = field(default_factory=Guard)
    rules: PollRules = field(default_factory=PollRules)
    fetch_limits: FetchLimits = field(default_factory=FetchLimits)
    limits: PollerLimits = field(default_factory=PollerLimits)
    chance: Callable[[], float] = random.random

    def __post_init__(self) -> None:
        """Begin with nothing under way."""
        self._reading: dict[UUID, asyncio.Task[None]] = {}
        self._leases: dict[UUID, UUID] = {}
        self._hosts: Counter[str] = Counter()
        self._has_room = asyncio.Event()
        self.polls = 0
        self.failures = 0
        self._parser = FeedParser(processes=self.limits.parsers, seconds=self.limits.parse_seconds)

    async def run(self) -> None:
        """Read what is due until cancelled; then let go of what was claimed."""
        async with open_client(
            self.guard, seconds=self.limits.connect_seconds, connections=self.limits.at_once
        ) as client:
            try:
                await self._keep_reading(client)
            finally:
                await self._let_go()

    async def poll(self, client: httpx.AsyncClient, feed: Feed, lease_id: UUID) -> Polled | None:
        """Read one feed that was claimed, and store what came of it. `None` if the lease was lost meanwhile."""
        read = await self._read(client, feed)
        self.polls += 1
        self.failures += isinstance(read, Failed)
        async with self.db.transaction() as tx:
            return await polling.record_read(
                tx, feed.id, lease_id, read, rules=self.rules, chance=self.chance(), now=self.clock.now()
            )

    def facts(self) -> dict[str, object]:
        """Say what health shows."""
        return {
            "reading": len(self._reading),
            "polls": self.polls,
            "failures": self.failures,
            "killed": self._parser.killed,
        }

    async def close(self) -> None:
        """End the processes that read documents."""
        await self._parser.close()

    async def _keep_reading(self, client: httpx.AsyncClient) -> None:
        listening = self.db.bus.listen(ALL_FEEDS, of=FeedDue, latest_only=True, is_standing=True)
        looks = 0
        with listening as heard:
            while True:
                with suppress(Unavailable):
                    if looks % _LOOKS_BETWEEN_FORGETTING == 0:
                        await self._forget()
                    await self._begin_due(client)
                looks += 1
                for task in [one for one in self._reading.values() if one.done()]:
                    task.result()
                try:
                    async with asyncio.timeout(self.limits.look_seconds):
                        await anext(heard)
                except (TimeoutError, Lagged):
                    continue
                except StopAsyncIteration:
                    return

    async def _begin_due(self, client: httpx.AsyncClient) -> None:
        """Claim what is due, as long as there is room and more of it."""
        while (room := self.limits.at_once - len(self._reading)) > 0:
            lease_id = new_id()
            async with self.db.transaction() as tx:
                claimed = await polling.claim_due(
                    tx, lease_id=lease_id, limit=room, rules=self.rules, now=self.clock.now()
                )
            for feed in claimed:
                await self._begin(client, feed, lease_id)
            if len(claimed) < room:
                return
            self._has_room.clear()
            if len(self._reading) >= self.limits.at_once:
                with suppress(TimeoutError):
                    async with asyncio.timeout(self.limits.look_seconds):
                        await self._has_room.wait()

    async def _begin(self, client: httpx.AsyncClient, feed: Feed, lease_id: UUID) -> None:
        host = urlsplit(feed.effective_url).hostname or ""
        if self._hosts[host] >= self.limits.of_host or feed.id in self._reading:
            until = self.clock.now() + timedelta(seconds=self.limits.busy_seconds * (0.5 + self.chance()))
            async with self.db.transaction() as tx:
                await polling.defer(tx, feed.id, lease_id, until)
            return
        self._hosts[host] += 1
        self._leases[feed.id] = lease_id
        task = asyncio.create_task(self._poll_one(client, feed, lease_id), name=f"reading {feed.id}")
        self._reading[feed.id] = task
        task.add_done_callback(lambda done: self._ended(feed.id, host, done))

    async def _poll_one(self, client: httpx.AsyncClient, feed: Feed, lease_id: UUID) -> None:
        try:
            await self.poll(client, feed, lease_id)
        except Unavailable as refusal:
            # Nothing of it was stored: whoever has the lease next finds the same.
            _log.warning("what was read of feed %s could not be stored: %s", feed.id, refusal.message)

    def _ended(self, feed_id: UUID, host: str, task: "asyncio.Task[None]") -> None:
        self._hosts[host] -= 1
        if self._hosts[host] <= 0:
            del self._hosts[host]
        self._leases.pop(feed_id, None)
        if task.cancelled() or task.exception() is None:
            self._reading.pop(feed_id, None)
        self._has_room.set()

    async def _let_go(self) -> None:
        held = dict(self._leases)
        tasks = list(self._reading.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        self._reading.clear()
        await self._parser.close()
        with suppress(Unavailable):
            async with self.db.transaction() as tx:
                for feed_id, lease_id in held.items():
                    await polling.release(tx, feed_id, lease_id)

    async def _forget(self) -> None:
        async with self.db.transaction() as tx:
            await polling.forget_polls(tx, kept=self.limits.kept, now=self.clock.now())

    # One reading

    async def _read(self, client: httpx.AsyncClient, feed: Feed) -> Read:
        began, started_at = asyncio.get_running_loop().time(), self.clock.now()
        try:
            read = await self._ask(client, feed, started_at)
        except FetchFailure as failure:
            read = _failed(failure, started_at)
        took = round((asyncio.get_running_loop().time() - began) * 1000)
        return type(read)(**{**vars(read), "duration_ms": took})

    async def _ask(self, client: httpx.AsyncClient, feed: Feed, started_at: datetime) -> Read:
        # Without a baseline all of it is wanted, whatever was known of it.
        known = feed.baseline_at is not None
        fetched = await self._fetch(
            client, feed.effective_url, feed.etag if known else "", feed.last_modified if known else ""
        )
        if fetched.body is None:
            return Unchanged(**_common(fetched, started_at))
        checksum = hashlib.sha256(fetched.body).hexdigest()
        if known and checksum == feed.body_sha256:
            return Unchanged(**_common(fetched, started_at))
        parsed = await self._parse(fetched)
        if not isinstance(parsed, Discovered):
            return _result(parsed, fetched, checksum, started_at)
        named = await self._fetch(client, parsed.url, "", "")
        found = _result(await self._parse(named), named, hashlib.sha256(named.body or b"").hexdigest(), started_at)
        return Found(**{**vars(found), "discovered_url": parsed.url}) if isinstance(found, Found) else found

    async def _fetch(self, client: httpx.AsyncClient, url: str, etag: str, last_modified: str) -> Fetched:
        return await fetch(
            client,
            url,
            etag=etag,
            last_modified=last_modified,
            limits=self.fetch_limits,
            now=self.clock.now(),
        )

    async def _parse(self, fetched: Fetched) -> Parsed:
        content_type = fetched.headers.get("content-type", "")
        return await self._parser.parse(fetched.body or b"", content_type=content_type, url=fetched.url)


def _result(parsed: Parsed, fetched: Fetched, checksum: str, started_at: datetime) -> Read:
    if isinstance(parsed, Document):
        common = _common(fetched, started_at)
        hints = [hint for hint in (common["hint"], parsed.hint) if isinstance(hint, int)]
        return Found(
            **{**common, "hint": max(hints, default=None)},
            entries=parsed.entries,
            body_sha256=checksum,
            title=parsed.title,
            warning=parsed.warning,
        )
    unreadable = parsed if isinstance(parsed, Unreadable) else Unreadable(FeedFault.NOT_A_FEED, "It names a page.")
    return Failed(started_at=started_at, http_status=fetched.status, fault=unreadable.fault, error=unreadable.error)


def _common(fetched: Fetched, started_at: datetime) -> dict[str, Any]:
    # With 304 a server may leave out what has not changed.
    is_whole = fetched.body is not None
    return {
        "started_at": started_at,
        "http_status": fetched.status,
        "lasting_url": fetched.lasting_url,
        "etag": fetched.headers.get("etag", "" if is_whole else None),
        "last_modified": fetched.headers.get("last-modified", "" if is_whole else None),
        "hint": read_max_age(fetched.headers.get("cache-control", "")),
    }


def _failed(failure: FetchFailure, started_at: datetime) -> Failed:
    return Failed(
        started_at=started_at,
        http_status=failure.status,
        lasting_url=failure.lasting_url,
        fault=failure.fault,
        error=failure.error,
        retry_after=failure.retry_after,
    )


_LOOKS_BETWEEN_FORGETTING = 3600
