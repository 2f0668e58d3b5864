"""What can be watched: states and feeds, and the subscription fields that are made of them."""

import asyncio
import inspect
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Annotated, Any, Generic, TypeVar, get_type_hints
from uuid import UUID

import strawberry

from db.batches import LARGEST_PAGE, Page, Pages, Position
from db.bus import Event, Lagged, Listener
from db.errors import Invalid, Resync, Unavailable
from schema.connections import epoch_of, is_of_another, read_cursor, write_cursor
from schema.context import Asked, Context
from schema.fields import Demand

E_ = TypeVar("E_", bound=Event)
V = TypeVar("V")
R = TypeVar("R")

LONGEST_DELAY_MS = 60_000
_DECLARED = "ringside.live"


_BEGIN_ANEW = (
    "A backup was put in place of the database that this cursor is of. Forget what you have, and subscribe again "
    "without `after`."
)
_FIRST_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 2.0


async def insist(read: Callable[[], Awaitable[V]]) -> V:
    """Read what somebody who watches has missed, as soon as the database answers: nobody need leave because of it."""
    pause = _FIRST_PAUSE_SECONDS
    while True:
        try:
            return await read()
        except Unavailable:
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)


def _own_values(*_: Any) -> Any:
    """Stand for what a source does not need that makes its values in a way of its own."""
    raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class State(Generic[E_, V]):
    """How a thing is. Whoever watches it gets the present first, and then what is newer, never what is older.

    `topic` and `of` name the events to hear, `read` reads the present, `after` is what an event made of it, `is_news`
    says if a value that was heard replaces the one that is shown, and `show` makes the payload: of a value, as it is
    sent at an instant. `at_rest` leaves out of a value what just happened, for those who come later; it returns the
    value itself where there is nothing to leave out.
    """

    topic: UUID
    of: type[E_]
    read: Callable[[Context], Awaitable[V]]
    after: Callable[[E_], V] = _own_values
    is_news: Callable[[V, V], bool] = _own_values
    show: Callable[[V, datetime], Any]
    at_rest: Callable[[V], V] = lambda value: value

    async def values(self, context: Context) -> AsyncGenerator[V, None]:
        """Yield the present, then each newer value; to a slow reader the latest alone."""
        # Listen before reading: a change in between is then heard, not missed.
        with context.db.bus.listen(self.topic, of=self.of, latest_only=True) as heard:
            shown = await self.read(context)
            yield shown
            while True:
                try:
                    event = await anext(heard)
                except StopAsyncIteration:
                    return
                except Lagged:
                    # The bus was away. What is read now is no older than what is shown, and may be no newer.
                    value = await self.read_again(context)
                else:
                    value = self.after(event)
                if self.is_news(value, shown):
                    shown = value
                    yield value

    async def read_again(self, context: Context) -> V:
        """Read the present after something was missed: as soon as the database answers, whenever that is."""
        return await insist(lambda: self.read(context))

    async def payloads(self, context: Context, _: str | None) -> AsyncGenerator[Any, None]:
        """Yield what one subscriber on his own is sent."""
        async with aclosing(self.values(context)) as values:
            async for value in values:
                context.renew_loaders()
                yield self.show(value, context.now())


@dataclass(frozen=True, kw_only=True)
class Merged(State[E_, V], ABC):
    """Several things as one value, into which news is merged; what has come meanwhile comes as one."""

    @abstractmethod
    def merged(self, shown: V, events: Sequence[E_]) -> V | None:
        """Return a value after some events, `None` if they were no news."""

    async def values(self, context: Context) -> AsyncGenerator[V, None]:
        """Yield the present, then how things stand after whatever was news."""
        # Listen before reading: a change in between is then heard, not missed.
        with context.db.bus.listen(self.topic, of=self.of) as heard:
            shown = await self.read(context)
            yield shown
            while True:
                try:
                    events = [await anext(heard), *heard.take()]
                except StopAsyncIteration:
                    return
                except Lagged:
                    shown = await self.read_again(context)
                    yield shown
                    continue
                value = self.merged(shown, events)
                if value is not None:
                    shown = value
                    yield value


@dataclass(frozen=True, kw_only=True)
class ReadAnew(State[E_, V]):
    """Several things, read anew at news of any: what several of them told since is one message."""

    async def values(self, context: Context) -> AsyncGenerator[V, None]:
        """Yield the present, then how things stand after whatever happened."""
        # Listen before reading: a change in between is then heard, not missed.
        with context.db.bus.listen(self.topic, of=self.of, latest_only=True) as heard:
            yield await self.read(context)
            while True:
                try:
                    await anext(heard)
                except StopAsyncIteration:
                    return
                except Lagged:
                    pass
                yield await self.read_again(context)


@dataclass(frozen=True, kw_only=True)
class Feed(Generic[E_, R]):
    """What happens, entry by entry. Whoever follows it from a cursor gets each later entry once and in order.

    Its history is the rows of `topic` in a batch of pages, in an order in which entries are also committed. `entries`
    are the rows an event brings, `happened_at` dates one, and `show` makes the payload of a row and its cursor.
    `is_complete` says if nothing lies between a place and an event, where that can be known: what was stored and never
    published is then found out.
    """

    topic: UUID
    of: type[E_]
    batch: Pages[Any]
    order: str
    entries: Callable[[E_], Sequence[R]]
    happened_at: Callable[[R], datetime]
    show: Callable[[R, str], Any]
    is_complete: Callable[[E_, Position | None], bool] = lambda *_: True

    async def beginning(self, context: Context) -> Position | None:  # noqa: ARG002 -- for feeds that ask the database
        """Return where whoever names no cursor begins, `None` for the very beginning."""
        return None

    def place(self, entry: R) -> Position:
        """Return where an entry stands."""
        return tuple(getattr(entry, name) for name in self.batch.order(self.order).columns)

    async def place_of(self, context: Context, cursor: str) -> Position:
        """Return where a cursor points. Raises `Invalid` for one that is not of this feed.

        Raises `Resync` for one of a database that a backup has taken the place of: what it points to may be another
        entry by now. One that does not say of which database it is must at least not lie beyond the end.
        """
        place = read_cursor(cursor, self.batch, self.batch.order(self.order), field="after")
        if is_of_another(cursor, context.db.epoch) or (not epoch_of(cursor) and await self.is_beyond(context, place)):
            raise Resync(_BEGIN_ANEW, field="after")
        return place

    async def is_beyond(self, context: Context, place: Position) -> bool:
        """Say whether a place lies beyond the last entry there is."""
        order = self.batch.order(self.order)
        page = Page(limit=1, is_backward=True)
        async with context.db.read() as session:
            found = await self.batch.read(session, context.viewer, [self.topic], page, order, {})
        rows = found[self.topic].rows if self.topic in found else []
        return not rows or self.place(rows[0]) < place

    async def page(self, context: Context, place: Position | None) -> tuple[Sequence[R], bool]:
        """Read the entries behind a place, from the beginning if it is None, and whether there are more."""
        page = Page(limit=LARGEST_PAGE, after=place)
        async with context.db.read() as session:
            found = await self.batch.read(session, context.viewer, [self.topic], page, self.batch.order(self.order), {})
        window = found.get(self.topic)
        return ([], False) if window is None else (window.rows, window.has_more)

    async def follow(self, context: Context, place: Position | None) -> AsyncGenerator[R, None]:
        """Yield every entry behind a place: history from the database, then what is published."""
        is_behind = True
        with context.db.bus.listen(self.topic, of=self.of) as heard:
            while is_behind:
                is_behind = False
                async with aclosing(self._history(context, place)) as history:
                    async for entry in history:
                        place = self.place(entry)
                        yield entry
                try:
                    live = self._live(heard, place, is_ordered=context.db.bus.is_ordered)
                    async with aclosing(live):
                        async for entry in live:
                            place = self.place(entry)
                            yield entry
                except Lagged:
                    # The queue ran over while the reader was slow. What it missed is in the database.
                    is_behind = True

    async def payloads(self, context: Context, after: str | None) -> AsyncGenerator[Any, None]:
        """Yield what one subscriber on his own is sent."""
        place = await self.beginning(context) if after is None else await self.place_of(context, after)
        async with aclosing(self.follow(context, place)) as entries:
            async for entry in entries:
                context.renew_loaders()
                yield self.show(entry, write_cursor(self.place(entry), context.db.epoch))

    async def _history(self, context: Context, place: Position | None) -> AsyncGenerator[R, None]:
        has_more = True
        while has_more:
            entries, has_more = await insist(partial(self.page, context, place))
            for entry in entries:
                place = self.place(entry)
                yield entry

    async def _live(self, heard: Listener[E_], place: Position | None, *, is_ordered: bool) -> AsyncGenerator[R, None]:
        """Pass on what is published.

        Raises `Lagged` also where something was stored that nobody published, and at any event of a bus that knows no
        order: what comes next is then read.
        """
        async for event in heard:
            if not is_ordered or not self.is_complete(event, place):
                raise Lagged(1 + len(heard.take()))
            for entry in self.entries(event):
                if place is None or self.place(entry) > place:
                    place = self.place(entry)
                    yield entry


Source = State[Any, Any] | Feed[Any, Any]


class Watch:
    """What a subscription's resolver gives to graphql-core: a stream of payloads, and the source it comes from."""

    def __init__(self, source: Source, context: Context, after: str | None) -> None:
        self.source = source
        self._context = context
        self._after = after

    def __aiter__(self) -> AsyncIterator[Any]:
        return self.source.payloads(self._context, self._after)


@dataclass(frozen=True)
class Live:
    """What a subscription field was declared to be: `kind` is `State` or `Feed`.

    `is_personal`: its source depends on who asks and not only on what he may see, so nobody else shares it.
    """

    kind: type[State[Any, Any]] | type[Feed[Any, Any]]
    is_personal: bool
    # In words, where a feed begins without a cursor.
    begins: str = "the beginning"


def live_of(field: Any) -> Live | None:
    """Return what a subscription field was declared to be, `None` for one that was not."""
    declared: Live | None = field.metadata.get(_DECLARED)
    return declared


def state(
    payload: type[Any], description: str, *, demand: Demand, is_personal: bool = False
) -> Callable[[Callable[..., Awaitable[State[Any, Any]]]], Any]:
    """Declare a subscription to a state. What is decorated returns the `State` for its arguments, or refuses."""
    return lambda resolve: _field(resolve, payload, description, demand, Live(State, is_personal))


def feed(
    payload: type[Any],
    description: str,
    *,
    demand: Demand,
    is_personal: bool = False,
    begins: str = "the beginning",
) -> Callable[[Callable[..., Awaitable[Feed[Any, Any]]]], Any]:
    """Declare a subscription to a feed. What is decorated returns the `Feed` for its arguments, or refuses."""
    return lambda resolve: _field(resolve, payload, description, demand, Live(Feed, is_personal, begins))


def _field(
    resolve: Callable[..., Awaitable[Source]], payload: type[Any], description: str, demand: Demand, live: Live
) -> Any:
    async def watch(
        root: Any, info: Asked, delay_ms: int = 0, after: str | None = None, **arguments: Any
    ) -> AsyncGenerator[Any, None]:
        check_delay(delay_ms)
        return Watch(await resolve(root, info, **arguments), info.context, after)  # type: ignore[return-value]  # iterated by graphql-core, which asks no more of it

    watch.__name__ = resolve.__name__
    watch.__signature__ = _signature(resolve, payload, live)  # type: ignore[attr-defined]  # read by inspect
    return strawberry.subscription(
        resolver=watch, description=description, extensions=[demand], metadata={_DECLARED: live}
    )


def check_delay(delay_ms: int) -> None:
    """Raise `Invalid` for a delay that cannot be."""
    if not 0 <= delay_ms <= LONGEST_DELAY_MS:
        raise Invalid(f"A delay is 0 to {LONGEST_DELAY_MS} milliseconds.", field="delay_ms")


def _signature(resolve: Callable[..., Any], payload: type[Any], live: Live) -> inspect.Signature:
    hints = get_type_hints(resolve, include_extras=True)
    root, info, *own = inspect.signature(resolve).parameters.values()
    parameters = [
        root.replace(name="root"),
        info.replace(annotation=Asked),
        *(one.replace(annotation=hints[one.name], kind=inspect.Parameter.KEYWORD_ONLY) for one in own),
    ]
    if live.kind is Feed:
        parameters.append(_after(live.begins))
    parameters.append(_DELAY)
    return inspect.Signature(parameters, return_annotation=AsyncGenerator[payload, None])  # type: ignore[valid-type]  # a type that is a value here


def _after(begins: str) -> inspect.Parameter:
    description = (
        f"The cursor of the last entry you have. Null: from {begins}. If a backup was put in place of the database "
        "since this feed sent it, the answer is an error with the code RESYNC: forget what you have, and begin anew."
    )
    return inspect.Parameter(
        "after",
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[str | None, strawberry.argument(description=description)],
    )


_DELAY = inspect.Parameter(
    "delay_ms",
    inspect.Parameter.KEYWORD_ONLY,
    default=0,
    annotation=Annotated[
        int,
        strawberry.argument(
            description="How much later than it happens it is told, to match a video that is: 0 to 60,000 ms."
        ),
    ],
)
