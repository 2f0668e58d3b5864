"""Adapters: how the news of each kind of source is read. A new kind of source is one more `decode`, named here."""

from collections.abc import Callable

from api.workers import tikfinity_protocol, webhook_protocol
from db.streams.incoming import Decoded
from db.streams.vocabulary import StreamSourceKind

Decode = Callable[[str | bytes], Decoded]

ADAPTERS: dict[StreamSourceKind, Decode] = {
    StreamSourceKind.TIKFINITY: tikfinity_protocol.decode,
    StreamSourceKind.WEBHOOK: webhook_protocol.decode,
}
# Sources that we call; the others call us.
LISTENED_TO = frozenset({StreamSourceKind.TIKFINITY})
