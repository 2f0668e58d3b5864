"""Who hears what happened: events go from a commit to bounded queues, one per listener."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar
from uuid import UUID


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happened, with the rows as committed. `topics` are the ids of those it is news about."""

    @property
    def topics(self) -> tuple[UUID, ...]:
        """Ids of the things whose watchers are told."""
        # Not an abstract class: `listen(of=Event)` hears every kind, and takes the class itself.
        raise NotImplementedError


class Lagged(Exception):
    """A listener fell behind: `missed` events were let go. What was missed is in the database: read it there."""

    def __init__(self, missed: int) -> None:
        super().__init__(f"The listener fell behind and missed {missed} events.")
        self.missed = missed


E_ = TypeVar("E_", bound=Event)


class Listener(Generic[E_]):
    """One listener's queue.

    With `latest_only` it keeps the newest event alone, as whoever shows a state wants; `Lagged` is then never raised.
    Otherwise it holds `capacity` events, and on overflow is emptied: the next read raises `Lagged` once, and what
    is published after that read is heard again. It never grows past its capacity and never slows the publisher.
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
        if not isinstance(event, self._of):
            return
        if self._latest_only:
            self._events.clear()
        self._append(event)
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

    def __init__(self) -> None:
        self._listeners: dict[UUID, set[Listener[Event]]] = {}
        self._is_closed = False

    def publish(self, events: Iterable[Event]) -> None:
        """Tell every listener of each event's topics, in order, once each. Called after commit and by nobody else."""
        for event in events:
            heard: set[Listener[Event]] = set()
            for topic in event.topics:
                heard |= self._listeners.get(topic, set())
            for listener in heard:
                listener.hear(event)

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

    @property
    def listener_count(self) -> int:
        """How many listeners there are beside the standing ones, one that hears two topics counted once."""
        everybody: set[Listener[Event]] = set().union(*self._listeners.values())
        return sum(not listener.is_standing for listener in everybody)

    def _forget(self, topic: UUID, listener: Listener[Event]) -> None:
        listeners = self._listeners.get(topic, set())
        listeners.discard(listener)
        if not listeners:
            self._listeners.pop(topic, None)
