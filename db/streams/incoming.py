"""News of viewers, in one shape whatever source it came from. Adapters make it, the count is made from it."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from db.streams.vocabulary import StreamEventFault, StreamEventKind, StreamGoalKind


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamEvent:
    """One piece of news.

    `event_id` is the source's own, the same at each telling; "" for news that is a level and may be told again.
    `channels` are the names it gives its channel by; none if it does not say. `sent_at` is the platform's time.
    """

    kind: ClassVar[StreamEventKind]

    event_id: str = ""
    channels: tuple[str, ...] = ()
    viewer_id: str = ""
    viewer_name: str = ""
    sent_at: datetime | None = None
    is_test: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Gift(StreamEvent):
    """A gift, or a step of a streak of them: `repeat_count` in all by now, each worth `coins`.

    A streak without a `group_id` cannot be followed: it counts when it `is_complete`.
    """

    kind: ClassVar = StreamEventKind.GIFT

    gift_id: str
    coins: int
    repeat_count: int
    is_streak: bool
    is_complete: bool
    group_id: str = ""
    receiver: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Like(StreamEvent):
    """A viewer's taps, and how many the room has in all by now; `None` where the source does not say."""

    kind: ClassVar = StreamEventKind.LIKE

    count: int
    room_total: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Follow(StreamEvent):
    """A viewer follows."""

    kind: ClassVar = StreamEventKind.FOLLOW


@dataclass(frozen=True, slots=True, kw_only=True)
class Share(StreamEvent):
    """A viewer shared the stream."""

    kind: ClassVar = StreamEventKind.SHARE


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription(StreamEvent):
    """A viewer subscribed, for the first time or again."""

    kind: ClassVar = StreamEventKind.SUBSCRIPTION


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewers(StreamEvent):
    """How many watch now."""

    kind: ClassVar = StreamEventKind.VIEWERS

    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount(StreamEvent):
    """So much more of something, by a tool that counts by itself."""

    kind: ClassVar = StreamEventKind.AMOUNT

    of: StreamGoalKind
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WentLive(StreamEvent):
    """A live session began, or we came into one: `room` tells which, "" where the source does not say."""

    kind: ClassVar = StreamEventKind.SESSION

    room: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WentOff(StreamEvent):
    """The live session ended."""

    kind: ClassVar = StreamEventKind.SESSION


@dataclass(frozen=True, slots=True)
class Ignored:
    """News that no goal is interested in, by its name."""

    name: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """News that cannot be right, and why."""

    fault: StreamEventFault
    detail: str = ""


Decoded = StreamEvent | Ignored | Rejected


@dataclass(frozen=True, slots=True)
class Received:
    """What came, and when."""

    received_at: datetime
    what: Decoded
