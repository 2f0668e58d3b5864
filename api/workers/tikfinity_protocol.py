"""The words of TikFinity's event socket: `decode` turns a frame into a piece of news, or says why it cannot. Pure.

A frame is `{"event": …, "data": {…}}`. The viewer stands flat in `data`, or below `data.user` in the tongues of its
kin. `social` repeats what `follow` and `share` say, so it is left out, as is all that no goal is interested in.
"""

from collections.abc import Callable, Mapping
from typing import Any

from api.workers.stream_fields import (
    Unfit,
    agreed,
    fingerprint,
    instant_of,
    json_object,
    needed_number,
    number_of,
    text_of,
)
from db.streams.incoming import (
    Decoded,
    Follow,
    Gift,
    Ignored,
    Like,
    Share,
    StreamEvent,
    Subscription,
    Viewers,
    WentLive,
    WentOff,
)
from db.streams.rules import LARGEST_COUNT
from db.streams.vocabulary import StreamEventFault

_STREAK = 1
_LARGEST_TYPE = 1000
_LONGEST_NAME = 40
Data = Mapping[str, Any]


def decode(frame: str | bytes) -> Decoded:
    """Read one frame. It never raises."""
    try:
        name, data = _parts(json_object(frame))
        reader = _READERS.get(name)
        return Ignored(name[:_LONGEST_NAME]) if reader is None else reader(name, data)
    except Unfit as unfit:
        return unfit.rejected


def _parts(read: Data) -> tuple[str, Data]:
    name, data = read.get("event"), read.get("data")
    if not isinstance(name, str) or not isinstance(data, dict):
        raise Unfit(StreamEventFault.BAD_SHAPE, "`event` is a name and `data` an object")
    agreed("event and type", name, read.get("type"))
    return name, data


def _gift(name: str, data: Data) -> StreamEvent:
    inner = _object(data, "gift")
    gift_type = agreed("giftType", number_of(data, "giftType", largest=_LARGEST_TYPE), number_of(inner, "gift_type"))
    repeat_end = data.get("repeatEnd")
    ends = agreed("repeatEnd", None if repeat_end is None else int(bool(repeat_end)), number_of(inner, "repeat_end"))
    coins = needed_number(data, "diamondCount")
    repeat_count = agreed("repeatCount", number_of(data, "repeatCount"), number_of(inner, "repeat_count"))
    if repeat_count is None:
        raise Unfit(StreamEventFault.MISSING_FIELD, "repeatCount")
    if coins * repeat_count > LARGEST_COUNT:
        raise Unfit(StreamEventFault.OUT_OF_RANGE, f"{repeat_count} times {coins} coins")
    return Gift(
        **_common(name, data),
        gift_id=str(agreed("giftId", text_of(data, "giftId"), text_of(inner, "gift_id")) or ""),
        coins=coins,
        repeat_count=repeat_count,
        is_streak=gift_type == _STREAK,
        is_complete=bool(ends),
        group_id=text_of(data, "groupId"),
        receiver=text_of(data, "receiverUserId"),
    )


def _like(name: str, data: Data) -> StreamEvent:
    total = number_of(data, "totalLikeCount")
    count = number_of(data, "likeCount")
    if total is None and count is None:
        raise Unfit(StreamEventFault.MISSING_FIELD, "totalLikeCount")
    return Like(**_common(name, data), count=count or 0, room_total=total)


def _viewers(_: str, data: Data) -> StreamEvent:
    # A level, told again and again: it has no id of its own.
    return Viewers(channels=_channels(data), count=needed_number(data, "viewerCount"))


def _went_live(_: str, data: Data) -> StreamEvent:
    return WentLive(channels=_channels(data), room=text_of(data, "roomId"))


def _went_off(_: str, data: Data) -> StreamEvent:
    return WentOff(channels=_channels(data), event_id=text_of(data, "msgId"))


def _follow(name: str, data: Data) -> StreamEvent:
    return Follow(**_common(name, data))


def _share(name: str, data: Data) -> StreamEvent:
    return Share(**_common(name, data))


def _subscribe(name: str, data: Data) -> StreamEvent:
    return Subscription(**_common(name, data))


def _common(name: str, data: Data) -> dict[str, Any]:
    """Return what all news of viewers has. Raises `Unfit` if there is no viewer."""
    user = _object(data, "user")
    viewer_id = agreed("userId", text_of(data, "userId"), text_of(user, "userId"))
    if not viewer_id:
        raise Unfit(StreamEventFault.MISSING_FIELD, "userId")
    sent_at = instant_of(data, "createTime") or instant_of(data, "timestamp")
    event_id = text_of(data, "msgId")
    if not event_id and sent_at is not None:
        event_id = fingerprint(name, data)
    names = (text_of(one, name) for name in ("nickname", "uniqueId") for one in (data, user))
    return {
        "event_id": event_id,
        "channels": _channels(data),
        "viewer_id": viewer_id,
        "viewer_name": next(filter(None, names), ""),
        "sent_at": sent_at,
    }


def _channels(data: Data) -> tuple[str, ...]:
    return tuple(filter(None, (text_of(data, "tikfinityUserId"), text_of(data, "tikfinityUsername"))))


def _object(data: Data, name: str) -> Data:
    value = data.get(name)
    return value if isinstance(value, dict) else {}


_READERS: dict[str, Callable[[str, Data], StreamEvent]] = {
    "gift": _gift,
    "like": _like,
    "follow": _follow,
    "share": _share,
    "subscribe": _subscribe,
    "roomUser": _viewers,
    "connected": _went_live,
    "roomInfo": _went_live,
    "streamEnd": _went_off,
}
