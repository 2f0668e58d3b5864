"""How settings may change, and how their values are read."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple, cast
from uuid import UUID

import orjson
from sqlalchemy import insert, update
from sqlalchemy import select as columns_of
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlmodel import col, select

from db.access.tables import User
from db.access.viewer import Role, Viewer
from db.dialects import dump_json
from db.errors import Forbidden
from db.ids import new_id
from db.parameters import any_of
from db.session import Session, Transaction
from db.settings.events import SettingChanged
from db.settings.registry import KEYS, Key, known_key
from db.settings.rules import checked_value
from db.settings.tables import Setting, SettingChange
from db.texts import checked

LONGEST_REASON = 500
PURPOSE = "settings.secret"


async def prepare_settings(tx: Transaction, usual: Mapping[str, Any]) -> None:
    """See that there is a row for each key. `usual` is what this server was started with, by key."""
    known = {name: dump_json(usual.get(name, key.default)) for name, key in KEYS.items()}
    there = {row.key: row.usual for row in await tx.rows(select(Setting))}
    for name, text in known.items():
        if there.get(name) != text:
            made = upsert(Setting).values(id=new_id(), **_row(KEYS[name], text))
            await tx.execute(made.on_conflict_do_update(index_elements=["key"], set_={"usual": text}))


async def set_setting(
    tx: Transaction, name: str, value: Any, *, reason: str, viewer: Viewer | None, now: datetime
) -> Setting:
    """Set a setting; to what it is set already is as good as once. `viewer` is `None` at the machine's own console.

    Raises `Invalid` for a key that is none and a value that breaks its rules, and `Forbidden`.
    """
    key = _key_for(name, viewer)
    text = dump_json(checked_value(key, value))
    secret = tx.sealer.seal(text, purpose=PURPOSE) if key.is_sensitive else None
    columns = {"value": None if key.is_sensitive else text, "secret": secret}
    return await _change(tx, key, columns, reason=reason, viewer=viewer, now=now)


async def reset_setting(tx: Transaction, name: str, *, reason: str, viewer: Viewer | None, now: datetime) -> Setting:
    """Bring a setting's usual value back; twice is as good as once. Raises as `set_setting`."""
    key = _key_for(name, viewer)
    return await _change(tx, key, {"value": None, "secret": None}, reason=reason, viewer=viewer, now=now)


async def list_settings(session: Session) -> dict[str, Setting]:
    """Return the rows of all keys that are known, by key."""
    return {row.key: row for row in await session.rows(select(Setting)) if row.key in KEYS}


class Changed(NamedTuple):
    """One time that a setting was set or reset. Values are JSON text, and null where there was none or it is secret.

    `username` is null where it was done at the machine's own console, or by a user who is gone.
    """

    key: str
    revision: int
    old_value: str | None
    new_value: str | None
    was_set: bool
    is_set: bool
    reason: str
    changed_at: datetime
    username: str | None


async def list_changes(session: Session, name: str | None, *, most: int) -> list[Changed]:
    """Return what was last changed of all settings or of one, newest first. Raises `Invalid` for a key that is none."""
    told = [col(getattr(SettingChange, column)) for column in Changed._fields[1:-1]]
    found = (
        columns_of(col(Setting.key), *told, col(User.username))
        .join(SettingChange, col(SettingChange.setting_id) == col(Setting.id))
        .outerjoin(User, col(User.id) == col(SettingChange.changed_by_id))
        .where(any_of(col(Setting.key), list(KEYS) if name is None else [known_key(name).name]))
        .order_by(col(SettingChange.changed_at).desc(), col(SettingChange.id).desc())
        .limit(most)
    )
    return [Changed(*row) for row in await session.rows(found)]


async def read_values(session: Session) -> dict[str, Any]:
    """Return the value of every key, secrets opened. Raises `Conflict` for one that does not open."""
    stored = await list_settings(session)
    return {name: _value_of(session, key, stored.get(name)) for name, key in KEYS.items()}


def shown_value(key: str, usual: str, value: str | None) -> Any:
    """Return what a viewer is shown of a setting: nothing, if it is sensitive."""
    return None if KEYS[key].is_sensitive else orjson.loads(usual if value is None else value)


def _value_of(session: Session, key: Key, row: Setting | None) -> Any:
    if row is None:
        return key.default
    stored = row.value
    if row.secret is not None:
        stored = session.sealer.open(row.secret, purpose=PURPOSE)
    return orjson.loads(row.usual if stored is None else stored)


def _key_for(name: str, viewer: Viewer | None) -> Key:
    """Return a key that the viewer may change."""
    if viewer is not None and not viewer.has_role(Role.ADMIN):
        raise Forbidden("Settings are for admins.")
    key = known_key(name)
    if key.is_of_console and viewer is not None:
        raise Forbidden(f"{key.name} is changed at the machine's own console: `ringside settings set {key.name} …`.")
    return key


async def _change(
    tx: Transaction, key: Key, columns: Mapping[str, Any], *, reason: str, viewer: Viewer | None, now: datetime
) -> Setting:
    reason = checked(reason, "A reason", field="reason", longest=LONGEST_REASON) if reason else ""
    before = await _held(tx, key)
    if _says(before, columns):
        return before
    by = None if viewer is None else viewer.user_id
    values = {**columns, "changed_at": now, "changed_by_id": by, "revision": col(Setting.revision) + 1}
    changed = update(Setting).where(col(Setting.id) == before.id).values(**values)
    after = cast("Setting", await tx.row(changed.returning(Setting)))
    await tx.execute(insert(SettingChange).values(**_entry(before, after, reason, now, by)))
    tx.record(SettingChanged(setting=after))
    return after


async def _held(tx: Transaction, key: Key) -> Setting:
    """Return a key's row, made if it is missing, and be the only one who changes it until the commit."""
    made = upsert(Setting).values(id=new_id(), **_row(key, dump_json(key.default)))
    await tx.execute(made.on_conflict_do_nothing(index_elements=["key"]))
    held = select(Setting).where(col(Setting.key) == key.name).with_for_update()
    return cast("Setting", await tx.row(held))


def _row(key: Key, usual: str) -> dict[str, Any]:
    return {"key": key.name, "category": key.category, "usual": usual, "revision": 0}


def _says(row: Setting, columns: Mapping[str, Any]) -> bool:
    """Say whether a row says so already. Of secrets that is known of none alone: sealed twice, one looks like two."""
    return columns["secret"] is None and (row.value, row.secret) == (columns["value"], None)


def _entry(before: Setting, after: Setting, reason: str, now: datetime, by: UUID | None) -> dict[str, Any]:
    return {
        "id": new_id(),
        "setting_id": after.id,
        "revision": after.revision,
        "old_value": before.value,
        "new_value": after.value,
        "was_set": (before.value or before.secret) is not None,
        "is_set": (after.value or after.secret) is not None,
        "reason": reason,
        "changed_at": now,
        "changed_by_id": by,
    }
