"""What is under way: operations being answered, those that take too long ended, and those whose client has left.

Nearly every operation is answered before anybody could look at it, so nothing is set up for it but an entry in a table.
Now and then the table is looked through, the oldest first: what has been there for a while gets somebody who listens
whether its client is still there, and what has been there too long is cancelled, with its statement in the database.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from starlette.types import Receive

from db.errors import Refusal
from schema.context import Context

_LOOK_SECONDS = 0.25


class TookTooLong(Refusal):
    """An operation was ended because its time was over."""

    code = "TIMEOUT"


class ClientLeft(Exception):
    """Nobody is there any more to be answered."""


class Work:
    """One operation under way."""

    __slots__ = ("began", "context", "ended_by", "listener", "receive", "task")

    def __init__(
        self, task: "asyncio.Task[object] | None", began: float, context: Context, receive: Receive | None
    ) -> None:
        self.task = task
        self.began = began
        self.context = context
        self.receive = receive
        self.listener: asyncio.Task[None] | None = None
        self.ended_by: Exception | None = None


class UnderWay:
    """The operations of one process that are being answered."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()
        # What else is to be done now and then.
        self.on_look: Callable[[], None] | None = None
        # In the order they began in.
        self._work: dict[Work, None] = {}

    def __len__(self) -> int:
        """How many there are."""
        return len(self._work)

    def begin(self, context: Context, receive: Receive | None) -> Work:
        """Note that the present task answers an operation. Whoever says so says `end` in any case."""
        work = Work(asyncio.current_task(self._loop), self._loop.time(), context, receive)
        self._work[work] = None
        return work

    def end(self, work: Work) -> None:
        """Note that it is answered, or failed."""
        self._work.pop(work, None)
        if work.listener is not None:
            work.listener.cancel()

    @asynccontextmanager
    async def watched(self, context: Context, receive: Receive | None) -> AsyncIterator[None]:
        """Answer an operation inside. Raises `TookTooLong` and `ClientLeft` if it was ended for that."""
        work = self.begin(context, receive)
        try:
            yield
        except asyncio.CancelledError:
            if work.ended_by is None or work.task is None:
                raise
            work.task.uncancel()
            raise work.ended_by from None
        finally:
            self.end(work)

    async def look(self) -> None:
        """Look through all there is, again and again, until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            self.look_once()
            if self.on_look is not None:
                self.on_look()

    def look_once(self) -> None:
        """End what is overdue, and find out about the others whether their clients are there."""
        now = self._loop.time()
        for work in list(self._work):
            age = now - work.began
            if age < _LOOK_SECONDS:
                # All that come after it are younger.
                return
            if age >= self._seconds:
                self._cancel(work, TookTooLong(_too_long(self._seconds, is_change=work.context.is_change)))
            elif work.listener is None and work.receive is not None and not work.context.is_change:
                work.listener = asyncio.create_task(self._listen(work, work.receive))

    async def _listen(self, work: Work, receive: Receive) -> None:
        # What comes behind the request, if that is still to be handed over, is that its sender has left.
        while (await receive())["type"] != "http.disconnect":
            pass
        if work in self._work:
            self._cancel(work, ClientLeft())

    def _cancel(self, work: Work, reason: Exception) -> None:
        if work.ended_by is None and work.task is not None:
            work.ended_by = reason
            work.task.cancel()


def _too_long(seconds: float, *, is_change: bool) -> str:
    told = f"This took longer than {seconds:g} s and was ended."
    return f"{told} Read before you repeat it: it may have been stored." if is_change else told
