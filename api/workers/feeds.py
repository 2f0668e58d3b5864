"""The reader of feeds: many at once, each one at a time by its lease, few of one host, and never two answers of one.

What is due is claimed, asked for with no transaction open, and what came of it is stored while the lease stands. One
transaction after another does both, for all feeds that are done by then: where the database is slow they are fewer and
larger, and where it cannot do it now, all that was read waits for it.
"""

import asyncio
import logging
import math
import random
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx

from api.outbound import Guard, open_client
from api.workers.feed_fetching import FetchLimits
from api.workers.feed_hosts import Hosts
from api.workers.feed_parser import FeedParser
from api.workers.feed_reading import FeedReader
from db.accounts import feed_leases
from db.accounts.events import ALL_FEEDS, FeedDue
from db.accounts.polling import Failed, Found, Polled, Reading, record_reads
from db.accounts.schedule import PollRules
from db.accounts.tables import Feed
from db.accounts.vocabulary import FeedFault
from db.bus import Lagged
from db.clock import Clock
from db.database import Database
from db.errors import Unavailable
from db.ids import new_id
from db.session import Transaction
from db.together import together

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
    # How long what was read waits for more, to be stored together.
    gather_seconds: float = 0.03
    # What one transaction stores at most, in readings and in what stood in them.
    stored_readings: int = 100
    stored_entries: int = 1000
    # How much later than it should something may run, until that is called standing still.
    stall_seconds: float = 2.0


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
        self._under_way: dict[asyncio.Task[None], Feed] = {}
        self._hosts = Hosts()
        # What was read and is not stored yet, and what could not be stored together with others, nor they with it.
        self._done: list[Reading] = []
        self._doubted: list[Reading] = []
        # What the transaction that is open holds. One that failed leaves it here.
        self._held: list[Reading] = []
        # What ran out of time while this process stood still.
        self._unread: list[Feed] = []
        self._stood_still_at = -math.inf
        self._failed: list[asyncio.Task[None]] = []
        self._stirred = asyncio.Event()
        self._is_hasty = False
        self._is_kept_waiting = False
        self._behind = timedelta(0)
        self.polls = 0
        self.failures = 0
        self._parser = FeedParser(processes=self.limits.parsers, seconds=self.limits.parse_seconds)

    async def run(self) -> None:
        """Read what is due until cancelled; then store what was read, and let go of what was claimed."""
        async with open_client(
            self.guard, seconds=self.limits.connect_seconds, connections=_MOST_CONNECTIONS
        ) as client:
            try:
                await together(self._listen(), self._beat(), self._keep_reading(client))
            finally:
                await self._let_go()

    def reader(self, client: httpx.AsyncClient) -> FeedReader:
        """Return what reads a feed by the limits that hold now."""
        return FeedReader(client=client, parser=self._parser, clock=self.clock, limits=self.fetch_limits)

    def set_limits(self, **changes: Any) -> None:
        """Do more or less at once from the next look on, in what is named."""
        self.limits = replace(self.limits, **changes)

    def set_rules(self, **changes: Any) -> None:
        """Go by other rules from the next feed on. What was put off for longer than is now the most is due earlier."""
        is_shorter = changes.get("most_interval", self.rules.most_interval) < self.rules.most_interval
        self.rules = replace(self.rules, **changes)
        self._is_hasty = self._is_hasty or is_shorter

    def facts(self) -> dict[str, object]:
        """Say what health shows. `behindSeconds` is how long the feed was due already that was claimed last."""
        return {
            "reading": len(self._under_way),
            "unstored": len(self._held) + len(self._unstored),
            "behindSeconds": round(self._behind.total_seconds()),
            "polls": self.polls,
            "failures": self.failures,
            "killed": self._parser.killed,
        }

    async def close(self) -> None:
        """End the processes that read documents."""
        await self._parser.close()

    async def _listen(self) -> None:
        """Be stirred whenever a feed may be due that was not before."""
        listening = self.db.bus.listen(ALL_FEEDS, of=FeedDue, latest_only=True, is_standing=True)
        with listening as heard:
            while True:
                try:
                    await anext(heard)
                except StopAsyncIteration:
                    return
                except Lagged:
                    pass
                self._stirred.set()

    async def _beat(self) -> None:
        """Notice when this process stood still, on a machine that slept or has no time."""
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            await asyncio.sleep(_BEAT_SECONDS)
            late = loop.time() - began - _BEAT_SECONDS
            if late > self.limits.stall_seconds:
                self._stood_still_at = loop.time()
                _log.warning("nothing ran for %.1f s: what ran out of time meanwhile is read again", late)

    async def _keep_reading(self, client: httpx.AsyncClient) -> None:
        while True:
            self._stirred.clear()
            try:
                has_more = await self._turn(client)
            except Unavailable as refusal:
                await self._be_kept_waiting(refusal)
                continue
            self._is_kept_waiting = False
            if has_more:
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(self.limits.look_seconds):
                    await self._stirred.wait()
            await asyncio.sleep(self.limits.gather_seconds)

    async def _be_kept_waiting(self, refusal: Unavailable) -> None:
        """Keep what could not be stored now, and try again in a while: it is nobody's failure."""
        if not self._is_kept_waiting:
            _log.warning("what was read of feeds waits for the database: %s", refusal.message)
        self._is_kept_waiting = True
        self._done, self._held = [*self._held, *self._done], []
        await asyncio.sleep(self.limits.look_seconds)

    # What is stored, and claimed

    async def _turn(self, client: httpx.AsyncClient) -> bool:
        """Store what was read and claim what is due, in one transaction. Say whether there is more to do at once."""
        while self._failed:
            self._failed.pop().result()
        self._choose()
        room = self.limits.at_once - len(self._under_way) - len(self._unstored)
        unread = list(self._unread)
        if not self._held and not unread and room <= 0:
            return False
        try:
            async with self.db.transaction() as tx:
                stored = await self._store(tx, self._held)
                await feed_leases.release(tx, unread)
                claimed = await self._claim(tx, room) if room > 0 else []
                begun = await self._admit(tx, claimed)
        except asyncio.CancelledError:
            self._done, self._held = [*self._held, *self._done], []
            raise
        self._note(stored)
        self._held, self._is_hasty = [], False
        del self._unread[: len(unread)]
        for feed in begun:
            self._begin(client, feed)
        return bool(self._unstored) or (len(claimed) >= room > len(begun))

    def _choose(self) -> None:
        """Take what is to be stored together. What a transaction that failed left behind is stored one by one.

        What fails alone is let go of: whoever has the lease next finds the same.
        """
        if len(self._held) > 1:
            self._doubted += self._held
        if self._doubted:
            self._held = [self._doubted.pop()]
            return
        entries, number = 0, 0
        for number, one in enumerate(self._done, start=1):
            entries += len(one.read.entries) if isinstance(one.read, Found) else 0
            if entries >= self.limits.stored_entries or number == self.limits.stored_readings:
                break
        self._held, self._done = self._done[:number], self._done[number:]

    async def _store(self, tx: Transaction, readings: Sequence[Reading]) -> Sequence[Polled | None]:
        now = self.clock.now()
        if self._is_hasty:
            await feed_leases.hasten(tx, rules=self.rules, now=now)
        return await record_reads(tx, readings, rules=self.rules, now=now)

    async def _claim(self, tx: Transaction, room: int) -> list[Feed]:
        now = self.clock.now()
        claimed = await feed_leases.claim_due(tx, lease_id=new_id(), limit=room, rules=self.rules, now=now)
        due = min((feed.next_check_at for feed in claimed if feed.next_check_at is not None), default=now)
        self._behind = now - due
        return claimed

    async def _admit(self, tx: Transaction, claimed: Sequence[Feed]) -> list[Feed]:
        """Return the feeds that may be read now, and put off those whose hosts are busy."""
        in_hand = {feed.id for feed in self._under_way.values()} | {one.feed.id for one in self._unstored}
        begun: list[Feed] = []
        late: list[tuple[Feed, datetime]] = []
        asked = Counter({host: self._hosts.asked_of(host) for host in map(_host_of, claimed)})
        for feed in claimed:
            host = _host_of(feed)
            if asked[host] < self.limits.of_host and feed.id not in in_hand:
                asked[host] += 1
                begun.append(feed)
            else:
                late.append((feed, self._turn_of(host)))
        if late:
            await feed_leases.defer(tx, late)
        return begun

    def _turn_of(self, host: str) -> datetime:
        least = timedelta(seconds=self.limits.busy_seconds * (0.5 + self.chance()))
        return self._hosts.turn(host, of_host=self.limits.of_host, least=least, now=self.clock.now())

    def _note(self, stored: Sequence[Polled | None]) -> None:
        # Of what nothing was stored, whoever has the lease by now counts his own.
        held = [one for one, polled in zip(self._held, stored, strict=True) if polled is not None]
        self.polls += len(held)
        self.failures += sum(isinstance(one.read, Failed) for one in held)
        lost = len(stored) - len(held)
        if lost:
            _log.info("of what was read of %d feeds nothing was stored: somebody else has their leases", lost)

    @property
    def _unstored(self) -> list[Reading]:
        return [*self._doubted, *self._done]

    # What is read

    def _begin(self, client: httpx.AsyncClient, feed: Feed) -> None:
        self._hosts.begin(_host_of(feed))
        began = asyncio.get_running_loop().time()
        task = asyncio.create_task(self._read(client, feed), name=f"reading {feed.id}")
        self._under_way[task] = feed
        task.add_done_callback(lambda done: self._ended(done, asyncio.get_running_loop().time() - began))

    async def _read(self, client: httpx.AsyncClient, feed: Feed) -> None:
        began = asyncio.get_running_loop().time()
        read = await self.reader(client).read(feed)
        if isinstance(read, Failed) and read.fault in _FAULTS_OF_TIME and self._stood_still_at >= began:
            self._unread.append(feed)
        else:
            self._done.append(Reading(feed=feed, read=read, chance=self.chance()))

    def _ended(self, task: "asyncio.Task[None]", seconds: float) -> None:
        self._hosts.end(_host_of(self._under_way.pop(task)), seconds, self.clock.now())
        if not task.cancelled() and task.exception() is not None:
            self._failed.append(task)
        self._stirred.set()

    async def _let_go(self) -> None:
        unread = list(self._under_way.values())
        tasks = list(self._under_way)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await self._parser.close()
        unread = [feed for feed in unread if feed.id not in {one.feed.id for one in self._done}] + self._unread
        done, self._done, self._unread = self._done, [], []
        with suppress(Unavailable):
            async with self.db.transaction() as tx:
                await feed_leases.release(tx, unread)
                await record_reads(tx, done, rules=self.rules, now=self.clock.now())


def _host_of(feed: Feed) -> str:
    return urlsplit(feed.effective_url).hostname or ""


_BEAT_SECONDS = 0.5
# What a feed may seem to have done while it was us who had no time.
_FAULTS_OF_TIME = frozenset({FeedFault.TIMEOUT, FeedFault.UNREACHABLE, FeedFault.HOSTILE})
# As many as may ever be read at once: how many are, the poller counts itself.
_MOST_CONNECTIONS = 1000
