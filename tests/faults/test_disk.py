"""S7, S8, S9, S10: a disk that is full, a file that is gone, shut or damaged, and a reader who does not leave."""

import asyncio
import os
import random
import resource
import shutil
import sqlite3
import stat
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import typer
from sqlmodel import select

from api.commands.migrations import bring_up_to_date
from db import sqlite_file
from db.connecting import connect
from db.errors import Unavailable
from db.matches.tables import Mat
from db.sqlite_database import SQLiteDatabase
from db.sqlite_file import find_damage
from tests.db.stored import lay_mat, mat_names
from tests.faults.conftest import Figure, Size
from tests.support.lives import Say, begin
from tests.support.process import Serving, serving

LAY = "mutation ($name: String!) { matCreate(input: {name: $name}) { mat { id } } }"
MATS = "{ mats(first: 100) { nodes { name } } }"


# A full disk


async def _lay(server: Serving, name: str) -> str:
    """Lay a mat; return the code it is refused with, nothing if it is not."""
    asked = {"query": LAY, "variables": {"name": name}}
    body = (await server.http.post("/graphql", json=asked)).json()
    return str(body["errors"][0]["extensions"]["code"]) if "errors" in body else ""


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_on_a_full_disk_changes_are_refused_reads_go_on_and_room_ends_it(
    database_url: str, tmp_path: Path, figure: Figure
) -> None:
    path = tmp_path / "ringside.db"
    async with serving(database_url, tmp_path / "log") as server:
        laid = [name for name in ("A", "B") if not await _lay(server, name)]
        # As if nothing more fitted: no file of the process may become any longer than the log of changes is.
        longest = path.with_name("ringside.db-wal").stat().st_size
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (longest, resource.RLIM_INFINITY))
        refused = 0
        while refused < 5:
            name = f"{'x' * 190} {len(laid)}"
            code = await _lay(server, name)
            laid += [name] if not code else []
            refused += bool(code)
            assert code in {"", "UNAVAILABLE"}
        shown = (await server.execute(MATS))["mats"]["nodes"]
        full = (await server.http.get("/readyz")).json()
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        assert await _lay(server, "There is room") == ""
        well = (await server.http.get("/readyz")).json()
        again = (await server.execute(MATS))["mats"]["nodes"]
        assert await server.stop() == 0

    assert {one["name"] for one in shown} == {*laid, "Mat 1"}
    assert {one["name"] for one in again} == {*laid, "Mat 1", "There is room"}
    assert (full["status"], full["database"]["status"], full["database"]["changes"]) == ("degraded", "ok", "refused")
    assert (well["status"], "changes" in well["database"]) == ("ok", False)
    figure("S7", f"full disk: {len(laid)} kept of {len(laid)} acknowledged, 5 refused, reads went on, room was enough")


# A file that is gone


async def test_a_file_that_is_moved_away_takes_no_more_changes(migrated_file: Path, tmp_path: Path) -> None:
    path, elsewhere = tmp_path / "ringside.db", tmp_path / "elsewhere.db"
    shutil.copy(migrated_file, path)
    async with _opened(path) as db:
        await lay_mat(db, "Before")
        path.rename(elsewhere)
        for name in ("1", "2"):
            with pytest.raises(Unavailable):
                await lay_mat(db, name)
        was_made_anew = path.exists()
        elsewhere.rename(path)
        await lay_mat(db, "After")

        assert await mat_names(db) == ["After", "Before"]
    assert not was_made_anew


async def test_a_file_with_another_in_its_place_takes_no_more_changes(
    migrated_file: Path, tmp_path: Path, figure: Figure
) -> None:
    path = tmp_path / "ringside.db"
    shutil.copy(migrated_file, path)
    async with _opened(path) as db:
        path.rename(tmp_path / "elsewhere.db")
        shutil.copy(migrated_file, path)
        with pytest.raises(Unavailable):
            await lay_mat(db, "Into which?")
    async with _opened(path) as other:
        assert await mat_names(other) == []
    figure("S8", "a file that was moved or replaced while it was served: changes refused, no new file made")


async def test_without_looking_for_the_file_changes_go_where_nobody_finds_them(
    migrated_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, figure: Figure
) -> None:
    monkeypatch.setattr(sqlite_file, "_is_in_place", lambda *_: True)
    path = tmp_path / "ringside.db"
    shutil.copy(migrated_file, path)
    async with _opened(path) as db:
        await lay_mat(db, "Before")
        path.unlink()
        await lay_mat(db, "Acknowledged")

    assert not path.exists()
    figure("S8", "control: without looking for the file, a change was acknowledged that no server would find again")


class _opened:  # noqa: N801 -- it reads as a function
    def __init__(self, path: Path) -> None:
        self._path = path

    async def __aenter__(self) -> SQLiteDatabase:
        self._db = await SQLiteDatabase.open(self._path)
        return self._db

    async def __aexit__(self, *_: object) -> None:
        await self._db.close()


# A file that is shut


@pytest.fixture
def shut(migrated_file: Path) -> Iterator[Path]:
    """A database whose file and folder everybody may read and nobody may write."""
    # Not in a folder of the tests: those can be entered by us alone.
    folder = Path(tempfile.mkdtemp(prefix="ringside-shut-"))
    path = folder / "ringside.db"
    shutil.copy(migrated_file, path)
    path.chmod(0o444)
    folder.chmod(0o555)
    yield path
    folder.chmod(stat.S_IRWXU)
    shutil.rmtree(folder)


def test_a_file_that_may_not_be_written_is_refused_with_a_sentence(shut: Path, tmp_path: Path) -> None:
    told = tmp_path / "told"

    async def work(say: Say) -> None:
        with told.open("w") as words:
            if os.geteuid() == 0:
                # Permissions mean nothing to root.
                os.setuid(65_534)
            try:
                await (await connect(f"sqlite:///{shut}")).close()
            except Unavailable as refusal:
                words.write(str(refusal))
        say(1)

    heard, ended = begin(work).ended()

    assert (heard, ended) == ([1], 0)
    assert told.read_text() == f"The database file {shut} cannot be opened: attempt to write a readonly database"


# A file that is damaged


async def _filled(path: Path) -> int:
    """Put so much into a database that it has pages of its own; return how many mats that is."""
    db = await SQLiteDatabase.open(path)
    await asyncio.gather(*(lay_mat(db, f"Mat {number} {'x' * 150}") for number in range(200)))
    await db.close()
    return 200


def test_a_damaged_file_is_refused_or_read_whole_and_never_silently_shorter(
    migrated_file: Path, tmp_path: Path, size: Size, figure: Figure
) -> None:
    whole, damaged = tmp_path / "whole.db", tmp_path / "damaged.db"
    shutil.copy(migrated_file, whole)
    mats = asyncio.run(_filled(whole))
    content = whole.read_bytes()
    refused = failed = 0
    copies = size(100, 10_000)
    for seed in range(copies):
        damaged.write_bytes(_flipped(content, random.Random(seed)))  # noqa: S311 -- chance, not a secret
        if find_damage(damaged) is not None:
            refused += 1
            continue
        try:
            assert asyncio.run(_mats_in(damaged)) == mats
        except (Unavailable, sqlite3.Error, LookupError, ValueError):
            # A loud fault, and not a row less.
            failed += 1
        for rest in tmp_path.glob("damaged.db*"):
            rest.unlink()
    told = f"{refused} refused at the start, {failed} when read, the rest whole"
    figure("S9", f"bits flipped in {copies} copies: {told}")


def test_a_file_whose_names_are_no_text_any_more_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "damaged.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE mats (name TEXT)")
        connection.execute("CREATE INDEX mats_by_name ON mats (name)")
    path.write_bytes(path.read_bytes().replace(b"indexmats_by_name", b"indexmats_by_\xe9ame"))

    assert find_damage(path) == "there are names in it that are no text"


def test_without_looking_through_the_file_damage_is_served(migrated_file: Path, tmp_path: Path, figure: Figure) -> None:
    path = tmp_path / "whole.db"
    shutil.copy(migrated_file, path)
    asyncio.run(_filled(path))
    # The number of cells of a leaf of the table: as many as it says are read, without a word of the others.
    with closing(sqlite3.connect(path)) as connection:
        (leaf,) = connection.execute(
            "SELECT max(pageno) FROM dbstat WHERE name = 'mats' AND pagetype = 'leaf'"
        ).fetchone()
        (page_size,) = connection.execute("PRAGMA page_size").fetchone()
    content = bytearray(path.read_bytes())
    place = (leaf - 1) * page_size + 3
    content[place : place + 2] = (int.from_bytes(content[place : place + 2]) - 1).to_bytes(2)
    path.write_bytes(content)

    assert asyncio.run(_mats_in(path)) == 199
    with pytest.raises(typer.Exit):
        bring_up_to_date(f"sqlite:///{path}")
    figure("S9", "control: opened without looking through it, a damaged file shows 199 of 200 rows and says nothing")


async def _mats_in(path: Path) -> int:
    async with _opened(path) as db, db.read() as session:
        return len(await session.rows(select(Mat)))


def _flipped(content: bytes, chance: random.Random) -> bytes:
    damaged = bytearray(content)
    for _ in range(chance.randint(1, 8)):
        damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
    return bytes(damaged)


# A reader who does not leave


async def _written_beside_a_reader(path: Path, changes: int) -> tuple[int, int]:
    """Write while somebody reads on and on, and once he has left; return how long the log became, and was then."""
    log = path.with_name(path.name + "-wal")
    async with _opened(path) as db:
        with closing(sqlite3.connect(path, isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM mats").fetchone()
            for start in range(0, changes, 100):
                await asyncio.gather(*(lay_mat(db, f"{start + number} {'x' * 190}") for number in range(100)))
            longest = log.stat().st_size
            reader.execute("ROLLBACK")
        # The next commits find nobody in the way: one brings the log into the file, another begins it anew.
        for number in range(3):
            await lay_mat(db, f"After {number}")
        return longest, log.stat().st_size


async def test_the_log_that_grew_beside_a_long_reader_is_short_again_when_he_has_left(
    migrated_file: Path, tmp_path: Path, size: Size, monkeypatch: pytest.MonkeyPatch, figure: Figure
) -> None:
    changes, limit = size(300, 200_000), size(100_000, 64 << 20)
    limits = {"held": (f"journal_size_limit={limit}",), "not held": ()}
    found: dict[str, tuple[int, int]] = {}
    for name, pragma in limits.items():
        path = tmp_path / f"{name}.db"
        shutil.copy(migrated_file, path)
        with monkeypatch.context() as patch:
            # Brought into the file more often, so that less has to be written.
            patch.setattr(sqlite_file, "_PRAGMAS", (*sqlite_file._PRAGMAS[:-1], "wal_autocheckpoint=50", *pragma))
            found[name] = await _written_beside_a_reader(path, changes)

    (longest, afterwards), (_, for_ever) = found["held"], found["not held"]
    assert sqlite_file._PRAGMAS[-1] == "journal_size_limit=67108864"
    assert longest > limit >= afterwards
    assert for_ever > limit
    figure("S10", f"beside a long reader the log grew to {longest >> 10} KiB, and was {afterwards >> 10} KiB after him")
    figure("S10", f"control: without a limit it stays {for_ever >> 10} KiB")
