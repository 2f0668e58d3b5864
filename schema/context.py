"""What every resolver is given: who asks, the database, and the loaders of this one execution."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeAlias, TypeVar

from aiodataloader import DataLoader
from graphql import OperationDefinitionNode, OperationType
from strawberry.types import Info

from db.access.viewer import Viewer
from db.batches import Key, Page, Pages, ToMany, ToOne, Window
from db.clock import Clock
from db.database import Database
from db.errors import Invalid, Unauthenticated
from db.flags.scanning import FlagFolder
from db.matches.past import LONGEST_FIGHT
from db.network.operations import MOST_LISTENERS
from db.replicas import Replica
from db.session import Session
from db.social.drafts import LONGEST_CONTENT
from db.walks import Walk

T = TypeVar("T")


class TooManyRows(Invalid):
    """An operation has read more rows than any may."""


class Rows:
    """How many rows were read, and may be at most; `None` until an operation was charged."""

    __slots__ = ("most", "read")

    def __init__(self, most: int | None = None) -> None:
        self.most = most
        self.read = 0

    def note(self, rows: int) -> None:
        """Count rows that were read. Raises `TooManyRows` as soon as they are more than may be."""
        self.read += rows
        if self.most is not None and self.read > self.most:
            raise TooManyRows(
                f"This reads more than the {self.most} rows that an operation may read. "
                "Ask for less inside lists, or smaller pages."
            )


class _Loader(DataLoader[Key, Any]):
    """A dataloader whose callers may leave: what is loaded for several is not cancelled with one of them."""

    def load(self, key: Key | None = None) -> Any:
        """Return a future of one caller's own."""
        return asyncio.shield(super().load(key))


class Loaders:
    """The batch reads of one execution. Equal reads share a loader; each loader reads its keys in one statement."""

    def __init__(self, db: Database, viewer: Viewer, rows: "Rows | None" = None) -> None:
        self._db = db
        self._viewer = viewer
        self._note_rows = (rows or Rows()).note
        self._loaders: dict[Hashable, _Loader] = {}

    @property
    def epoch(self) -> str:
        """Which database is read."""
        return self._db.epoch

    async def one(self, batch: ToOne[Any], key: Key) -> Any:
        """Return the row of a key, `None` if there is none or the viewer may not see it."""

        async def read(keys: list[Key]) -> list[Any]:
            async with self._db.read() as session:
                rows = await batch.read(session, self._viewer, keys)
            self._note_rows(len(rows))
            return [rows.get(key) for key in keys]

        return await self._loader((batch,), read).load(key)

    async def many(self, batch: ToMany[Any], key: Key) -> list[Any]:
        """Return all rows of a key."""

        async def read(keys: list[Key]) -> list[list[Any]]:
            async with self._db.read() as session:
                rows = await batch.read(session, self._viewer, keys)
            self._note_rows(sum(map(len, rows.values())))
            return [rows.get(key, []) for key in keys]

        found: list[Any] = await self._loader((batch,), read).load(key)
        return found

    async def walk(self, batch: Walk[Any], key: Key, parameters: Mapping[str, int]) -> list[Any]:
        """Return what lies above or below a key."""

        async def read(keys: list[Key]) -> list[list[Any]]:
            async with self._db.read() as session:
                given = {**parameters, **self._viewer.parameters}
                rows = await batch.read(session, self._viewer.kind, keys, given)
            return [rows.get(key, []) for key in keys]

        found: list[Any] = await self._loader((batch, _frozen(parameters)), read).load(key)
        return found

    async def page(
        self, batch: Pages[Any], key: Key, page: Page, order: str | None, wanted: Mapping[str, Any]
    ) -> Window[Any]:
        """Return one page of the rows of a key."""

        async def read(keys: list[Key]) -> list[Window[Any]]:
            async with self._db.read() as session:
                rows = await batch.read(session, self._viewer, keys, page, batch.order(order), wanted)
            self._note_rows(sum(len(window.rows) for window in rows.values()))
            return [rows.get(key, Window(rows=[], has_more=False)) for key in keys]

        if key is None:
            return (await read([key]))[0]
        found: Window[Any] = await self._loader((batch, page, order, _frozen(wanted)), read).load(key)
        return found

    async def count(self, batch: Pages[Any], key: Key, wanted: Mapping[str, Any]) -> int:
        """Return how many rows a key has."""

        async def read(keys: list[Key]) -> list[int]:
            async with self._db.read() as session:
                counts = await batch.count(session, self._viewer, keys, wanted)
            return [counts.get(key, 0) for key in keys]

        if key is None:
            return (await read([key]))[0]
        found: int = await self._loader((batch, "count", _frozen(wanted)), read).load(key)
        return found

    async def found(
        self, name: Hashable, key: Key, find: Callable[[Session, list[Key]], Awaitable[Mapping[Key, Any]]]
    ) -> Any:
        """Return what `find` finds for a key, `None` if nothing; it is asked once for all keys under one name."""

        async def read(keys: list[Key]) -> list[Any]:
            async with self._db.read() as session:
                answers = await find(session, keys)
            return [answers.get(key) for key in keys]

        return await self._loader(name, read).load(key)

    def _loader(self, name: Hashable, read: Callable[[list[Key]], Any]) -> _Loader:
        loader = self._loaders.get(name)
        if loader is None:
            loader = self._loaders[name] = _Loader(read)
        return loader


@dataclass(frozen=True)
class Raised:
    """What a root field raised instead of answering."""

    error: Exception


@dataclass(kw_only=True)
class Context:
    """One operation's context. Whoever runs it several times makes one `for_one_execution` of it each time."""

    db: Database
    clock: Clock
    # Where queries may be read beside, and changes are noted for that; `db` is chosen when the operation is known.
    replica: Replica | None = None
    asker: Viewer | None = None
    # How many characters an entry may have.
    longest_entry: int = LONGEST_CONTENT
    # How many entries of a fight may be folded again, to take one back.
    longest_fight: int = LONGEST_FIGHT
    # How many listeners there may be.
    most_listeners: int = MOST_LISTENERS
    # Addresses beside loopback that listeners may be bound to.
    open_addresses: Collection[str] = ()
    # Where the server finds flags.
    flags: FlagFolder = field(default_factory=FlagFolder)
    # Whether plans may answer. Off, everything runs on graphql-core and the loaders.
    may_plan: bool = True
    # Which path answered: `planned`, `unplanned` (there was no plan) or `abandoned` (there was, and it gave up).
    path: str | None = None
    # Whether it was counted among those that its token may send.
    is_counted: bool = False
    # The operation, once it is known.
    operation: OperationDefinitionNode | None = None
    # How many statements its plan ran.
    statements: int = 0
    # What the operation was charged; `None` until it was.
    cost: int | None = None
    # How many rows this execution has read, and may at most.
    rows: Rows = field(default_factory=Rows)
    # Statements as they are run, with their times, if somebody wants them.
    trace: list[Any] | None = None
    # What root fields answered to a plan, by response key: whoever runs the operation again must not call them again.
    answered: dict[str, Any] = field(default_factory=dict, repr=False)
    _loaders: Loaders | None = field(default=None, repr=False)

    @property
    def viewer(self) -> Viewer:
        """Who asks. Raises `Unauthenticated` if nobody knows."""
        if self.asker is None:
            raise Unauthenticated(
                'This needs a token: send `Authorization: Bearer …`, or `{"token": "…"}` in connection_init. '
                "`ringside token create` makes one."
            )
        return self.asker

    @property
    def kind(self) -> str:
        """What sort of operation it is; `unknown` for one that could not be found."""
        return "unknown" if self.operation is None else self.operation.operation.value

    @property
    def name(self) -> str | None:
        """The operation's name, `None` if it has none."""
        return self.operation.name.value if self.operation is not None and self.operation.name is not None else None

    @property
    def is_change(self) -> bool:
        """Whether it may change anything: it is then not ended because its client has left."""
        return self.operation is not None and self.operation.operation is OperationType.MUTATION

    @property
    def loaders(self) -> Loaders:
        """The loaders of this execution."""
        if self._loaders is None:
            self._loaders = Loaders(self.db, self.viewer, self.rows)
        return self._loaders

    def renew_loaders(self) -> None:
        """Forget what was read: called before each event of a subscription, which is an execution of its own."""
        self._loaders, self.rows = None, Rows(self.rows.most)

    def begin(self, operation: OperationDefinitionNode) -> None:
        """Note which operation it is, and with that which database it works on."""
        self.operation = operation
        if self.replica is None or self.asker is None:
            return
        if operation.operation is OperationType.QUERY:
            self.db = self.replica.reading_for(self.asker.token_id)
        elif operation.operation is OperationType.MUTATION:
            self.db = self.replica.writing_for(self.asker.token_id)

    def now(self) -> datetime:
        """Return the present instant."""
        return self.clock.now()

    def of(self, viewer: Viewer) -> "Context":
        """Return the context of somebody's operation, which is this one's in all that the house says.

        Nearly every request comes by here: its own constructor takes four times as long.
        """
        made = object.__new__(Context)
        made.__dict__.update(self.__dict__)
        made.asker, made.rows, made.answered = viewer, Rows(), {}
        return made

    def for_one_execution(self) -> "Context":
        """Return a copy with loaders of its own: a socket's operations must not see each other's rows."""
        return replace(self, answered=dict(self.answered), rows=Rows(self.rows.most), _loaders=None)


Asked: TypeAlias = Info[Context, None]


def _frozen(wanted: Mapping[str, Any]) -> Hashable:
    return tuple((name, tuple(value) if isinstance(value, Sequence) else value) for name, value in wanted.items())
