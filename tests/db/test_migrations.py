"""Migrations: up and down with everything in place, done once by whoever comes first, and what they leave equals the
tables."""

import ast
import asyncio
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, UniqueConstraint, create_engine, inspect, pool, text
from sqlalchemy.ext.asyncio import create_async_engine

from api.migrate import Revision, Standing, _config, migrate_down, migrate_up, standing
from db.access import operations as access
from db.access.tables import User
from db.access.viewer import Role
from db.backups import operations as backups
from db.backups.vocabulary import BackupJobKind
from db.connecting import connect
from db.database import Database
from db.errors import Unavailable
from db.flags.images import image_of
from db.leases import operations as leases
from db.leases.operations import Holder
from db.matches import by_hand, operations, taking_back, tournaments
from db.matches.held import By
from db.matches.logos import set_logo
from db.matches.vocabulary import Side
from db.settings import operations as settings
from db.tables import OF_ONE_DATABASE, metadata
from db.urls import is_embedded, sqlite_path
from tests.db.stored import NOW, Rows, columns_of, everything
from tests.support import accounts
from tests.support.competition import hold, loaded_fight, open_day, plan, say
from tests.support.flagging import PNG, hoist
from tests.support.listening import listen_a_while
from tests.support.operators import correct, make_operator
from tests.support.practice import fill
from tests.support.recordings import film
from tests.support.social import amplify, follow, make_person, resonate, share
from tests.support.social import write as write_entry
from tests.support.streaming import FRAMES, make_source, make_stream, take

if TYPE_CHECKING:
    from tests.support.postgresql import Server

ROOT = Path(__file__).parents[2]
VERSIONS = sorted((ROOT / "migrations" / "versions").glob("*.py"))
REVISIONS = [path.stem.partition("_")[0] for path in VERSIONS]
NEWEST = REVISIONS[-1]
_COUNTS = ("follower_count", "following_count", "entry_count", "dream_count", "revision")


@dataclass(frozen=True)
class Filled:
    """A migrated database with something in every table, and what that is."""

    url: str
    rows: dict[str, Any]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database that holds nothing at all."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'made' / 'for' / 'it' / 'ringside.db'}"
        return
    server: Server = request.getfixturevalue("postgresql_server")
    name = f"ringside_test_{uuid4().hex[:12]}"
    server.create(name)
    yield server.url(name)
    server.drop(name)


def ask(url: str, question: Any) -> Any:
    """Put a question to a connection, and take its answer."""
    if is_embedded(url):
        engine: Engine = create_engine(url, poolclass=pool.NullPool)
        with engine.connect() as connection:
            return question(connection)
    return asyncio.run(_ask_postgresql(url, question))


async def _ask_postgresql(url: str, question: Any) -> Any:
    engine = create_async_engine(url.replace("postgresql://", "postgresql+asyncpg://"), poolclass=pool.NullPool)
    async with engine.connect() as connection:
        return await connection.run_sync(question)


_COMPARED = {
    "compare_type": True,
    "include_name": lambda name, _, __: not str(name).startswith(OF_ONE_DATABASE),
}


def differences(connection: Connection) -> list[Any]:
    return list(compare_metadata(MigrationContext.configure(connection, opts=_COMPARED), metadata))


def tables(connection: Connection) -> set[str]:
    found = set(inspect(connection).get_table_names()) - {"alembic_version"}
    return {name for name in found if not name.startswith(OF_ONE_DATABASE)}


def shape(connection: Connection) -> dict[str, Any]:
    """Everything that a database says of its tables, in an order of its own."""
    found = inspect(connection)
    return {
        table: {
            "columns": [
                (column["name"], str(column["type"]), column["nullable"], column["default"])
                for column in found.get_columns(table)
            ],
            "primary key": found.get_pk_constraint(table),
            "foreign keys": sorted(found.get_foreign_keys(table), key=repr),
            "unique": sorted(found.get_unique_constraints(table), key=repr),
            "indexes": sorted(
                [
                    index["name"],
                    index["column_names"],
                    index["unique"],
                    {name: str(value) for name, value in index.get("dialect_options", {}).items()},
                ]
                for index in found.get_indexes(table)
            ),
        }
        for table in sorted({*tables(connection), "alembic_version"} & set(found.get_table_names()))
    }


async def populate(db: Database) -> None:
    """Put something into every table, through operations."""
    competition = await hold(db, NOW, tournaments=2, mats=4, fights=2)
    await hoist(db, NOW)
    await listen_a_while(db, [mat.id for mat in competition.mats[:3]], NOW)
    async with db.transaction() as tx:
        user = await access.create_user(tx, name="Ann", role=Role.ADMIN, now=NOW)
        await access.create_token(tx, user_id=user.id, label="script", lifetime=timedelta(days=1), now=NOW)
        overlay = await access.create_token(tx, user_id=user.id, label="OBS", nodes=[competition.mats[0].id], now=NOW)
        await access.note_use(tx, overlay.token, now=NOW)
        await access.revoke_token(tx, overlay.token.id, viewer=None, now=NOW)
        await open_day(tx, competition.tournaments[0].id, NOW.date(), NOW)
        tournament = await tournaments.update_tournament(tx, competition.tournaments[1].id, {}, revision=0)
        await set_logo(tx, tournament.id, image_of(PNG), revision=tournament.revision)
        await plan(tx, competition.mats[0], NOW, "8", "9")
        await backups.ask(tx, BackupJobKind.CREATE, viewer=None, now=NOW)
        await leases.make_leases(tx, ["feeds"])
        (free,) = await leases.find_leases(tx, now=NOW)
        holder = Holder(id=user.id, host="booth", process=7, machine="")
        await leases.take_lease(tx, free.lease, holder, seconds=10, now=NOW)
        await settings.set_setting(tx, "backups.keep", 7, reason="Small disk", viewer=None, now=NOW)
        await say(tx, competition.mats[0].id, NOW, *loaded_fight("8"), "wg1;1", "ch1", "nonsense")
    await correct_fight_on(db, competition.mats[0].id)
    await film(db, competition.mats[0], None, NOW)
    stream = await make_stream(db, NOW, owner_id=user.id)
    await take(db, await make_source(db, stream, NOW), *FRAMES, at=NOW)
    people = [await make_person(db, NOW) for _ in range(2)]
    entry = await write_entry(db, people[0], NOW, tags=["deep"])
    await write_entry(db, people[1], NOW, parent=entry)
    await follow(db, people[1], people[0], NOW)
    for mark in (resonate, amplify, share):
        await mark(db, people[1], entry, NOW)
    await fill(db, user.id, stream.owner_id)
    await accounts.fill(db, user.id, stream.owner_id)


async def correct_fight_on(db: Database, mat_id: UUID) -> None:
    """Have an operator correct the fight on a mat, and take that back."""
    by = By(viewer=await make_operator(db, NOW), now=NOW, revision=None, why="The video")
    async with db.read() as session:
        progress = await operations.load_progress(session, mat_id)
    assert progress.fight is not None
    await correct(db, by_hand.give_gam_jeom, progress.fight.match_id, by=by, side=Side.RED)
    await correct(db, taking_back.undo, progress.fight.match_id, by=by)


async def populated(url: str) -> dict[str, Any]:
    db = await connect(url)
    await populate(db)
    rows = await everything(db)
    await db.close()
    return rows


@pytest.fixture(scope="module")
def filled_file(tmp_path_factory: pytest.TempPathFactory) -> Filled:
    """A migrated file with something in every table, copied for each test."""
    url = f"sqlite:///{tmp_path_factory.mktemp('filled') / 'filled.db'}"
    migrate_up(url)
    return Filled(url, asyncio.run(populated(url)))


@pytest.fixture(scope="module")
def filled_template(postgresql_server: "Server") -> Iterator[Filled]:
    """The same on PostgreSQL."""
    name = f"ringside_test_{uuid4().hex[:12]}"
    postgresql_server.create(name)
    url = postgresql_server.url(name)
    migrate_up(url)
    yield Filled(url, asyncio.run(populated(url)))
    postgresql_server.drop(name)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def filled(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Filled]:
    """A migrated database with something in every table, for one test alone."""
    if request.param == "sqlite":
        found: Filled = request.getfixturevalue("filled_file")
        copied = tmp_path / "ringside.db"
        shutil.copy(sqlite_path(found.url), copied)
        yield Filled(f"sqlite:///{copied}", found.rows)
        return
    server: Server = request.getfixturevalue("postgresql_server")
    found = request.getfixturevalue("filled_template")
    name = f"ringside_test_{uuid4().hex[:12]}"
    server.create(name, template=found.url.rpartition("/")[2])
    yield Filled(server.url(name), found.rows)
    server.drop(name)


async def read_whole(url: str) -> dict[str, Any]:
    db = await connect(url)
    rows = await everything(db)
    await db.close()
    return rows


def counts(connection: Connection) -> dict[str, int]:
    # The names are the database's own.
    return {
        name: connection.execute(text(f"SELECT count(*) FROM {name}")).scalar_one()  # noqa: S608
        for name in tables(connection)
    }


def test_the_migrated_shape_equals_the_tables(empty_url: str) -> None:
    migrate_up(empty_url)

    assert ask(empty_url, differences) == []
    assert ask(empty_url, tables) == set(metadata.tables)


def test_a_populated_database_goes_down_and_up_through_every_revision(filled: Filled) -> None:
    url, rows = filled.url, filled.rows
    shape_at_first, counted = ask(url, shape), ask(url, counts)
    assert all(rows.values()), [name for name, found in rows.items() if not found]

    for revision in reversed(["base", *REVISIONS[:-1]]):
        migrate_down(url, revision)
        kept = ask(url, counts)
        assert kept == {name: counted[name] for name in kept}
        assert standing(url).current == (None if revision == "base" else revision)
    assert ask(url, tables) == set()

    for revision in REVISIONS:
        migrate_up(url, revision)
        assert standing(url).current == revision
    assert ask(url, shape) == shape_at_first
    assert {name for name, found in asyncio.run(populated(url)).items() if not found} == set()


def test_what_older_revisions_hold_outlives_a_step_down_and_up(filled: Filled) -> None:
    url, rows = filled.url, filled.rows

    migrate_down(url, "0001")
    migrate_up(url)

    kept = asyncio.run(read_whole(url))
    # A migration fills these itself; what was added to them went down with their table.
    assert len(kept.pop("flag_mappings")) == len(rows["flag_mappings"]) - 1
    assert {name: _first(found) for name, found in kept.items() if found} == {
        name: _first(rows[name]) for name in ("users", "tokens", "token_nodes")
    }


def test_fights_keep_their_tournament_and_all_else_when_their_table_is_made_anew(filled: Filled) -> None:
    """A step down takes the tournament from each fight; a step up gives it back, from its mat."""
    url = filled.url
    kept = "id, mat_id, begun_seq, state, number, phase, weight, outcome, loaded_at, started_at, ended_at"
    of_tournaments = f"SELECT {kept}, tournament_id FROM matches ORDER BY id"  # noqa: S608 -- names of ours
    before = read(url, of_tournaments)

    migrate_down(url, "0008")
    without = read(url, f"SELECT {kept} FROM matches ORDER BY id")  # noqa: S608 -- as above
    migrate_up(url)

    assert [row[-1] is None for row in before] == [False] * len(before)
    assert without == [row[:-1] for row in before]
    assert read(url, of_tournaments) == before
    assert ask(url, differences) == []


def test_pictures_keep_their_owner_and_those_of_no_execution_go_down(database_url: str) -> None:
    """Before, a picture was its execution's alone: whoever goes back keeps those, and whoever returns knows whose."""
    asyncio.run(populated(database_url))
    of_pictures = "SELECT id, owner_id, account_id, post_id, execution_id, state FROM screenshots ORDER BY id"
    before = read(database_url, of_pictures)
    asyncio.run(_picture(database_url))

    migrate_down(database_url, "0017")
    migrate_up(database_url)

    assert before
    assert read(database_url, of_pictures) == before
    assert ask(database_url, differences) == []


async def _picture(url: str) -> None:
    db = await connect(url)
    await accounts.make_screenshot(db, (await accounts.make_user(db)).id, NOW)
    await db.close()


def read(url: str, statement: str) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = ask(url, lambda connection: list(map(tuple, connection.execute(text(statement)))))
    return found


def _first(rows: Rows) -> Rows:
    """Rows without what was counted of what is gone: that stands behind everything else."""
    return [row[: len(columns_of(User)) - len(_COUNTS)] for row in rows]


def test_migrating_up_again_changes_nothing(filled: Filled) -> None:
    url, rows = filled.url, filled.rows

    migrate_up(url)

    assert asyncio.run(read_whole(url)) == rows


def revisions(*, applied: int) -> list[Revision]:
    described = [str(ast.get_docstring(ast.parse(path.read_text()))) for path in VERSIONS]
    return [
        Revision(name=name, describes=describes, is_applied=number < applied)
        for number, (name, describes) in enumerate(zip(REVISIONS, described, strict=True))
    ]


def test_standing_tells_of_an_empty_a_partial_and_a_current_database(empty_url: str) -> None:
    found = [standing(empty_url)]
    for revision in REVISIONS:
        migrate_up(empty_url, revision)
        found.append(standing(empty_url))

    assert found == [
        Standing(current=current, newest=NEWEST, revisions=revisions(applied=number))
        for number, current in enumerate([None, *REVISIONS])
    ]
    assert [one.is_current for one in found] == [False] * len(REVISIONS) + [True]


def test_standing_makes_no_file(tmp_path: Path) -> None:
    standing(f"sqlite:///{tmp_path / 'ringside.db'}")

    assert list(tmp_path.iterdir()) == []


def test_standing_tells_of_a_revision_that_nobody_here_knows(database_url: str) -> None:
    write(database_url, "UPDATE alembic_version SET version_num = '9999'")

    found = standing(database_url)

    assert found == Standing(current="9999", newest=NEWEST, revisions=revisions(applied=0))
    assert not found.is_current


def write(url: str, statement: str) -> None:
    def run(connection: Connection) -> None:
        connection.execute(text(statement))
        connection.commit()

    ask(url, run)


def test_standing_of_what_cannot_be_reached_is_unavailable(tmp_path: Path, nobodys_port: int) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("Not a database, but long enough to be read as the header of one. " * 10)

    with pytest.raises(Unavailable, match=r"notes\.txt cannot be reached: .*file is not a database"):
        standing(f"sqlite:///{notes}")
    with pytest.raises(
        Unavailable, match=r"postgresql://me:\*\*\*@127.0.0.1:\d+/ringside cannot be reached"
    ) as refusal:
        standing(f"postgresql://me:secret@127.0.0.1:{nobodys_port}/ringside")

    assert "secret" not in str(refusal.value)


def test_a_migration_that_fails_leaves_the_database_as_it_was(
    empty_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "migrations"
    # What another process is compiling just now is there and gone.
    shutil.copytree(ROOT / "migrations", copy, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "versions" / "9999_fails.py").write_text(
        '"""Fails after half of it."""\n'
        "import sqlalchemy as sa\n"
        "from alembic import op\n"
        f'revision, down_revision, branch_labels, depends_on = "9999", "{NEWEST}", None, None\n'
        "def upgrade():\n"
        '    op.create_table("halves", sa.Column("id", sa.Integer()))\n'
        '    op.drop_table("scoreboards")\n'
        '    raise LookupError("half-way")\n'
        "def downgrade(): ...\n"
    )
    migrate_up(empty_url, "0001")
    before = ask(empty_url, shape)
    monkeypatch.setattr("api.migrate.files", lambda _: copy)

    with pytest.raises(LookupError, match="half-way"):
        migrate_up(empty_url)

    assert ask(empty_url, shape) == before
    assert standing(empty_url).current == "0001"


def test_every_constraint_has_a_name(database_url: str) -> None:
    described = ask(database_url, shape)
    del described["alembic_version"]
    names = {
        table: {
            "primary key": one["primary key"]["name"],
            "foreign keys": sorted(key["name"] for key in one["foreign keys"]),
            "unique": sorted(key["name"] for key in one["unique"]),
        }
        for table, one in described.items()
    }
    assert names == {
        name: {
            "primary key": f"pk_{name}",
            "foreign keys": sorted(
                f"fk_{name}_{key.parent.name}_{key.column.table.name}" for key in metadata.tables[name].foreign_keys
            ),
            "unique": sorted(
                f"uq_{name}_{'_'.join(column.name for column in constraint.columns)}"
                for constraint in metadata.tables[name].constraints
                if isinstance(constraint, UniqueConstraint)
            ),
        }
        for name in metadata.tables
    }


def test_revisions_form_one_line_and_are_named_after_their_files() -> None:
    script = ScriptDirectory.from_config(_config("sqlite:///unused.db"))

    assert [revision.revision for revision in reversed(list(script.walk_revisions()))] == REVISIONS
    assert [number for number, name in enumerate(REVISIONS, start=1) if name == f"{number:04}"] == list(
        range(1, len(REVISIONS) + 1)
    )


@pytest.mark.parametrize("path", VERSIONS, ids=lambda path: path.stem)
def test_a_migration_imports_nothing_of_the_code_it_outlives(path: Path) -> None:
    imported = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0
            imported.add(str(node.module).partition(".")[0])

    assert imported <= {"sqlalchemy", "alembic", *sys.stdlib_module_names}
