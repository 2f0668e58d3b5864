"""What a group keeps of what it printed, for those of its clients that are not there yet."""

from collections import deque
from dataclasses import dataclass
from typing import Any

MOST_ENTRIES = 256
MOST_BYTES = 1024 * 1024


@dataclass(eq=False, slots=True)
class Payload:
    """One message of a group: its place, and the answer as it is printed, the same bytes for everybody.

    `cursor` is where a feed goes on behind it.
    """

    place: Any
    data: bytes
    cursor: str | None = None


class Ring:
    """The last payloads of a feed, bounded in number and in size. It is whole above its `floor`."""

    def __init__(self, floor: Any) -> None:
        self.floor = floor
        self.last = floor
        self._payloads: deque[Payload] = deque()
        self._bytes = 0

    def append(self, payload: Payload) -> None:
        """Add what is newer than all else; the oldest make room."""
        self._payloads.append(payload)
        self._bytes += len(payload.data)
        self.last = payload.place
        # The newest is kept whatever its size.
        while len(self._payloads) > MOST_ENTRIES or (self._bytes > MOST_BYTES and len(self._payloads) > 1):
            gone = self._payloads.popleft()
            self._bytes -= len(gone.data)
            self.floor = gone.place

    def holds(self, place: Any) -> bool:
        """Say whether everything behind a place is here."""
        return self.floor is None or (place is not None and place >= self.floor)

    def behind(self, place: Any) -> list[Payload]:
        """Return everything behind a place, which the ring `holds`."""
        found: list[Payload] = []
        for payload in reversed(self._payloads):
            if place is not None and payload.place <= place:
                break
            found.append(payload)
        found.reverse()
        return found
