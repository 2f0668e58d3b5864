"""The words of a tool that calls us: `{"kind": "COINS", "amount": 5, …}`, or a frame as TikFinity writes it. Pure."""

from typing import Any

from api.workers import tikfinity_protocol
from api.workers.stream_fields import Unfit, instant_of, json_object, needed_number, text_of
from db.streams.incoming import Amount, Decoded, Viewers
from db.streams.vocabulary import StreamEventFault, StreamGoalKind


def decode(body: str | bytes) -> Decoded:
    """Read the body of one call. It never raises."""
    try:
        read = json_object(body)
        return tikfinity_protocol.decode(body) if "event" in read else _amount(read)
    except Unfit as unfit:
        return unfit.rejected


def _amount(read: dict[str, Any]) -> Decoded:
    kind = read.get("kind")
    if not isinstance(kind, str) or kind not in _COUNTABLE:
        raise Unfit(StreamEventFault.BAD_SHAPE, f"`kind` is one of {', '.join(_COUNTABLE)}")
    amount = needed_number(read, "amount")
    if not isinstance(read.get("isTest", False), bool):
        raise Unfit(StreamEventFault.BAD_SHAPE, "`isTest` is true or false")
    viewer = read.get("viewer")
    common: dict[str, Any] = {
        "event_id": text_of(read, "id"),
        "viewer_id": text_of(viewer, "id") if isinstance(viewer, dict) else "",
        "viewer_name": text_of(viewer, "name") if isinstance(viewer, dict) else "",
        "sent_at": instant_of(read, "sentAt"),
        "is_test": read.get("isTest", False),
    }
    if kind == StreamGoalKind.VIEWERS:
        return Viewers(**common, count=amount)
    return Amount(**common, of=StreamGoalKind(kind), amount=amount)


_COUNTABLE = [kind.value for kind in StreamGoalKind if kind is not StreamGoalKind.POINTS]
