"""What every test may ask for: a database of its own on either engine, a clock that is told the time, and the graph.

Only processes that run tests load this: see `tests.conftest`.
"""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings

from api import pages
from api.migrate import migrate_up
from db import postgresql, sqlite, sqlite_file
from db.access import operations as access
from db.access.tables import User
from db.access.viewer import Role, Viewer
from db.bus import BusKind
from db.connecting import connect
from db.database import Database
from db.ids import new_id
from schema.engine.descending import Descending
from schema.engine.documents import Document, Documents
from tests.conftest import ManualClock
from tests.support.graph import Graph
from tests.support.house import PATIENCE_SECONDS
from tests.support.pauses import PausingLoops
from tests.support.postgresql import Emptying, Server, find_server
from tests.support.redis import OwnRedis, own_redis

# A shared machine is sometimes slow: what a test finds out must not hang on that.
settings.register_profile("ringside", deadline=None, suppress_health_check=[HealthCheck.too_slow])


def pytest_configure() -> None:
    """Prepare a process that runs tests."""
    settings.load_profile("ringside")
    # What runs in this process waits by a clock that stands still whenever it does.
    asyncio.set_event_loop_policy(PausingLoops())
    _be_hasty_and_patient()


def _be_hasty_and_patient() -> None:
    """Have this process wait for no disk when it commits, and for long for its turn.

    Both hang on the machine, and are no test's matter but of those that ask for them (`as_served`): what a commit was
    worth shows only when a machine dies, and fifty who want the same at once take as long as they take. Servers that
    tests begin are processes of their own, and as any other.
    """
    postgresql._SESSION_SETTINGS["synchronous_commit"] = "off"
    sqlite_file._PRAGMAS = tuple(one.replace("synchronous=FULL", "synchronous=OFF") for one in sqlite_file._PRAGMAS)
    postgresql.POOL_TIMEOUT_SECONDS = sqlite.BUSY_TIMEOUT_SECONDS = PATIENCE_SECONDS
    Documents._read = _once(Documents._read)  # type: ignore[method-assign, assignment]


def _once(read: Callable[[Documents, str], Document]) -> Callable[[Documents, str], Document]:
    """Read what our own pages ask once for all servers of this process, which all read it as they begin.

    To parse and validate it is half of what it takes to begin one. What it comes to hangs on nothing but the schema
    and what a document may hold, and nobody changes it.
    """
    ours = frozenset(pages.documents())
    known: dict[Any, Document] = {}

    def read_once(documents: Documents, text: str) -> Document:
        if text not in ours:
            return read(documents, text)
        asked = (documents._schema, documents.limits, documents.gives_hints, text)
        if asked not in known:
            known[asked] = read(documents, text)
        return known[asked]

    return read_once


@pytest.fixture
def as_served(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the database used as a server uses it: commits wait for the disk, and nobody waits long for his turn."""
    monkeypatch.setitem(postgresql._SESSION_SETTINGS, "synchronous_commit", "on")
    pragmas = tuple(one.replace("synchronous=OFF", "synchronous=FULL") for one in sqlite_file._PRAGMAS)
    monkeypatch.setattr(sqlite_file, "_PRAGMAS", pragmas)
    monkeypatch.setattr(postgresql, "POOL_TIMEOUT_SECONDS", 5.0)
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_SECONDS", 5.0)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file, copied for each test."""
    path = tmp_path_factory.mktemp("template") / "template.db"
    migrate_up(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgresql_server() -> Server:
    """The PostgreSQL server to test on. Skips where none answers, and fails in CI."""
    server = find_server()
    if server is None:
        if os.environ.get("CI"):
            pytest.fail("PostgreSQL does not answer, and in CI no backend may be skipped.")
        pytest.skip("PostgreSQL does not answer on 127.0.0.1:5432; RINGSIDE_TEST_POSTGRESQL names another.")
    return server


class Databases:
    """Migrated PostgreSQL databases for one test after another: emptied after each, and made anew if it was bent."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._made: list[str] = []
        self._free: list[str] = []
        self.template = self._make(None)
        migrate_up(server.url(self.template))
        self._emptying = Emptying(server, server.shape(self.template))

    @contextmanager
    def borrow(self) -> Iterator[str]:
        """The URL of an empty one."""
        name = self._free.pop() if self._free else self._make(self.template)
        yield self._server.url(name)
        if self._emptying.empty(name):
            self._free.append(name)

    def drop(self) -> None:
        self._emptying.close()
        self._server.drop_all(self._made)

    def _make(self, template: str | None) -> str:
        name = f"ringside_test_{uuid4().hex[:12]}"
        self._made.append(name)
        self._server.create(name, **({} if template is None else {"template": template}))
        return name


@pytest.fixture(scope="session")
def postgresql_databases(postgresql_server: Server) -> Iterator[Databases]:
    databases = Databases(postgresql_server)
    yield databases
    databases.drop()


@pytest.fixture(scope="session")
def migrated_template(postgresql_databases: Databases) -> str:
    """The migrated, empty PostgreSQL database that others are copied from."""
    return postgresql_databases.template


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a migrated, empty database, once for each engine."""
    if request.param == "sqlite":
        path = tmp_path / "ringside.db"
        shutil.copy(request.getfixturevalue("migrated_file"), path)
        yield f"sqlite:///{path}"
        return
    databases: Databases = request.getfixturevalue("postgresql_databases")
    with databases.borrow() as url:
        yield url


@pytest.fixture
def postgresql_url(postgresql_databases: Databases) -> Iterator[str]:
    """The URL of a migrated, empty PostgreSQL database."""
    with postgresql_databases.borrow() as url:
        yield url


@pytest.fixture(scope="session")
def redis_server() -> Iterator[OwnRedis]:
    """A Redis that carries news. Skips where there is no program of it, and fails in CI."""
    if shutil.which("redis-server") is None:
        if os.environ.get("CI"):
            pytest.fail("There is no redis-server, and in CI no bus may be skipped.")
        pytest.skip("There is no redis-server here: it comes with the package redis-server.")
    with own_redis() as server:
        yield server


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    # What is published is heard at once: what other buses do beside that has tests of its own.
    database = await connect(database_url, pool_size=5, bus=BusKind.LOCAL)
    yield database
    await database.close()


@pytest.fixture
async def admin(db: Database, clock: ManualClock) -> User:
    async with db.transaction() as tx:
        return await access.create_user(tx, name="admin", role=Role.ADMIN, now=clock.now())


@pytest.fixture
async def graph(db: Database, clock: ManualClock, admin: User) -> Graph:
    """The graph as an admin sees it; `graph.as_viewer(…)` for others."""
    return Graph(db, clock, Viewer(user_id=admin.id, token_id=new_id(), role=Role.ADMIN))


@pytest.fixture
def level_by_level(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have each level of a question read by itself, on PostgreSQL too, where many rows come with what hangs on them."""
    monkeypatch.setattr(Descending, "asked", lambda *_: None)
