"""`ringside settings`: what may be set while a server runs, from the machine's own console."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import orjson
import typer

from api.commands.options import AsJSON, Database, run_plainly, settings_of
from api.commands.output import console, plain, print_json, print_table
from api.settings import Settings
from db.clock import Clock, SystemClock
from db.session import Database as Opened
from db.session import connect
from db.settings import operations
from db.settings.registry import KEYS, Key, known_key
from db.settings.vocabulary import SettingKind

configuring = typer.Typer(help="Look at what may be set while a server runs, and set it.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="KEY", help="The setting's key, as backups.keep.")]
Reason = Annotated[str, typer.Option(help="Why, for the history.")]
_HIDDEN = "(not shown)"


@configuring.command("list", epilog="Example: ringside settings list --json")
def list_(*, database: Database = None, as_json: AsJSON = False) -> None:
    """List all settings with their values. Secrets are not shown."""
    settings = settings_of(database=database)
    run_plainly(lambda: show(settings, as_json=as_json))


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
    settings = settings_of(database=database)
    given = typer.get_text_stream("stdin").read().strip() if value == "-" else value
    run_plainly(lambda: change(settings, SystemClock(), key, given, reason=reason, as_json=as_json))


@configuring.command(epilog="Example: ringside settings reset backups.keep")
def reset(*, key: Name, reason: Reason = "", database: Database = None, as_json: AsJSON = False) -> None:
    """Bring a setting's default back."""
    settings = settings_of(database=database)
    run_plainly(lambda: change(settings, SystemClock(), key, None, reason=reason, as_json=as_json))


async def show(settings: Settings, *, as_json: bool) -> None:
    """Print all settings."""
    async with _opened(settings) as db, db.read() as session:
        rows = await operations.list_settings(session)
    shown = [(key, shown_as(key, rows.get(name))) for name, key in KEYS.items()]
    if as_json:
        print_json([{"key": key.name, "kind": key.kind, **told} for key, told in shown])
        return
    print_table(
        "Settings",
        ["Key", "Value", "Set", "What it does"],
        [(key.name, _text(key, told), "yes" if told["isSet"] else "", key.description) for key, told in shown],
    )


async def change(settings: Settings, clock: Clock, name: str, given: str | None, *, reason: str, as_json: bool) -> None:
    """Set a setting, or with no value reset it; and say what it is then."""
    key = known_key(name)
    async with _opened(settings) as db, db.transaction() as tx:
        now = clock.now()
        if given is None:
            row = await operations.reset_setting(tx, name, reason=reason, viewer=None, now=now)
        else:
            row = await operations.set_setting(tx, name, _read(key, given), reason=reason, viewer=None, now=now)
    told = shown_as(key, row)
    if as_json:
        print_json({"key": key.name, "kind": key.kind, **told})
        return
    console.print(f"[bold]{key.name}[/] is {plain(_text(key, told))}", highlight=False, soft_wrap=True)
    if key.is_sensitive and told["isSet"] and not settings.sealer.has_key:
        console.print("[bold yellow]It is stored as it is[/]: set RINGSIDE_SECRET_KEY to have secrets sealed.")


def shown_as(key: Key, row: Any) -> dict[str, Any]:
    """Return what may be shown of a setting; `row` is `None` for one that no server has prepared yet."""
    if row is None:
        return {"value": None if key.is_sensitive else key.default, "isSet": False}
    is_set = (row.value or row.secret) is not None
    return {"value": operations.shown_value(key.name, row.usual, row.value), "isSet": is_set}


def _text(key: Key, told: dict[str, Any]) -> str:
    if key.is_sensitive:
        return _HIDDEN if told["isSet"] else ""
    value = told["value"]
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _read(key: Key, given: str) -> Any:
    """Read what was typed as what the setting is; what is no JSON is a text, which the rules then refuse."""
    if key.kind is SettingKind.STRING:
        return given
    try:
        return orjson.loads(given)
    except orjson.JSONDecodeError:
        return given


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[Opened]:
    db = await connect(settings.database, pool_size=2, sealer=settings.sealer)
    try:
        yield db
    finally:
        await db.close()
