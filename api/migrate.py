"""Migrations: where a database stands, and how it is moved."""

import asyncio
import logging
from dataclasses import dataclass
from importlib.resources import files
from urllib.parse import urlsplit

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, pool
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from db.errors import Unavailable
from db.urls import is_embedded, sqlite_path, without_secret


@dataclass(frozen=True, kw_only=True)
class Revision:
    """One step of the schema's history."""

    name: str
    describes: str
    is_applied: bool


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Where a database stands. `current` is `None` before the first migration, and may be one we do not know."""

    current: str | None
    newest: str
    revisions: list[Revision]

    @property
    def is_current(self) -> bool:
        """Whether the database has the shape this version of Ringside works with."""
        return self.current == self.newest

    @property
    def is_newer(self) -> bool:
        """Whether a newer version of Ringside has migrated it: to a revision that this one does not know."""
        return self.current is not None and self.current not in {one.name for one in self.revisions}


def migrate_up(url: str, to: str = "head") -> None:
    """Bring a database up to a revision. Several may try at once: one does it, the others find it done."""
    if is_embedded(url):
        sqlite_path(url).parent.mkdir(parents=True, exist_ok=True)
    command.upgrade(_config(url), to)


def migrate_within(connection: Connection, to: str) -> None:
    """Bring a database to a revision, forward or back, in the caller's transaction."""
    config = _config("")
    config.attributes["connection"] = connection
    current = _read(connection)
    is_back = to == "base" or (current is not None and _place(current) > _place(to))
    (command.downgrade if is_back else command.upgrade)(config, to)


def is_known(revision: str) -> bool:
    """Say whether this version of Ringside knows a revision."""
    return _knows(ScriptDirectory.from_config(_config("")), revision)


def _place(revision: str) -> int:
    """Say how many revisions come before one."""
    script = ScriptDirectory.from_config(_config(""))
    return len(list(script.iterate_revisions(revision, "base")))


def migrate_down(url: str, to: str) -> None:
    """Take a database back to a revision, `base` for before the first. What newer tables hold is lost."""
    command.downgrade(_config(url), to)


def standing(url: str) -> Standing:
    """Say where a database stands. Raises `Unavailable` if it cannot be reached."""
    script = ScriptDirectory.from_config(_config(url))
    steps = list(reversed(list(script.walk_revisions())))
    current = _current_revision(url)
    applied = (
        {step.revision for step in script.iterate_revisions(current, "base")} if _knows(script, current) else set()
    )
    return Standing(
        current=current,
        newest=str(script.get_current_head()),
        revisions=[
            Revision(name=step.revision, describes=step.doc, is_applied=step.revision in applied) for step in steps
        ],
    )


def _config(url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(files("migrations")))
    config.attributes["url"] = url
    # Alembic's own lines are ours to show or not.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    return config


def _knows(script: ScriptDirectory, revision: str | None) -> bool:
    return revision is not None and revision in {step.revision for step in script.walk_revisions()}


def _current_revision(url: str) -> str | None:
    if not is_embedded(url) and urlsplit(url).scheme not in {"postgresql", "postgres"}:
        raise ValueError(f"A database URL begins with sqlite:/// or postgresql://: {without_secret(url)} does not.")
    try:
        return _of_sqlite(url) if is_embedded(url) else asyncio.run(_of_postgresql(url))
    except (DBAPIError, OSError, asyncpg.PostgresError) as error:
        reason = error.orig if isinstance(error, DBAPIError) else error
        raise Unavailable(f"The database {without_secret(url)} cannot be reached: {reason}") from error


def _of_sqlite(url: str) -> str | None:
    if not sqlite_path(url).exists():
        return None
    engine = create_engine(url, poolclass=pool.NullPool)
    with engine.connect() as connection:
        return _read(connection)


async def _of_postgresql(url: str) -> str | None:
    _, _, rest = url.partition("://")
    engine = create_async_engine(f"postgresql+asyncpg://{rest}", poolclass=pool.NullPool)
    async with engine.connect() as connection:
        return await connection.run_sync(_read)


def _read(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()
