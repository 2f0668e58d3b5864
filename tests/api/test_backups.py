"""Backups: a database of either engine as one file, and that file as a database of either, row by row the same."""

import asyncio
import hashlib
import io
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import asyncpg
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import col, select

from api import backups
from api.migrate import migrate_down, migrate_up, standing
from api.occupied import serving
from db.access.tables import User
from db.archive import BadArchive, Reader, Writer, verify
from db.archive_columns import ColumnKind
from db.backups.target import Target
from db.connecting import connect
from db.database import Database
from db.errors import Conflict, Invalid, NotFound
from db.snapshot import Plan, plan
from db.streams.vocabulary import StreamSourceKind
from db.urls import sqlite_path
from tests.db.stored import NOW, Rows, everything
from tests.db.test_migrations import populate
from tests.support.social import make_person
from tests.support.social import write as write_entry
from tests.support.streaming import make_source, make_stream

if TYPE_CHECKING:
    from tests.support.postgresql import Server

ENGINES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)]


@dataclass
class Places:
    """Makes databases: of nothing at all, or with something in every table, which is put there once for all tests."""

    folder: Path
    request: pytest.FixtureRequest
    made: list[str]
    filled: dict[str, tuple[str, dict[str, Rows]]]
    emptied: str | None = None

    def empty(self, engine: str = "sqlite") -> str:
        if engine == "sqlite":
            return f"sqlite:///{self.folder / uuid4().hex}.db"
        # Making and dropping one takes a second: it is emptied instead.
        if self.emptied is None:
            self.emptied = self._made("template1")
        asyncio.run(_emptied(self.emptied))
        return self.emptied

    def full(self, engine: str = "sqlite") -> tuple[str, dict[str, Rows]]:
        """A database with something in every table, and what that is. Nobody changes it."""
        if engine not in self.filled:
            url = self.empty(engine) if engine == "sqlite" else self._made("template1")
            migrate_up(url)
            self.filled[engine] = (url, asyncio.run(fill(url)))
            assert all(self.filled[engine][1].values())
        return self.filled[engine]

    def copy(self, engine: str = "sqlite") -> tuple[str, dict[str, Rows]]:
        """The same, to be changed."""
        url, rows = self.full(engine)
        if engine != "sqlite":
            return self._made(url.rpartition("/")[2]), rows
        copied = self.empty(engine)
        shutil.copy(sqlite_path(url), sqlite_path(copied))
        return copied, rows

    def drop(self) -> None:
        for name in self.made:
            self._server.drop(name)

    def _made(self, template: str) -> str:
        name = f"ringside_test_{uuid4().hex[:12]}"
        self._server.create(name, template=template)
        self.made.append(name)
        return self._server.url(name)

    @property
    def _server(self) -> "Server":
        server: Server = self.request.getfixturevalue("postgresql_server")
        return server


async def _emptied(url: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    finally:
        await connection.close()


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Places]:
    made = Places(tmp_path_factory.mktemp("places"), request, [], {})
    yield made
    made.drop()


@pytest.fixture
def target(tmp_path: Path) -> Target:
    return Target(str(tmp_path / "backups"))


async def fill(url: str) -> dict[str, Rows]:
    db = await connect(url)
    try:
        await populate(db)
        # Its calls are signed with a secret.
        await make_source(db, await make_stream(db, NOW), NOW, kind=StreamSourceKind.WEBHOOK, name="Shop")
        return await everything(db)
    finally:
        await db.close()


async def changed(url: str) -> dict[str, Rows]:
    db = await connect(url)
    try:
        await write_entry(db, await make_person(db, NOW, name="Somebody later"), NOW)
        return await everything(db)
    finally:
        await db.close()


async def read(url: str) -> dict[str, Rows]:
    db = await connect(url)
    try:
        return await everything(db)
    finally:
        await db.close()


def secrets_of(rows: dict[str, Rows], each: Plan) -> list[Any]:
    return [row[place] for row in rows[each.name] for place in each.secrets if row[place]]


def without_secrets(rows: dict[str, Rows]) -> dict[str, Rows]:
    """Rows as a backup gives them back: secrets that were not sealed are not in it."""
    secrets = {each.name: each.secrets for each in plan()}
    return {
        name: sorted(
            (tuple(None if value and i in secrets[name] else value for i, value in enumerate(row)) for row in found),
            key=repr,
        )
        for name, found in rows.items()
    }


async def back_up(url: str, target: Target) -> backups.Backup:
    return await backups.create(url, target, now=NOW, progress=lambda _table, _rows: None)


async def put_back(url: str, target: Target, name: str, *, is_dry_run: bool = False) -> backups.Outcome:
    return await backups.restore(url, target, name, is_dry_run=is_dry_run, now=NOW, progress=lambda _table, _rows: None)


@pytest.mark.parametrize("into", ENGINES)
@pytest.mark.parametrize("of", ENGINES)
def test_a_backup_put_into_an_empty_database_gives_every_row_back(
    of: str, into: str, places: Places, target: Target
) -> None:
    (url, rows), empty = places.full(of), places.empty(into)

    made = asyncio.run(back_up(url, target))
    outcome = asyncio.run(put_back(empty, target, made.name))

    assert asyncio.run(read(empty)) == without_secrets(rows)
    assert standing(empty).is_current
    assert outcome.tables == tuple((name, 0, len(rows[name])) for name, _, _ in outcome.tables)
    assert made.manifest is not None
    assert made.manifest.withheld == sum(len(secrets_of(rows, each)) for each in plan())


def path_of(target: Target, name: str, tmp_path: Path) -> Path:
    path = tmp_path / "fetched.zip"
    target.get(name, path)
    return path


@pytest.mark.parametrize("engine", ENGINES)
def test_a_backup_takes_the_place_of_all_that_stands_there(engine: str, places: Places, target: Target) -> None:
    url, rows = places.copy(engine)
    made = asyncio.run(back_up(url, target))
    assert asyncio.run(changed(url)) != rows

    asyncio.run(put_back(url, target, made.name))

    assert asyncio.run(read(url)) == without_secrets(rows)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_trial_says_what_would_be_done_and_does_nothing(engine: str, places: Places, target: Target) -> None:
    url, rows = places.full(engine)
    made = asyncio.run(back_up(url, target))
    empty = places.empty(engine)

    outcome = asyncio.run(put_back(empty, target, made.name, is_dry_run=True))

    assert not outcome.is_done
    assert {name: (now, then) for name, now, then in outcome.tables} == {
        name: (0, len(found)) for name, found in rows.items()
    }
    assert standing(empty).current is None


@pytest.mark.parametrize("engine", ENGINES)
def test_what_counts_goes_on_counting_in_a_database_put_back(engine: str, places: Places, target: Target) -> None:
    url, _ = places.full(engine)
    made = asyncio.run(back_up(url, target))
    empty = places.empty(engine)
    asyncio.run(put_back(empty, target, made.name))

    before, after = asyncio.run(counted_around_an_entry(empty))

    assert after == before + 1


async def counted_around_an_entry(url: str) -> tuple[int, int]:
    db = await connect(url)
    try:
        person = await make_person(db, NOW, name="Somebody new")
        before = await entry_count(db, person)
        await write_entry(db, person, NOW)
        return before, await entry_count(db, person)
    finally:
        await db.close()


async def entry_count(db: Database, person: Any) -> int:
    async with db.read() as session:
        return int(await session.scalar(select(col(User.entry_count)).where(col(User.id) == person.user_id)))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_backup_of_an_older_version_is_brought_up_to_this_one(
    engine: str, places: Places, target: Target, tmp_path: Path
) -> None:
    url, rows = places.full(engine)
    made = asyncio.run(back_up(url, target))
    older = rewritten(path_of(target, made.name, tmp_path), tmp_path / "older.zip", "0001", AT_FIRST)
    target.put(older, "older.ringside.zip")
    empty = places.empty(engine)

    outcome = asyncio.run(put_back(empty, target, "older.ringside.zip"))

    assert outcome.migrates_from == "0001"
    assert standing(empty).is_current
    kept = asyncio.run(read(empty))
    assert {name: len(found) for name, found in kept.items() if found} == {
        **{name: len(rows[name]) for name in AT_FIRST},
        # What the migrations on the way put there.
        **{name: len(found) for name, found in kept.items() if found and name not in AT_FIRST},
    }
    assert {row[1] for row in kept["users"]} == {row[1] for row in rows["users"]}


# The tables and columns of the first revision.
AT_FIRST = {
    "users": ("id", "name", "role", "created_at"),
    "tokens": (
        *("id", "user_id", "kind", "label", "prefix", "secret_hash"),
        *("created_at", "expires_at", "revoked_at", "last_used_at"),
    ),
    "token_nodes": ("token_id", "node_id"),
}


def rewritten(path: Path, into: Path, revision: str, tables: Mapping[str, Sequence[str]]) -> Path:
    """Write some columns of some tables of an archive to another, which says to be of another revision."""
    writer = Writer(into)
    with Reader(path) as reader:
        for table in reader.manifest.tables:
            if table.name not in tables:
                continue
            places = [place for place, (name, _) in enumerate(table.columns) if name in tables[table.name]]
            writer.begin(table.name, [table.columns[place] for place in places])
            for rows in reader.rows(table):
                writer.write([[row[place] for place in places] for row in rows])
        made = reader.manifest
    writer.finish(revision=revision, made_at=made.made_at, engine=made.engine, version=made.version)
    return into


def test_a_backup_of_a_newer_version_is_refused(places: Places, target: Target, tmp_path: Path) -> None:
    url, rows = places.full()
    made = asyncio.run(back_up(url, target))
    target.put(rewritten(path_of(target, made.name, tmp_path), tmp_path / "n.zip", "9999", AT_FIRST), "n.ringside.zip")

    with pytest.raises(Conflict, match="revision 9999, which this version of Ringside does not know"):
        asyncio.run(put_back(url, target, "n.ringside.zip"))

    assert asyncio.run(read(url)) == rows


@pytest.mark.parametrize("engine", ENGINES)
def test_a_backup_whose_rows_refer_to_nothing_changes_nothing(
    engine: str, places: Places, target: Target, tmp_path: Path
) -> None:
    url, rows = places.full(engine)
    made = asyncio.run(back_up(url, target))
    of_nobody = {"tokens": AT_FIRST["tokens"]}
    target.put(rewritten(path_of(target, made.name, tmp_path), tmp_path / "o.zip", "0001", of_nobody), "o.ringside.zip")

    with pytest.raises(Conflict, match="refers to a row"):
        asyncio.run(put_back(url, target, "o.ringside.zip"))

    assert asyncio.run(read(url)) == rows
    assert standing(url).is_current


@pytest.mark.parametrize("engine", ENGINES)
def test_a_database_that_is_served_is_not_replaced(engine: str, places: Places, target: Target) -> None:
    url, rows = places.full(engine)
    made = asyncio.run(back_up(url, target))

    async def put_back_while_served() -> None:
        async with serving(url), serving(url):
            await put_back(url, target, made.name)

    with pytest.raises(Conflict, match="A server runs on this database"):
        asyncio.run(put_back_while_served())

    assert asyncio.run(read(url)) == rows


def test_what_stood_in_a_file_is_kept_beside_it(places: Places, target: Target) -> None:
    url, _ = places.copy()
    made = asyncio.run(back_up(url, target))
    later = asyncio.run(changed(url))

    asyncio.run(put_back(url, target, made.name))

    (kept,) = sqlite_path(url).parent.glob(f"{sqlite_path(url).name}.before-*")
    assert asyncio.run(read(f"sqlite:///{kept}")) == later


def test_only_the_tables_of_this_version_are_backed_up(places: Places, target: Target) -> None:
    url, _ = places.copy()
    migrate_down(url, "0002")

    with pytest.raises(Conflict, match="`ringside migrate up` first"):
        asyncio.run(back_up(url, target))

    assert target.names() == []


# Archives that are none


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A whole archive."""
    path = tmp_path_factory.mktemp("archive") / "whole.zip"
    writer = Writer(path)
    writer.begin("users", [("id", ColumnKind.ID), ("name", ColumnKind.TEXT)])
    writer.write([["0" * 32, f"Person {number}"] for number in range(50)])
    writer.begin("tokens", [("id", ColumnKind.ID)])
    writer.finish(revision="0001", made_at=NOW, engine="sqlite", version="3")
    return path.read_bytes()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "archive.zip"


def refusal_of(file: Path, content: bytes) -> str:
    file.write_bytes(content)
    with pytest.raises(BadArchive) as refused:
        verify(file)
    return refused.value.message


def test_a_whole_archive_is_read_to_its_end(archive: bytes, file: Path) -> None:
    file.write_bytes(archive)
    told: list[int] = []

    manifest = verify(file, told.append)

    assert sum(told) == manifest.rows == 50
    assert [(table.name, table.rows) for table in manifest.tables] == [("users", 50), ("tokens", 0)]


@given(st.data())
def test_an_archive_with_one_bit_changed_is_refused(archive: bytes, data: st.DataObject) -> None:
    bit = data.draw(st.integers(0, len(archive) * 8 - 1))
    changed = bytearray(archive)
    changed[bit // 8] ^= 1 << bit % 8
    with tempfile.TemporaryDirectory() as folder:
        assert "cut short or changed" in refusal_of(Path(folder) / "archive.zip", bytes(changed))


@given(st.data())
def test_an_archive_that_was_cut_is_refused(archive: bytes, data: st.DataObject) -> None:
    length = data.draw(st.integers(0, len(archive) - 1))
    with tempfile.TemporaryDirectory() as folder:
        assert "This is not a whole backup" in refusal_of(Path(folder) / "archive.zip", archive[:length])


def sealed(parts: Mapping[str, bytes]) -> bytes:
    """An archive that somebody made to look whole."""
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w") as made:
        for name, text in parts.items():
            made.writestr(name, text)
        made.comment = bytes(64)
    body = into.getvalue()[:-64]
    return body + hashlib.sha256(body).hexdigest().encode()


def parts_of(archive: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(archive)) as made:
        return {name: made.read(name) for name in made.namelist()}


def renamed(parts: dict[str, bytes], name: str) -> dict[str, bytes]:
    manifest = orjson.loads(parts["manifest.json"])
    manifest["tables"][0]["name"] = name
    return {
        f"tables/{name}.jsonl": parts["tables/users.jsonl"],
        "tables/tokens.jsonl": parts["tables/tokens.jsonl"],
        "manifest.json": orjson.dumps(manifest),
    }


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/passwd", "users\x00", "Users", "users; DROP TABLE users", ""]
)
def test_an_archive_whose_names_lead_elsewhere_is_refused(name: str, archive: bytes, file: Path) -> None:
    assert "is no name" in refusal_of(file, sealed(renamed(parts_of(archive), name)))


def test_an_archive_with_a_part_too_many_is_refused(archive: bytes, file: Path) -> None:
    told = refusal_of(file, sealed({**parts_of(archive), "../../evil": b"boo"}))
    assert told == "This is not a whole backup: It holds '../../evil'. Nothing was changed."


def test_an_archive_with_a_part_missing_is_refused(archive: bytes, file: Path) -> None:
    parts = parts_of(archive)
    del parts["tables/tokens.jsonl"]
    assert "Parts are missing" in refusal_of(file, sealed(parts))


def test_an_archive_with_other_rows_than_were_written_is_refused(archive: bytes, file: Path) -> None:
    parts = parts_of(archive)
    parts["tables/users.jsonl"] = parts["tables/users.jsonl"].replace(b"Person 7", b"Person 8", 1)
    assert "not the one that was written" in refusal_of(file, sealed(parts))


def test_an_archive_that_swells_beyond_what_it_says_is_refused(archive: bytes, file: Path) -> None:
    parts = parts_of(archive)
    parts["tables/users.jsonl"] += b'["", ""]\n' * 100_000
    assert "longer than its manifest says" in refusal_of(file, sealed(parts))


# Targets


def test_backups_are_listed_newest_first_with_those_that_cannot_be_read(
    places: Places, target: Target, tmp_path: Path
) -> None:
    url, _ = places.full()
    made = asyncio.run(back_up(url, target))
    broken = tmp_path / "broken"
    broken.write_bytes(b"nothing")
    target.put(broken, "ringside-20200101-000000-000000.ringside.zip")

    listed = backups.found(target)

    assert [backup.name for backup in listed] == [made.name, "ringside-20200101-000000-000000.ringside.zip"]
    assert listed[0] == made
    assert "This is not a whole backup" in listed[1].problem


def test_the_newest_that_can_be_read_are_kept(target: Target, archive: bytes, tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    whole.write_bytes(archive)
    broken.write_bytes(b"nothing")
    for day in range(1, 6):
        target.put(broken if day == 5 else whole, f"ringside-2026110{day}-000000-000000.ringside.zip")

    gone = backups.prune(target, keep=2)

    assert gone == [f"ringside-2026110{day}-000000-000000.ringside.zip" for day in (2, 1)]
    assert target.names() == [f"ringside-2026110{day}-000000-000000.ringside.zip" for day in (5, 4, 3)]


@pytest.mark.parametrize("name", ["../x.ringside.zip", "x.zip", "", "a/b.ringside.zip", ".x.ringside.zip"])
def test_a_name_that_is_none_is_refused(name: str, target: Target) -> None:
    with pytest.raises(Invalid, match="is not the name of a backup"):
        backups.check(target, name)


def test_a_backup_that_is_not_there_is_not_found(target: Target) -> None:
    with pytest.raises(NotFound, match="There is no backup"):
        backups.check(target, "ringside-x.ringside.zip")


def test_a_target_of_a_kind_that_is_not_installed_says_what_to_install() -> None:
    with pytest.raises(Invalid, match="Install s3fs"):
        Target("s3://bucket/backups")


def test_backups_may_be_kept_elsewhere(places: Places) -> None:
    url, rows = places.full()
    elsewhere = Target(f"memory://{uuid4().hex}")

    made = asyncio.run(back_up(url, elsewhere))

    assert elsewhere.names() == [made.name]
    assert backups.check(elsewhere, made.name).manifest == made.manifest
    assert made.manifest is not None
    assert made.manifest.rows == sum(map(len, rows.values()))
