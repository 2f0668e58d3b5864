"""Letters: every event comes out of one as it went in, and no secret is ever in it."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, get_args, get_origin, get_type_hints
from uuid import UUID, uuid4

import pytest
from sqlalchemy import JSON, Boolean, Date, DateTime, Float, Integer, LargeBinary, Table, Uuid
from sqlalchemy import Enum as EnumType

from db import letters
from db.access.events import TokenRevoked
from db.accounts.money import MoneyType
from db.bus import Event
from db.matches.events import MatHeard
from db.statements import row_class
from db.tables import metadata

NOW = datetime(2026, 11, 21, 9, 0, 0, 500_000, tzinfo=UTC)


def kinds(of: type[Event] = Event) -> Iterable[type[Event]]:
    for kind in of.__subclasses__():
        if kind.__module__.startswith("db."):
            yield kind
        yield from kinds(kind)


KINDS = sorted(kinds(), key=lambda kind: kind.__name__)


def sample(hint: Any, *, full: bool) -> Any:
    """A value of a type: with everything in it that may be, or nothing."""
    if get_origin(hint) is tuple:
        return tuple(sample(get_args(hint)[0], full=full) for _ in range(2 if full else 0))
    if type(None) in get_args(hint):
        return sample(get_args(hint)[0], full=full) if full else None
    if isinstance(getattr(hint, "__table__", None), Table):
        return row_of(hint.__table__, full=full)
    if issubclass(hint, Enum):
        return list(hint)[-1]
    return {UUID: uuid4(), bool: full, int: 7, str: "it's", datetime: NOW}[hint]


def row_of(table: Table, *, full: bool) -> Any:
    names = tuple(column.key for column in table.columns)
    values = [None if column.nullable and not full else value_of(column) for column in table.columns]
    return row_class("".join(word.title() for word in table.name.split("_")), names, table)._make(values)


def value_of(column: Any) -> Any:
    kind = getattr(column.type, "impl", column.type)
    if isinstance(column.type, MoneyType):
        return Decimal("123456789.00000001")
    if isinstance(kind, EnumType):
        return list(kind.enum_class)[-1] if kind.enum_class else "X"
    for of, value in VALUES:
        if isinstance(kind, of):
            return value
    return 'Jörg\'s "mat"\n\\x00 \u2028 🥋'


VALUES: tuple[tuple[type[Any], Any], ...] = (
    (Uuid, UUID(int=2**128 - 1)),
    (DateTime, NOW),
    (Date, date(2026, 2, 28)),
    (LargeBinary, b"\x00\xff'"),
    (JSON, {"a": [1, None, {"b": 0.1}], "": "'"}),
    (Boolean, True),
    (Float, 0.1 + 0.2),
    (Integer, 2**31 - 1),
)


def untold(value: Any) -> Any:
    """What comes of a value on its way: the secrets are gone, and whether there are any is not."""
    table = getattr(type(value), "table", None)
    if table is not None:
        return value._replace(
            **{
                column.key: type(getattr(value, column.key))()
                for column in table.columns
                if letters.is_untold(column) and getattr(value, column.key) is not None
            }
        )
    return tuple(map(untold, value)) if type(value) is tuple else value


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_event_comes_out_as_it_went_in(kind: type[Event], *, full: bool) -> None:
    hints = get_type_hints(kind)
    values = {field.name: sample(hints[field.name], full=full or field.name == "events") for field in fields(kind)}

    try:
        (letter,) = letters.opened(letters.envelope([letters.write(kind(**values))]))
    except NotImplementedError:
        # A kind of kinds, which nobody publishes.
        assert kind.__subclasses__()
        return

    read = letter.read()
    assert read == kind(**{name: untold(value) for name, value in values.items()})
    assert letter.topics == read.topics
    assert [type(getattr(read, name)) for name in values] == [type(value) for value in values.values()]


def test_every_event_has_a_name_of_its_own() -> None:
    names = [kind.__name__ for kind in KINDS]

    assert len(names) > 20
    assert sorted(set(names)) == names


def test_no_secret_is_in_a_letter() -> None:
    told = [
        letters.write(
            kind(**{field.name: sample(get_type_hints(kind)[field.name], full=True) for field in fields(kind)})
        )
        for kind in (TokenRevoked,)
    ]

    assert all(b"00ff27" not in letter for letter in told)
    kept = {str(column) for table in metadata.sorted_tables for column in table.columns if letters.is_untold(column)}
    assert kept == {
        "obs_machines.password",
        "providers.secret",
        "providers.url",
        "settings.secret",
        "stream_sources.secret",
        "tokens.secret_hash",
    }


def test_a_row_of_some_columns_stays_one() -> None:
    some = row_class("Mats", ("id", "last_seq"), metadata.tables["mats"])._make((UUID(int=1), 5))
    event = MatHeard(mat=some)

    (letter,) = letters.opened(letters.envelope([letters.write(event)]))

    assert letter.read() == event


@dataclass(frozen=True, kw_only=True)
class Weighed(Event):
    weight: int

    @property
    def topics(self) -> tuple[UUID, ...]:
        return (UUID(int=1),)


@pytest.mark.parametrize(
    "text",
    [
        '[["Unheard.00000000",["00000000000000000000000000000001"],[]]]',
        '[["Weighed.00000000",["00000000000000000000000000000001"],[1]]]',
    ],
)
def test_a_letter_of_another_release_says_whom_it_is_news_for(text: str) -> None:
    (letter,) = letters.opened(text)

    with pytest.raises(letters.UnknownLetter) as unknown:
        letter.read()

    assert unknown.value.topics == (UUID(int=1),)


def test_a_letter_with_other_values_than_its_event_has_is_not_read() -> None:
    name = letters.layout_of(MatHeard).name
    (letter,) = letters.opened(f'[["{name}",["{UUID(int=1).hex}"],[["not an id"]]]]')

    with pytest.raises(letters.UnknownLetter) as unknown:
        letter.read()

    assert unknown.value.topics == (UUID(int=1),)


@pytest.mark.parametrize("text", ["", "[1]", '[["a"]]', '[["a",["b"],[]]]', '[["a",null,[]]]', "null"])
def test_what_is_no_message_is_refused(text: str) -> None:
    with pytest.raises((ValueError, TypeError)):
        letters.opened(text)
