"""What the demonstration looks after: an account with a feed of its own, and what each of its posts makes run."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from html import escape
from typing import Any
from uuid import UUID

from sqlmodel import col, select
from sqlmodel.sql.expression import SelectOfScalar

from db.accounts import actions, feeds, operations, providers
from db.accounts.tables import Provider, Service
from db.accounts.vocabulary import ProviderKind, TriggerKind
from db.session import Transaction

_SECONDS_BETWEEN_POSTS = 30.0
_SHOWN = 20
_TITLES = (
    "Roundhouse in five steps",
    "Stretching for kickers",
    "The final, frame by frame",
    "Answers to your questions",
)


@asynccontextmanager
async def serve_feed(*, speed: float) -> AsyncIterator[str]:
    """Serve a feed that has a new post every half minute; give the `host:port` it is at."""
    loop = asyncio.get_running_loop()
    began = loop.time()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(5):
                await reader.readuntil(b"\r\n\r\n")
                body = write_feed(1 + int((loop.time() - began) * speed / _SECONDS_BETWEEN_POSTS))
                head = f"HTTP/1.1 200 OK\r\nContent-Type: application/rss+xml\r\nContent-Length: {len(body)}\r\n"
                writer.write(f"{head}Connection: close\r\n\r\n".encode() + body)
                await writer.drain()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            return
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


def write_feed(count: int) -> bytes:
    """Write a feed of so many posts, of which the newest are shown."""
    numbers = range(count, max(0, count - _SHOWN), -1)
    items = "".join(
        f"<item><guid>video-{number}</guid><title>{escape(_TITLES[number % len(_TITLES)])} ({number})</title>"
        f"<link>https://video.example/watch/{number}</link></item>"
        for number in numbers
    )
    return f'<rss version="2.0"><channel><title>Ringside on video</title>{items}</channel></rss>'.encode()


async def set_up_accounts(tx: Transaction, owner_id: UUID, feed_host: str, now: datetime) -> None:
    """Add an account that posts, with an order for each post, and one that has no feed."""
    await providers.ensure_sandbox(tx, now=now)
    services = {one.key: one for one in await tx.rows(_services_of_sandbox())}
    account = await operations.create_account(
        tx,
        owner_id=owner_id,
        changes={
            "platform": "youtube",
            "username": "ringside",
            "display_name": "Ringside",
            "url": "https://video.example/ringside",
            "daily_limit": 200,
            "daily_spend_limit": "25.00",
        },
        now=now,
    )
    tag = await operations.create_tag(tx, owner_id=owner_id, changes={"name": "club", "color": "#2F855A"}, now=now)
    await operations.set_account_tags(tx, account.id, [tag.id], viewer=None, now=now)
    url = f"http://{feed_host}/feed.xml"
    await feeds.create_feed(tx, owner_id=owner_id, account_id=account.id, changes={"url": url}, viewer=None, now=now)
    given: dict[str, Any] = {"viewer": None, "now": now}
    cards = await actions.create_action(
        tx, account.id, services["cards"].id, {"name": "Print cards", "quantity": 25, "has_screenshots": True}, **given
    )
    await actions.create_trigger(
        tx, cards.id, kind=TriggerKind.SCHEDULE, changes={"cron": "0 18 * * 5", "time_zone": "Europe/Berlin"}, **given
    )
    half = {"name": "Stickers, half of which come", "quantity": 100, "parameters": {"outcome": "PARTIAL"}}
    await actions.create_action(tx, account.id, services["stickers"].id, half, **given)
    other = {"platform": "mastodon", "username": "@ringside@example.org"}
    await operations.create_account(tx, owner_id=owner_id, changes=other, now=now)


def _services_of_sandbox() -> SelectOfScalar[Service]:
    kind = select(col(Provider.id)).where(col(Provider.kind) == ProviderKind.SANDBOX)
    return select(Service).where(col(Service.provider_id).in_(kind))
