"""How many feeds of one host are read at once, and when those come again that find it busy. All of it pure."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta

# How much the latest reading says of how long one takes.
_WEIGHT = 0.2
_LONGEST_WAIT = timedelta(minutes=15)


@dataclass
class Hosts:
    """Who is asked now, how long readings of a host take, and until when its line is.

    Whoever finds a host busy comes again when those before him are done, as far as that can be told: thousands of feeds
    of one host would otherwise be claimed again and again, for nothing.
    """

    _asked: Counter[str] = field(default_factory=Counter)
    _seconds: dict[str, float] = field(default_factory=dict)
    _line: dict[str, datetime] = field(default_factory=dict)

    def asked_of(self, host: str) -> int:
        """Say how many are reading from a host."""
        return self._asked[host]

    def begin(self, host: str) -> None:
        """Note that somebody begins to read from a host."""
        self._asked[host] += 1

    def end(self, host: str, seconds: float, now: datetime) -> None:
        """Note that somebody has done so, and how long it took. What nobody asks any more is forgotten."""
        self._asked[host] -= 1
        self._seconds[host] = seconds + (1 - _WEIGHT) * (self._seconds.get(host, seconds) - seconds)
        if self._asked[host] <= 0 and self._line.get(host, now) <= now:
            for known in (self._asked, self._seconds, self._line):
                known.pop(host, None)

    def turn(self, host: str, *, of_host: int, least: timedelta, now: datetime) -> datetime:
        """Stand in a host's line, and say when to come again: not before the `least` wait."""
        until = min(max(now + least, self._line.get(host, now)), now + _LONGEST_WAIT)
        self._line[host] = until + timedelta(seconds=self._seconds.get(host, 0.0) / of_host)
        return until
