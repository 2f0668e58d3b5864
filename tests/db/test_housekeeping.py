"""Housekeeping: what is let go of, what stays, where it is written before, and what a database says it holds."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from sqlmodel import col, select

from db.archive import Reader, verify
from db.backups.target import Target
from db.errors import Unavailable
from db.housekeeping.retiring import KEPT, Retired, retire
from db.housekeeping.status import check_database, read_status
from db.network.tables import ListenerSession
from db.session import Database
from db.settings.registry import KEYS
from db.settings.tables import Setting, SettingChange
from db.tables import metadata
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
    assert found.size > 0
    if not found.are_estimates:
        rows = {one.name: one.rows for one in found.tables}
        assert (rows["settings"], rows["setting_changes"], rows["users"]) == (1, 3, 0)
        assert found.log_size > 0


async def test_a_database_that_is_sound_is_said_to_be(db: Database) -> None:
    await set_often(db, 3)

    assert await check_database(db) == []


async def test_the_settings_stay_whose_history_is_let_go(db: Database) -> None:
    await set_often(db, 3)

    await retire(db, {**FOR_EVER, "retention.setting_changes_days": 1}, None, now=NOW + timedelta(days=365))

    async with db.read() as session:
        assert [(one.key, one.value) for one in await session.rows(select(Setting))] == [("backups.keep", "1")]
    assert await ages_of(db) == []
