"""One reading of a feed: it is asked for with what is known of it, and its document is read where it has changed."""

import asyncio
import hashlib
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import httpx

from api.workers.feed_documents import Discovered, Document, Parsed, Unreadable
from api.workers.feed_fetching import Fetched, FetchFailure, FetchLimits, fetch, read_max_age
from api.workers.feed_parser import FeedParser
from db.accounts.polling import Failed, Found, Read, Unchanged
from db.accounts.tables import Feed
from db.accounts.vocabulary import FeedFault
from db.clock import Clock


@dataclass(frozen=True, kw_only=True)
class FeedReader:
    """What it takes to read feeds. It touches no database."""

    client: httpx.AsyncClient
    parser: FeedParser
    clock: Clock
    limits: FetchLimits

    async def read(self, feed: Feed) -> Read:
        """Read a feed. Whatever is wrong with it comes back as a failure."""
        began, started_at = asyncio.get_running_loop().time(), self.clock.now()
        try:
            read = await self._ask(feed, started_at)
        except FetchFailure as failure:
            read = _failed(failure, started_at)
        return replace(read, duration_ms=round((asyncio.get_running_loop().time() - began) * 1000))

    async def _ask(self, feed: Feed, started_at: datetime) -> Read:
        # Without a baseline all of it is wanted, whatever was known of it.
        known = feed.baseline_at is not None
        fetched = await self._fetch(feed.effective_url, feed.etag if known else "", feed.last_modified if known else "")
        if fetched.body is None:
            return Unchanged(**_common(fetched, started_at))
        checksum = hashlib.sha256(fetched.body).hexdigest()
        if known and checksum == feed.body_sha256:
            return Unchanged(**_common(fetched, started_at))
        parsed = await self._parse(fetched)
        if not isinstance(parsed, Discovered):
            return _result(parsed, fetched, checksum, started_at)
        named = await self._fetch(parsed.url, "", "")
        found = _result(await self._parse(named), named, hashlib.sha256(named.body or b"").hexdigest(), started_at)
        return replace(found, discovered_url=parsed.url) if isinstance(found, Found) else found

    async def _fetch(self, url: str, etag: str, last_modified: str) -> Fetched:
        now = self.clock.now()
        return await fetch(self.client, url, etag=etag, last_modified=last_modified, limits=self.limits, now=now)

    async def _parse(self, fetched: Fetched) -> Parsed:
        content_type = fetched.headers.get("content-type", "")
        return await self.parser.parse(fetched.body or b"", content_type=content_type, url=fetched.url)


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
