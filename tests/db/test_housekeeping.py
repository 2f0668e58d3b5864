"""Housekeeping: what is let go of, what stays, where it is written before, and what a database says it holds."""

import asyncio
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from sqlalchemy import update
from sqlmodel import col, select

from api.migrate import migrate_down
from db.access.tables import User
from db.archive import Reader, verify
from db.backups.target import Target
from db.bus import BusKind
from db.connecting import connect
from db.database import Database
from db.errors import Unavailable
from db.housekeeping import checking
from db.housekeeping.checking import check_database
from db.housekeeping.operations import KEPT
from db.housekeeping.retiring import Retired, retire
from db.housekeeping.status import read_status
from db.network.tables import ListenerSession
from db.session import Session
from db.settings.registry import KEYS
from db.settings.tables import Setting, SettingChange
from db.social.recount import find_drift
from db.tables import metadata
from db.urls import is_embedded, sqlite_path
from tests.db.stored import NOW, everything, lay_mat
from tests.support.listening import listen_a_while
from tests.support.setting import configure

FOR_EVER: dict[str, Any] = {name: key.default for name, key in KEYS.items() if name.startswith("retention.")}


async def set_often(db: Database, times: int, key: str = "backups.keep") -> None:
    """Set a setting once a day, the last time today."""
    for ago in reversed(range(times)):
        await configure(db, key, ago + 1, NOW - timedelta(days=ago))


async def ages_of(db: Database) -> list[int]:
    async with db.read() as session:
        found = await session.rows(select(SettingChange).order_by(col(SettingChange.changed_at)))
    return [(NOW - one.changed_at).days for one in found]


def rows_of(found: list[Retired]) -> dict[str, int]:
    return {one.name: one.rows for one in found if one.rows}


def test_every_table_that_is_kept_has_its_settings() -> None:
    assert {f"retention.{one.name}_days" for one in KEPT} == {name for name in FOR_EVER if name.endswith("_days")}
    counted = {f"retention.{one.name}_rows" for one in KEPT if one.counted_for}
    assert counted == {name for name in FOR_EVER if name.endswith("_rows")}


async def test_nothing_is_let_go_unless_somebody_says_so(db: Database) -> None:
    await set_often(db, 5)
    before = await everything(db)

    found = await retire(db, FOR_EVER, None, now=NOW + timedelta(days=10_000))

    assert rows_of(found) == {}
    assert await everything(db) == before


async def test_what_is_too_old_is_let_go(db: Database) -> None:
    await set_often(db, 6)

    found = await retire(db, {**FOR_EVER, "retention.setting_changes_days": 3}, None, now=NOW)

    # What is three days old to the instant is not older.
    assert rows_of(found) == {"setting_changes": 2}
    assert await ages_of(db) == [3, 2, 1, 0]


async def test_what_is_too_much_is_let_go_of_each_and_the_newest_stay(db: Database) -> None:
    await set_often(db, 4)
    await set_often(db, 2, "retention.every_hours")

    found = await retire(db, {**FOR_EVER, "retention.setting_changes_rows": 2}, None, now=NOW)

    assert rows_of(found) == {"setting_changes": 2}
    assert await ages_of(db) == [1, 1, 0, 0]


async def test_a_trial_counts_and_lets_go_of_nothing(db: Database, tmp_path: Path) -> None:
    await set_often(db, 6)
    before = await everything(db)
    values = {**FOR_EVER, "retention.setting_changes_days": 3, "retention.setting_changes_rows": 1}

    found = await retire(db, values, Target(str(tmp_path / "kept")), is_dry_run=True, now=NOW)

    assert rows_of(found) == {"setting_changes": 5}
    assert await everything(db) == before
    assert not (tmp_path / "kept").exists()


async def test_what_is_let_go_stands_in_a_file_before(db: Database, tmp_path: Path) -> None:
    await set_often(db, 4)
    target = Target(str(tmp_path / "kept"))
    async with db.read() as session:
        gone = await session.rows(select(SettingChange).where(col(SettingChange.changed_at) < NOW - timedelta(days=1)))

    found = await retire(db, {**FOR_EVER, "retention.setting_changes_days": 1}, target, now=NOW)

    (one,) = (one for one in found if one.rows)
    target.get(one.file, tmp_path / "archive.zip")
    verify(tmp_path / "archive.zip")
    with Reader(tmp_path / "archive.zip") as reader:
        (table,) = reader.manifest.tables
        rows = [row for chunk in reader.rows(table) for row in chunk]
    names = [name for name, _ in table.columns]
    assert sorted(row[names.index("id")] for row in rows) == sorted(row.id.hex for row in gone)
    assert {row[names.index("changed_at")] for row in rows} == {
        f"{row.changed_at.replace(tzinfo=None).isoformat(timespec='microseconds')}Z" for row in gone
    }
    # It is no backup, and is not thinned out as one.
    assert target.names() == []


async def test_what_cannot_be_written_stays(db: Database, tmp_path: Path) -> None:
    await set_often(db, 4)
    (tmp_path / "kept").write_text("A file where the folder should be.")
    before = await everything(db)

    with pytest.raises(Unavailable, match="cannot be reached"):
        await retire(db, {**FOR_EVER, "retention.setting_changes_days": 1}, Target(str(tmp_path / "kept")), now=NOW)

    assert await everything(db) == before


async def test_a_listener_that_still_listens_keeps_its_session(db: Database) -> None:
    mat = await lay_mat(db)
    await listen_a_while(db, [mat.id, mat.id, mat.id], NOW)
    async with db.read() as session:
        first = (await session.rows(select(ListenerSession).order_by(col(ListenerSession.id))))[0]
    async with db.transaction() as tx:
        await tx.execute(update(ListenerSession).where(col(ListenerSession.id) == first.id).values(state="RUNNING"))

    await retire(db, {**FOR_EVER, "retention.listener_sessions_days": 1}, None, now=NOW + timedelta(days=365))

    async with db.read() as session:
        assert first.id in {one.id for one in await session.rows(select(ListenerSession))}


async def test_a_database_says_what_it_holds(db: Database) -> None:
    await set_often(db, 3)

    found = await read_status(db)

    assert [one.name for one in found.tables] == sorted(metadata.tables)
    assert found.engine == (await db.versions())["engine"]
    assert found.revision
    assert found.pending == ()
    assert found.size > 0
    if not found.are_estimates:
        rows = {one.name: one.rows for one in found.tables}
        assert (rows["settings"], rows["setting_changes"], rows["users"]) == (1, 3, 0)
        assert found.log_size > 0


async def test_what_there_is_no_time_for_is_said_not_to_be_checked(db: Database) -> None:
    found = await check_database(db, seconds=0)

    assert found.wrong == ()
    assert {(one.is_checked, "there was no time left" in one.name) for one in found.parts} == {(False, True)}
    assert len(found.parts) == 3


async def test_who_looks_for_too_long_is_ended_and_the_database_goes_on(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def endless(session: Session) -> Any:
        # As a very large table is.
        await find_drift(session)
        await asyncio.Event().wait()

    monkeypatch.setattr(checking, "find_drift", endless)

    found = await check_database(db, seconds=0.2)

    assert not found.parts[-1].is_checked
    assert (await read_status(db)).revision


async def test_a_database_of_an_older_version_says_what_is_pending(database_url: str) -> None:
    await asyncio.to_thread(migrate_down, database_url, "0017")
    db = await connect(database_url, bus=BusKind.LOCAL)
    try:
        found = await read_status(db)
    finally:
        await db.close()

    assert found.revision == "0017"
    assert [(one.revision, bool(one.title)) for one in found.pending][:2] == [("0018", True), ("0019", True)]
    assert {one.name: one.rows for one in found.tables}["epochs"] is None


async def test_a_database_that_is_sound_is_said_to_be(db: Database, database_url: str) -> None:
    await set_often(db, 3)

    found = await check_database(db)

    assert (found.is_sound, found.wrong) == (True, ())
    checked = {one.name.partition(":")[0]: one.is_checked for one in found.parts}
    # An extension that is not there is said to be missing.
    expected = {"pages of the file": True} if is_embedded(database_url) else {"indexes": False}
    assert checked == {**expected, "references between tables": True, "users and entries with their counters": True}


async def test_indexes_are_compared_with_their_tables_where_postgresql_has_what_it_takes(
    db: Database, database_url: str
) -> None:
    if is_embedded(database_url):
        return
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute("CREATE EXTENSION amcheck")
        found = await check_database(db)
    finally:
        await connection.execute("DROP EXTENSION amcheck")
        await connection.close()

    (indexes, *_) = found.parts
    assert (indexes.is_checked, indexes.count > 100, found.wrong) == (True, True, ())


async def test_a_reference_to_nothing_and_a_counter_that_is_wrong_are_told(
    db: Database, database_url: str, admin: User
) -> None:
    async with db.transaction() as tx:
        await tx.execute(update(User).values(follower_count=3))
    if is_embedded(database_url):
        # Past the guard that the server never works without.
        with closing(sqlite3.connect(sqlite_path(database_url))) as connection:
            connection.execute("PRAGMA foreign_keys = OFF")
            connection.execute(
                "INSERT INTO tokens (id, user_id, kind, label, prefix, secret_hash, created_at) "
                "VALUES ('1', '2', 'API', 'x', 'x', x'00', '2026-11-21 09:00:00.000000')"
            )
            connection.commit()

    found = await check_database(db)

    counter = f"follower_count of users {admin.id} is 3, and there are 0."
    dangling = "1 rows of tokens refer by user_id to rows of users that are gone."
    assert found.wrong == ((dangling, counter) if is_embedded(database_url) else (counter,))


async def test_the_settings_stay_whose_history_is_let_go(db: Database) -> None:
    await set_often(db, 3)

    await retire(db, {**FOR_EVER, "retention.setting_changes_days": 1}, None, now=NOW + timedelta(days=365))

    async with db.read() as session:
        assert [(one.key, one.value) for one in await session.rows(select(Setting))] == [("backups.keep", "1")]
    assert await ages_of(db) == []
