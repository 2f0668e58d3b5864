"""Letting go of what is not to be kept, every so many hours, by one server of a database."""

import logging

from db.backups.target import target_of
from db.clock import Clock
from db.database import Database
from db.errors import Refusal, Unavailable
from db.housekeeping.retiring import MOST_AT_ONCE, Retired, retire
from db.settings.current import CurrentSettings
from db.settings.operations import read_values
from db.settings.registry import KEYS

_log = logging.getLogger(__name__)

_SECONDS_OF_AN_HOUR = 3600.0
_WATCHED = [name for name in KEYS if name.startswith("retention.")]


class Housekeeper:
    """Lets go of what settings say is not kept."""

    def __init__(self, db: Database, clock: Clock, current: CurrentSettings) -> None:
        self._db = db
        self._clock = clock
        self._current = current
        self.retired = 0

    async def run(self) -> None:
        """Look now and every so many hours, until cancelled."""
        while True:
            try:
                has_more = True
                while has_more:
                    has_more = any(one.rows >= MOST_AT_ONCE for one in await self.look())
            except Unavailable:
                # The database is away: the next look does it.
                pass
            except Refusal as refusal:
                _log.error("what is too old stays: %s", refusal.message)
            hours = self._current.value("retention.every_hours")
            await self._current.wait(*_WATCHED, seconds=hours * _SECONDS_OF_AN_HOUR)

    def facts(self) -> dict[str, object]:
        """Say what health shows."""
        return {"retired": self.retired}

    async def look(self) -> list[Retired]:
        """Let go of what is not kept, as much as one run takes."""
        found = await tidy(self._db, self._clock)
        self.retired += sum(one.rows for one in found)
        return found


async def tidy(db: Database, clock: Clock, *, is_dry_run: bool = False) -> list[Retired]:
    """Let go of what settings say is not kept, or say what that would be."""
    async with db.read() as session:
        values = await read_values(session)
        target = await target_of(session) if values["retention.archive_first"] else None
    return await retire(db, values, target, is_dry_run=is_dry_run, now=clock.now())
