"""Something that is told, and who hears it."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from db.bus import Event
from db.database import Database

TOPIC = UUID(int=1)


@dataclass(frozen=True, kw_only=True)
class Happened(Event):
    what: Any

    @property
    def topics(self) -> tuple[UUID, ...]:
        return (TOPIC,)


class Ears:
    """Hears all that is published, and reads it without waiting."""

    def __init__(self, db: Database) -> None:
        self._listening = db.bus.listen(TOPIC, of=Happened, capacity=10_000)
        self._listener = self._listening.__enter__()

    def heard(self) -> list[Any]:
        return [event.what for event in self._listener._events]
