"""Opens the database a URL names: `sqlite:///path/to/file.db` or `postgresql://user@host/name`."""

from urllib.parse import urlsplit

from db.bus import Bus, BusKind
from db.database import Database
from db.errors import Invalid
from db.postgresql import Connections
from db.postgresql_bus import PostgreSQLBus
from db.postgresql_database import PostgreSQLDatabase
from db.redis_bus import RedisBus
from db.sealing import NO_KEY, Sealer
from db.sqlite_database import SQLiteDatabase
from db.urls import is_embedded, sqlite_path, without_secret


async def connect(
    url: str, *, pool_size: int = 10, sealer: Sealer = NO_KEY, bus: BusKind = BusKind.AUTO, redis_url: str = ""
) -> Database:
    """Open the database a URL names. `pool_size` counts PostgreSQL connections; `sealer` seals what is secret in it.

    What is changed is told to everybody who works on it, as far as the `bus` reaches; who listens himself opens that
    first (`db.bus.open`). Raises `Unavailable` if it cannot be opened and `ValueError` if the URL names no engine of
    ours, or one that the bus cannot be of.
    """
    if is_embedded(url):
        if bus in {BusKind.POSTGRESQL, BusKind.REDIS}:
            raise Invalid(f"RINGSIDE_BUS={bus} needs a PostgreSQL database: a SQLite file has `local`.")
        return await SQLiteDatabase.open(sqlite_path(url), sealer)
    if urlsplit(url).scheme in {"postgresql", "postgres"}:
        connections = Connections(url, size=pool_size)
        carried = _bus_of(bus, url, redis_url, connections)
        await connections.open()
        return PostgreSQLDatabase(connections, sealer, carried)
    raise ValueError(f"A database URL begins with sqlite:/// or postgresql://: {without_secret(url)} does not.")


def _bus_of(kind: BusKind, url: str, redis_url: str, connections: Connections) -> Bus:
    if kind is BusKind.LOCAL:
        return Bus()
    return RedisBus(redis_url, connections) if kind is BusKind.REDIS else PostgreSQLBus(url, connections)
