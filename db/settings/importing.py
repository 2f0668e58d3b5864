"""Settings taken in: each is set as who brings it sets one, or brought back to its usual value."""

from collections.abc import Sequence
from typing import Any

import orjson
from sqlmodel import col, select

from db import import_readers as read
from db.access.viewer import Role
from db.errors import Invalid, Refusal
from db.importing import Bringer, ImportField, ImportReport, ImportRow
from db.session import Transaction
from db.settings.operations import reset_setting, set_setting
from db.settings.registry import KEYS
from db.settings.tables import Setting

_REASON = "Taken in from a file."


def _value(value: Any) -> Any:
    """Read a value: JSON, or in a cell a text that is none."""
    if not isinstance(value, str):
        return value
    if not value:
        return None
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return value


class _Settings:
    """Settings by their keys. Secrets are in no export: what is null stays as it is."""

    name = "settings"
    role = Role.ADMIN
    fields: Sequence[ImportField] = (
        ImportField(header="key", column="key", read=read.text),
        ImportField(header="value", column="value", read=_value),
        ImportField(header="isSet", column="is_set", read=read.boolean),
    )

    async def take(self, tx: Transaction, rows: Sequence[ImportRow], report: ImportReport, by: Bringer) -> None:
        """Set what differs."""
        for row in rows:
            try:
                revisions = await self._take(tx, row, by)
            except Refusal as refusal:
                report.blame(row.line, "key" if refusal.field == "key" else "value", refusal.message)
                continue
            report.changed += revisions
            report.unchanged += 1 - revisions

    async def _take(self, tx: Transaction, row: ImportRow, by: Bringer) -> int:
        """Set one, and return how often it was changed by that: once or never."""
        name = row.values.get("key", "")
        key = KEYS.get(name)
        if key is None:
            raise Invalid(f"There is no setting {name[:80]!r}: `ringside settings list` shows them.", field="key")
        before = await _row_of(tx, name)
        if row.values.get("is_set") is False and not key.is_sensitive:
            after = await reset_setting(tx, name, reason=_REASON, viewer=by.viewer, now=by.now)
        elif row.values.get("value") is None:
            return 0
        else:
            after = await set_setting(tx, name, row.values["value"], reason=_REASON, viewer=by.viewer, now=by.now)
        return int(after.revision != (0 if before is None else before.revision))


async def _row_of(tx: Transaction, name: str) -> Setting | None:
    return await tx.row(select(Setting).where(col(Setting.key) == name))


SETTINGS = _Settings()
