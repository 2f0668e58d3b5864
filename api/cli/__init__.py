"""The command line: `ringside`, its commands, and what each of them may be told.

Here is no more than help is made of. A command loads what it works with when it is run, inside its function: so help,
completion and the version are there at once, and a command that asks a server does not load one.
"""

from typing import Annotated

import typer

from api.cli import (
    alone,
    backup,
    executions,
    feeds,
    flags,
    goals,
    housekeeping,
    matches,
    migrations,
    settings,
    simulate,
    social,
    tokens,
    transfer,
)

app = typer.Typer(
    name="ringside",
    help="One GraphQL server for everything that happens live around a stream, a practice room and a competition mat.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.add_typer(alone.alone)
app.add_typer(migrations.migrate, name="migrate")
app.add_typer(tokens.token, name="token")
app.add_typer(goals.goal, name="goals")
app.add_typer(flags.flag, name="flags")
app.add_typer(feeds.feed, name="feeds")
app.add_typer(executions.execution, name="executions")
app.add_typer(matches.matches, name="matches")
app.add_typer(social.social, name="social")
app.add_typer(simulate.simulate, name="simulate")
app.add_typer(backup.backup, name="backup")
app.add_typer(settings.configuring, name="settings")
app.add_typer(housekeeping.housekeeping, name="housekeeping")
app.add_typer(housekeeping.database, name="database")
app.add_typer(transfer.transfer)


def _show_version(is_asked: bool) -> None:  # noqa: FBT001 -- Typer calls it
    if is_asked:
        from importlib.metadata import version

        typer.echo(f"ringside {version('ringside')}")
        raise typer.Exit


@app.callback()
def ringside(
    *,
    _: Annotated[
        bool,
        typer.Option("--version", help="Show which version this is.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    """Take what is said before any command."""
