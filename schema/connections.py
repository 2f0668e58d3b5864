"""Connections: pages of ordered rows, with opaque cursors that point between rows and stay right while rows come."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

import orjson
import strawberry
from sqlalchemy import BigInteger
from sqlalchemy.types import TypeDecorator, TypeEngine

from db.batches import Key, Order, Page, Pages, Position, ToOne, Window, table_of
from db.errors import Invalid, Resync
from schema.context import Loaders

T = TypeVar("T")

DEFAULT_PAGE = 20
_LARGEST_INTEGER = (1 << 31) - 1
# Between a place and the epoch it is of; no letter of base64.
_OF = "."
BEGIN_ANEW = (
    "A backup was put in place of the database that this cursor is of. Forget what you have, and ask again without it."
)


@strawberry.type(
    description="Where a page stands among all rows. If a backup was put in place of the database since, its cursors "
    "are refused with the code RESYNC: forget what you have, and begin anew."
)
class PageInfo:
    """Where a page stands among all rows."""

    has_next_page: bool = strawberry.field(description="There are rows after this page, as far as was asked.")
    has_previous_page: bool = strawberry.field(description="There are rows before this page, as far as was asked.")
    start_cursor: str | None = strawberry.field(description="Cursor of the first row. Null if the page is empty.")
    end_cursor: str | None = strawberry.field(description="Cursor of the last row. Null if the page is empty.")


@strawberry.type(description="A row of a connection, and its place.")
class Edge(Generic[T]):
    """A row of a connection, and its place."""

    cursor: str = strawberry.field(description="The row's place, for `after` and `before`. Opaque.")
    node: T = strawberry.field(description="The row itself.")


@strawberry.type(description="A page of rows. `first` and `after` go forward, `last` and `before` backward.")
class Connection(Generic[T]):
    """A page of rows."""

    edges: list[Edge[T]] = strawberry.field(description="The rows of this page with their cursors.")
    nodes: list[T] = strawberry.field(description="The rows of this page.")
    page_info: PageInfo = strawberry.field(description="Where this page stands.")

    @strawberry.field(description="How many rows there are on all pages. Counted only when asked for.")
    async def total_count(self) -> int:
        """Count the rows; what stands behind `self` is a `Connected`."""
        return await self.count()  # type: ignore[attr-defined,no-any-return]  # see Connected


@dataclass(frozen=True, kw_only=True)
class PageArguments:
    """What a client asked of a connection."""

    first: int | None = None
    after: str | None = None
    last: int | None = None
    before: str | None = None

    def page(self, batch: Pages[Any], order: Order, epoch: str) -> Page:
        """Check the arguments. Raises `Invalid` for sizes out of bounds and cursors that are not of this order.

        Raises `Resync` for cursors of a database that a backup has taken the place of since: a page behind one would
        leave out and repeat what nobody could tell.
        """
        for cursor, field in ((self.after, "after"), (self.before, "before")):
            if cursor is not None and is_of_another(cursor, epoch):
                raise Resync(BEGIN_ANEW, field=field)
        if self.first is not None and self.last is not None:
            raise Invalid("Ask for the `first` rows or the `last`, not both.", field="last")
        return Page(
            limit=_size(self.first, "first", batch) if self.last is None else _size(self.last, "last", batch),
            after=None if self.after is None else read_cursor(self.after, batch, order, field="after"),
            before=None if self.before is None else read_cursor(self.before, batch, order, field="before"),
            is_backward=self.last is not None,
        )


@dataclass(frozen=True, kw_only=True)
class Connected(Generic[T]):
    """What a connection's resolver returns: a page that was read, and how to count the rest."""

    window: Window[T]
    page: Page
    order: Order
    batch: Pages[Any]
    key: Key
    wanted: Mapping[str, Any]
    loaders: Loaders

    @property
    def nodes(self) -> list[T]:
        """The rows."""
        return self.window.rows

    @property
    def edges(self) -> list[Edge[T]]:
        """The rows with their cursors."""
        return [Edge(cursor=self._cursor(row), node=row) for row in self.window.rows]

    @property
    def page_info(self) -> PageInfo:
        """Where the page stands."""
        rows = self.window.rows
        return PageInfo(
            has_next_page=self.page.before is not None if self.page.is_backward else self.window.has_more,
            has_previous_page=self.window.has_more if self.page.is_backward else self.page.after is not None,
            start_cursor=self._cursor(rows[0]) if rows else None,
            end_cursor=self._cursor(rows[-1]) if rows else None,
        )

    async def count(self) -> int:
        """Count the rows of all pages."""
        return await self.loaders.count(self.batch, self.key, self.wanted)

    def _cursor(self, row: T) -> str:
        return write_cursor(self.order.position(row), self.loaders.epoch)


@dataclass(frozen=True, kw_only=True)
class LinkEdge:
    """An edge of linked rows: what is true of the link is read off the link's own row."""

    cursor: str
    link: Any
    find: Callable[[Any], Awaitable[Any]]

    @property
    def node(self) -> Awaitable[Any]:
        """What the link leads to: looked for anew each time it is asked for, which may be under several names."""
        return self.find(self.link)

    def __getattr__(self, name: str) -> Any:
        """Return a column of the link."""
        return getattr(self.link, name)


@dataclass(frozen=True, kw_only=True)
class Linked:
    """What a connection's resolver returns whose rows are links: each leads to a row that is read by `batch`."""

    found: Connected[Any]
    batch: ToOne[Any]
    key: str

    @property
    def nodes(self) -> list[Awaitable[Any]]:
        """What the links lead to."""
        return [self._node(link) for link in self.found.nodes]

    @property
    def edges(self) -> list[LinkEdge]:
        """The links, each with its cursor."""
        return [LinkEdge(cursor=edge.cursor, link=edge.node, find=self._node) for edge in self.found.edges]

    @property
    def page_info(self) -> PageInfo:
        """Where the page stands."""
        return self.found.page_info

    async def count(self) -> int:
        """Count the links of all pages."""
        return await self.found.count()

    def _node(self, link: Any) -> Awaitable[Any]:
        return self.found.loaders.one(self.batch, getattr(link, self.key))


def write_cursor(position: Position, epoch: str = "") -> str:
    """Print a place in an order. With an epoch it says of which database it is: see `db.backups.epochs`."""
    place = urlsafe_b64encode(orjson.dumps([_printed(value) for value in position])).decode().rstrip("=")
    return f"{place}{_OF}{epoch}" if epoch else place


def epoch_of(cursor: str) -> str:
    """Return the epoch that a cursor says, empty if it says none."""
    return cursor.partition(_OF)[2]


def is_of_another(cursor: str, epoch: str) -> bool:
    """Say whether a cursor is of another database than the one of this epoch, as far as either is known."""
    of = epoch_of(cursor)
    return bool(of and epoch and of != epoch)


def read_cursor(cursor: str, batch: Pages[Any], order: Order, *, field: str) -> Position:
    """Read a place in an order. Raises `Invalid`, naming `field`, if it is not a cursor of this order."""
    columns = table_of(batch.model).c
    place = cursor.partition(_OF)[0]
    try:
        values = orjson.loads(urlsafe_b64decode(place + "=" * (-len(place) % 4)))
        types = [columns[name].type for name in order.columns]
        return tuple(_parsed(value, of) for value, of in zip(_listed(values), types, strict=True))
    except (ValueError, TypeError, OverflowError, NotBase64) as error:
        raise Invalid(
            "This is not a cursor of this connection in this order: take one from `pageInfo` or an edge.", field=field
        ) from error


def _size(asked: int | None, field: str, batch: Pages[Any]) -> int:
    size = DEFAULT_PAGE if asked is None else asked
    if not 0 <= size <= batch.most:
        raise Invalid(f"`{field}` is between 0 and {batch.most}; {size} was asked for.", field=field)
    return size


def _printed(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    return value.hex if isinstance(value, UUID) else value


def _listed(value: object) -> Sequence[Any]:
    if not isinstance(value, list):
        raise TypeError("a cursor holds a list")
    return value


def _parsed(value: Any, kind: TypeEngine[Any]) -> Any:
    """Return a cursor's value as its column holds it. Raises `TypeError` and `ValueError` for what it cannot hold."""
    # A decorated type would say `object`.
    kind = kind.impl_instance if isinstance(kind, TypeDecorator) else kind
    of = kind.python_type
    if of is datetime or of is UUID:
        return _instant(value) if of is datetime else UUID(hex=str(value))
    if not isinstance(value, of) or isinstance(value, bool):
        raise TypeError(f"not of type {of.__name__}")
    if isinstance(value, int) and not isinstance(kind, BigInteger) and abs(value) > _LARGEST_INTEGER:
        raise ValueError("out of bounds")
    if isinstance(value, str) and "\x00" in value:
        raise ValueError("no text of ours")
    return value


def _instant(value: Any) -> datetime:
    instant = datetime.fromisoformat(value)
    if instant.tzinfo is None:
        raise ValueError("an instant says its offset")
    return instant.astimezone(UTC)
