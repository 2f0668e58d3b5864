"""The data set, the same at every making: 2,000 members, 50,000 entries, 200,000 resonances, 20,000 goals."""

import random
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import cycle
from typing import Any
from uuid import UUID

from sqlalchemy import Table

from benchmarks.graph.tables import Entry, EntryCounts, Goal, Member, Resonance
from db.batches import table_of

# Raised with every change of what is made here or in `tables`, so that older databases are made anew.
EDITION = 2

_MEMBERS = 2_000
# The first members write much: a page of 20 of them, 10 entries each, 3 replies each, is full.
_ACTIVE = 500
_ENTRIES_OF_ACTIVE = 20
_ENTRIES_OF_OTHERS = 2_500
_RESONANCES = 200_000
_TREES = 66
_TREE_LEVELS = (1, 4, 16, 48, 96, 135)
_GOALS = 20_000

_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
_WORDS = (  # noqa: SIM905 -- easier to read so
    "anchor autumn barley beacon candle canyon cinder clover delta dune ember falcon fjord garnet harbor hazel "
    "indigo island juniper kernel lantern lilac marble meadow nectar north oasis opal pebble quarry ripple saffron"
).split()

Row = tuple[Any, ...]


class _Maker:
    """Draws everything from one seed."""

    def __init__(self) -> None:
        self._random = random.Random(20_260_101)  # noqa: S311 -- made to be repeatable, not to be secret
        self._seconds = 0

    def members(self) -> Iterator[Row]:
        for number in range(1, _MEMBERS + 1):
            now = self._later()
            picture = f"https://pictures.example/members/{number}.png"
            yield (self._id(now), f"member {number}", picture, self._words(14), self._below(10_000), now)

    def entries(self, members: Sequence[Row]) -> Iterator[Row]:
        """Roots first, in the order they were written, then their replies."""
        authors = [member[0] for member in members[:_ACTIVE] for _ in range(_ENTRIES_OF_ACTIVE)]
        active = {member[0] for member in members[:_ACTIVE]}
        authors += [self._random.choice(members[_ACTIVE:])[0] for _ in range(_ENTRIES_OF_OTHERS)]
        self._random.shuffle(authors)
        roots = [self._entry(author, None) for author in authors]
        yield from roots
        # 3 and 4 replies in turn to the active, one to everybody else: 37,500 in all.
        turns = cycle((3, 4))
        parents = [root[0] for root in roots for _ in range(next(turns) if root[1] in active else 1)]
        self._random.shuffle(parents)
        for parent in parents:
            yield self._entry(self._random.choice(members)[0], parent)

    def counts(self, entries: Iterable[Row]) -> Iterator[Row]:
        for entry in entries:
            yield (entry[0], self._below(1_000), self._below(100), self._below(50), self._below(100_000))

    def resonances(self, members: Sequence[Row], entries: Sequence[Row]) -> Iterator[Row]:
        for _ in range(_RESONANCES):
            now = self._later()
            member, entry = self._random.choice(members)[0], self._random.choice(entries)[0]
            yield (self._id(now), member, entry, self._random.choice(("like", "love", "wonder")), now)

    def goals(self, members: Sequence[Row]) -> Iterator[Row]:
        for _ in range(_TREES):
            owner = self._random.choice(members)[0]
            parents: list[UUID | None] = [None]
            for size in _TREE_LEVELS:
                level = [self._goal(owner, parents[number % len(parents)], number) for number in range(size)]
                yield from level
                parents = [goal[0] for goal in level]
        for number in range(_GOALS - _TREES * sum(_TREE_LEVELS)):
            yield self._goal(members[0][0], None, number)

    def _entry(self, author: UUID, parent: UUID | None) -> Row:
        now = self._later()
        kind = "reply" if parent else self._random.choice(("note", "link", "quote"))
        title, body = self._words(5), self._words(20 if parent else 30)
        edited = now + timedelta(seconds=self._below(3600))
        revision = 1 + self._below(4)
        language = self._random.choice(("en", "de", "ko"))
        return (
            *(self._id(now), author, parent, title, body, kind, language),
            *(self._below(500), self._below(10) > 0, revision, now, edited),
        )

    def _goal(self, owner: UUID, parent: UUID | None, position: int) -> Row:
        now = self._later()
        status = self._random.choice(("open", "done", "blocked"))
        return (self._id(now), owner, parent, self._words(4), status, self._below(101), 100, position, now)

    def _later(self) -> datetime:
        self._seconds += 1 + self._below(30)
        return _BEGIN + timedelta(seconds=self._seconds, microseconds=self._below(1_000_000))

    def _id(self, now: datetime) -> UUID:
        """Make a UUID of version 7, as Ringside's own are: they sort by when they were made."""
        milliseconds = int(now.timestamp() * 1000)
        chance = self._random.getrandbits(74)
        return UUID(int=milliseconds << 80 | 7 << 76 | (chance >> 62) << 64 | 2 << 62 | chance & (1 << 62) - 1)

    def _words(self, count: int) -> str:
        return " ".join(self._random.choices(_WORDS, k=count))

    def _below(self, limit: int) -> int:
        return self._random.randrange(limit)


def make() -> Iterator[tuple[Table, list[Row]]]:
    """Make all rows, table by table, in an order that foreign keys allow."""
    maker = _Maker()
    members = list(maker.members())
    entries = list(maker.entries(members))
    yield table_of(Member), members
    yield table_of(Entry), entries
    yield table_of(EntryCounts), list(maker.counts(entries))
    yield table_of(Resonance), list(maker.resonances(members, entries))
    yield table_of(Goal), list(maker.goals(members))
