"""Asking for a document: with what is known of it, over few redirects, and for few bytes and little time."""

import asyncio
import zlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from urllib.parse import urljoin, urlsplit

import httpx

from api.outbound import ForbiddenAddress
from db.accounts.entries import LONGEST_URL
from db.accounts.vocabulary import FeedFault

_ACCEPTED = "application/feed+json, application/atom+xml, application/rss+xml, application/xml;q=0.9, */*;q=0.5"
_LASTING = {HTTPStatus.MOVED_PERMANENTLY, HTTPStatus.PERMANENT_REDIRECT}
_REDIRECTS = {
    *_LASTING,
    HTTPStatus.FOUND,
    HTTPStatus.SEE_OTHER,
    HTTPStatus.TEMPORARY_REDIRECT,
}


@dataclass(frozen=True, kw_only=True)
class FetchLimits:
    """What a document may cost. `bytes` bounds it as it comes, and unpacked."""

    bytes: int = 5 * 1024 * 1024
    seconds: float = 20.0
    redirects: int = 5


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """An answer. `body` is `None` where nothing has changed."""

    status: int
    url: str
    lasting_url: str | None
    headers: Mapping[str, str]
    body: bytes | None


class FetchFailure(Exception):
    """A document could not be had. `retry_after` is how many seconds its server asked to be left alone."""

    def __init__(
        self,
        fault: FeedFault,
        error: str,
        *,
        status: int | None = None,
        retry_after: int | None = None,
        lasting_url: str | None = None,
    ) -> None:
        super().__init__(error)
        self.fault = fault
        self.error = error
        self.status = status
        self.retry_after = retry_after
        self.lasting_url = lasting_url


async def fetch(
    client: httpx.AsyncClient, url: str, *, etag: str, last_modified: str, limits: FetchLimits, now: datetime
) -> Fetched:
    """Ask for a document. Raises `FetchFailure` and nothing else."""
    try:
        async with asyncio.timeout(limits.seconds):
            return await _follow(client, url, etag, last_modified, limits, now)
    except ForbiddenAddress as error:
        raise FetchFailure(FeedFault.FORBIDDEN_ADDRESS, str(error)) from error
    except (TimeoutError, httpx.TimeoutException) as error:
        raise FetchFailure(FeedFault.TIMEOUT, "The answer took too long.") from error
    except (httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeError, ValueError) as error:
        raise FetchFailure(FeedFault.BAD_ADDRESS, "This address cannot be asked for.") from error
    except (httpx.HTTPError, OSError) as error:
        raise FetchFailure(FeedFault.UNREACHABLE, f"It cannot be reached: {type(error).__name__}.") from error


async def _follow(
    client: httpx.AsyncClient, url: str, etag: str, last_modified: str, limits: FetchLimits, now: datetime
) -> Fetched:
    given = {"Accept": _ACCEPTED}
    # As they were received: servers compare them letter by letter.
    if etag:
        given["If-None-Match"] = etag
    if last_modified:
        given["If-Modified-Since"] = last_modified
    is_lasting, here = True, url
    for _ in range(limits.redirects + 1):
        async with client.stream("GET", _checked(here), headers=given) as answer:
            if answer.status_code not in _REDIRECTS or "location" not in answer.headers:
                lasting = here if is_lasting and here != url else None
                return await _taken(answer, here, lasting, limits, now)
            is_lasting = is_lasting and answer.status_code in _LASTING
            here = urljoin(here, answer.headers["location"])
    raise FetchFailure(FeedFault.TOO_MANY_REDIRECTS, "It leads from address to address without an end.")


async def _taken(
    answer: httpx.Response, url: str, lasting_url: str | None, limits: FetchLimits, now: datetime
) -> Fetched:
    status = answer.status_code
    if status == HTTPStatus.NOT_MODIFIED:
        body = None
    elif status in {HTTPStatus.OK, HTTPStatus.NON_AUTHORITATIVE_INFORMATION}:
        body = await _body(answer, limits.bytes)
    else:
        raise _refused(answer, lasting_url, now)
    return Fetched(status=status, url=url, lasting_url=lasting_url, headers=answer.headers, body=body)


def _refused(answer: httpx.Response, lasting_url: str | None, now: datetime) -> FetchFailure:
    status = answer.status_code
    fault = _FAULTS.get(status)
    if fault is None:
        fault = FeedFault.SERVER_ERROR if status >= HTTPStatus.INTERNAL_SERVER_ERROR else FeedFault.BAD_STATUS
    if answer.headers.get("cf-mitigated") == "challenge":
        fault = FeedFault.CHALLENGED
    return FetchFailure(
        fault,
        f"Its server answers with the status {status}.",
        status=status,
        retry_after=read_retry_after(answer.headers.get("retry-after", ""), now),
        lasting_url=lasting_url,
    )


async def _body(answer: httpx.Response, most: int) -> bytes:
    encoding = answer.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in {"identity", "", "gzip", "x-gzip", "deflate"}:
        raise FetchFailure(FeedFault.NOT_A_FEED, "It is packed in a way that was not asked for.", status=200)
    try:
        parts = _unpacked(answer.aiter_raw(), most) if encoding not in {"identity", ""} else answer.aiter_raw()
        return await _joined(parts, most)
    except zlib.error as error:
        raise FetchFailure(FeedFault.NOT_A_FEED, "It cannot be unpacked.", status=200) from error


async def _joined(parts: AsyncIterator[bytes], most: int) -> bytes:
    body = bytearray()
    async for part in parts:
        body += part
        if len(body) > most:
            raise FetchFailure(FeedFault.TOO_LARGE, f"It is larger than {most:,} bytes.", status=200)
    return bytes(body)


async def _unpacked(parts: AsyncIterator[bytes], most: int) -> AsyncIterator[bytes]:
    """Unpack no more than may be: a megabyte of nothing comes packed in a thousand bytes."""
    unpacker: zlib._Decompress | None = None
    async for part in parts:
        if unpacker is None:
            # Some send bare deflate, some zlib's, and some gzip: the first byte tells.
            unpacker = zlib.decompressobj(47 if part[:1] in {b"\x1f", b"\x78"} else -15)
        yield unpacker.decompress(part, most + 1)
        if unpacker.unconsumed_tail:
            raise FetchFailure(FeedFault.TOO_LARGE, f"It is larger than {most:,} bytes unpacked.", status=200)
    if unpacker is not None:
        yield unpacker.flush(most)


def _checked(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or parts.username is not None or len(url) > LONGEST_URL:
        raise FetchFailure(FeedFault.BAD_ADDRESS, "This address cannot be asked for.")
    return url


def read_retry_after(text: str, now: datetime) -> int | None:
    """Return how many seconds a server asks to be left alone, by either way of saying so; `None` for no way."""
    text = text.strip()
    if text.isascii() and text.isdecimal():
        return min(int(text[:10]), _LONGEST)
    try:
        until = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return None
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0, min(_LONGEST, int((until - now).total_seconds())))


def read_max_age(text: str) -> int | None:
    """Return for how many seconds an answer stays true, `None` if its server does not say."""
    for part in text.lower().split(","):
        name, _, value = part.strip().partition("=")
        if name == "max-age" and value.isascii() and value.isdecimal():
            return min(int(value[:10]), _LONGEST)
    return None


_LONGEST = 10 * 365 * 86_400
_FAULTS: dict[int, FeedFault] = {
    HTTPStatus.UNAUTHORIZED: FeedFault.DENIED,
    HTTPStatus.PAYMENT_REQUIRED: FeedFault.DENIED,
    HTTPStatus.FORBIDDEN: FeedFault.DENIED,
    HTTPStatus.NOT_FOUND: FeedFault.NOT_FOUND,
    HTTPStatus.GONE: FeedFault.GONE,
    HTTPStatus.TOO_MANY_REQUESTS: FeedFault.THROTTLED,
    HTTPStatus.SERVICE_UNAVAILABLE: FeedFault.THROTTLED,
}
