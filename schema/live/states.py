"""A group that watches a state: whoever comes is shown how it stands, and then what it becomes."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from functools import partial
from typing import Any, cast

from schema.live.group import Group, Over, Reader
from schema.live.rings import Payload
from schema.live.sources import State
from schema.live.watching import Watched

# A state that was printed a moment ago is good enough for whoever comes now: those who come in a storm share it.
FRESH_SECONDS = 0.05


class StateGroup(Group):
    """Everybody who watches one state. A place is the number of what was heard; the latest print is kept."""

    def __init__(self, watching: Watched, forget: Callable[[Group], None]) -> None:
        super().__init__(watching, forget)
        self._latest: Payload | None = None
        self._value: Any = None
        self._printed_at = 0.0
        self._listening: asyncio.Task[None] | None = None
        self._renewing: asyncio.Task[None] | None = None
        # There is something to show, or there never will be.
        self._begun = asyncio.Event()

    async def start(self, reader: Reader, after: str | None) -> AsyncGenerator[Payload, None]:  # noqa: ARG002 -- a state has no past
        """Give the present, as it was printed a moment ago at most."""
        if self._listening is None:
            self._listening = self._spawn(self._listen())
        await self._begun.wait()
        if self._latest is None:
            raise self._ended or Over()
        source: State[Any, Any] = await self._source()
        if asyncio.get_running_loop().time() - self._printed_at > FRESH_SECONDS:
            await self._renewed()
        while source.at_rest(self._value) is not self._value:
            # Whoever comes now was not there when it happened.
            await self._renewed()
        yield self._latest

    def _close(self) -> None:
        super()._close()
        self._listening = self._renewing = None

    def behind(self, place: Any) -> list[Payload]:
        """Return the latest if it is newer."""
        if self._ended is not None:
            raise self._ended
        return [] if self._latest is None or self._latest.place == place else [self._latest]

    async def _listen(self) -> None:
        await self._run(self._hear)
        self._begun.set()

    async def _hear(self) -> None:
        source: State[Any, Any] = await self._source()
        number = 0
        async with aclosing(source.values(self._context.for_one_execution())) as values:
            async for value in values:
                number += 1
                payload = Payload(number, await self._print(source.show(value, self._context.now())))
                self._deliver(self._delay.total_seconds(), partial(self._arrive, payload, value))

    def _arrive(self, payload: Payload, value: Any) -> None:
        self._keep(payload)
        self._value = value
        self._begun.set()
        self._tell(payload)

    def _keep(self, payload: Payload) -> None:
        self._latest = payload
        self._printed_at = asyncio.get_running_loop().time()

    async def _renewed(self) -> None:
        """Print the latest again, once for all who ask meanwhile: what it says of clocks hangs on when it is sent."""
        if self._renewing is None or self._renewing.done():
            self._renewing = self._spawn(self._renew())
        await asyncio.shield(self._renewing)

    async def _renew(self) -> None:
        source: State[Any, Any] = await self._source()
        before = cast("Payload", self._latest)
        value = source.at_rest(self._value)
        data = await self._print(source.show(value, self._context.now() - self._delay))
        if self._latest is before:
            self._value = value
            self._keep(Payload(before.place, data))
