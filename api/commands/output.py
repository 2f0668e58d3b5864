"""How commands speak: tables and colour for people, one JSON document for programs."""

import sys
from collections.abc import Sequence
from typing import NoReturn

import orjson
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

console = Console()
errors = Console(stderr=True)


def print_json(value: object) -> None:
    """Print one line of JSON."""
    sys.stdout.write(orjson.dumps(value, option=orjson.OPT_UTC_Z).decode() + "\n")
    sys.stdout.flush()


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table; what is `None` is left blank, and a tuple is a cell of several lines.

    Where no terminal reads it, no line is broken: an id would not be found again.
    """
    has_lines = any(isinstance(value, tuple) for row in rows for value in row)
    table = Table(show_lines=has_lines)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    shown_on = console if console.is_terminal else Console(width=_WIDE)
    # Above the table and not as its title, which would be broken where the table is narrow.
    shown_on.print(title, style="italic", highlight=False, soft_wrap=True)
    shown_on.print(table)


def _cell(value: object) -> str:
    lines = value if isinstance(value, tuple) else (value,)
    return "\n".join(plain(line) for line in lines if line is not None)


# Columns are as wide as what they hold.
_WIDE = 2000


def plain(value: object) -> str:
    """Return what somebody else wrote so that a terminal shows it and does not obey it."""
    return escape(
        "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in str(value))
    )


def fail(message: str) -> NoReturn:
    """Say what is wrong and what to do, and end with 1."""
    # In one line, so that a command in it can be copied and a program can look for it.
    errors.print(f"[bold red]ringside:[/] {escape(message)}", highlight=False, soft_wrap=True)
    raise typer.Exit(1)
