"""Who hears what happened: events go from a commit to bounded queues, one per listener.

`Bus` is that of one process. One that reaches others (`db.postgresql_bus`, `db.redis_bus`) brings events to the same
queues; whoever listens sees no difference, but for a `Lagged` whenever the bus itself was away.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, TypeVar
from uuid import UUID


class BusKind(StrEnum):
    """What carries events. `AUTO` is the database itself where it can do that, and otherwise the process alone."""

    AUTO = "auto"
    LOCAL = "local"
    POSTGRESQL = "postgresql"
    REDIS = "redis"


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happened, with the rows as committed. `topics` are the ids of those it is news about."""

    @property
    def topics(self) -> tuple[UUID, ...]:
        """Ids of the things whose watchers are told."""
        # Not an abstract class: `listen(of=Event)` hears every kind, and takes the class itself.
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class MuchHappened(Event):
    """More happened to these things than is told one by one: whoever listens to one of them is told of a gap."""

    about: tuple[UUID, ...]

    @property
    def topics(self) -> tuple[UUID, ...]:
        """All of them."""
        return self.about


class Lagged(Exception):
    """A listener fell behind: `missed` events were let go. What was missed is in the database: read it there.

    It is also raised after the bus was away, and where more happened than was told one by one: it then counts as one
    event, and may have been none or many.
    """

    def __init__(self, missed: int) -> None:
        super().__init__(f"The listener fell behind and missed {missed} events.")
        self.missed = missed


E_ = TypeVar("E_", bound=Event)


class Listener(Generic[E_]):
    """One listener's queue.

    With `latest_only` it keeps the newest event alone, as whoever shows a state wants; `Lagged` is then raised only
    where the bus was away. Otherwise it holds `capacity` events, and on overflow is emptied: the next read raises
    `Lagged` once, and what is published after that read is heard again. It never grows past its capacity and never
    slows the publisher.
    """

    def __init__(self, of: type[E_], *, capacity: int, latest_only: bool) -> None:
        self._of = of
        self._events: deque[E_] = deque()
        self._capacity = 1 if latest_only else capacity
        self._latest_only = latest_only
        self._missed = 0
        self._is_closed = False
        self.is_standing = False
        self._waiter: asyncio.Future[None] | None = None

    def __aiter__(self) -> AsyncIterator[E_]:
        return self

    async def __anext__(self) -> E_:
        while not self._events and not self._missed:
            if self._is_closed:
                raise StopAsyncIteration
            await self._wait()
        if self._missed:
            missed, self._missed = self._missed, 0
            raise Lagged(missed)
        return self._events.popleft()

    def take(self) -> list[E_]:
        """Return what is queued behind the event that was just read, without waiting; nothing after falling behind."""
        taken = list(self._events)
        self._events.clear()
        return taken

    def hear(self, event: Event) -> None:
        """Put an event into the queue, if it is of the kind listened for."""
        if isinstance(event, MuchHappened):
            self.miss()
            return
        if not isinstance(event, self._of):
            return
        if self._latest_only:
            self._events.clear()
        self._append(event)
        self._wake()

    def miss(self) -> None:
        """Be told that something may have happened that nobody can tell: the next read raises `Lagged`."""
        self._missed += len(self._events) + 1
        self._events.clear()
        self._wake()

    def close(self) -> None:
        """End the iteration once what is queued was read."""
        self._is_closed = True
        self._wake()

    def _append(self, event: E_) -> None:
        if self._missed:
            self._missed += 1
        elif len(self._events) >= self._capacity:
            self._missed = len(self._events) + 1
            self._events.clear()
        else:
            self._events.append(event)

    async def _wait(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Bus:
    """The bus of one process."""

    kind = BusKind.LOCAL
    # Whether everybody hears of a topic in the order of the commits. Where not, an event says that there is news, and
    # what that is stands in the database.
    is_ordered = True

    def __init__(self) -> None:
        self._listeners: dict[UUID, set[Listener[Event]]] = {}
        self._is_closed = False

    async def open(self) -> None:
        """Hear from now on what others publish. Raises `Unavailable` if that must work and does not."""

    async def before_commit(self, connection: Any, events: Sequence[Event]) -> Any:
        """Make ready inside a transaction what is heard if it is committed; `publish` is handed what it returns."""

    def publish(self, events: Iterable[Event], told: Any = None) -> None:  # noqa: ARG002 -- for buses that make ready
        """Tell whoever listens, in order. Called after the commit and by nobody else."""
        self.deliver(events)

    def deliver(self, events: Iterable[Event]) -> None:
        """Tell every listener of this process that hears of an event's topics, once each."""
        for event in events:
            for listener in self._those_of(event.topics):
                listener.hear(event)

    def tell_gap(self, topics: Iterable[UUID] | None = None) -> None:
        """Tell the listeners of topics, or all of them, that they may have missed something."""
        for listener in self._those_of(self._listeners.copy() if topics is None else topics):
            listener.miss()

    def has_listener(self, topics: Iterable[UUID]) -> bool:
        """Say whether anybody of this process listens to one of these."""
        return any(topic in self._listeners for topic in topics)

    @contextmanager
    def listen(
        self, *topics: UUID, of: type[E_], capacity: int = 256, latest_only: bool = False, is_standing: bool = False
    ) -> Iterator[Listener[E_]]:
        """Hear events of one kind about `topics`, from now until the block ends.

        `is_standing`: it listens for as long as the house stands, and is not counted among those who come and go.
        """
        listener = Listener(of, capacity=capacity, latest_only=latest_only)
        listener.is_standing = is_standing
        if self._is_closed:
            listener.close()
        for topic in topics:
            self._listeners.setdefault(topic, set()).add(listener)  # type: ignore[arg-type]  # a set of any kind
        try:
            yield listener
        finally:
            for topic in topics:
                self._forget(topic, listener)  # type: ignore[arg-type]  # as above

    def close(self) -> None:
        """End every listener's iteration, now and from now on: nothing more will be published."""
        self._is_closed = True
        for listeners in self._listeners.values():
            for listener in listeners:
                listener.close()

    async def let_go(self) -> None:
        """Let go of what the bus holds beside its listeners, after `close`; again, of what was told after that."""

    def facts(self) -> dict[str, object]:
        """Say what health shows: `status` is `ok`, or `away` while others are not heard."""
        return {"kind": self.kind.value, "status": "ok"}

    @property
    def listener_count(self) -> int:
        """How many listeners there are beside the standing ones, one that hears two topics counted once."""
        everybody: set[Listener[Event]] = set().union(*self._listeners.values())
        return sum(not listener.is_standing for listener in everybody)

    def _those_of(self, topics: Iterable[UUID]) -> set[Listener[Event]]:
        found: set[Listener[Event]] = set()
        for topic in topics:
            found |= self._listeners.get(topic, set())
        return found

    def _forget(self, topic: UUID, listener: Listener[Event]) -> None:
        listeners = self._listeners.get(topic, set())
        listeners.discard(listener)
        if not listeners:
            self._listeners.pop(topic, None)
