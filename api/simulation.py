"""A make-believe TikFinity: an invented audience that likes, follows and gives, sent over a real WebSocket."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from db.errors import Invalid

_NAMES = ("Ann", "Bob", "Cyd", "Dae", "Eva", "Filip", "Gül", "Hana", "Ines", "Jun", "Kofi", "Lena", "Mio", "Nils")
# Name, price in coins, and whether it can be given in a streak.
_GIFTS = (("Rose", 1, True), ("Finger Heart", 5, True), ("Doughnut", 30, True), ("Rainbow", 100, False))
_EVENTS = ("like", "gift", "streak", "follow", "share", "subscribe", "roomUser", "chat")
_WEIGHTS = (45, 12, 6, 8, 4, 1, 8, 16)
_FIRST_ID = 7_500_000_000_000_000_000
_BEGAN_MS = 1_760_000_000_000


class Audience:
    """Invents what viewers do, the same for the same seed. `start_ms` makes ids and times of its own."""

    def __init__(self, seed: int = 0, *, start_ms: int = _BEGAN_MS, channel: str = "demo_streamer") -> None:
        self._chance = random.Random(seed)  # noqa: S311 -- a play, not a secret
        self._now_ms = start_ms
        self._channel = channel
        self._id = _FIRST_ID + (start_ms - _BEGAN_MS) * 1000
        self._likes = 0
        self._viewers = 20

    def frames(self) -> Iterator[str]:
        """Invent frames, for ever."""
        while True:
            (kind,) = self._chance.choices(_EVENTS, _WEIGHTS)
            yield from getattr(self, f"_{kind.lower()}")()

    def _like(self) -> Iterator[str]:
        count = self._chance.randint(1, 15)
        self._likes += count
        yield self._frame("like", likeCount=count, totalLikeCount=self._likes)

    def _gift(self) -> Iterator[str]:
        yield self._given(*_GIFTS[-1], count=1, ends=False)

    def _streak(self) -> Iterator[str]:
        name, coins, _ = self._chance.choice(_GIFTS[:-1])
        length, viewer, group = self._chance.randint(1, 5), self._viewer(), str(self._now_ms)
        for count in range(1, length + 1):
            yield self._given(name, coins, True, count=count, ends=False, groupId=group, **viewer)
        yield self._given(name, coins, True, count=length, ends=True, groupId=group, **viewer)

    def _given(self, name: str, coins: int, is_streak: bool, *, count: int, ends: bool, **data: Any) -> str:  # noqa: FBT001 -- as above
        gift_type = 1 if is_streak else 2
        gift = {"gift_id": 5000 + coins, "repeat_count": count, "repeat_end": int(ends), "gift_type": gift_type}
        return self._frame(
            "gift",
            giftId=5000 + coins,
            giftName=name,
            giftType=gift_type,
            diamondCount=coins,
            repeatCount=count,
            repeatEnd=ends,
            gift=gift,
            **data,
        )

    def _follow(self) -> Iterator[str]:
        yield self._frame("follow", displayType="pm_main_follow_message_viewer_2")

    def _share(self) -> Iterator[str]:
        yield self._frame("share", displayType="pm_mt_guidance_share")

    def _subscribe(self) -> Iterator[str]:
        yield self._frame("subscribe", subMonth=1)

    def _chat(self) -> Iterator[str]:
        yield self._frame("chat", comment="hello", emotes=[])

    def _roomuser(self) -> Iterator[str]:
        self._viewers = max(1, self._viewers + self._chance.randint(-4, 5))
        data = {"viewerCount": self._viewers, "topViewers": [], "tikfinityUsername": self._channel}
        yield orjson.dumps({"event": "roomUser", "data": data}).decode()

    def _frame(self, event: str, **data: Any) -> str:
        self._id += 1
        self._now_ms += 1
        common = {"msgId": str(self._id), "createTime": str(self._now_ms), "tikfinityUsername": self._channel}
        return orjson.dumps({"event": event, "data": {**self._viewer(), **common, **data}}).decode()

    def _viewer(self) -> dict[str, str]:
        # Many strangers, so that there is always somebody left to follow.
        number = self._chance.randrange(5000)
        name = _NAMES[number % len(_NAMES)]
        return {"userId": str(7_000_000_000_000_000_000 + number), "uniqueId": f"{name}{number}", "nickname": name}


def read_frames(path: Path) -> list[str]:
    """Read recorded frames, one a line, each as it came or below `frame`. Raises `Invalid` with the line at fault."""
    frames: list[str] = []
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        try:
            read = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise Invalid(f"{path.name}, line {number}: this is no JSON.") from error
        if not isinstance(read, dict):
            raise Invalid(f"{path.name}, line {number}: a frame is an object.")
        frames.append(orjson.dumps(read.get("frame", read)).decode())
    return frames


@asynccontextmanager
async def simulated(
    frames: Iterable[str],
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    rate: float,
    on_sent: Callable[[str], None] = lambda _: None,
) -> AsyncIterator[int]:
    """Send frames at a rate to everybody who calls, once somebody does; give the port. Ends with the block."""
    listeners: set[ServerConnection] = set()
    has_come = asyncio.Event()

    async def hold(connection: ServerConnection) -> None:
        listeners.add(connection)
        has_come.set()
        await connection.wait_closed()
        listeners.discard(connection)

    async def play() -> None:
        await has_come.wait()
        loop = asyncio.get_running_loop()
        began = loop.time()
        for number, frame in enumerate(frames):
            # The time is kept from the start, so waits do not add up.
            await asyncio.sleep(began + number / rate - loop.time())
            for listener in list(listeners):
                try:
                    await listener.send(frame)
                except ConnectionClosed:
                    listeners.discard(listener)
            on_sent(frame)

    server: Server = await serve(hold, host, port, compression=None)
    playing = asyncio.create_task(play())
    try:
        yield next(iter(server.sockets)).getsockname()[1]
        await asyncio.wait([playing])
    finally:
        playing.cancel()
        server.close()
        await server.wait_closed()
