"""The demonstration: a throw-away database with a sample tournament, a stream and a practice room, all under way.

A recorded fight is sent over real UDP, for ever; an invented audience fills the stream's goals over a real WebSocket.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from api.capture import read_capture
from api.demo.accounts import set_up_accounts
from api.demo.by_hand import set_up_fight
from api.demo.event import about_event, set_up_event
from api.demo.flags import set_up_flags
from api.demo.people import set_up_people
from api.demo.practice import set_up_practice
from api.demo.recordings import set_up_recordings
from api.replay import replay, shorten
from api.simulation import Audience, simulated
from db.access import operations as access
from db.access.viewer import Role, Viewer
from db.clock import Clock
from db.database import Database
from db.matches import operations as matches
from db.session import Transaction
from db.streams import operations as streams
from db.streams import source_operations
from db.streams.rules import Milestone
from db.streams.tables import Stream
from db.streams.vocabulary import (
    GoalAnimation,
    GoalCelebration,
    GoalLook,
    StreamSourceKind,
)

CAPTURE = Path(__file__).parent / "captures" / "fight_1945_final.tsv"
_LONGEST_SILENCE = timedelta(seconds=3)
_PAUSE_SECONDS = 8.0
_FRAMES_PER_SECOND = 4.0
# How the goals that every stream begins with are changed.
_GOALS: dict[str, dict[str, Any]] = {
    "COINS": {
        "target": 250,
        "step": 250,
        "milestones": (Milestone(100, "Push-ups"), Milestone(200, "A song")),
        "style": {"animation": GoalAnimation.BOUNCE, "celebration": GoalCelebration.CONFETTI},
    },
    "LIKES": {"style": {"fill_color": "#5e5ce6", "fill_end_color": "#64d2ff", "celebration": GoalCelebration.PULSE}},
    "FOLLOWERS": {"style": {"look": GoalLook.MINIMAL, "template": "{remaining} {unit} to go", "fill_color": "#30d158"}},
    "CUSTOM": {"name": "Laps", "style": {"look": GoalLook.MINIMAL}},
}


@dataclass(frozen=True, kw_only=True)
class Demo:
    """What was set up, and the secrets to see it with."""

    mat_id: UUID
    stream_id: UUID
    admin_secret: str
    overlay_secret: str


async def set_up(db: Database, clock: Clock, *, feed_host: str | None = None) -> Demo:
    """Fill an empty database; with an account that posts, if its feed is served at `feed_host`."""
    now = clock.now()
    async with db.transaction() as tx:
        admin = await access.create_user(tx, name="admin", role=Role.ADMIN, now=now)
        secret = await access.create_token(tx, user_id=admin.id, label="Demonstration", now=now)
        tournament = await matches.create_tournament(
            tx, name="Ringside Open", city="Seoul", about=about_event(now), now=now
        )
        mat = await matches.create_mat(tx, name="Mat 1", tournament_id=tournament.id, now=now)
        other = await matches.create_mat(tx, name="Mat 2", tournament_id=tournament.id, now=now)
        await set_up_event(tx, tournament, (mat, other), now)
        by_hand = await matches.create_mat(tx, name="Mat 3", tournament_id=tournament.id, now=now)
        operator = Viewer(user_id=admin.id, token_id=secret.token.id, role=admin.role)
        await set_up_fight(tx, by_hand.id, operator, now)
        stream = await _set_up_stream(tx, admin.id, now)
        await set_up_people(tx, admin, stream.id, now)
        await set_up_flags(tx, now)
        await set_up_practice(tx, admin.id, now)
        if feed_host is not None:
            await set_up_accounts(tx, admin.id, feed_host, now)
        await set_up_recordings(tx, mat.id, now)
        overlay = await access.create_token(
            tx, user_id=admin.id, label="Overlays of Mat 1 and of the stream", nodes=[mat.id, stream.id], now=now
        )
    return Demo(mat_id=mat.id, stream_id=stream.id, admin_secret=secret.secret, overlay_secret=overlay.secret)


def play_stream(db: Database, clock: Clock, stream_id: UUID, *, speed: float) -> Callable[[], Awaitable[None]]:
    """Return work that sends what an invented audience does, and has it listened to as TikFinity is."""

    async def work() -> None:
        frames = Audience(start_ms=int(clock.now().timestamp() * 1000)).frames()
        async with simulated(frames, rate=_FRAMES_PER_SECOND * speed) as port, db.transaction() as tx:
            await source_operations.create_source(
                tx,
                stream_id,
                kind=StreamSourceKind.TIKFINITY,
                changes={"name": f"Simulation on port {port}", "url": f"ws://127.0.0.1:{port}/"},
                viewer=None,
                now=clock.now(),
            )

    return work


async def _set_up_stream(tx: Transaction, owner_id: UUID, now: datetime) -> Stream:
    """Set up a stream with low targets, the first of them reached within a minute."""
    stream = await streams.create_stream(tx, owner_id=owner_id, changes={"name": "Evening stream"}, now=now)
    for goal in await streams.list_goals(tx, stream.id):
        changes = _GOALS[str(goal.preset)]
        await streams.update_goal(tx, goal.id, changes, viewer=None, now=now)
    return stream


def play(host: str, bound_port: Callable[[], Awaitable[int]], *, speed: float) -> Callable[[], Awaitable[None]]:
    """Return work that sends the recorded fight to a UDP port, again and again, its long silences shortened."""
    fight = shorten(read_capture(CAPTURE), _LONGEST_SILENCE)

    async def work() -> None:
        port = await bound_port()
        while True:
            await replay(fight, (host, port), speed=speed)
            await asyncio.sleep(_PAUSE_SECONDS / speed)

    return work
