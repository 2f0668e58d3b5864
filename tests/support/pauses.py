"""A loop whose time stands still while its process does: whoever is stopped has kept nobody waiting.

Whoever measures something on a machine stops what else runs there, and whole virtual machines are paused. To all who
wait with a deadline that minute is over when they go on, though nobody had a moment to do what they waited for.
"""

import asyncio
import os
import selectors
import time
from random import Random
from typing import Any

# So often the clock is looked at, whatever there is to wait for: what is much longer between two looks was a pause.
_LONGEST_WAIT_SECONDS = 0.25
_PAUSE_SECONDS = 1.0

_SHARE_OF_LATE = 0.2
_SHARE_OF_SLOW = 0.15
# Late are most by a millisecond or two, a few by much more.
_LEAST_LATENESS_SECONDS = 0.001
_LONGEST_LATENESS_SECONDS = 0.05
_MOST_LATENESS_SECONDS = 5.0


class _Waking(selectors.DefaultSelector):
    """A selector that wakes now and then with nothing."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return super().select(_LONGEST_WAIT_SECONDS if timeout is None else min(timeout, _LONGEST_WAIT_SECONDS))


class _Late(_Waking):
    """A selector whose news are late at random, as they are on a machine that does much else.

    Of two answers that come over two sockets, or from two threads, either may be heard first. A test that hangs on one
    of them passes for months where nothing else runs: with `RINGSIDE_TESTS_LATE=1 pytest …` it fails soon. The number
    is the seed. Some sockets are slow for long, any may be slow once, and none costs a test more than some seconds.
    """

    def __init__(self, seed: str) -> None:
        super().__init__()
        self._chance = Random(f"{seed} {os.environ.get('PYTEST_CURRENT_TEST')}")  # noqa: S311 -- dice, no secret
        self._shares: dict[object, float] = {}
        # For how many seconds more each may be late.
        self._left: dict[object, float] = {}
        self._until: dict[object, float] = {}

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        self._shares[fileobj] = 1.0 if self._chance.random() < _SHARE_OF_SLOW else _SHARE_OF_LATE
        self._left[fileobj] = _MOST_LATENESS_SECONDS
        self._until.pop(fileobj, None)
        return super().register(fileobj, events, data)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        until = time.monotonic() + (_LONGEST_WAIT_SECONDS if timeout is None else timeout)
        while True:
            found = super().select(max(0.0, until - time.monotonic()))
            heard = [one for one in found if self._is_heard(one[0].fileobj)]
            now = time.monotonic()
            if heard or now >= until or not found:
                return heard
            time.sleep(max(0.0, min(until, *(self._until[one[0].fileobj] for one in found)) - now))

    def _is_heard(self, about: object) -> bool:
        now = time.monotonic()
        if about not in self._until:
            is_late = self._left[about] > 0 and self._chance.random() < self._shares[about]
            lateness = min(_LEAST_LATENESS_SECONDS * self._chance.paretovariate(0.7), _LONGEST_LATENESS_SECONDS)
            self._until[about] = now + lateness if is_late else now
            self._left[about] -= self._until[about] - now
        if self._until[about] > now:
            return False
        del self._until[about]
        return True


class PausingLoop(asyncio.SelectorEventLoop):
    """A loop to whom a pause is no time at all."""

    def __init__(self) -> None:
        self._paused = 0.0
        self._looked_at: float | None = None
        seed = os.environ.get("RINGSIDE_TESTS_LATE")
        super().__init__(_Late(seed) if seed else _Waking())

    def time(self) -> float:
        now = self.machines_time()
        passed = 0.0 if self._looked_at is None else now - self._looked_at
        if passed > _PAUSE_SECONDS:
            self._paused += passed
        self._looked_at = now
        return now - self._paused

    def machines_time(self) -> float:
        """Return the seconds that the machine counts, pauses and all."""
        return super().time()

    def leap(self, seconds: float) -> None:
        """Let time go by in which nobody did anything."""
        self._paused -= seconds


class PausingLoops(asyncio.DefaultEventLoopPolicy):
    """Makes every loop of a process one of these."""

    _loop_factory = PausingLoop


def leap(seconds: float) -> None:
    """Let time go by for the loop that runs, as it does for a process that sleeps and is told the time afterwards."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, PausingLoop)
    loop.leap(seconds)
