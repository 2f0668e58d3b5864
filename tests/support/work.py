"""How much work something is, told alike on every machine: the calls that are made for it, of Python's and of C's."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass
class Work:
    """The calls of this thread. A million of them take a quarter of a second on a slow machine."""

    calls: int = 0

    def count(self, _frame: object, event: str, _argument: object) -> None:
        if event in {"call", "c_call"}:
            self.calls += 1


@contextmanager
def counted() -> Iterator[Work]:
    """Count the calls of this thread until the block ends."""
    work = Work()
    sys.setprofile(work.count)
    try:
        yield work
    finally:
        sys.setprofile(None)


def calls_of(work: Callable[[], object]) -> int:
    """Do some work, and return how many calls it took."""
    with counted() as done:
        work()
    return done.calls
