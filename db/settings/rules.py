"""Whether a value may be that of a setting. What is wrong is said in words, and never with a value that is a secret."""

import math
import re
from typing import Any

import orjson
from jsonschema import Draft202012Validator

from db.errors import Invalid
from db.settings.registry import Key
from db.settings.vocabulary import SettingKind
from db.zones import time_zone

_LONGEST = 10_000
_KINDS = {
    SettingKind.STRING: "a text",
    SettingKind.INTEGER: "a whole number",
    SettingKind.BOOLEAN: "true or false",
    SettingKind.FLOAT: "a number",
    SettingKind.JSON: "JSON",
}


def checked_value(key: Key, value: Any) -> Any:
    """Return a value as it is stored. Raises `Invalid`."""
    if value is None or (value == "" and key.is_required):
        raise _wrong(key, "is not to be empty. Reset it to bring its default back.")
    return _CHECKS[key.kind](key, value)


def _text(key: Key, value: Any) -> str:
    if not isinstance(value, str) or not _can_be_stored(value):
        raise _not_of_kind(key)
    rules = key.rules
    if rules.choices and value not in rules.choices:
        raise _wrong(key, f"is one of {', '.join(rules.choices)}.")
    if len(value) > (rules.longest or _LONGEST):
        raise _wrong(key, f"has at most {rules.longest or _LONGEST} characters.")
    if rules.pattern is not None and value and re.fullmatch(rules.pattern, value) is None:
        raise _wrong(key, f"is {rules.form}.")
    if rules.is_time_zone:
        _keep_zone(key, value)
    return value


def _keep_zone(key: Key, value: str) -> None:
    try:
        time_zone(value)
    except Invalid as refusal:
        raise _wrong(key, f"is the name of a time zone. {refusal.message}") from refusal


def _integer(key: Key, value: Any) -> int:
    # A boolean is a number to Python, and a whole number may come as 5.0.
    if isinstance(value, bool) or not isinstance(value, int | float) or not _is_whole(value):
        raise _not_of_kind(key)
    return int(_within(key, value))


def _float(key: Key, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise _not_of_kind(key)
    return float(_within(key, value))


def _boolean(key: Key, value: Any) -> bool:
    if not isinstance(value, bool):
        raise _not_of_kind(key)
    return value


def _json(key: Key, value: Any) -> Any:
    try:
        text = orjson.dumps(value)
    except (orjson.JSONEncodeError, RecursionError) as error:
        raise _not_of_kind(key) from error
    longest = key.rules.longest or _LONGEST
    if len(text) > longest:
        raise _wrong(key, f"has at most {longest} bytes.")
    if key.rules.schema is not None:
        _keep_schema(key, value)
    return value


def _keep_schema(key: Key, value: Any) -> None:
    wrong = next(iter(Draft202012Validator(dict(key.rules.schema or {})).iter_errors(value)), None)
    if wrong is None:
        return
    at = "".join(f".{step}" for step in wrong.absolute_schema_path if step != "properties")
    # What jsonschema says of it quotes the value.
    told = f" {wrong.message[:200]}" if not key.is_sensitive else ""
    raise _wrong(key, f"does not keep its rule{at}.{told}")


def _can_be_stored(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text


def _is_whole(value: float) -> bool:
    return isinstance(value, int) or (math.isfinite(value) and value == int(value))


def _within(key: Key, value: float) -> float:
    least, most = key.rules.least, key.rules.most
    if (least is not None and value < least) or (most is not None and value > most):
        raise _wrong(key, f"is {_number(least)} to {_number(most)}.")
    return value


def _number(bound: float | None) -> str:
    return "any" if bound is None else f"{bound:.15g}"


def _not_of_kind(key: Key) -> Invalid:
    return _wrong(key, f"is {_KINDS[key.kind]}.")


def _wrong(key: Key, sentence: str) -> Invalid:
    return Invalid(f"{key.name} {sentence}", field="value")


_CHECKS = {
    SettingKind.STRING: _text,
    SettingKind.INTEGER: _integer,
    SettingKind.BOOLEAN: _boolean,
    SettingKind.FLOAT: _float,
    SettingKind.JSON: _json,
}
