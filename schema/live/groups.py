"""Groups: whoever asks the same and may see the same is told by one execution, in the same bytes."""

import asyncio
from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Hashable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, cast
from uuid import UUID

from graphql import ExecutionResult, create_source_event_stream, execute_subscription_event, located_error

from schema.connections import write_cursor
from schema.context import Context
from schema.engine.executor import Asked
from schema.errors import judged
from schema.live.rings import Payload, Ring
from schema.live.sources import Feed, State, Watch
from schema.live.watching import Watched, watched
from schema.scalars import print_answer

# A state that was printed a moment ago is good enough for whoever comes now: those who come in a storm share it.
FRESH_SECONDS = 0.05
# What an overlay's token may watch at once, on all its sockets together.
TOPICS_OF_AN_OVERLAY = 20
# What may wait for its time in a group with a delay. What exceeds it goes out before its time.
MOST_DELAYED = 10_000

Errors = Sequence[dict[str, Any]]


class Over(Exception):
    """There is nothing more for a reader. If there are `errors`, they say why."""

    def __init__(self, errors: Errors = ()) -> None:
        super().__init__()
        self.errors = errors


class Reader:
    """A client's place in its group.

    A door sends what `start` gives, as fast as its client takes it, and then goes live: the group offers each payload
    as it comes. A door that has no room for one says so by returning False, and calls `catch_up` when it has again.
    Nothing is kept for a client but its place.
    """

    def __init__(
        self, group: "Group", after: str | None, offer: Callable[[Payload], bool], ended: Callable[[Errors], None]
    ) -> None:
        self.place: Any = None
        self._group = group
        self.after = after
        self._offer = offer
        self._ended = ended
        self._is_behind = False
        # To be told once when it has left.
        self.on_leave: Callable[[], None] | None = None

    async def start(self) -> AsyncGenerator[Payload, None]:
        """Give what comes first: the present of a state, the history of a feed. Raises `Over`."""
        try:
            async with aclosing(self._group.start(self, self.after)) as payloads:
                async for payload in payloads:
                    yield payload
                    self.place = payload.place
        except Over:
            raise
        except Exception as error:
            raise self._group.over(error) from error

    def go_live(self) -> None:
        """Hear of what comes from now on, and of what came since `start` ended."""
        self._group.live[self] = None
        # There may be something that came since.
        self._is_behind = True
        self.catch_up()

    def catch_up(self) -> None:
        """Take what there was no room for, if there was any."""
        if not self._is_behind:
            return
        try:
            waiting = self._group.behind(self.place)
        except Over as over:
            self.end(over.errors)
            return
        self._is_behind = False
        for payload in waiting:
            self.tell(payload)

    def tell(self, payload: Payload) -> None:
        """Offer a payload, unless older ones are waiting or it is known."""
        if self._is_behind or (self.place is not None and payload.place <= self.place):
            return
        if self._offer(payload):
            self.place = payload.place
        else:
            self._is_behind = True

    def end(self, errors: Errors = ()) -> None:
        """Hear that nothing more comes."""
        self.leave()
        self._ended(errors)

    def leave(self) -> None:
        """Have nothing more to do with the group."""
        self._group.let_go(self)
        on_leave, self.on_leave = self.on_leave, None
        if on_leave is not None:
            on_leave()


class Group(ABC):
    """Everybody who watches the same. It begins with its first reader and ends with its last."""

    def __init__(self, watching: Watched, forget: Callable[["Group"], None]) -> None:
        self.key = watching.key
        self.live: dict[Reader, None] = {}
        self._readers: set[Reader] = set()
        self._forget = forget
        self._executor = watching.executor
        self._context: Context = watching.executor.context_value
        self._delay = timedelta(milliseconds=watching.delay_ms)
        self._delayed: deque[tuple[float, Callable[[], None]]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._opening: asyncio.Task[Any] | None = None
        # What ended it, for those who are just coming.
        self._ended: Over | None = None

    def __len__(self) -> int:
        """How many watch."""
        return len(self._readers)

    def enter(self, after: str | None, offer: Callable[[Payload], bool], ended: Callable[[Errors], None]) -> Reader:
        """Let somebody in."""
        reader = Reader(self, after, offer, ended)
        self._readers.add(reader)
        return reader

    def let_go(self, reader: Reader) -> None:
        """Let somebody out, and end with the last."""
        self.live.pop(reader, None)
        self._readers.discard(reader)
        if not self._readers:
            self._close()

    @abstractmethod
    def start(self, reader: Reader, after: str | None) -> AsyncGenerator[Payload, None]:
        """Give a reader what comes first, up to where the group is. Raises `Over`, and whatever a source raises."""

    def over(self, error: Exception) -> Over:
        """Return what ends a reader when something was raised."""
        return error if isinstance(error, Over) else Over(judged([located_error(error)], self._name))

    @abstractmethod
    def behind(self, place: Any) -> list[Payload]:
        """Return what there is behind a place. Raises `Over` if that is not known any more."""

    async def _source(self) -> Any:
        """Return the source, asked of its resolver once. Raises `Over`."""
        if self._opening is None:
            self._opening = self._spawn(self._open())
        return await asyncio.shield(self._opening)

    async def _open(self) -> Any:
        opening = create_source_event_stream(self._executor)
        stream = await opening if isinstance(opening, Awaitable) else opening
        # What the resolver read is not wanted any more.
        self._context.renew_loaders()
        if isinstance(stream, ExecutionResult):
            self._forget(self)
            raise Over(judged(stream.errors or (), self._name))
        return cast("Watch", stream).source

    async def _print(self, payload: Any) -> bytes:
        """Execute one event, in a context of its own."""
        executor = self._executor.build_per_event_executor(payload)
        executor.context_value = self._context.for_one_execution()
        executing = execute_subscription_event(executor)
        result = await executing if isinstance(executing, Awaitable) else executing
        answer: dict[str, Any] = {"data": result.data}
        if result.errors:
            answer["errors"] = judged(result.errors, self._name)
        return print_answer(answer)

    async def _run(self, work: Callable[[], Awaitable[None]]) -> None:
        """Listen until there is nothing more, and say so to everybody."""
        ended = Over()
        try:
            await work()
        except Exception as error:  # noqa: BLE001 -- judged as every error is
            ended = self.over(error)
        self._ended = ended
        self._forget(self)
        for reader in list(self.live):
            reader.end(ended.errors)

    def _tell(self, payload: Payload) -> None:
        for reader in list(self.live):
            reader.tell(payload)

    @property
    def _name(self) -> str | None:
        name = self._executor.operation.name
        return None if name is None else name.value

    def _close(self) -> None:
        self._forget(self)
        if self._timer is not None:
            self._timer.cancel()
        for task in self._tasks:
            task.cancel()
        # A task that was ended remembers where, which is in us.
        self._opening = None

    def _spawn(self, work: Any) -> asyncio.Task[Any]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            # Whoever waited for it knows, and there may be nobody left who did.
            task.exception()

    def _deliver(self, seconds: float, arrive: Callable[[], None]) -> None:
        """Let something arrive in its time, behind all that is waiting."""
        if seconds <= 0 and not self._delayed:
            arrive()
            return
        self._delayed.append((asyncio.get_running_loop().time() + seconds, arrive))
        if len(self._delayed) > MOST_DELAYED:
            self._delayed.popleft()[1]()
        self._wind()

    def _wind(self) -> None:
        if self._timer is None and self._delayed:
            self._timer = asyncio.get_running_loop().call_at(self._delayed[0][0], self._go_off)

    def _go_off(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        while self._delayed and self._delayed[0][0] <= now:
            self._delayed.popleft()[1]()
        self._wind()


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


class FeedGroup(Group):
    """Everybody who follows one feed. A place is that of an entry; the last few hundred are kept."""

    def __init__(self, watching: Watched, forget: Callable[[Group], None]) -> None:
        super().__init__(watching, forget)
        self._ring: Ring | None = None
        self._reading: dict[Any, asyncio.Task[tuple[list[_Entry], bool]]] = {}

    async def start(self, reader: Reader, after: str | None) -> AsyncGenerator[Payload, None]:
        """Give what is behind a cursor: from the ring as far as it goes, and from the database where it does not."""
        source: Feed[Any, Any] = await self._source()
        begun = await source.beginning(self._context) if after is None else source.place_of(after)
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
            raise Over([_lagged(place)])
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
        cursor = write_cursor(place)
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


@dataclass(frozen=True, slots=True)
class _Entry:
    """An entry of a feed, printed."""

    payload: Payload
    happened_at: datetime


def _lagged(place: Any) -> dict[str, Any]:
    cursor = None if place is None else write_cursor(place)
    message = "You fell behind and missed entries. Subscribe again with `after` as it stands in the extensions."
    return {"message": message, "extensions": {"code": "LAGGED", "after": cursor}}


class Groups:
    """The groups of one server."""

    def __init__(self, schema: Any, *, topics_of_an_overlay: int = TOPICS_OF_AN_OVERLAY) -> None:
        self._schema = schema
        self._groups: dict[Hashable, Group] = {}
        self._topics_of_an_overlay = topics_of_an_overlay
        # By an overlay's token, what it watches, and with how many readers.
        self._topics: dict[UUID, Counter[Hashable]] = {}

    def __len__(self) -> int:
        """How many groups there are."""
        return len(self._groups)

    @property
    def reader_count(self) -> int:
        """How many watch, in all groups."""
        return sum(len(group) for group in self._groups.values())

    def enter(
        self,
        asked: Asked,
        context: Context,
        offer: Callable[[Payload], bool],
        ended: Callable[[Errors], None],
        *,
        after: str | None = None,
    ) -> Reader:
        """Let a client into the group of what he asks for. Raises `Over` with the reason if it cannot be.

        `after` takes the place of the argument of a feed, for doors that have a word of their own for it.
        """
        found = watched(self._schema, asked, context)
        if isinstance(found, list):
            raise Over(judged(found, asked.name))
        left = self._count_topic(context.viewer.token_id, found.key) if context.viewer.is_overlay else None
        group = self._groups.get(found.key)
        if group is None:
            # The cost was the first client's; what comes for all of them is nobody's.
            kind = StateGroup if found.live.kind is State else FeedGroup
            group = self._groups[found.key] = kind(found, self._forget)
        reader = group.enter(found.after if after is None else after, offer, ended)
        reader.on_leave = left
        return reader

    def _count_topic(self, token_id: UUID, key: Hashable) -> Callable[[], None]:
        """Note that a token watches something, and return what to call when it does not any more. Raises `Over`."""
        topics = self._topics.setdefault(token_id, Counter())
        if key not in topics and len(topics) >= self._topics_of_an_overlay:
            message = f"An overlay's token watches {self._topics_of_an_overlay} things at most at once."
            raise Over([{"message": message, "extensions": {"code": "RATE_LIMITED"}}])
        topics[key] += 1
        return partial(self._uncount_topic, token_id, key)

    def _uncount_topic(self, token_id: UUID, key: Hashable) -> None:
        topics = self._topics[token_id]
        topics[key] -= 1
        if not topics[key]:
            del topics[key]
        if not topics:
            del self._topics[token_id]

    def _forget(self, group: Group) -> None:
        if self._groups.get(group.key) is group:
            del self._groups[group.key]
