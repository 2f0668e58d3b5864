"""What tokens spend, told among processes: each counts by itself, and takes off what the others have let pass."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress

from db.access.events import ALL_SPENDING, BudgetsSpent
from db.bus import Lagged
from db.clock import Clock
from db.database import Database
from db.errors import Unavailable
from db.ids import new_id
from db.together import together
from schema.engine.cost import Budgets

_SECONDS_BETWEEN_TELLINGS = 0.5


class SharedBudgets:
    """The budgets of one process, by name, kept level with those of the others.

    What a token spends anywhere is known everywhere half a second later, and until then it may be spent once at each:
    a limit that holds over seconds, not one that holds to the last row.
    """

    def __init__(self, db: Database, clock: Clock, budgets: Mapping[str, Budgets]) -> None:
        self._db = db
        self._clock = clock
        self._budgets = budgets
        self._id = new_id()

    async def run(self) -> None:
        """Tell and hear until cancelled."""
        await together(self._keep_telling(), self._keep_hearing())

    async def tell(self) -> None:
        """Tell what was spent here since the last time, if that is worth it. Raises `Unavailable`."""
        spent = [
            (name, token, amount)
            for name, budgets in self._budgets.items()
            for token, amount in budgets.untold().items()
        ]
        if not spent:
            return
        names, tokens, amounts = zip(*spent, strict=True)
        async with self._db.transaction() as tx:
            tx.record(BudgetsSpent(teller=self._id, budgets=names, tokens=tokens, amounts=amounts))

    async def _keep_telling(self) -> None:
        while True:
            await asyncio.sleep(_SECONDS_BETWEEN_TELLINGS)
            # What cannot be told is forgotten: without its database nobody spends much.
            with suppress(Unavailable):
                await self.tell()

    async def _keep_hearing(self) -> None:
        with self._db.bus.listen(ALL_SPENDING, of=BudgetsSpent, is_standing=True) as heard:
            while True:
                try:
                    event = await anext(heard)
                except Lagged:
                    continue
                except StopAsyncIteration:
                    return
                self._take_off(event)

    def _take_off(self, event: BudgetsSpent) -> None:
        if event.teller == self._id:
            return
        now = self._clock.now()
        for name, token, amount in zip(event.budgets, event.tokens, event.amounts, strict=True):
            budgets = self._budgets.get(name)
            if budgets is not None:
                budgets.take_off(token, amount, now)
