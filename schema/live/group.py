"""A group: everybody who watches the same, each reader with a place of its own, and what they all share."""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from datetime import timedelta
from typing import Any, cast

from graphql import ExecutionResult, create_source_event_stream, execute_subscription_event, located_error

from schema.context import Context
from schema.errors import judged
from schema.live.rings import Payload
from schema.live.sources import Watch
from schema.live.watching import Watched
from schema.scalars import print_answer

_log = logging.getLogger(__name__)

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
            # Told to whoever watches, judged as every error is.
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
        self._printer = watching.printer
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
        """Execute one event: straight from the plan where nothing is read, and otherwise in a context of its own."""
        if self._printer is not None:
            try:
                return print_answer({"data": self._printer(payload)})
            except Exception as error:  # noqa: BLE001 -- whatever it was, graphql-core knows how to say it
                _log.debug("an event is printed the long way: %s", type(error).__name__)
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
