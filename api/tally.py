"""The tally: what each operation came to, added up for whoever measures, and one line of it in the log.

An operation is noted as a handful of numbers; lines are written together, now and then. Neither ever holds a
document, a variable or a token.
"""

import asyncio
import logging
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from db.clock import Clock
from schema.context import Context

_log = logging.getLogger("ringside.operations")

# Upper bounds of what is told apart, in seconds; what took longer stands behind the last of them.
BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
# Names are the clients' own: after so many different ones the rest is added up under one.
_MOST_NAMES = 200
OTHERS = "(others)"
_WRITE_SECONDS = 0.5
_WRITTEN_TOGETHER = 1000


@dataclass(frozen=True, slots=True)
class Line:
    """One operation as the log tells it."""

    at: datetime
    kind: str
    name: str
    path: str
    outcome: str
    seconds: float
    cost: int
    statements: int
    token: str


@dataclass(slots=True)
class Sum:
    """All operations of one kind, name, path and outcome."""

    count: int = 0
    seconds: float = 0.0
    cost: int = 0
    statements: int = 0
    by_bound: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))


class Tally:
    """What the operations of one process came to."""

    def __init__(self, clock: Clock, write: Callable[[Sequence[Line]], None] | None = None) -> None:
        self.sums: dict[tuple[str, str, str, str], Sum] = {}
        self._clock = clock
        self._write = write
        self._names: set[str] = set()
        self._lines: list[Line] = []

    def note(self, context: Context, seconds: float, outcome: str = "ok") -> None:
        """Note an operation that was answered: `outcome` is `ok`, or the code of its first error."""
        kind, name = context.kind, self._name(context.name)
        path = context.path or "refused"
        found = self.sums.get((kind, name, path, outcome))
        if found is None:
            found = self.sums[kind, name, path, outcome] = Sum()
        cost = context.cost or 0
        found.count += 1
        found.seconds += seconds
        found.cost += cost
        found.statements += context.statements
        found.by_bound[bisect_left(BOUNDS, seconds)] += 1
        if self._write is not None:
            token = "" if context.asker is None else context.asker.token_id.hex
            now = self._clock.now()
            self._lines.append(Line(now, kind, name, path, outcome, seconds, cost, context.statements, token))
            if len(self._lines) >= _WRITTEN_TOGETHER:
                self.write()

    def write(self) -> None:
        """Write the lines that were noted."""
        if self._write is not None and self._lines:
            lines, self._lines = self._lines, []
            self._write(lines)

    async def run(self) -> None:
        """Write now and then, and a last time at the end. Runs until cancelled."""
        try:
            while True:
                await asyncio.sleep(_WRITE_SECONDS)
                self.write()
        finally:
            self.write()

    def _name(self, name: str | None) -> str:
        if name is None:
            return "(unnamed)"
        if name not in self._names:
            if len(self._names) >= _MOST_NAMES:
                return OTHERS
            self._names.add(name)
        return name
