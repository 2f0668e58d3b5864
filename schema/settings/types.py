"""The types of settings: what may be set, and who set it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

import orjson
from strawberry.scalars import JSON

from db.access.queries import user_by_id
from db.settings import queries
from db.settings.operations import shown_value
from db.settings.registry import KEYS, Key
from schema.access.types import User
from schema.connections import Connection
from schema.fields import Node, column, computed, connection, node, to_one
from schema.matches.arguments import NewestOrder
from schema.settings.vocabulary import SettingCategory, SettingKind

if TYPE_CHECKING:
    from db.settings.registry import Rules


def _known(description: str, say: Callable[[Key], Any]) -> Any:
    """Declare a field that the registry knows of a key."""
    return computed(description, ("key",), lambda key: say(KEYS[key]))


def _rule(description: str, say: Callable[[Rules], Any]) -> Any:
    return _known(description, lambda key: say(key.rules))


def _read(text: str | None) -> Any:
    return None if text is None else orjson.loads(text)


@node("setting", queries.setting_by_id)
class Setting(Node):
    """Something that may be set while the server runs: who works by it hears of it at once."""

    key: str = column("Its name, as `backups.keep`.")
    category: SettingCategory = column("What it is about.")
    kind: SettingKind = _known("What its value is.", lambda key: key.kind)
    description: str = _known("What it does.", lambda key: key.description)
    value: JSON | None = computed(
        "What it is now. Null if it is sensitive, or there is nothing yet.", ("key", "usual", "value"), shown_value
    )
    default_value: JSON | None = computed(
        "What it is when nobody sets it: as the server was started, or as it comes. Null if it is sensitive, or is "
        "nothing then.",
        ("key", "usual"),
        lambda key, usual: shown_value(key, usual, None),
    )
    is_set: bool = computed(
        "Whether somebody set it.", ("value", "secret"), lambda value, secret: (value or secret) is not None
    )
    is_sensitive: bool = _known("Whether its value is shown to nobody.", lambda key: key.is_sensitive)
    is_required: bool = _known("Whether it may not be empty.", lambda key: key.is_required)
    is_of_console: bool = _known(
        "Whether it is changed at the machine's own console alone.", lambda key: key.is_of_console
    )
    minimum: float | None = _rule("The least a number may be. Null: there is no such rule.", lambda rules: rules.least)
    maximum: float | None = _rule("The most a number may be. Null: there is no such rule.", lambda rules: rules.most)
    longest: int | None = _rule(
        "How many characters a text may have, or bytes JSON. Null: 10,000.", lambda rules: rules.longest
    )
    pattern: str | None = _rule(
        "The regular expression that a text fits as a whole. Null: there is no such rule.", lambda rules: rules.pattern
    )
    choices: list[str] = _rule("What a text may be. Empty: there is no such rule.", lambda rules: list(rules.choices))
    json_schema: JSON | None = _rule(
        "The JSON Schema that JSON keeps. Null: there is no such rule.", lambda rules: rules.schema
    )
    changed_at: datetime | None = column("When it was last set or reset. Null if it never was.")
    changed_by: User | None = to_one(
        "Who did that. Null if nobody did, if it was done at the machine's console, or by a user who is gone.",
        user_by_id,
        key="changed_by_id",
    )
    revision: int = column("Raised by one whenever it is set or reset.")
    history: Connection[SettingChange] = connection(
        "What it was before, newest first.", queries.changes_by_setting, order=NewestOrder
    )


@node("settingchange", queries.setting_change_by_id)
class SettingChange(Node):
    """One time that a setting was set or reset. Of a sensitive one it says that, and never what."""

    revision: int = column("The setting's revision that this led to.")
    old_value: JSON | None = computed(
        "What it was set to before. Null if it was not set, or is sensitive.", ("old_value",), _read
    )
    new_value: JSON | None = computed(
        "What it was set to. Null if it was reset, or is sensitive.", ("new_value",), _read
    )
    has_old_value: bool = column("Whether it was set before.", "was_set")
    has_new_value: bool = column("Whether it was set by this. If not, it was reset.", "is_set")
    reason: str = column("Why. Empty if nobody said.")
    changed_at: datetime = column("When.")
    changed_by: User | None = to_one(
        "Who. Null if it was done at the machine's console, or by a user who is gone.",
        user_by_id,
        key="changed_by_id",
    )
    setting: Setting = to_one("The setting.", queries.setting_by_id, key="setting_id")
