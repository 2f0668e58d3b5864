"""Fixtures of what is below the graph."""

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from db.database import Database
from db.sqlite_database import SQLiteDatabase
from tests.db.ears import Ears
from tests.support.ports import deaf_port


@pytest.fixture
def ears(db: Database) -> Ears:
    return Ears(db)


@pytest.fixture
async def sqlite_db(tmp_path: Path, migrated_file: Path) -> AsyncIterator[SQLiteDatabase]:
    path = tmp_path / "alone.db"
    shutil.copy(migrated_file, path)
    database = await SQLiteDatabase.open(path)
    yield database
    await database.close()


@pytest.fixture
def nobodys_port() -> Iterator[int]:
    """A port of this machine on which nobody listens while the test runs."""
    with deaf_port() as port:
        yield port
