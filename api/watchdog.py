"""The watchdog: a thread that looks whether the event loop turns, and says in the log where it is when it does not."""

import asyncio
import logging
import sys
import threading
import time
import traceback
from types import FrameType

_log = logging.getLogger(__name__)

_BEAT_SECONDS = 0.05
_LOOK_SECONDS = 0.05
_FRAMES_SHOWN = 8


class Watchdog:
    """Watches one loop. A stall is a time in which it did nothing else for longer than `patience`."""

    def __init__(self, patience: float) -> None:
        self.stalls = 0
        self.longest = 0.0
        # How late the last beat was: what everybody who waits for the loop waits longer.
        self.lag = 0.0
        self._patience = patience
        self._beaten_at = time.monotonic()
        self._is_stopped = threading.Event()

    async def run(self) -> None:
        """Watch the loop that runs this, until cancelled."""
        loop_thread = threading.get_ident()
        self._beaten_at = time.monotonic()
        thread = threading.Thread(target=self._watch, args=(loop_thread,), name="watchdog", daemon=True)
        self._is_stopped.clear()
        thread.start()
        try:
            while True:
                await asyncio.sleep(_BEAT_SECONDS)
                self.beat(time.monotonic())
        finally:
            self._is_stopped.set()
            thread.join()

    def beat(self, now: float) -> None:
        """Note that the loop turns; count a stall that is over."""
        self.lag = max(0.0, now - self._beaten_at - _BEAT_SECONDS)
        self._beaten_at = now
        self.longest = max(self.longest, self.lag)
        if self.lag > self._patience:
            self.stalls += 1
            _log.warning("the event loop did nothing else for %.0f ms", self.lag * 1000)

    def facts(self) -> dict[str, object]:
        """Say what health shows."""
        return {"stalls": self.stalls, "longestStallMs": round(self.longest * 1000)}

    def _watch(self, loop_thread: int) -> None:
        told = 0.0
        while not self._is_stopped.wait(_LOOK_SECONDS):
            beaten_at = self._beaten_at
            if beaten_at != told and time.monotonic() - beaten_at - _BEAT_SECONDS > self._patience:
                # Once for each stall, while it lasts: afterwards nobody knows any more where it was.
                told = beaten_at
                _log.warning("the event loop is busy at %s", _place(sys._current_frames().get(loop_thread)))  # noqa: SLF001 -- the only way to know


def _place(frame: FrameType | None) -> str:
    """Return where a thread is, innermost first: files, lines and functions, and no values."""
    frames = traceback.extract_stack(frame)[-_FRAMES_SHOWN:] if frame is not None else []
    return " < ".join(f"{one.filename.rpartition('/')[2]}:{one.lineno} {one.name}" for one in reversed(frames))
