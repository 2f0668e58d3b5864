"""`ringside settings`: what may be set while a server runs, from the machine's own console."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import orjson

from api.commands.output import console, plain, print_json, print_table
from api.opening import open_database
from api.settings import Settings
from db.clock import Clock
from db.database import Database as Opened
from db.settings import operations
from db.settings.registry import KEYS, Key, known_key
from db.settings.vocabulary import SettingKind

_HIDDEN = "(not shown)"
_UNSET = "(not set)"


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


async def show_history(settings: Settings, name: str | None, *, most: int, as_json: bool) -> None:
    """Print what was changed, newest first."""
    async with _opened(settings) as db, db.read() as session:
        found = await operations.list_changes(session, name, most=most)
    told = [_change_as(one) for one in found]
    if as_json:
        print_json(told)
        return
    rows = [
        (
            one["changedAt"].strftime("%Y-%m-%d %H:%M:%S"),
            one["key"],
            _was(one, "oldValue"),
            _was(one, "newValue"),
            one["changedBy"] or "",
            one["reason"],
        )
        for one in told
    ]
    print_table("What was changed, by UTC", ["When", "Key", "Before", "After", "Who", "Why"], rows)


def _change_as(changed: operations.Changed) -> dict[str, Any]:
    def value(text: str | None) -> Any:
        return None if text is None else orjson.loads(text)

    return {
        "key": changed.key,
        "revision": changed.revision,
        "oldValue": value(changed.old_value),
        "newValue": value(changed.new_value),
        "hasOldValue": changed.was_set,
        "hasNewValue": changed.is_set,
        "reason": changed.reason,
        "changedAt": changed.changed_at,
        "changedBy": changed.username,
    }


def _was(told: Mapping[str, Any], which: str) -> str:
    if not told[f"has{which[0].upper()}{which[1:]}"]:
        return _UNSET
    return _text(known_key(told["key"]), {"value": told[which], "isSet": True})


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
    db = await open_database(settings, pool_size=2)
    try:
        yield db
    finally:
        await db.close()
