"""A backup that is made while many write: each table stands in it, and in what it is put into, as at one moment."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from sqlmodel import col, select

from api.backups import create, restore
from db.backups.target import Target
from db.connecting import connect
from db.database import Database
from db.streams.tables import StreamGoal
from tests.db.stored import NOW, Rows, everything
from tests.support.ledger import ENTRIES, LOGGED, Ledger

if TYPE_CHECKING:
    from tests.support.postgresql import Server


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database that holds nothing, not even tables, once for each engine."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'restored.db'}"
        return
    server: Server = request.getfixturevalue("postgresql_server")
    name = f"ringside_test_{uuid4().hex[:12]}"
    server.create(name)
    yield server.url(name)
    server.drop(name)


async def test_a_backup_under_writes_gives_every_row_of_one_moment_back(
    db: Database, database_url: str, empty_url: str, tmp_path: Path
) -> None:
    ledger = await Ledger.open(db, NOW, writers=4)
    target = Target(str(tmp_path / "kept"))
    ended = asyncio.Event()
    writers = [asyncio.create_task(ledger.keep_writing(writer, ended)) for writer in range(4)]
    before = ledger.last
    made = await create(database_url, target, now=NOW, progress=lambda _table, _rows: None)
    # Those that are under way.
    most = ledger.last + len(writers)
    ended.set()
    await asyncio.gather(*writers)
    after = await everything(db)

    await restore(empty_url, target, made.name, is_dry_run=False, now=NOW, progress=lambda _table, _rows: None)
    moment, found = await shown(empty_url, ledger)

    assert before <= moment <= most
    assert found == ledger.expected(after, moment)
    transactions = len([one for one in ledger.written if one <= moment])
    assert len(found["entries"]) == ENTRIES * transactions
    assert len(found["match_events"]) == LOGGED * transactions


async def shown(url: str, ledger: Ledger) -> tuple[int, dict[str, Rows]]:
    """Return which transaction of a ledger was the last in a database, and every row there is."""
    db = await connect(url)
    try:
        async with db.read() as session:
            of_shared = col(StreamGoal.id) == ledger.shared.id
            moment = await session.scalar(select(col(StreamGoal.revision)).where(of_shared))
        return int(moment), await everything(db)
    finally:
        await db.close()
