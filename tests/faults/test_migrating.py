"""M1-M4: a migration that is killed, that several begin at once, or that somebody has not made yet."""

import asyncio
import os
import random
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import typer
from sqlalchemy import Engine, event

from api.commands.migrations import bring_up_to_date
from api.migrate import migrate_down, migrate_up, standing
from db.connecting import connect
from db.urls import is_embedded, sqlite_path
from tests.db.test_migrations import ROOT, ask, counts, differences, empty_url, populate, populated, write
from tests.faults.conftest import Figure, Size
from tests.support.lives import Say, begin

__all__ = ["empty_url"]

# What follows it makes tables anew, and copies what they hold.
OLDER = "0008"


def older(url: str) -> dict[str, int]:
    """Fill a database, and take it back to an older revision; return how much each table holds."""
    migrate_up(url)
    asyncio.run(populated(url))
    migrate_down(url, OLDER)
    found: dict[str, int] = ask(url, counts)
    return found


def migrating(url: str, killed_before: int | None, *, commits_each: bool = False) -> Callable[[Say], Any]:
    """Migrate, saying each statement; be killed before one of them, or not at all."""

    async def work(say: Say) -> None:
        number = 0

        @event.listens_for(Engine, "before_cursor_execute")
        def _count(*_: object) -> None:
            nonlocal number
            number += 1
            if number == killed_before:
                os.kill(os.getpid(), signal.SIGKILL)
            say(number)

        if commits_each:

            @event.listens_for(Engine, "after_cursor_execute")
            def _commit(connection: Any, *_: object) -> None:
                driver = connection.connection.driver_connection
                if driver.in_transaction:
                    driver.execute("COMMIT")
                    driver.execute("BEGIN IMMEDIATE")

        await asyncio.to_thread(migrate_up, url)

    return work


def statements(url: str) -> int:
    """Migrate in another process, and return how many statements that took."""
    said, ended = begin(migrating(url, None)).ended()
    assert ended == 0
    return max(said)


def test_a_migration_killed_before_any_statement_leaves_the_older_database(
    empty_url: str, size: Size, figure: Figure
) -> None:
    held = older(empty_url)
    most = statements(empty_url)
    migrate_down(empty_url, OLDER)
    moments = random.Random(7).sample(range(2, most + 1), size(3, most - 1))  # noqa: S311 -- chance, not a secret

    for moment in moments:
        assert begin(migrating(empty_url, moment)).ended()[1] == -signal.SIGKILL
        assert standing(empty_url).current == OLDER
        assert ask(empty_url, counts) == held
    migrate_up(empty_url)

    assert ask(empty_url, differences) == []
    now = ask(empty_url, counts)
    assert held == {name: now[name] for name in held}
    engine = "SQLite" if is_embedded(empty_url) else "PostgreSQL"
    figure(
        "M2",
        f"{engine}: killed before {len(moments)} of {most} statements, each time the older database, then the newer",
    )


def test_a_migration_that_commits_each_statement_cannot_be_taken_up_again(tmp_path: Path, figure: Figure) -> None:
    url = f"sqlite:///{tmp_path / 'ringside.db'}"
    older(url)
    whole = tmp_path / "whole.db"
    shutil.copy(sqlite_path(url), whole)
    most = statements(url)
    ended = 0

    # Between two revisions it would be taken up again: the moments lie inside of several.
    for moment in range(most // 2, most, max(1, most // 20)):
        shutil.copy(whole, sqlite_path(url))
        assert begin(migrating(url, moment, commits_each=True)).ended()[1] == -signal.SIGKILL
        ended = begin(migrating(url, None)).ended()[1]
        if ended:
            break

    assert ended == 1
    figure("M2", "control: each statement committed by itself, the half that was made is in the way of another try")


# Several at once


def together(url: str, processes: int) -> list[int]:
    """Migrate in several processes that begin at the same moment; return how each ended."""
    gate, opening = os.pipe()

    async def work(_: Say) -> None:
        os.close(opening)
        os.read(gate, 1)
        await asyncio.to_thread(migrate_up, url)

    lives = [begin(work) for _ in range(processes)]
    os.close(opening)
    ends = [life.ended()[1] for life in lives]
    os.close(gate)
    return ends


def test_of_several_servers_that_start_at_once_one_migrates(empty_url: str, size: Size, figure: Figure) -> None:
    processes = size(4, 16)
    if is_embedded(empty_url):
        sqlite_path(empty_url).parent.mkdir(parents=True)

    assert together(empty_url, processes) == [0] * processes

    assert ask(empty_url, differences) == []
    engine = "SQLite" if is_embedded(empty_url) else "PostgreSQL"
    figure("M3", f"{engine}: {processes} began at once, one migrated, all were content")


def test_without_a_lock_they_are_in_each_others_way(
    empty_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, figure: Figure
) -> None:
    copy = tmp_path / "migrations"
    shutil.copytree(ROOT / "migrations", copy, ignore=shutil.ignore_patterns("__pycache__"))
    env = (copy / "env.py").read_text()
    bare = env.replace("SELECT pg_advisory_xact_lock(:lock)", "SELECT :lock").replace("BEGIN IMMEDIATE", "BEGIN")
    assert bare != env
    (copy / "env.py").write_text(bare)
    monkeypatch.setattr("api.migrate.files", lambda _: copy)
    if is_embedded(empty_url):
        sqlite_path(empty_url).parent.mkdir(parents=True)

    failed = sum(code != 0 for code in together(empty_url, 4))

    assert failed
    figure("M3", f"control: without a lock {failed} of 4 failed")


# Another version


def test_a_newer_database_is_refused_with_both_revisions(
    empty_url: str, capsys: pytest.CaptureFixture[str], figure: Figure
) -> None:
    migrate_up(empty_url)
    newest = standing(empty_url).newest
    write(empty_url, "UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(typer.Exit):
        bring_up_to_date(empty_url)

    told = capsys.readouterr().err
    assert "9999" in told
    assert newest in told
    figure("M4", "a database of another version is refused with a sentence that names both revisions")


@pytest.mark.parametrize("empty_url", [pytest.param("postgresql", marks=pytest.mark.postgresql)], indirect=True)
def test_an_older_database_of_a_server_is_refused_and_without_that_fails_at_work(
    empty_url: str, capsys: pytest.CaptureFixture[str], figure: Figure
) -> None:
    migrate_up(empty_url, OLDER)

    with pytest.raises(typer.Exit):
        bring_up_to_date(empty_url)

    told = capsys.readouterr().err
    assert f"is at revision {OLDER}" in told
    assert standing(empty_url).newest in told
    with pytest.raises(asyncpg.PostgresError, match="does not exist"):
        asyncio.run(_at_work(empty_url))
    figure("M4", "control: without asking, it starts and fails at the first thing that is missing")


async def _at_work(url: str) -> None:
    db = await connect(url, pool_size=2)
    try:
        await populate(db)
    finally:
        await db.close()
