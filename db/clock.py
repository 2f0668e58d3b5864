"""What time it is: injected, so that a test can say so."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> datetime:
        """Return the present instant, aware and in UTC."""
        ...

    def monotonic_ns(self) -> int:
        """Return the nanoseconds on a clock that nobody sets, from a beginning of its own."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """Return the present instant, aware and in UTC."""
        return datetime.now(UTC)

    def monotonic_ns(self) -> int:
        """Return the nanoseconds since about the machine's start."""
        return time.monotonic_ns()
