"""What news is worth: each piece counted once, however often and in whatever order it is told. Pure.

Everything is a high-water mark under a key. A message's mark is 1: its second telling is no rise. A streak's mark is
how long it is by now, a room's is its total of likes, a follower's of a session is 1. Only the rise counts, so what is
late, doubled or replayed adds nothing.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID

from db.ids import new_id
from db.streams.incoming import (
    Amount,
    Follow,
    Gift,
    Like,
    Received,
    Rejected,
    Share,
    StreamEvent,
    Subscription,
    Viewers,
    WentLive,
    WentOff,
)
from db.streams.vocabulary import StreamEventFault, StreamGoalKind

# A source that was silent for so long tells of another session when it speaks again.
LONGEST_SILENCE = timedelta(hours=6)
# A room whose total of likes fell by half or more, and not in a late message, is another room.
_LATE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A live session, as far as counting needs it. `liked_at` is the platform's time of the newest likes."""

    id: UUID
    started_at: datetime
    room: str = ""
    liked_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a stream stands before news comes. `host` and `channel` are "" where anybody's gifts and news count."""

    session: Session | None
    last_event_at: datetime | None
    host: str = ""
    channel: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What one piece of news is worth: `amount` more of a kind, or as a level, `amount` in all."""

    event: StreamEvent
    received_at: datetime
    kind: StreamGoalKind
    amount: int


@dataclass(slots=True, kw_only=True)
class Segment:
    """A run of news within one session. `began`: with it the session did."""

    session: Session | None
    began: bool
    ended_at: datetime | None = None
    counted: list[Counted] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Folded:
    """What a batch of news comes to: its segments in order, the marks to keep, and what was not counted."""

    progress: Progress
    segments: list[Segment]
    marks: dict[str, int]
    duplicates: int = 0
    # News that was well formed, and of another channel.
    strangers: int = 0
    rejections: list[Rejected] = field(default_factory=list)


def keys_of(progress: Progress, received: Iterable[Received]) -> set[str]:
    """Return the keys whose marks a batch may need."""
    session = progress.session
    return {
        key
        for one in received
        if isinstance(one.what, StreamEvent)
        for key in _keys(one.what, None if session is None else session.id)
    }


def fold(progress: Progress, received: Sequence[Received], marks: Mapping[str, int]) -> Folded:
    """Count a batch of news, in the order it came."""
    folding = _Folding(progress, marks)
    for one in received:
        if isinstance(one.what, StreamEvent):
            folding.take(one.what, one.received_at)
        elif isinstance(one.what, Rejected):
            folding.folded.rejections.append(one.what)
    return folding.folded


class _Folding:
    def __init__(self, progress: Progress, marks: Mapping[str, int]) -> None:
        self._known = marks
        first = Segment(session=progress.session, began=False)
        self.folded = Folded(progress=progress, segments=[first], marks={})

    def take(self, event: StreamEvent, at: datetime) -> None:
        folded = self.folded
        progress = folded.progress
        if not _is_of(progress.channel, event):
            folded.strangers += 1
            folded.rejections.append(Rejected(StreamEventFault.WRONG_CHANNEL, ", ".join(event.channels)))
            return
        if event.event_id and not self._rise(f"msg:{event.event_id}", 1):
            folded.duplicates += 1
            return
        if event.is_test:
            self._segment.counted += _as_test(event, at)
            return
        self._turn(event, at)
        folded.progress = replace(folded.progress, last_event_at=at)
        for kind, amount in self._worth(event):
            self._segment.counted.append(Counted(event=event, received_at=at, kind=kind, amount=amount))

    def _turn(self, event: StreamEvent, at: datetime) -> None:
        """Begin and end sessions."""
        session = self._segment.session
        if isinstance(event, WentOff):
            if session is not None:
                self._segment.ended_at = at
                self._open(None, began=False)
            return
        if session is None and isinstance(event, Viewers):
            # How many watch is also told when nothing is on.
            return
        room = event.room if isinstance(event, WentLive) else ""
        if session is None or self._is_another(session, event, room, at):
            if session is not None:
                self._segment.ended_at = self.folded.progress.last_event_at or at
            self._open(Session(id=new_id(), started_at=at, room=room), began=True)
        elif room and not session.room:
            self._keep(replace(session, room=room))

    def _is_another(self, session: Session, event: StreamEvent, room: str, at: datetime) -> bool:
        # A session that was begun by hand has heard nothing yet.
        heard_at = max(self.folded.progress.last_event_at or session.started_at, session.started_at)
        if at - heard_at >= LONGEST_SILENCE:
            return True
        if room and session.room:
            return room != session.room
        if not isinstance(event, Like) or event.room_total is None or not event.sent_at or not session.liked_at:
            return False
        is_late = event.sent_at - session.liked_at < _LATE
        return not is_late and event.room_total * 2 <= self._mark(f"likes:{session.id.hex}")

    def _worth(self, event: StreamEvent) -> Iterator[tuple[StreamGoalKind, int]]:
        """Say what an event is worth; nothing if it adds nothing."""
        if isinstance(event, Viewers):
            # A level counts, even if it is none.
            yield StreamGoalKind.VIEWERS, event.count
        elif isinstance(event, Gift):
            yield from _some(StreamGoalKind.COINS, self._coins(event))
        elif isinstance(event, Like):
            yield from _some(StreamGoalKind.LIKES, self._likes(event))
        elif isinstance(event, Amount):
            yield from _some(event.of, event.amount)
        elif isinstance(event, Follow):
            yield from _some(StreamGoalKind.FOLLOWERS, self._firsts("follow", event))
        elif isinstance(event, Share):
            yield from _some(StreamGoalKind.SHARES, self._firsts("share", event))
        elif isinstance(event, Subscription):
            yield StreamGoalKind.SUBSCRIBERS, 1

    def _coins(self, gift: Gift) -> int:
        host = self.folded.progress.host
        if host and gift.receiver and gift.receiver != host:
            return 0
        if gift.is_streak and gift.group_id:
            return gift.coins * self._rise(_streak(gift), gift.repeat_count)
        return gift.coins * gift.repeat_count if gift.is_complete or not gift.is_streak else 0

    def _likes(self, like: Like) -> int:
        session = self._segment.session
        if like.room_total is None or session is None:
            return like.count
        if like.sent_at is not None and (session.liked_at is None or like.sent_at > session.liked_at):
            self._keep(replace(session, liked_at=like.sent_at))
        return self._rise(f"likes:{session.id.hex}", like.room_total)

    def _firsts(self, what: str, event: StreamEvent) -> int:
        """Return 1 if a viewer does it for the first time in a session. Those without a number are not told apart."""
        session = self._segment.session
        if session is None or not event.viewer_id:
            return 1
        return self._rise(f"{what}:{session.id.hex}:{event.viewer_id}", 1)

    def _rise(self, key: str, high: int) -> int:
        before = self._mark(key)
        if high <= before:
            return 0
        self.folded.marks[key] = high
        return high - before

    def _mark(self, key: str) -> int:
        return self.folded.marks.get(key, self._known.get(key, 0))

    @property
    def _segment(self) -> Segment:
        return self.folded.segments[-1]

    def _open(self, session: Session | None, *, began: bool) -> None:
        self.folded.segments.append(Segment(session=session, began=began))
        self.folded.progress = replace(self.folded.progress, session=session)

    def _keep(self, session: Session) -> None:
        self._segment.session = session
        self.folded.progress = replace(self.folded.progress, session=session)


def _is_of(channel: str, event: StreamEvent) -> bool:
    """Say whether news is of a channel; it is where one of both does not say."""
    return not channel or not event.channels or channel.casefold() in (name.casefold() for name in event.channels)


def _some(kind: StreamGoalKind, amount: int) -> Iterator[tuple[StreamGoalKind, int]]:
    if amount:
        yield kind, amount


def _as_test(event: StreamEvent, at: datetime) -> Iterator[Counted]:
    """Say what a test would be worth if it were none. Whoever counts sees that it is one."""
    worth: tuple[StreamGoalKind, int] | None = None
    if isinstance(event, Gift):
        worth = StreamGoalKind.COINS, event.coins * event.repeat_count
    elif isinstance(event, Like):
        worth = StreamGoalKind.LIKES, event.count
    elif isinstance(event, Amount):
        worth = event.of, event.amount
    elif isinstance(event, Follow | Share | Subscription):
        worth = _ONE_OF[type(event)], 1
    if worth is not None and worth[1]:
        yield Counted(event=event, received_at=at, kind=worth[0], amount=worth[1])


_ONE_OF: dict[type[StreamEvent], StreamGoalKind] = {
    Follow: StreamGoalKind.FOLLOWERS,
    Share: StreamGoalKind.SHARES,
    Subscription: StreamGoalKind.SUBSCRIBERS,
}


def _keys(event: StreamEvent, session_id: UUID | None) -> Iterator[str]:
    if event.event_id:
        yield f"msg:{event.event_id}"
    if isinstance(event, Gift) and event.is_streak and event.group_id:
        yield _streak(event)
    # A session that is not there yet has no marks.
    if session_id is None:
        return
    if isinstance(event, Like):
        yield f"likes:{session_id.hex}"
    elif isinstance(event, Follow):
        yield f"follow:{session_id.hex}:{event.viewer_id}"
    elif isinstance(event, Share):
        yield f"share:{session_id.hex}:{event.viewer_id}"


def _streak(gift: Gift) -> str:
    return f"streak:{gift.viewer_id}:{gift.gift_id}:{gift.group_id}"
