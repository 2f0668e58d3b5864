"""What a command loads before it works: help is made of options alone, and a command takes what it works with."""

import subprocess
import sys
from collections.abc import Iterable

import orjson
import pytest

from tests.api.test_cli import _COMMANDS

# What takes longest to load, by what it is for.
_GRAPH = {"strawberry", "graphql", "schema"}
_DATABASE = {"sqlalchemy", "sqlmodel", "alembic", "asyncpg", "cryptography"}
_SERVER = {"uvicorn", "starlette"}
_ASKING = {"httpx", "websockets"}

_PATIENCE_SECONDS = 120

_CHILD = """
import sys
from api.start import main

for arguments in {lines}:
    sys.argv = ["ringside", *arguments]
    try:
        main()
    except SystemExit as ended:
        assert ended.code == {code}, (arguments, ended.code)
print("loaded", *sorted({{name.partition(".")[0] for name in sys.modules}}))
"""


def loaded(*lines: Iterable[str], code: int = 0) -> set[str]:
    """Give a process of its own these lines to run, one after the other, and say which packages it has loaded then."""
    child = _CHILD.format(lines=orjson.dumps([list(line) for line in lines]).decode(), code=code)
    done = subprocess.run(  # noqa: S603 -- our own code
        [sys.executable, "-c", child], capture_output=True, text=True, check=True, timeout=_PATIENCE_SECONDS
    )
    return set(done.stdout.splitlines()[-1].split()[1:])


def test_help_loads_nothing_that_a_command_works_with() -> None:
    groups = {command[:length] for command in _COMMANDS for length in range(len(command) + 1)}

    found = loaded(*([*group, "--help"] for group in sorted(groups)))

    assert len(groups) > len(_COMMANDS)
    assert found & (_GRAPH | _DATABASE | _SERVER | _ASKING) == set()


def test_the_version_is_shown_without_any_of_it() -> None:
    found = loaded(["--version"])

    assert found & (_GRAPH | _DATABASE | _SERVER | _ASKING | {"rich", "pydantic"}) == set()


@pytest.mark.parametrize("command", ["goals list", "feeds list", "executions list"])
def test_what_asks_a_server_loads_none(command: str) -> None:
    found = loaded([*command.split(), "--url", "http://127.0.0.1:1"], code=1)

    assert found & (_GRAPH | _DATABASE | {"starlette"}) == set()


def test_what_looks_into_a_database_loads_no_graph() -> None:
    found = loaded(
        ["token", "list", "--database", "sqlite:///no-such.db"],
        ["migrate", "status", "--database", "postgresql://127.0.0.1:1/x"],
        ["settings", "list", "--database", "postgresql://127.0.0.1:1/x"],
        ["database", "check", "--database", "postgresql://127.0.0.1:1/x"],
        ["backup", "create", "--database", "postgresql://127.0.0.1:1/x"],
        ["social", "recount", "--database", "sqlite:///no-such.db"],
        ["matches", "rebuild", "--database", "sqlite:///no-such.db"],
        ["capture", "match_" + "0" * 32, "--out", "x.tsv", "--database", "sqlite:///no-such.db"],
        code=1,
    )

    assert found & (_GRAPH | {"starlette"}) == set()
