"""A group that follows a feed: whoever comes is given what he has missed, and then what is added."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from schema.connections import write_cursor
from schema.live.group import Group, Over, Reader
from schema.live.rings import Payload, Ring
from schema.live.sources import Feed
from schema.live.watching import Watched


@dataclass(frozen=True, slots=True)
class _Entry:
    """An entry of a feed, printed."""

    payload: Payload
    happened_at: datetime


class FeedGroup(Group):
    """Everybody who follows one feed. A place is that of an entry; the last few hundred are kept."""

    def __init__(self, watching: Watched, forget: Callable[[Group], None]) -> None:
        super().__init__(watching, forget)
        self._ring: Ring | None = None
        self._reading: dict[Any, asyncio.Task[tuple[list[_Entry], bool]]] = {}

    async def start(self, reader: Reader, after: str | None) -> AsyncGenerator[Payload, None]:
        """Give what is behind a cursor: from the ring as far as it goes, and from the database where it does not."""
        source: Feed[Any, Any] = await self._source()
        if after is None:
            begun = await source.beginning(self._context)
        else:
            begun = await source.place_of(self._context, after)
        place = reader.place = begun
        while True:
            if self._ring is not None and self._ring.holds(place):
                waiting = self._ring.behind(place)
                if not waiting:
                    return
                # One at a time: while it is sent, the ring may move on.
                place = waiting[0].place
                yield waiting[0]
                continue
            before = place
            entries, has_more = await self._page(source, place)
            for entry in entries:
                await self._until_due(entry)
                place = entry.payload.place
                yield entry.payload
            if not has_more and self._ring is None:
                self._begin(source, before, place, entries)

    def behind(self, place: Any) -> list[Payload]:
        """Return what is behind a place. Raises `Over` if some of it is not kept any more."""
        if self._ended is not None:
            raise self._ended
        if self._ring is None or not self._ring.holds(place):
            raise Over([_lagged(place, self._context.db.epoch)])
        return self._ring.behind(place)

    def _begin(self, source: Feed[Any, Any], floor: Any, place: Any, entries: Sequence["_Entry"]) -> None:
        """Follow the feed from where the first reader has come to, and keep what he was given last."""
        self._ring = Ring(floor)
        for entry in entries:
            self._ring.append(entry.payload)
        self._spawn(self._run(partial(self._follow, source, self._ring, place)))

    async def _follow(self, source: Feed[Any, Any], ring: Ring, place: Any) -> None:
        async with aclosing(source.follow(self._context.for_one_execution(), place)) as entries:
            async for row in entries:
                entry = await self._entry(source, row)
                self._deliver(self._wait_for(entry), partial(self._arrive, ring, entry.payload))

    def _arrive(self, ring: Ring, payload: Payload) -> None:
        ring.append(payload)
        self._tell(payload)

    async def _page(self, source: Feed[Any, Any], place: Any) -> tuple[list["_Entry"], bool]:
        """Read and print a page of history, once for all who want it at this moment."""
        reading = self._reading.get(place)
        if reading is None:
            reading = self._reading[place] = self._spawn(self._read(source, place))
            reading.add_done_callback(lambda _: self._reading.pop(place))
        return await asyncio.shield(reading)

    async def _read(self, source: Feed[Any, Any], place: Any) -> tuple[list["_Entry"], bool]:
        rows, has_more = await source.page(self._context.for_one_execution(), place)
        return [await self._entry(source, row) for row in rows], has_more

    async def _entry(self, source: Feed[Any, Any], row: Any) -> "_Entry":
        place = source.place(row)
        cursor = write_cursor(place, self._context.db.epoch)
        data = await self._print(source.show(row, cursor))
        return _Entry(Payload(place, data, cursor), source.happened_at(row))

    async def _until_due(self, entry: "_Entry") -> None:
        seconds = self._wait_for(entry)
        if seconds > 0:
            await asyncio.sleep(seconds)

    def _wait_for(self, entry: "_Entry") -> float:
        """Return how many seconds an entry has to wait for its time."""
        if not self._delay:
            return 0.0
        return (entry.happened_at + self._delay - self._context.now()).total_seconds()


def _lagged(place: Any, epoch: str) -> dict[str, Any]:
    cursor = None if place is None else write_cursor(place, epoch)
    message = "You fell behind and missed entries. Subscribe again with `after` as it stands in the extensions."
    return {"message": message, "extensions": {"code": "LAGGED", "after": cursor}}
