"""Following what is configured in the database."""

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID

from db.bus import Event, Lagged
from db.database import Database

# Somebody at the machine's own console may have changed something without our hearing of it.
_LOOK_AGAIN_SECONDS = 10.0


async def follow(db: Database, topic: UUID, of: type[Event], look: Callable[[], Awaitable[None]]) -> None:
    """Look, and look again at each event of the topic and every ten seconds besides, until the bus is closed."""
    # Listen before looking: a change in between is then heard, not missed.
    with db.bus.listen(topic, of=of, latest_only=True, is_standing=True) as heard:
        while True:
            await look()
            try:
                async with asyncio.timeout(_LOOK_AGAIN_SECONDS):
                    await anext(heard)
            except (TimeoutError, Lagged):
                continue
            except StopAsyncIteration:
                return
