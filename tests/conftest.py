"""What every test may ask for: a database of its own on either engine, a clock that is told the time, and the graph."""

import os
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings

from api.migrate import migrate_up
from db.access import operations as access
from db.access.tables import User
from db.access.viewer import Role, Viewer
from db.ids import new_id
from db.session import Database, connect
from tests.support.graph import Graph
from tests.support.postgresql import Server, find_server

# A shared machine is sometimes slow: what a test finds out must not hang on that.
settings.register_profile("ringside", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ringside")

# Tests wait for servers, databases and each other's processes: one more than the cores of a small machine fills that.
_PROCESSES = 3


def pytest_configure(config: pytest.Config) -> None:
    """See to what processes of tests are told by the environment.

    They share what Python compiled, or most of their time would go into that.
    """
    if os.environ.pop("PYTHONDONTWRITEBYTECODE", None) and config.cache is not None:
        os.environ["PYTHONPYCACHEPREFIX"] = str(config.cache.mkdir("bytecode"))
    # How wide the terminal is, tests say themselves; one of several processes is told it before.
    os.environ.pop("COLUMNS", None)


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Run folders of tests in several processes, and what is named more closely in this one, at once and readable.

    `-n` says otherwise.
    """
    # A process that was begun for this comes by here as well, and must begin no others.
    is_asked = "PYTEST_XDIST_WORKER" in os.environ or config.getoption("numprocesses", default=0) is not None
    names_folders = all(Path(named).is_dir() for named in config.args)
    if not is_asked and names_folders and not config.option.collectonly:
        config.option.numprocesses = _PROCESSES
        config.option.dist = "worksteal"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--operations", type=int, default=700, help="how many operations tests.schema.test_equality runs")
    parser.addoption("--increments", type=int, default=20, help="how often each of fifty writers adds to a goal")


class ManualClock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.time = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time

    def move(self, by: timedelta) -> None:
        self.time += by


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
        self._shape = server.shape(self.template)

    @contextmanager
    def borrow(self) -> Iterator[str]:
        """The URL of an empty one."""
        name = self._free.pop() if self._free else self._make(self.template)
        yield self._server.url(name)
        if self._server.empty(name, shape=self._shape):
            self._free.append(name)

    def drop(self) -> None:
        for name in self._made:
            self._server.drop(name)

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
async def db(database_url: str) -> AsyncIterator[Database]:
    database = await connect(database_url, pool_size=5)
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
