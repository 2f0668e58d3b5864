"""The PostgreSQL server that tests make their databases on."""

import asyncio
import os
from dataclasses import dataclass

import asyncpg

_DEFAULT = "postgresql://postgres@127.0.0.1:5432"


@dataclass(frozen=True)
class Server:
    """A server whose databases may be made and dropped."""

    base: str

    def url(self, name: str) -> str:
        return f"{self.base}/{name}"

    def create(self, name: str, *, template: str = "template1") -> None:
        self._run(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')

    def drop(self, name: str) -> None:
        self._run(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def _run(self, statement: str) -> None:
        asyncio.run(_execute(self.url("postgres"), statement))


def find_server() -> Server | None:
    """The server RINGSIDE_TEST_POSTGRESQL names, or the one on this machine, if it answers."""
    server = Server(os.environ.get("RINGSIDE_TEST_POSTGRESQL", _DEFAULT).rstrip("/"))
    try:
        asyncio.run(_execute(server.url("postgres"), "SELECT 1"))
    except (OSError, asyncpg.PostgresError, TimeoutError):
        return None
    return server


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url, timeout=5)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
