"""Opening the database that the settings name, with the bus that they name."""

from api.settings import Settings
from db.connecting import connect
from db.database import Database
from db.errors import Invalid
from db.postgresql_database import PostgreSQLDatabase
from db.replicas import Replica
from db.urls import is_embedded


async def open_database(settings: Settings, *, pool_size: int = 10) -> Database:
    """Open it. Raises as `connect` does.

    Commands of the console open it in this way too: servers hear of a change only on the bus that they listen to.
    """
    if settings.replica_url.get_secret_value() and is_embedded(settings.database):
        raise Invalid("RINGSIDE_REPLICA_URL names a standby of a PostgreSQL server: a SQLite file has none.")
    return await connect(
        settings.database,
        pool_size=pool_size,
        sealer=settings.sealer,
        bus=settings.bus,
        redis_url=settings.redis_url.get_secret_value(),
    )


def replica_of(db: Database, settings: Settings) -> Replica | None:
    """Return the replica that queries may be read from, `None` where there is none."""
    url = settings.replica_url.get_secret_value()
    if not url or not isinstance(db, PostgreSQLDatabase):
        return None
    return Replica(db, url, pool_size=10, most_seconds_behind=settings.replica_seconds)
