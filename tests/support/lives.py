"""Lives: work in processes of their own, which are killed in the middle of it and leave what they acknowledged."""

import asyncio
import os
import signal
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

_NUMBER = struct.Struct("<q")
_READ_AT_ONCE = 65_536

Say = Callable[[int], None]


@dataclass
class Life:
    """A process that says numbers. It was forked, so it has all that was there when it began."""

    pid: int
    said: int
    _rest: bytes = b""

    def hear(self, enough: int) -> list[int]:
        """Return what it says until that is enough, or until its end."""
        heard: list[int] = []
        while len(heard) < enough and (data := os.read(self.said, _READ_AT_ONCE)):
            heard += self._numbers(data)
        return heard

    def kill(self) -> list[int]:
        """Kill it, and return what it had said and nobody had heard yet."""
        os.kill(self.pid, signal.SIGKILL)
        return self.ended()[0]

    def ended(self) -> tuple[list[int], int]:
        """Wait for its end; return what it still said, and how it ended: negative by a signal."""
        heard: list[int] = []
        while data := os.read(self.said, _READ_AT_ONCE):
            heard += self._numbers(data)
        os.close(self.said)
        return heard, os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def _numbers(self, data: bytes) -> list[int]:
        data = self._rest + data
        whole = len(data) - len(data) % _NUMBER.size
        self._rest = data[whole:]
        return [number for (number,) in _NUMBER.iter_unpack(data[:whole])]


def begin(work: Callable[[Say], Awaitable[None]]) -> Life:
    """Begin a life that does some work, and ends with 0 if that comes to its end."""
    said, saying = os.pipe()
    pid = os.fork()
    if pid == 0:
        ended = 1
        try:
            os.close(said)
            with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
                runner.run(_whole(work, lambda number: _say(saying, number)))
            ended = 0
        finally:
            os._exit(ended)
    os.close(saying)
    return Life(pid, said)


def _say(saying: int, number: int) -> None:
    # At once, and past all buffers of ours: whoever is killed afterwards has said it.
    os.write(saying, _NUMBER.pack(number))


async def _whole(work: Callable[[Say], Awaitable[None]], say: Say) -> None:
    await work(say)
