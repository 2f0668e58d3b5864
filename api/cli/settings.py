"""`ringside settings`: what its commands may be told."""

from typing import Annotated

import typer

from api.commands.options import AsJSON, Database, run_plainly, settings_of
from db.clock import SystemClock

configuring = typer.Typer(help="Look at what may be set while a server runs, and set it.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="KEY", help="The setting's key, as backups.keep.")]
Reason = Annotated[str, typer.Option(help="Why, for the history.")]


@configuring.command("list", epilog="Example: ringside settings list --json")
def list_(*, database: Database = None, as_json: AsJSON = False) -> None:
    """List all settings with their values. Secrets are not shown."""
    from api.commands import configuring

    settings = settings_of(database=database)
    run_plainly(lambda: configuring.show(settings, as_json=as_json))


@configuring.command("set", epilog="Example: ringside settings set backups.keep 30 --reason 'A larger disk'")
def set_(
    *,
    key: Name,
    value: Annotated[str, typer.Argument(help="Its value: a text, or JSON. - reads it from standard input.")],
    reason: Reason = "",
    database: Database = None,
    as_json: AsJSON = False,
) -> None:
    """Set a setting. A server that runs hears of it within ten seconds."""
    from api.commands import configuring

    settings = settings_of(database=database)
    given = typer.get_text_stream("stdin").read().strip() if value == "-" else value
    run_plainly(lambda: configuring.change(settings, SystemClock(), key, given, reason=reason, as_json=as_json))


@configuring.command(epilog="Example: ringside settings reset backups.keep")
def reset(*, key: Name, reason: Reason = "", database: Database = None, as_json: AsJSON = False) -> None:
    """Bring a setting's default back."""
    from api.commands import configuring

    settings = settings_of(database=database)
    run_plainly(lambda: configuring.change(settings, SystemClock(), key, None, reason=reason, as_json=as_json))


@configuring.command(epilog="Example: ringside settings history backups.keep")
def history(
    *,
    key: Annotated[str | None, typer.Argument(metavar="[KEY]", help="The setting's key; none: all of them.")] = None,
    most: Annotated[int, typer.Option("--most", min=1, help="How many changes, the newest.")] = 50,
    database: Database = None,
    as_json: AsJSON = False,
) -> None:
    """Show who set what, when and why, newest first. What secrets were is not kept."""
    from api.commands import configuring

    settings = settings_of(database=database)
    run_plainly(lambda: configuring.show_history(settings, key, most=most, as_json=as_json))
