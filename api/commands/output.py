"""How commands speak: tables and colour for people, one JSON document for programs."""

import sys
from collections.abc import Sequence
from typing import NoReturn

import orjson
import typer
from rich.console import Console
from rich.table import Table

console = Console()
errors = Console(stderr=True)


def print_json(value: object) -> None:
    """Print one line of JSON."""
    sys.stdout.write(orjson.dumps(value, option=orjson.OPT_UTC_Z).decode() + "\n")
    sys.stdout.flush()


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table; what is `None` is left blank."""
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*("" if value is None else str(value) for value in row))
    console.print(table)


def fail(message: str) -> NoReturn:
    """Say what is wrong and what to do, and end with 1."""
    errors.print(f"[bold red]ringside:[/] {message}", highlight=False)
    raise typer.Exit(1)
