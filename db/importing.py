"""Taking lists in: rows that somebody brings, checked one by one and stored many at a time, all of them or none.

A row that names an id, or what else tells one thing from another, is that thing: it is changed where it differs and
left alone where it does not, so that a file taken in twice changes nothing. Columns that a file has not are left as
they are, and where the thing is new they are what they would be for one that was made by hand.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import Table, bindparam, insert, update
from sqlmodel import SQLModel, select

from db.access.viewer import Role, Viewer
from db.batches import table_of
from db.bus import MuchHappened
from db.database import Database
from db.errors import Forbidden, Invalid, Refusal, Unavailable
from db.ids import new_id
from db.parameters import any_of
from db.session import Transaction

ROWS_AT_ONCE = 1000
MOST_PROBLEMS = 100
_ID = "id"

Values = dict[str, Any]
# A row that somebody brings: the line that it begins in, and what it says, by headers.
Said = tuple[int, Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class ImportField:
    """A column of a file: how it is called there, what it is stored as, and how it is read. `read` raises `Invalid`."""

    header: str
    column: str
    read: Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class ImportRow:
    """A row of a file that could be read: the line it begins in, and what it says, by columns."""

    line: int
    values: Values


@dataclass(frozen=True, kw_only=True)
class Problem:
    """What is wrong with a row: its line, the column at fault ("" if it is none alone), and what to do about it."""

    line: int
    column: str
    reason: str


@dataclass(kw_only=True)
class ImportReport:
    """What became of a file's rows. With any problem nothing was stored; the first hundred are told."""

    rows: int = 0
    made: int = 0
    changed: int = 0
    unchanged: int = 0
    is_stored: bool = False
    problem_count: int = 0
    problems: list[Problem] = field(default_factory=list)

    def blame(self, line: int, column: str, reason: str) -> None:
        """Note what is wrong."""
        self.problem_count += 1
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(Problem(line=line, column=column, reason=reason))


@dataclass(frozen=True, kw_only=True)
class Bringer:
    """Who brings rows, and when. `viewer` is `None` at the machine's own console."""

    viewer: Viewer | None
    now: datetime


class Importing(Protocol):
    """How one kind of thing is taken in."""

    @property
    def name(self) -> str:
        """What its list is called, as in exports."""
        ...

    @property
    def role(self) -> Role:
        """The least role that may bring it, over the graph or by the door: what changes such things by hand needs."""
        ...

    @property
    def fields(self) -> Sequence[ImportField]:
        """The columns that a file may have."""
        ...

    async def take(self, tx: Transaction, rows: Sequence[ImportRow], report: ImportReport, by: Bringer) -> None:
        """Store rows, say what became of each, and record what whoever watches is to be told."""
        ...


async def take_in(
    db: Database,
    importing: Importing,
    pages: AsyncIterator[Sequence[Said]],
    by: Bringer,
    *,
    is_dry_run: bool,
    most: int,
    progress: Callable[[int], None] = lambda _rows: None,
) -> ImportReport:
    """Take a list in as it comes, some rows at a time, and report.

    With any problem, and in a dry run, nothing is stored and nobody is told of anything. Raises `Forbidden`, `Invalid`
    for the field `file` if that cannot be read or has more rows than may be, and `Unavailable`.
    """
    if by.viewer is not None:
        check_may_import(by.viewer, importing)
    report = ImportReport()
    try:
        async with db.transaction() as tx:
            try:
                await _take_rows(tx, importing, pages, report, by, most=most, progress=progress)
            except Refusal as refusal:
                if refusal.field == "file" or isinstance(refusal, Unavailable):
                    raise
                # A statement that the database refused: it spoke of many rows, and the transaction is over.
                report.blame(report.rows, "", f"Among the rows just before this: {refusal.message}")
            _check_kept(report, is_dry_run=is_dry_run)
    except _NothingStored:
        return report
    report.is_stored = True
    return report


def check_may_import(viewer: Viewer, importing: Importing) -> None:
    """See that a viewer may bring such a list. Raises `Forbidden`."""
    if viewer.is_overlay:
        raise Forbidden("An overlay token reads the nodes it is bound to and does nothing else.")
    if not viewer.has_role(importing.role):
        raise Forbidden(
            f"To import {importing.name} needs the role {importing.role}; this token's user has the role {viewer.role}."
        )


class _NothingStored(Exception):
    """Ends a transaction that is not to be kept."""


def _check_kept(report: ImportReport, *, is_dry_run: bool) -> None:
    if is_dry_run or report.problem_count:
        raise _NothingStored


async def _take_rows(
    tx: Transaction,
    importing: Importing,
    pages: AsyncIterator[Sequence[Said]],
    report: ImportReport,
    by: Bringer,
    *,
    most: int,
    progress: Callable[[int], None],
) -> None:
    by_header = {one.header: one for one in importing.fields}
    async for page in pages:
        report.rows += len(page)
        if report.rows > most:
            raise Invalid(f"It has {most:,} rows at most: divide it.", field="file")
        read = [row for line, said in page if (row := _read(line, said, by_header, report)) is not None]
        await importing.take(tx, read, report, by)
        progress(report.rows)


def _read(
    line: int, said: Mapping[str, Any], fields: Mapping[str, ImportField], report: ImportReport
) -> ImportRow | None:
    values: Values = {}
    is_fine = True
    for header, value in said.items():
        one = fields.get(header)
        if one is None:
            continue
        try:
            values[one.column] = one.read(value)
        except Refusal as refusal:
            report.blame(line, header, refusal.message)
            is_fine = False
    return ImportRow(line, values) if is_fine else None


@dataclass(frozen=True, kw_only=True)
class TableImport:
    """Things that are rows of one table, told apart by an id or by `key`: columns that are unique together.

    `check` looks at what is said of one and returns it as it is stored, and `guard` whether one that is there may be
    changed: they raise refusals that name the column. `new` says what a new one has that a file does not say, `needed`
    what the file must say of it. `references` are the columns that name rows of other tables, which must be there.
    `told` says of the ids of those that were changed which topics that is news about.
    """

    name: str
    role: Role
    model: type[SQLModel]
    fields: Sequence[ImportField]
    key: tuple[str, ...]
    needed: tuple[str, ...]
    new: Callable[[Values, datetime], Values]
    check: Callable[[Values], Values]
    guard: Callable[[Any], None] = lambda _row: None
    references: Mapping[str, type[SQLModel]] = field(default_factory=dict)
    told: Callable[[Sequence[UUID]], Sequence[UUID]] = lambda _ids: ()

    async def take(self, tx: Transaction, rows: Sequence[ImportRow], report: ImportReport, by: Bringer) -> None:
        """See `Importing`. Rows that speak of one thing are taken in one after the other."""
        waiting: list[ImportRow] = []
        seen: set[Any] = set()
        for row in rows:
            checked = self._checked(row, report)
            if checked is None:
                continue
            names = {("id", checked.values.get(_ID)), ("key", self._key_of(checked.values))}
            names -= {("id", None), ("key", None)}
            if names & seen:
                await self._take(tx, waiting, report, by.now)
                waiting, seen = [], set()
            waiting.append(checked)
            seen |= names
        await self._take(tx, waiting, report, by.now)

    def _checked(self, row: ImportRow, report: ImportReport) -> ImportRow | None:
        said = {name: value for name, value in row.values.items() if name != _ID}
        try:
            return ImportRow(row.line, {_ID: row.values.get(_ID), **self.check(said)})
        except Refusal as refusal:
            report.blame(row.line, self._header(refusal.field), refusal.message)
            return None

    async def _take(self, tx: Transaction, rows: Sequence[ImportRow], report: ImportReport, now: datetime) -> None:
        if not rows:
            return
        by_id, by_key = await self._found(tx, rows)
        missing = await self._missing(tx, rows)
        made: list[Values] = []
        changed: dict[tuple[str, ...], list[Values]] = {}
        for row in rows:
            said = {name: value for name, value in row.values.items() if name != _ID}
            try:
                before = self._before(row.values, by_id, by_key)
                self._check_references(row.values, missing)
                if before is None:
                    made.append(self._made(row.values[_ID], said, now))
                    continue
                other = {name: value for name, value in said.items() if getattr(before, name) != value}
                if other:
                    self.guard(before)
            except Refusal as refusal:
                report.blame(row.line, self._header(refusal.field), refusal.message)
                continue
            report.changed += bool(other)
            report.unchanged += not other
            if other:
                new = {f"new_{name}": value for name, value in other.items()}
                changed.setdefault(tuple(sorted(other)), []).append({"of_id": before.id, **new})
        report.made += len(made)
        await self._store(tx, made, changed, now)

    async def _found(self, tx: Transaction, rows: Sequence[ImportRow]) -> tuple[dict[UUID, Any], dict[Any, Any]]:
        table = table_of(self.model)
        ids = [row.values[_ID] for row in rows if row.values.get(_ID) is not None]
        first = self.key[0]
        keys = [row.values[first] for row in rows if self._key_of(row.values) is not None]
        found = await tx.rows(select(self.model).where(any_of(table.c.id, ids))) if ids else []
        like = (
            await tx.rows(select(self.model).where(any_of(table.c[first], list(dict.fromkeys(keys))))) if keys else []
        )
        by_id = {getattr(row, _ID): row for row in found}
        return by_id, {self._key_of({name: getattr(row, name) for name in self.key}): row for row in like}

    async def _missing(self, tx: Transaction, rows: Sequence[ImportRow]) -> dict[str, set[UUID]]:
        """Return, for each column that refers to others, those that are not there."""
        missing = {}
        for column, model in self.references.items():
            named = {row.values[column] for row in rows if row.values.get(column) is not None}
            table = table_of(model)
            there = await tx.tuples(select(table.c.id).where(any_of(table.c.id, named))) if named else []
            missing[column] = named - {row[0] for row in there}
        return missing

    def _check_references(self, values: Values, missing: Mapping[str, set[UUID]]) -> None:
        for column, gone in missing.items():
            if values.get(column) in gone:
                raise Invalid("There is nothing of this id here: take that in before.", field=column)

    def _before(self, values: Values, by_id: Mapping[UUID, Any], by_key: Mapping[Any, Any]) -> Any | None:
        """Return the row that this is about, `None` if it is new. Raises `Invalid` if it is two."""
        known = by_id.get(values[_ID]) if values.get(_ID) is not None else None
        key = self._key_of(values)
        like = None if key is None else by_key.get(key)
        if like is None or known is like or (known is not None and known.id == like.id):
            return known
        if values.get(_ID) is not None:
            raise Invalid(
                f"There is one with the same {' and '.join(map(self._header, self.key))} under another id: leave out "
                "the id to mean that one.",
                field=_ID,
            )
        return like

    def _made(self, id: UUID | None, said: Values, now: datetime) -> Values:  # noqa: A002 -- an id is called id
        for name in self.needed:
            if said.get(name) is None or said[name] == "":
                raise Invalid("A new one needs this.", field=name)
        return {"id": id or new_id(), **self.new(said, now), **said}

    async def _store(
        self, tx: Transaction, made: list[Values], changed: Mapping[tuple[str, ...], list[Values]], now: datetime
    ) -> None:
        table = table_of(self.model)
        if made:
            await tx.execute_many(insert(table), made)
        for names, rows in changed.items():
            await tx.execute_many(_update_of(table, names, now), rows)
        about = self.told([row["of_id"] for rows in changed.values() for row in rows])
        if about:
            tx.record(MuchHappened(about=tuple(about)))

    def _key_of(self, values: Values) -> Any:
        """Return what tells it from others, `None` if not all of that is said."""
        found = tuple(values.get(name) for name in self.key)
        return None if None in found else found

    def _header(self, column: str | None) -> str:
        return next((one.header for one in self.fields if one.column == column), column or "")


def _update_of(table: Table, names: Sequence[str], now: datetime) -> Any:
    """Write a statement that changes these columns of a row, and says that it was changed."""
    values: Values = {name: bindparam(f"new_{name}", type_=table.c[name].type) for name in names}
    if "revision" in table.c:
        values["revision"] = table.c.revision + 1
    if "changed_at" in table.c and "changed_at" not in names:
        values["changed_at"] = now
    return update(table).where(table.c.id == bindparam("of_id", type_=table.c.id.type)).values(**values)
