"""Somebody who reads feeds of a server of this machine, one reading at a time."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx

from api.outbound import Guard, open_client
from api.workers.feed_fetching import FetchLimits
from api.workers.feeds import FeedPoller, PollerLimits
from db.accounts import feeds
from db.accounts.polling import Polled
from db.accounts.tables import Account, Feed
from db.accounts.vocabulary import FeedFault, PollState
from db.database import Database
from tests.conftest import ManualClock
from tests.support.accounts import claim_feeds, make_account, make_feed, record
from tests.support.web import Answer, Asked, Web, web

LIMITS = FetchLimits(bytes=200_000, seconds=5.0, redirects=5)


@dataclass
class Reader:
    """A reader of feeds, and the server it reads from."""

    db: Database
    clock: ManualClock
    web: Web
    poller: FeedPoller
    client: httpx.AsyncClient
    account: Account

    async def add(self, path: str = "/feed", **changes: Any) -> Feed:
        return await make_feed(self.db, self.account, url=self.web.url(path), now=self.clock.now(), **changes)

    async def read(self, feed: Feed) -> Polled:
        """Read a feed now, a minute after it was last."""
        self.clock.move(timedelta(minutes=1))
        now = self.clock.now()
        async with self.db.transaction() as tx:
            await feeds.ask_for_poll(tx, feed.id, viewer=None, now=now)
            (claimed,) = await claim_feeds(tx, at=now)
        read = await self.poller.reader(self.client).read(claimed)
        async with self.db.transaction() as tx:
            polled = await record(tx, claimed, read, at=now)
        assert polled is not None
        return polled

    async def answers(self, *answers: Answer | Callable[[Asked], Answer]) -> list[Polled]:
        """Read one feed again and again, answered so."""
        feed = await self.add()
        polls = []
        for answer in answers:
            self.web.answers["/feed"] = answer
            polls.append(await self.read(feed))
        return polls

    async def fault(self, answer: Answer) -> tuple[FeedFault | None, int | None]:
        """Say why a feed that is answered so cannot be read, and with which status."""
        (polled,) = await self.answers(answer)
        assert polled.poll.state is PollState.FAILED
        assert polled.poll.error == polled.feed.last_error != ""
        return polled.poll.fault, polled.poll.http_status


@asynccontextmanager
async def reading(db: Database, clock: ManualClock, *, guard: Guard | None = None) -> AsyncIterator[Reader]:
    async with web() as served:
        chosen = guard or Guard(allowed={served.host})
        poller = FeedPoller(db, clock, chosen, fetch_limits=LIMITS, limits=PollerLimits(parse_seconds=3.0))
        try:
            async with open_client(chosen, seconds=2.0) as client:
                yield Reader(db, clock, served, poller, client, await make_account(db, now=clock.now()))
        finally:
            await poller.close()


def ok(body: bytes, **headers: str) -> Answer:
    return Answer(body=body, headers={name.replace("_", "-"): value for name, value in headers.items()})
