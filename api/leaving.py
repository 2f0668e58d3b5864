"""How a server goes: it says so, lets nobody in, hands its work over, and lets its guests go, not all at once."""

import asyncio
from dataclasses import dataclass

from api.auth import Doorkeeper
from api.workers.leases import Leases


@dataclass
class Leaving:
    """The end of one server. `has_begun` is what readiness shows."""

    doorkeeper: Doorkeeper
    leases: Leases
    # How long it goes on as before after it has said so, for whoever sends people here to notice.
    notice_seconds: float = 0.0
    # How many guests are let go in a second, so that they do not come to the next server all at once.
    guests_per_second: float = 250.0
    # How long all of it may take from when nobody comes in any more.
    seconds: float = 10.0
    has_begun: bool = False

    async def give_notice(self) -> None:
        """Say that this server goes, and serve a little longer."""
        self.has_begun = True
        await asyncio.sleep(self.notice_seconds)

    async def let_go(self) -> None:
        """Hand background work over at once, and let all guests go, those last who wait for an answer."""
        handing_over = asyncio.create_task(self.leases.leave(), name="handing over")
        try:
            async with asyncio.timeout(self.seconds):
                await self.doorkeeper.close(per_second=self.guests_per_second, seconds=self.seconds / 2)
                await handing_over
        except TimeoutError:
            # What is left is cut off by whoever called us.
            handing_over.cancel()
