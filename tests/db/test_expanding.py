"""Migrations keep the version before at work: they add, and take away only what that version does not use any more.

`tests/data/released.json` holds the revision of the version before, and the columns that it reads and writes. When a
version is released, it is written anew: `uv run python -m tests.db.test_expanding`.
"""

import ast
import asyncio
import tempfile
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import Connection, inspect, text

from api.migrate import migrate_down, migrate_up, standing
from db.urls import is_embedded
from tests.db.test_migrations import REVISIONS, VERSIONS, ask, empty_url, populated, shape, tables

__all__ = ["empty_url"]

_RELEASED = Path(__file__).parents[1] / "data" / "released.json"
RELEASED: dict[str, Any] = orjson.loads(_RELEASED.read_bytes())
NEWER = REVISIONS[REVISIONS.index(RELEASED["revision"]) + 1 :]

Shape = dict[str, Any]


def columns(connection: Connection) -> dict[str, list[str]]:
    found = inspect(connection)
    return {name: sorted(column["name"] for column in found.get_columns(name)) for name in sorted(tables(connection))}


def taken_away(before: Shape, after: Shape) -> list[str]:
    """Say what a server of the version before would miss, or be refused, on these tables."""
    missing = [f"{table} is gone" for table in before if table not in after]
    return missing + [
        said
        for table, was in before.items()
        if table in after
        for said in (*_columns_taken_away(table, was, after[table]), *_made_unique(table, was, after[table]))
    ]


def _columns_taken_away(table: str, before: Shape, after: Shape) -> list[str]:
    was = {name: (kind, nullable) for name, kind, nullable, _ in before["columns"]}
    now = {name: (kind, nullable) for name, kind, nullable, _ in after["columns"]}
    told = [f"{table}.{name} is gone" for name in was if name not in now]
    told += [f"{table}.{name} is another kind" for name in was.keys() & now.keys() if was[name][0] != now[name][0]]
    told += [f"{table}.{name} must be there" for name in was.keys() & now.keys() if was[name][1] and not now[name][1]]
    return told + [
        f"{table}.{name} is new, must be there and has no default"
        for name, _, nullable, default in after["columns"]
        if name not in was and not nullable and default is None
    ]


def _made_unique(table: str, before: Shape, after: Shape) -> list[str]:
    def unique(one: Shape) -> set[tuple[str, ...]]:
        by_index = {tuple(index[1]) for index in one["indexes"] if index[2]}
        return by_index | {tuple(constraint["column_names"]) for constraint in one["unique"]}

    return [f"{table} has no two alike in {', '.join(each)}" for each in sorted(unique(after) - unique(before))]


def contracts(revision: str) -> str | None:
    """Return why a migration may take something away: what it says of itself as `contracts`, `None` if nothing."""
    path = next(path for path in VERSIONS if path.stem.startswith(f"{revision}_"))
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "contracts":
            return str(ast.literal_eval(node.value))
    return None


def test_a_new_migration_takes_nothing_away_unless_it_says_why_nobody_misses_it(empty_url: str) -> None:
    migrate_up(empty_url, RELEASED["revision"])
    before = ask(empty_url, shape)
    for revision in NEWER:
        migrate_up(empty_url, revision)
        after = ask(empty_url, shape)

        if contracts(revision) is None:
            assert taken_away(before, after) == [], f"{revision}: add now, and take away in a later version"
        else:
            assert contracts(revision)
            assert taken_away(before, after) != [], f"{revision} takes nothing away"
        before = after


def test_what_the_version_before_reads_and_writes_it_can_on_the_newest_tables(database_url: str) -> None:
    """Its rows, made when its tables were, go into the newest ones by its own columns, and are read and changed so."""
    asyncio.run(populated(database_url))
    migrate_down(database_url, RELEASED["revision"])
    assert ask(database_url, columns) == RELEASED["columns"], "A released migration was changed."
    named = {table: ", ".join(f'"{name}"' for name in found) for table, found in RELEASED["columns"].items()}
    run(database_url, [f'CREATE TABLE kept_{table} AS SELECT {names} FROM "{table}"' for table, names in named.items()])  # noqa: S608 -- names of ours
    migrate_down(database_url, "base")
    migrate_up(database_url)

    statements = [] if is_embedded(database_url) else ["SET session_replication_role = replica"]
    # A migration fills these.
    statements.append("DELETE FROM flag_mappings")
    for table, names in named.items():
        same = ", ".join(f"{name} = {name}" for name in names.split(", "))
        statements += [
            f'INSERT INTO "{table}" ({names}) SELECT {names} FROM kept_{table}',  # noqa: S608 -- as above
            f'UPDATE "{table}" SET {same}',  # noqa: S608 -- as above
        ]
    run(database_url, statements)

    held = {table: read(database_url, f'SELECT {names} FROM "{table}"') for table, names in named.items()}  # noqa: S608 -- as above
    kept = {table: read(database_url, f"SELECT {names} FROM kept_{table}") for table, names in named.items()}  # noqa: S608 -- as above
    assert {table: len(rows) for table, rows in held.items()} == {table: len(rows) for table, rows in kept.items()}
    assert all(held.values())


def run(url: str, statements: list[str]) -> None:
    """Run statements in one transaction."""

    def run_all(connection: Connection) -> None:
        for statement in statements:
            connection.execute(text(statement))
        connection.commit()

    ask(url, run_all)


def read(url: str, statement: str) -> list[Any]:
    found: list[Any] = ask(url, lambda connection: list(connection.execute(text(statement))))
    return found


def one(*found: tuple[str, str, bool, str | None], unique: tuple[str, ...] = ()) -> Shape:
    """A table as `shape` describes it."""
    constraints = [{"column_names": [name]} for name in unique]
    return {"fights": {"columns": list(found), "indexes": [], "unique": constraints}}


NAME = ("name", "VARCHAR", True, None)


@pytest.mark.parametrize(
    ("after", "told"),
    [
        (one(NAME), []),
        (one(NAME, ("weight", "INTEGER", True, None)), []),
        (one(NAME, ("weight", "INTEGER", False, "0")), []),
        ({**one(NAME), "rounds": one(NAME)["fights"]}, []),
        ({}, ["fights is gone"]),
        (one(("title", "VARCHAR", True, None)), ["fights.name is gone"]),
        (one(("name", "INTEGER", True, None)), ["fights.name is another kind"]),
        (one(("name", "VARCHAR", False, None)), ["fights.name must be there"]),
        (
            one(NAME, ("weight", "INTEGER", False, None)),
            ["fights.weight is new, must be there and has no default"],
        ),
        (one(NAME, unique=("name",)), ["fights has no two alike in name"]),
    ],
)
def test_what_is_taken_away_is_seen(after: Shape, told: list[str]) -> None:
    assert taken_away(one(NAME), after) == told


def _record() -> None:
    """Write down what the version that is released now reads and writes."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/released.db"
        migrate_up(url)
        found = {"revision": standing(url).current, "columns": ask(url, columns)}
    _RELEASED.write_bytes(orjson.dumps(found, option=orjson.OPT_INDENT_2) + b"\n")


if __name__ == "__main__":
    _record()
