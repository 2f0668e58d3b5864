"""The demonstration: a throw-away database, a sample tournament, and a recorded fight sent over real UDP, for ever."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from api.capture import read_capture
from api.replay import replay, shorten
from db.access import operations as access
from db.access.viewer import Role
from db.clock import Clock
from db.matches import operations as matches
from db.session import Database

CAPTURE = Path(__file__).parent / "captures" / "fight_1945_final.tsv"
_LONGEST_SILENCE = timedelta(seconds=3)
_PAUSE_SECONDS = 8.0


@dataclass(frozen=True, kw_only=True)
class Demo:
    """What was set up, and the secrets to see it with."""

    mat_id: UUID
    admin_secret: str
    overlay_secret: str


async def set_up(db: Database, clock: Clock) -> Demo:
    """Fill an empty database."""
    now = clock.now()
    async with db.transaction() as tx:
        admin = await access.create_user(tx, name="admin", role=Role.ADMIN, now=now)
        secret = await access.create_token(tx, user_id=admin.id, label="Demonstration", now=now)
        tournament = await matches.create_tournament(tx, name="Ringside Open", city="Seoul", now=now)
        mat = await matches.create_mat(tx, name="Mat 1", tournament_id=tournament.id, now=now)
        await matches.create_mat(tx, name="Mat 2", tournament_id=tournament.id, now=now)
        overlay = await access.create_token(tx, user_id=admin.id, label="Overlay of Mat 1", nodes=[mat.id], now=now)
    return Demo(mat_id=mat.id, admin_secret=secret.secret, overlay_secret=overlay.secret)


def play(host: str, bound_port: Callable[[], Awaitable[int]], *, speed: float) -> Callable[[], Awaitable[None]]:
    """Return work that sends the recorded fight to a UDP port, again and again, its long silences shortened."""
    fight = shorten(read_capture(CAPTURE), _LONGEST_SILENCE)

    async def work() -> None:
        port = await bound_port()
        while True:
            await replay(fight, (host, port), speed=speed)
            await asyncio.sleep(_PAUSE_SECONDS / speed)

    return work
