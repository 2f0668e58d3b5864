"""Clocks that count down by themselves, and how what is said of one moves it; a tick that fits moves nothing.

A scoring program shows whole seconds, the floor of what remains, and sends one value a second. We keep milliseconds
and the moment they were true, so that a pause keeps the part of a second and clients count on their own.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from db.matches.vocabulary import ClockState

# How far a tick may lie from the second we expect before it is believed over our own counting.
TOLERANCE_MS = 250
_SECOND = 1_000
_LAST_OF_SECOND = 999
_MILLISECOND = timedelta(milliseconds=1)
_TWO_TICKS = timedelta(milliseconds=1_500)
_NO_TIME = timedelta(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """A clock that counts down: while it runs, `remaining_ms` was true at `as_of`."""

    state: ClockState
    remaining_ms: int
    as_of: datetime
    # When a bare value was last heard while it stood still; bookkeeping, not shown.
    bare_at: datetime | None = None

    def remaining_at(self, at: datetime) -> int:
        """Say how many milliseconds remain at a moment, never less than none; before `as_of`, what remained then."""
        if self.state is ClockState.STOPPED or at <= self.as_of:
            return self.remaining_ms
        return max(0, self.remaining_ms - (at - self.as_of) // _MILLISECOND)


def started(clock: Clock, seconds: int, at: datetime) -> Clock:
    """Start it; the part of a second it stood at is kept if it stood at this second."""
    is_kept = clock.state is ClockState.STOPPED and clock.remaining_ms // _SECOND == seconds
    remaining_ms = clock.remaining_ms if is_kept else seconds * _SECOND
    return Clock(state=ClockState.RUNNING, remaining_ms=remaining_ms, as_of=at)


def stopped(clock: Clock, seconds: int, at: datetime) -> Clock:
    """Stop it where we believe it to be, within the second that was said."""
    lowest = seconds * _SECOND
    return halted(clock, min(max(clock.remaining_at(at), lowest), lowest + _LAST_OF_SECOND), at)


def halted(clock: Clock, remaining_ms: int, at: datetime) -> Clock:
    """Stop it at a value; the same clock if it stands there already."""
    if clock.state is ClockState.STOPPED and clock.remaining_ms == remaining_ms:
        return clock
    return Clock(state=ClockState.STOPPED, remaining_ms=remaining_ms, as_of=at)


def ticking(seconds: int, at: datetime) -> Clock:
    """Make a running clock that has just come down to this second."""
    return Clock(state=ClockState.RUNNING, remaining_ms=seconds * _SECOND + _LAST_OF_SECOND, as_of=at)


def ticked(clock: Clock, seconds: int, at: datetime) -> Clock:
    """Hear a bare value: the same clock if it fits a running one, and otherwise right again after whatever was lost.

    Two bare values that fall by one second within 1.5 s mean that a clock we hold for stopped was started.
    """
    if clock.state is ClockState.RUNNING:
        return corrected(clock, seconds, at)
    shown = clock.remaining_ms // _SECOND
    if seconds == shown - 1 and clock.bare_at is not None and _NO_TIME <= at - clock.bare_at <= _TWO_TICKS:
        return ticking(seconds, at)
    if seconds == shown:
        return Clock(state=ClockState.STOPPED, remaining_ms=clock.remaining_ms, as_of=clock.as_of, bare_at=at)
    return Clock(state=ClockState.STOPPED, remaining_ms=seconds * _SECOND, as_of=at, bare_at=at)


def corrected(clock: Clock, seconds: int, at: datetime) -> Clock:
    """Make it show this second, without starting or stopping it; the same clock if it shows it."""
    lowest = seconds * _SECOND
    if clock.state is ClockState.RUNNING:
        if lowest - TOLERANCE_MS <= clock.remaining_at(at) <= lowest + _LAST_OF_SECOND + TOLERANCE_MS:
            return clock
        return ticking(seconds, at)
    return clock if clock.remaining_ms // _SECOND == seconds else halted(clock, lowest, at)
