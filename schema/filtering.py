"""Filters of exports: `state=LIVE,READY` or `loadedAt>=2026-11-21T00:00:00Z`, read against what a type shows."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from math import isfinite
from typing import Any
from uuid import UUID

from graphql import GraphQLEnumType, GraphQLLeafType

from db.errors import Invalid
from db.lists import Comparison, Condition
from db.texts import checked
from schema.ids import decode_id, kind_of
from schema.scalars import read_instant

MOST_VALUES = 100
LONGEST_VALUE = 2_000
_FORM = re.compile(r"\s*([A-Za-z][A-Za-z0-9]*)\s*(!=|<=|>=|=|<|>)(.*)", re.DOTALL)
_NULL = "null"
_LARGEST_INTEGER = (1 << 31) - 1


@dataclass(frozen=True, kw_only=True)
class Filterable:
    """A field that may be filtered by: a column of a leaf type, or with `kinds` one that holds the id of a node."""

    column: str
    leaf: GraphQLLeafType | None = None
    kinds: tuple[str, ...] = ()
    is_nullable: bool = True


Named = tuple[str, UUID]


def condition_of(text: str, known: Mapping[str, Filterable], name: str) -> tuple[Condition, list[Named]]:
    """Return what a filter asks, and the nodes that it names. Raises `Invalid`, saying how it is written."""
    found = _FORM.fullmatch(text)
    if found is None:
        raise _wrong(text, "a filter is a field, one of = != < <= > >=, and a value: `state=LIVE`")
    one = known.get(found[1])
    if one is None:
        raise _wrong(text, f"{name} are filtered by {', '.join(known)}")
    comparison = Comparison(found[2])
    parts = _parts(found[3].strip(), one, comparison, text)
    if one.leaf is None:
        ids = [None if part == _NULL else _node(part, one, text) for part in parts]
        values: tuple[Any, ...] = tuple(None if node is None else node[1] for node in ids)
        return Condition(column=one.column, comparison=comparison, values=values), [node for node in ids if node]
    read = _reader(one.leaf)
    if read is None:
        raise _wrong(text, f"nothing is compared with a {one.leaf.name}")
    values = tuple(_value(part, one, read, text) for part in parts)
    return Condition(column=one.column, comparison=comparison, values=values), []


def _parts(text: str, one: Filterable, comparison: Comparison, whole: str) -> list[str]:
    """Return the values of a filter: several by commas, but of texts, which may hold commas themselves, one."""
    if len(text) > LONGEST_VALUE:
        raise _wrong(whole, f"a value is {LONGEST_VALUE:,} characters at most")
    is_side = comparison not in {Comparison.IS, Comparison.IS_NOT}
    if is_side and (text == _NULL or one.leaf is None or isinstance(one.leaf, GraphQLEnumType) or _is_boolean(one)):
        raise _wrong(whole, "that has no order: write = or !=")
    if is_side or (one.leaf is not None and one.leaf.name == "String"):
        return [text]
    parts = [part.strip() for part in text.split(",")]
    if len(parts) > MOST_VALUES:
        raise _wrong(whole, f"{MOST_VALUES} values at most")
    return parts


def _is_boolean(one: Filterable) -> bool:
    return one.leaf is not None and one.leaf.name == "Boolean"


def _node(text: str, one: Filterable, whole: str) -> Named:
    kind = kind_of(text)
    if kind not in one.kinds:
        raise _wrong(whole, f"{text[:40]!r} is no id of a {' or '.join(one.kinds)}")
    return kind, decode_id(text, field="filter")


def _value(text: str, one: Filterable, read: Callable[[str], Any], whole: str) -> Any:
    if text == _NULL and one.is_nullable:
        return None
    try:
        return read(text)
    except (ValueError, KeyError, Invalid) as error:
        leaf = one.leaf
        names = f": {', '.join(leaf.values)}" if isinstance(leaf, GraphQLEnumType) else ""
        raise _wrong(whole, f"{text[:40]!r} is no {'' if leaf is None else leaf.name}{names}") from error


def _reader(leaf: GraphQLLeafType) -> Callable[[str], Any] | None:
    if isinstance(leaf, GraphQLEnumType):
        return lambda text: leaf.values[text].value
    return _READERS.get(leaf.name)


def _boolean(text: str) -> bool:
    return {"true": True, "false": False}[text.lower()]


def _integer(text: str) -> int:
    if not re.fullmatch(r"-?[0-9]{1,10}", text, re.ASCII) or abs(int(text)) > _LARGEST_INTEGER:
        raise ValueError("out of bounds")
    return int(text)


def _number(text: str) -> float:
    value = float(text)
    if not isfinite(value):
        raise ValueError("out of bounds")
    return value


def _text(text: str) -> str:
    return checked(text, "A text", field="filter", shortest=0, longest=LONGEST_VALUE) if text else ""


_READERS: dict[str, Callable[[str], Any]] = {
    "Boolean": _boolean,
    "Date": date.fromisoformat,
    "DateTime": read_instant,
    "Float": _number,
    "ID": _text,
    "Int": _integer,
    "String": _text,
}


def _wrong(text: str, why: str) -> Invalid:
    return Invalid(f"This filter cannot be read: {text[:80]!r}; {why}.", field="filter")
