"""`ringside token`: what its commands may be told."""

from typing import Annotated

import typer

from api.commands.options import AsJSON, Database, plainly, run_plainly, settings_of
from db.access.viewer import Role
from db.clock import SystemClock

token = typer.Typer(help="Make, list and revoke tokens.", no_args_is_help=True)


@token.command("create", epilog="Example: ringside token create --user anna --role OPERATOR --label laptop")
def create_token(
    *,
    label: Annotated[str, typer.Option(help="What it is for.")],
    user: Annotated[str, typer.Option(help="Whom it speaks for; made if there is none of this name.")] = "admin",
    role: Annotated[Role, typer.Option(help="The role of a user who is made now.")] = Role.VIEWER,
    overlay_of: Annotated[
        list[str] | None,
        typer.Option(
            help="Id of a mat, match, stream or stream goal: makes an overlay's token, which reads these alone."
        ),
    ] = None,
    days: Annotated[
        float | None, typer.Option(help="How long it works; for ever if not said.", min=0.0001, max=3650)
    ] = None,
    trusted_only: Annotated[
        bool, typer.Option("--trusted-only", help="It runs the documents given to the server, and no others.")
    ] = False,
    database: Database = None,
    as_json: AsJSON = False,
) -> None:
    """Make a token and show it, this once."""
    from api.commands import tokens

    settings = settings_of(database=database)
    plainly(lambda: tokens.prepare(settings.database, may_make=True))
    run_plainly(
        lambda: tokens.create(
            settings,
            SystemClock(),
            user=user,
            role=role,
            label=label,
            overlay_of=overlay_of or [],
            days=days,
            is_trusted_only=trusted_only,
            as_json=as_json,
        )
    )


@token.command("list", epilog="Example: ringside token list")
def list_tokens(*, database: Database = None, as_json: AsJSON = False) -> None:
    """List tokens by how they begin; the tokens themselves are stored nowhere."""
    from api.commands import tokens

    settings = settings_of(database=database)
    plainly(lambda: tokens.prepare(settings.database, may_make=False))
    run_plainly(lambda: tokens.show(settings, as_json=as_json))


@token.command("revoke", epilog="Example: ringside token revoke rs_h7Kq2mPx")
def revoke_token(
    *,
    prefix: Annotated[str, typer.Argument(help="How the token begins, as `token list` shows it.")],
    database: Database = None,
    as_json: AsJSON = False,
) -> None:
    """Make a token stop working, open sockets included."""
    from api.commands import tokens

    settings = settings_of(database=database)
    plainly(lambda: tokens.prepare(settings.database, may_make=False))
    run_plainly(lambda: tokens.revoke(settings, SystemClock(), prefix=prefix, as_json=as_json))
