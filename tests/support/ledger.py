"""Writers who remember all that they wrote, so that whatever shows one moment of it can be held to that moment.

Every transaction adds to one goal that all writers share, so that they come one behind the other on either database:
how each table stands behind so many of them is known to the last column.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select

from db.access.tables import User
from db.access.viewer import Viewer
from db.batches import table_of
from db.database import Database
from db.matches.tables import EventType, Mat, Match, Scoreboard
from db.session import Session
from db.social import operations as social
from db.social.tables import Numbering
from db.streams import operations as streams
from db.streams.tables import StreamGoal
from db.tables import metadata
from tests.db.stored import Rows, lay_mat
from tests.support.competition import say
from tests.support.social import make_person
from tests.support.streaming import make_goal, make_stream

# What one transaction adds: an entry of the history of two goals each, what its writer says, and what his mat logs.
ENTRIES = 2
LOGGED = 28
ROWS = 2 + ENTRIES + LOGGED
_WIRES = [f"clk;{1 + seconds // 60}:{seconds % 60:02}" for seconds in range(LOGGED)]
_TARGET = 1_000_000_000
_NUMBERS = "entries"

# What only grows: the table of what each row is a part of, by which column, which number it has, and who counts those.
_HISTORIES = {
    "stream_goal_changes": ("stream_goals", "goal_id", "revision", "revision"),
    "match_events": ("mats", "mat_id", "seq", "last_seq"),
}

Standing = dict[tuple[str, Any], tuple[Any, ...]]


@dataclass(frozen=True, kw_only=True)
class Written:
    """A transaction: how the rows that it changed stood behind it, by table and key, and which entries it added."""

    changed: Standing
    entries: frozenset[UUID]


@dataclass
class Ledger:
    """Writers on a database. `written` is what they did, by the revisions of the goal that they share."""

    db: Database
    shared: StreamGoal
    goals: Sequence[StreamGoal]
    authors: Sequence[Viewer]
    mats: Sequence[Mat]
    now: datetime
    written: dict[int, Written] = field(default_factory=dict)
    # When each transaction began and ended, in seconds of the loop.
    took: list[tuple[float, float]] = field(default_factory=list)

    @classmethod
    async def open(cls, db: Database, now: datetime, *, writers: int) -> "Ledger":
        """Make what is written to, and write once each, so that there is a state to begin with."""
        stream = await make_stream(db, now)
        shared, *goals = [await make_goal(db, stream, now, target=_TARGET) for _ in range(1 + writers)]
        authors = [await make_person(db, now) for _ in range(writers)]
        mats = [await lay_mat(db, f"Mat {number}") for number in range(writers)]
        ledger = cls(db, shared, goals, authors, mats, now)
        for writer in range(writers):
            await ledger.write(writer)
        return ledger

    @property
    def last(self) -> int:
        """The revision of the last transaction that is known to be stored."""
        return max(self.written)

    async def write(self, writer: int) -> None:
        """Do one transaction, and remember what came of it."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        author = self.authors[writer]
        async with self.db.transaction() as tx:
            own = await streams.add_progress(tx, self.goals[writer].id, 3, viewer=None, now=self.now)
            await say(tx, self.mats[writer].id, self.now, *_WIRES)
            mat_id = self.mats[writer].id
            of_mat = [(model, "mat_id", mat_id) for model in (EventType, Match, Scoreboard)]
            changed = await _standing(tx, (StreamGoal, "id", own.id), (Mat, "id", mat_id), *of_mat)
            # From here to the commit nobody else writes.
            entries = [
                await social.create_entry(tx, {"content": f"Entry {place}."}, viewer=author, now=self.now)
                for place in range(ENTRIES)
            ]
            shared = await streams.add_progress(tx, self.shared.id, 1, viewer=None, now=self.now)
            changed |= await _standing(
                tx, (StreamGoal, "id", shared.id), (User, "id", author.user_id), (Numbering, "name", _NUMBERS)
            )
        self.written[shared.revision] = Written(changed=changed, entries=frozenset(one.id for one in entries))
        self.took.append((began, loop.time()))

    async def keep_writing(self, writer: int, ended: asyncio.Event, *, per_second: float | None = None) -> None:
        """Write until it is to end, at most so many transactions a second; whoever is late catches up."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        # Nobody is cancelled: what he was about to commit would be stored, and remembered by nobody.
        while not ended.is_set():
            await self.write(writer)
            if per_second is not None:
                due += 1 / per_second
                await asyncio.sleep(max(0.0, due - loop.time()))

    def expected(self, after: dict[str, Rows], last: int) -> dict[str, Rows]:
        """Say how each table stood behind the transaction of a revision, if `after` is how they stand at the end.

        What no transaction of ours writes to stands as it does at the end.
        """
        then: Standing = {}
        for number in sorted(self.written):
            if number <= last:
                then |= self.written[number].changed
        gone = {entry for number, one in self.written.items() if number > last for entry in one.entries}
        return {name: _sorted(_then(name, row, then, gone) for row in rows) for name, rows in after.items()}


def _then(name: str, row: tuple[Any, ...], then: Standing, gone: set[UUID]) -> tuple[Any, ...] | None:
    """Say how a row stood, `None` if it was not there."""
    if name == "entries" and row[0] in gone:
        return None
    if name in _HISTORIES:
        of, of_key, number, counted_by = _HISTORIES[name]
        columns = metadata.tables[name].c.keys()
        standing = then.get((of, row[columns.index(of_key)]))
        place = metadata.tables[of].c.keys().index(counted_by)
        is_later: bool = standing is not None and row[columns.index(number)] > standing[place]
        return None if is_later else row
    stood: tuple[Any, ...] = then.get((name, row[0]), row)
    return stood


def _sorted(rows: Any) -> Rows:
    return sorted((row for row in rows if row is not None), key=repr)


async def _standing(session: Session, *asked: tuple[Any, str, Any]) -> Standing:
    """Return how rows stand: those of a model that have a value in a column, of each that is asked for."""
    found: Standing = {}
    for model, key, value in asked:
        table = table_of(model)
        rows = await session.tuples(select(table).where(table.c[key] == value))
        found |= {(table.name, row[0]): tuple(row) for row in rows}
    return found
