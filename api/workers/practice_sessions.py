"""Sessions that recur: planned ahead for everybody, once for each of their days, as time goes on."""

import asyncio
import logging
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

from db.clock import Clock
from db.database import Database
from db.errors import Refusal, Unavailable
from db.practice.recurring import owners_to_plan
from db.practice.templates import plan_ahead

if TYPE_CHECKING:
    from uuid import UUID

_log = logging.getLogger(__name__)

_BETWEEN_LOOKS = timedelta(minutes=1)


class SessionPlanner:
    """Plans what recurs from today to so many `days` later, and nothing if they are 0.

    It keeps nothing: what is planned stands in the database.
    """

    def __init__(self, db: Database, clock: Clock, *, days: int) -> None:
        self._db = db
        self._clock = clock
        self.days = days
        self._refused: set[UUID] = set()
        self.planned = 0

    async def run(self) -> None:
        """Look every minute, until cancelled."""
        while True:
            with suppress(Unavailable):
                await self.look()
            await asyncio.sleep(_BETWEEN_LOOKS.total_seconds())

    def facts(self) -> dict[str, object]:
        """Say what health shows."""
        return {"planned": self.planned}

    async def look(self) -> None:
        """Plan what is due, each owner's in a transaction of its own. Raises `Unavailable`."""
        if not self.days:
            return
        async with self._db.read() as session:
            owners = await owners_to_plan(session, days=self.days, now=self._clock.now())
        refused: set[UUID] = set()
        for owner_id in owners:
            try:
                await self._plan(owner_id)
            except Unavailable:
                raise
            except Refusal as refusal:
                refused.add(owner_id)
                if owner_id not in self._refused:
                    _log.warning("what recurs of user %s cannot be planned: %s", owner_id, refusal.message)
        self._refused = refused

    async def _plan(self, owner_id: "UUID") -> None:
        async with self._db.transaction() as tx:
            planned = await plan_ahead(tx, owner_id=owner_id, days=self.days, now=self._clock.now())
        self.planned += len(planned)
