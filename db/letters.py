"""Letters: events as they travel between processes, derived from how the events are declared.

A letter is `[name, topics, values]` in JSON. The name holds a mark of the layout, so that a process of another release,
which knows the event or its rows otherwise, notices that it cannot read it; `topics` then say who has missed something.
Rows travel as the values of their table's columns. A secret does
not: of a column that is declared one there is only whether it holds something.
"""

import hashlib
import types
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from enum import Enum
from typing import Any, ClassVar, Union, get_args, get_origin, get_type_hints
from uuid import UUID

import orjson
from sqlalchemy import JSON, Column, Date, DateTime, LargeBinary, Numeric, Table, Uuid

from db.bus import Event
from db.dialects import POSTGRESQL
from db.statements import converter, row_class

Convert = Callable[[Any], Any]

_DIGITS_OF_A_LAYOUT = 8
_MARK_OF_BYTES = "\\x"


class UnknownLetter(Exception):
    """A letter cannot be read: another release wrote it. `topics` are those it is news about."""

    def __init__(self, topics: Sequence[UUID]) -> None:
        super().__init__("An event came that this release does not know in this form.")
        self.topics = topics


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter that was taken out of its envelope and not read yet."""

    name: str
    topics: tuple[UUID, ...]
    values: Sequence[Any]

    def read(self) -> Event:
        """Return the event. Raises `UnknownLetter`."""
        layout = _layout_of_name(self.name)
        if layout is None or len(self.values) != len(layout.parts):
            raise UnknownLetter(self.topics)
        try:
            return layout.read(self.values)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise UnknownLetter(self.topics) from error


def write(event: Event) -> bytes:
    """Print an event as a letter. Raises `TypeError` for a value that its declaration does not speak of."""
    layout = layout_of(type(event))
    topics = [topic.hex for topic in event.topics]
    return orjson.dumps([layout.name, topics, layout.written(event)])


def envelope(letters: Iterable[bytes]) -> str:
    """Put letters together into one message."""
    return "[" + ",".join(letter.decode() for letter in letters) + "]"


def opened(message: str | bytes) -> list[Letter]:
    """Take the letters out of a message. Raises `ValueError` if it is none."""
    return taken_out(orjson.loads(message))


def taken_out(found: Any) -> list[Letter]:
    """Take the letters out of what was a part of a message. Raises `ValueError` and `TypeError` if there are none."""
    return [Letter(name, tuple(UUID(topic) for topic in topics), values) for name, topics, values in found]


class _Part:
    """How values of one type are written and read."""

    def __init__(self, label: str, read: Convert | None = None, write: Convert | None = None) -> None:
        # What tells layouts apart.
        self.label = label
        self.reader = read
        self.writer = write

    def write(self, value: Any) -> Any:
        return value if value is None or self.writer is None else self.writer(value)

    def read(self, value: Any) -> Any:
        return value if value is None or self.reader is None else self.reader(value)


class _Many(_Part):
    def __init__(self, item: _Part) -> None:
        super().__init__(f"({item.label}…)")
        self._item = item

    def write(self, value: Any) -> Any:
        return [self._item.write(one) for one in value]

    def read(self, value: Any) -> Any:
        return tuple(self._item.read(one) for one in value)


class _Row(_Part):
    """A row of a table: its values in the order of the columns, or by name where it has some of them only."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._columns = {column.key: _column_part(column) for column in table.columns}
        self._names = tuple(self._columns)
        super().__init__(f"{table.name}({','.join(f'{name}:{part.label}' for name, part in self._columns.items())})")
        parts = list(self._columns.values())
        self._writers = [(index, part.writer) for index, part in enumerate(parts) if part.writer is not None]
        self._readers = [(index, part.reader) for index, part in enumerate(parts) if part.reader is not None]
        # As rows are called that come from a statement.
        self._class_name = "".join(word.title() for word in table.name.split("_"))
        self._make = row_class(self._class_name, self._names, table)._make

    def write(self, value: Any) -> Any:
        if value is None:
            return None
        names = getattr(value, "_fields", self._names)
        if names != self._names:
            return {name: self._columns[name].write(getattr(value, name)) for name in names}
        values = list(value) if isinstance(value, tuple) else [getattr(value, name) for name in names]
        for index, writer in self._writers:
            if values[index] is not None:
                values[index] = writer(values[index])
        return values

    def read(self, value: Any) -> Any:
        if isinstance(value, dict):
            of_some = row_class(self._class_name, tuple(value), self._table)
            return of_some._make(self._columns[name].read(one) for name, one in value.items())
        if value is None:
            return None
        for index, reader in self._readers:
            if value[index] is not None:
                value[index] = reader(value[index])
        return self._make(value)


def is_untold(column: Column[Any]) -> bool:
    """Say whether what stands in a column stays there."""
    return bool(column.info.get("is_secret") or column.info.get("is_untold"))


def _column_part(column: Column[Any]) -> _Part:
    kind, label = column.type, type(column.type).__name__
    if is_untold(column):
        empty = b"" if isinstance(kind, LargeBinary) else ""
        return _Part("untold", lambda _: empty, lambda _: "")
    if isinstance(kind, Numeric):
        raise TypeError(f"{column} is of a kind that JSON does not carry exactly: store a whole number.")
    for of, read, write in _KINDS:
        if isinstance(getattr(kind, "impl", kind), of):
            return _Part(label, read, write)
    # Anything else travels as the driver would take it, and is read as what the driver would answer.
    writer = None if _prints_itself(kind) else kind.dialect_impl(POSTGRESQL).bind_processor(POSTGRESQL)
    return _Part(label, converter(kind, POSTGRESQL), writer)


def _prints_itself(kind: Any) -> bool:
    """Say whether JSON is printed of a value as it is: of instants, enums, texts and numbers, not of what we made."""
    return not hasattr(kind, "process_bind_param")


def _write_bytes(value: bytes) -> str:
    return _MARK_OF_BYTES + value.hex()


def _read_bytes(value: str) -> bytes:
    return bytes.fromhex(value.removeprefix(_MARK_OF_BYTES))


# How columns are read and written whose values JSON has no word for.
_KINDS: tuple[tuple[type[Any], Convert | None, Convert | None], ...] = (
    (Uuid, UUID, None),
    (DateTime, datetime.fromisoformat, None),
    (Date, date.fromisoformat, None),
    (LargeBinary, _read_bytes, _write_bytes),
    (JSON, None, None),
)


@dataclass(frozen=True, eq=False)
class Layout:
    """How one kind of event is written and read."""

    kind: type[Event]
    # What its letters are called: the event, and a mark of its layout.
    name: str
    parts: tuple[tuple[str, _Part], ...]

    of_kind: ClassVar[dict[type[Event], "Layout"]] = {}
    of_name: ClassVar[dict[str, "Layout"]] = {}

    def written(self, event: Event) -> list[Any]:
        """Return the values of an event as they are printed."""
        return [part.write(getattr(event, name)) for name, part in self.parts]

    def read(self, values: Sequence[Any]) -> Event:
        """Return the event with these values."""
        read = {name: part.read(value) for (name, part), value in zip(self.parts, values, strict=True)}
        return self.kind(**read)


def layout_of(kind: type[Event]) -> Layout:
    """Return how a kind of event is written, made of its declaration."""
    found = Layout.of_kind.get(kind)
    if found is None:
        hints = get_type_hints(kind)
        parts = tuple((field.name, _part_of(hints[field.name])) for field in fields(kind))
        described = ";".join(f"{name}={part.label}" for name, part in parts)
        mark = hashlib.sha256(described.encode()).hexdigest()[:_DIGITS_OF_A_LAYOUT]
        found = Layout.of_kind[kind] = Layout(kind, f"{kind.__name__}.{mark}", parts)
    return found


def _part_of(hint: Any) -> _Part:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        (hint,) = (one for one in arguments if one is not type(None))
        return _part_of(hint)
    if origin is tuple:
        item, _ = arguments
        return _Many(_part_of(item))
    table = getattr(hint, "__table__", None)
    if isinstance(table, Table):
        return _Row(table)
    label = getattr(hint, "__name__", str(hint))
    if hint is UUID or (isinstance(hint, type) and issubclass(hint, Enum)):
        return _Part(label, hint)
    return _Part(label, _READERS.get(hint))


_READERS: dict[Any, Convert] = {datetime: datetime.fromisoformat, date: date.fromisoformat}


def _layout_of_name(name: str) -> Layout | None:
    found = Layout.of_name.get(name)
    if found is None:
        # It may have been declared since, in a module that was loaded later.
        Layout.of_name.update({layout.name: layout for layout in map(layout_of, _kinds(Event))})
        found = Layout.of_name.get(name)
    return found


def _kinds(of: type[Event]) -> Iterable[type[Event]]:
    for kind in of.__subclasses__():
        yield kind
        yield from _kinds(kind)
