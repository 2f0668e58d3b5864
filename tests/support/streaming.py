"""Streams to ask about and to change, and the frames that a source sends of them."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson

from api.workers.tikfinity_protocol import decode
from db.access import operations as access
from db.access.tables import User
from db.access.viewer import Role
from db.database import Database
from db.ids import new_id
from db.streams import operations, source_operations
from db.streams.incoming import Received
from db.streams.tables import Stream, StreamGoal, StreamSource
from db.streams.vocabulary import StreamGoalKind, StreamGoalMode, StreamGoalPeriod, StreamSourceKind

FOLDER = Path(__file__).parents[1] / "data" / "streams"
LINES = [orjson.loads(line) for line in (FOLDER / "tikfinity_frames.jsonl").read_text().splitlines()]
FRAMES = [orjson.dumps(line["frame"]).decode() for line in LINES]
EXPECTED = orjson.loads((FOLDER / "tikfinity_frames.expected.json").read_bytes())
HOST = "6900000000000000001"
# What the frames come to, by the kinds of goals.
TOTALS = {
    "COINS": EXPECTED["coins"]["msgId_dedup_plus_streak_high_water"],
    "LIKES": EXPECTED["likes_room_total"],
    "FOLLOWERS": EXPECTED["followers_distinct_users"],
    "SHARES": 1,
    "SUBSCRIBERS": 1,
    "VIEWERS": 2,
}
_ENUMS: dict[str, Any] = {"mode": StreamGoalMode, "period": StreamGoalPeriod}


async def make_owner(db: Database, now: datetime, *, role: Role = Role.MEMBER) -> User:
    async with db.transaction() as tx:
        return await access.create_user(tx, name=f"Owner {new_id().hex[-12:]}", role=role, now=now)


async def make_stream(db: Database, now: datetime, *, owner_id: UUID | None = None, **given: Any) -> Stream:
    """A stream with the goals that every stream begins with."""
    owner = owner_id or (await make_owner(db, now)).id
    given = {"name": f"Stream {new_id().hex[-12:]}", "host": HOST, **given}
    async with db.transaction() as tx:
        return await operations.create_stream(tx, owner_id=owner, changes=given, now=now)


async def make_goal(
    db: Database, stream: Stream, now: datetime, kind: StreamGoalKind = StreamGoalKind.CUSTOM, **terms: Any
) -> StreamGoal:
    changes: dict[str, Any] = {"name": "A goal", "target": 100, **terms}
    changes |= {name: of(changes[name]) for name, of in _ENUMS.items() if name in changes}
    async with db.transaction() as tx:
        return await operations.create_goal(tx, stream.id, kind=kind, changes=changes, viewer=None, now=now)


async def make_source(
    db: Database,
    stream: Stream,
    now: datetime,
    *,
    kind: StreamSourceKind = StreamSourceKind.TIKFINITY,
    name: str = "TikFinity",
    url: str | None = None,
) -> StreamSource:
    async with db.transaction() as tx:
        made = await source_operations.create_source(
            tx, stream.id, kind=kind, changes={"name": name, "url": url}, viewer=None, now=now
        )
    return made.source


async def make_goal_of_each_kind(db: Database, stream: Stream, now: datetime) -> dict[str, UUID]:
    """One goal of each kind that frames tell of, high enough never to be reached."""
    made = {}
    for kind in TOTALS:
        goal = await make_goal(db, stream, now, StreamGoalKind(kind), name=kind, target=1_000_000)
        made[kind] = goal.id
    return made


def received(*frames: str | bytes, at: datetime) -> list[Received]:
    """Frames as they were received, a millisecond apart."""
    return [Received(at + timedelta(milliseconds=offset), decode(frame)) for offset, frame in enumerate(frames)]


async def take(db: Database, source: StreamSource, *frames: str | bytes, at: datetime) -> operations.Taken:
    async with db.transaction() as tx:
        return await operations.take_news(tx, source.id, received(*frames, at=at))


def frame(event: str, **data: Any) -> str:
    """A frame of somebody, with an id of its own."""
    return orjson.dumps(
        {"event": event, "data": {"msgId": new_id().hex, "userId": "7", "nickname": "Ann", **data}}
    ).decode()


def gift(coins: int = 1, count: int = 1, **data: Any) -> str:
    """A gift that comes once."""
    return frame("gift", **{"giftId": 1, "giftType": 2, "diamondCount": coins, "repeatCount": count, **data})
