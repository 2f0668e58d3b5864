"""How long a tree takes: read, counted, moved, taken in from a file; beside a closure table and a recursive query.

The two peers are written by hand, on the same rows of the same database, in the same run.
"""

import argparse
import json
import platform
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import orjson
from rich.console import Console
from rich.table import Table
from sqlalchemy import Column, MetaData, Uuid, bindparam, delete, insert, text
from sqlalchemy import Table as SQLTable
from sqlalchemy.orm import aliased
from sqlmodel import col, select

from api.loop import run as run_on_fastest_loop
from api.migrate import migrate_up
from db.access import operations as access
from db.access.viewer import Role, Viewer
from db.batches import Page
from db.clock import SystemClock
from db.connecting import connect
from db.database import Database
from db.ids import new_id
from db.practice import operations, queries
from db.practice.importing import Report, import_goals
from db.practice.lines import is_under
from db.practice.tables import Goal
from db.practice.vocabulary import GoalLevel
from db.urls import is_embedded
from schema.ids import encode_id
from tests.support.goal_files import TYPES, goal, made_up_file, nodes_of
from tests.support.graph import Graph

_NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
_IMPORTED = 10_000
# Children of each goal, level by level: 20,000 goals, 7 deep, in one tree.
_BRANCHES = (4, 5, 5, 5, 6, 5)
_SUBTREE = """
query ($id: ID!) {
  goal(id: $id) { name descendants(first: 500) { nodes { depth path goal { id name level isCompleted deadline } } } }
}"""
_WHOLE = Page(limit=100_000)
_TREE = queries.goals_below.order(None)


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One measurement: the best, the middle and the worst of some, in milliseconds."""

    name: str
    rows: int
    statements: int
    best: float
    median: float
    worst: float


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", help="An empty PostgreSQL database; a SQLite file of its own if not said.")
    parser.add_argument("--repeat", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="ringside-practice-") as folder:
        url = options.database or f"sqlite:///{Path(folder) / 'practice.db'}"
        migrate_up(url)
        run_on_fastest_loop(lambda: _measure(url, options.repeat, figures))
    engine = f"SQLite {sqlite3.sqlite_version}" if is_embedded(url) else "PostgreSQL"
    machine = f"Python {platform.python_version()}, {engine}"
    if options.json:
        print(json.dumps({"machine": machine, "figures": [asdict(one) for one in figures]}))
        return
    _print(machine, figures)


async def _measure(url: str, repeat: int, figures: list[Figure]) -> None:
    db = await connect(url)
    try:
        bench = _Bench(db, await _viewer(db), repeat, figures)
        await bench.import_files()
        top = await bench.grow()
        await bench.read(top)
        await bench.move(top)
    finally:
        await db.close()


async def _viewer(db: Database) -> Viewer:
    async with db.transaction() as tx:
        user = await access.create_user(tx, name=f"Bench {new_id().hex[-8:]}", role=Role.MEMBER, now=_NOW)
    return Viewer(user_id=user.id, token_id=new_id(), role=Role.MEMBER)


class _Bench:
    def __init__(self, db: Database, viewer: Viewer, repeat: int, figures: list[Figure]) -> None:
        self._db = db
        self._viewer = viewer
        self._repeat = repeat
        self._figures = figures

    async def import_files(self) -> None:
        """Take in a made-up file, each time as somebody who has nothing yet; then once more what is there."""
        text_of = orjson.dumps(made_up_file(7, _IMPORTED))
        count = len({node["id"] for node in nodes_of(orjson.loads(text_of))})
        for name, again in (("import of a new file", False), ("the same file again", True)):
            taken: list[float] = []
            for _ in range(3):
                began = time.perf_counter()
                await self._take_in(text_of)
                taken.append((time.perf_counter() - began) * 1000)
                if not again:
                    break
            self._note(name, count, 0, taken)

    async def grow(self) -> Goal:
        """Make the tree."""
        chance = Random(1)  # noqa: S311 -- nothing to keep secret

        def grown(rank: int) -> Any:
            made = goal(TYPES[rank], f"{rank}", id=str(UUID(int=chance.getrandbits(128), version=4)))
            if rank < len(_BRANCHES):
                made["children"] = [grown(rank + 1) for _ in range(_BRANCHES[rank])]
            return made

        tree = grown(0)
        # A file holds 20,000 nodes at most: one half after the other.
        halves = tree["children"][:2], tree["children"][2:]
        for half in halves:
            report = await self._take_in(orjson.dumps([{**tree, "children": half}]))
            if report.refused:
                raise SystemExit(f"The tree was refused: {report.refused[0].reason}")
        async with self._db.read() as session:
            top = await session.row(select(Goal).where(col(Goal.id) == UUID(tree["id"])))
        if top is None:
            raise SystemExit("The tree is not there.")
        await self._analyze()
        return top

    async def read(self, top: Goal) -> None:
        """Read subtrees of each size, and count them."""
        for level in ("MID_TERM", "SHORT_TERM", "IMMEDIATE"):
            goals = await self._of_level(top, level)
            chosen = goals[len(goals) // 2]
            size = len(await self._under(chosen))

            async def by_path(chosen: Goal = chosen) -> int:
                async with self._db.read() as session:
                    await queries.goal_by_id.read(session, self._viewer, [chosen.id])
                    found = await queries.goals_below.read(session, self._viewer, [chosen.id], _WHOLE, _TREE, {})
                    rows = found[chosen.id].rows
                    await queries.goal_by_id.read(session, self._viewer, [row.goal_id for row in rows])
                return len(rows) + 1

            await self._timed(f"subtree of {level}, by path", size, by_path)
            await self._timed(f"subtree of {level}, by a recursive query", size, self._recursive(chosen))
            if size <= queries.goals_below.most:
                await self._timed(f"subtree of {level}, over the graph", size, self._asked(chosen))
            await self._timed(f"what {level} comes to", size, self._tally([chosen.id]))
        await self._timed("what the whole tree comes to", len(await self._under(top)), self._tally([top.id]))
        mids = await self._of_level(top, "MID_TERM")
        await self._timed("what 20 goals come to", 20, self._tally([one.id for one in mids[:20]]))

    async def move(self, top: Goal) -> None:
        """Move a fourth of the tree to and fro; then what a closure table would have to change for it."""
        other = await self._other_top()
        chosen = (await self._of_level(top, "LONG_TERM"))[0]
        size = len(await self._under(chosen))
        places = [other, top.id]

        async def there() -> int:
            async with self._db.transaction() as tx:
                under = places[0]
                await operations.move_goal(tx, chosen.id, under=under, viewer=self._viewer, now=_NOW)
            places.reverse()
            return size

        await self._timed("move of a subtree, by path", size, there)
        await self._closure(chosen, size)

    async def _closure(self, chosen: Goal, size: int) -> None:
        """Do the same to a closure table: take its rows from above the subtree away, and put others there."""
        async with self._db.transaction() as tx:
            kind = "CHAR(32)" if tx.dialect == "sqlite" else "UUID"
            for statement in _MAKE_CLOSURE:
                await tx.execute(text(statement.format(kind=kind)))
            await tx.execute(_fill_closure())
        subtree = select(_CLOSURE.c.below).where(_CLOSURE.c.above == bindparam("goal", type_=Uuid()))
        above = select(_CLOSURE.c.above).where(_CLOSURE.c.below == bindparam("place", type_=Uuid()))
        cut = delete(_CLOSURE).where(_CLOSURE.c.below.in_(subtree), _CLOSURE.c.above.not_in(subtree))
        join = select(above.subquery().c.above, subtree.subquery().c.below)
        put = insert(_CLOSURE).from_select(["above", "below"], join)

        async def there() -> int:
            async with self._db.transaction() as tx:
                await tx.execute(cut, goal=chosen.id)
                await tx.execute(put, goal=chosen.id, place=chosen.parent_id)
            return size

        await self._timed("the same in a closure table", size, there)
        async with self._db.transaction() as tx:
            await tx.execute(text("DROP TABLE goal_closure"))

    async def _timed(self, name: str, rows: int, work: Callable[[], Awaitable[int]]) -> None:
        heard: list[str] = []
        taken: list[float] = []
        for number in range(self._repeat + 1):
            self._db.on_statement = heard.append if number == 0 else None
            began = time.perf_counter()
            found = await work()
            taken.append((time.perf_counter() - began) * 1000)
            if found != rows:
                raise SystemExit(f"{name}: {found} rows, {rows} expected.")
        # The first one compiled its statements.
        self._note(name, rows, len(heard), taken[1:])

    def _note(self, name: str, rows: int, statements: int, taken: list[float]) -> None:
        figure = {"best": min(taken), "median": statistics.median(taken), "worst": max(taken)}
        self._figures.append(Figure(name=name, rows=rows, statements=statements, **figure))

    def _asked(self, chosen: Goal) -> Callable[[], Awaitable[int]]:
        graph = Graph(self._db, SystemClock(), self._viewer)

        async def work() -> int:
            data = await graph.execute(_SUBTREE, id=encode_id("goal", chosen.id))
            return len(data["goal"]["descendants"]["nodes"]) + 1

        return work

    def _recursive(self, chosen: Goal) -> Callable[[], Awaitable[int]]:
        found = select(Goal).where(col(Goal.id) == bindparam("goal", type_=Uuid())).cte("found", recursive=True)
        whole = found.union_all(select(Goal).join(found, col(Goal.parent_id) == found.c.id))
        statement: Any = select(*whole.c)

        async def work() -> int:
            async with self._db.read() as session:
                return len(await session.rows(statement, goal=chosen.id))

        return work

    def _tally(self, ids: list[UUID]) -> Callable[[], Awaitable[int]]:
        async def work() -> int:
            async with self._db.read() as session:
                found: Any = await queries.tally_by_goal.read(session, self._viewer, ids)
            return found[ids[0]].all_goal_count if len(ids) == 1 else len(found)

        return work

    async def _of_level(self, top: Goal, level: str) -> list[Goal]:
        under = is_under(col(Goal.path), top.path), col(Goal.level) == level
        async with self._db.read() as session:
            return await session.rows(select(Goal).where(*under).order_by(col(Goal.path)))

    async def _under(self, goal: Goal) -> list[Goal]:
        async with self._db.read() as session:
            return await session.rows(select(Goal).where(is_under(col(Goal.path), goal.path)))

    async def _other_top(self) -> UUID:
        async with self._db.transaction() as tx:
            made = await operations.create_goal(
                tx,
                owner_id=self._viewer.user_id,
                level=GoalLevel.ULTIMATE,
                changes={"name": "Another"},
                viewer=self._viewer,
                now=_NOW,
            )
        return made.id

    async def _take_in(self, document: bytes) -> Report:
        async with self._db.transaction() as tx:
            owner_id = self._viewer.user_id
            return await import_goals(tx, document, owner_id=owner_id, viewer=self._viewer, now=_NOW)

    async def _analyze(self) -> None:
        """Let the database know its rows, as it does by itself in time."""
        async with self._db.transaction() as tx:
            await tx.execute(text("ANALYZE"))


def _fill_closure() -> Any:
    below: Any = aliased(Goal)
    pairs = select(col(Goal.id), below.id).join(below, is_under(below.path, col(Goal.path)))
    return insert(_CLOSURE).from_select(["above", "below"], pairs)


def _print(machine: str, figures: list[Figure]) -> None:
    table = Table(title=machine, title_justify="left")
    for name in ("What", "Rows", "Statements", "Best ms", "Median ms", "Worst ms"):
        table.add_column(name, justify="left" if name == "What" else "right")
    for one in figures:
        times = (f"{value:,.1f}" for value in (one.best, one.median, one.worst))
        table.add_row(one.name, f"{one.rows:,}", str(one.statements or ""), *times)
    Console().print(table)


_CLOSURE = SQLTable("goal_closure", MetaData(), Column("above", Uuid()), Column("below", Uuid()))
_MAKE_CLOSURE = (
    "CREATE TABLE goal_closure (above {kind} NOT NULL, below {kind} NOT NULL, PRIMARY KEY (above, below))",
    "CREATE INDEX goal_closure_below ON goal_closure (below)",
)


if __name__ == "__main__":
    main()
