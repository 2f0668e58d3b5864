"""Declaring the graph: a field is a column, a computed value or an edge, and says which.

Each function here makes a Strawberry field that any GraphQL execution can resolve, and leaves the declaration on it
(`declaration_of`), so that whoever plans a whole operation can read what the field needs without running it.
"""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Annotated, Any, TypeVar, dataclass_transform
from uuid import UUID

import strawberry
from sqlmodel import SQLModel
from strawberry.extensions import FieldExtension
from strawberry.types import Info
from strawberry.types.field import StrawberryField

from db.access.viewer import Role
from db.batches import Pages, ToMany, ToOne, table_of
from db.errors import Forbidden
from db.walks import Walk
from schema.connections import Connected, Linked, PageArguments
from schema.context import Context, Raised
from schema.ids import decode_id, encode_id

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)

_DECLARED = "ringside"
_ROOT_AND_INFO = (
    inspect.Parameter("root", inspect.Parameter.POSITIONAL_OR_KEYWORD),
    inspect.Parameter("info", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=Info[Context, None]),
)
_NOTHING = object()


@dataclass(frozen=True)
class Column:
    """The field is a column of its row."""

    name: str


@dataclass(frozen=True)
class Computed:
    """The field is a pure function of columns of its row."""

    needs: tuple[str, ...]
    compute: Callable[..., Any]


@dataclass(frozen=True)
class Identity:
    """The field is the opaque id of its row, a node of this kind."""

    kind: str


@dataclass(frozen=True)
class EdgeToOne:
    """The field is the one row whose key stands in column `key` of this row."""

    batch: ToOne[Any]
    key: str


@dataclass(frozen=True)
class EdgeToMany:
    """The field is all rows that name this row's column `key`."""

    batch: ToMany[Any]
    key: str


@dataclass(frozen=True)
class Claim:
    """The field says whether there is a row whose key stands in column `key` of this row."""

    batch: ToOne[Any]
    key: str


@dataclass(frozen=True)
class LinkNode:
    """The rows of a connection are links: each leads to the row whose key stands in its column `key`."""

    batch: ToOne[Any]
    key: str


@dataclass(frozen=True)
class EdgePages:
    """The field is a connection over the rows that name this row's column `key`; over all rows if `key` is None.

    With a `link` it shows what those rows lead to.
    """

    batch: Pages[Any]
    key: str | None
    link: LinkNode | None = None


@dataclass(frozen=True)
class Lookup:
    """The field is the row of the node id in argument `id`."""

    batch: ToOne[Any]
    kind: str


@dataclass(frozen=True)
class EdgeToWalk:
    """The field is what lies above or below this row of a tree."""

    batch: Walk[Any]
    key: str


@dataclass(frozen=True)
class EdgeToNode:
    """The field is the one row, of whichever of these tables, whose key stands in column `key` of this row."""

    batches: tuple[ToOne[Any], ...]
    key: str


Edge = EdgeToOne | EdgeToMany | EdgePages | EdgeToWalk | EdgeToNode | Claim
Declaration = Column | Identity | Computed | Edge | Lookup


@dataclass(frozen=True)
class NodeKind:
    """A kind of stored thing that `node(id)` finds."""

    kind: str
    batch: ToOne[Any]


# Filled by `node` as the types are declared.
node_kinds: dict[str, NodeKind] = {}
# By the name of the GraphQL type.
model_by_type: dict[str, type[SQLModel]] = {}


def declaration_of(field: StrawberryField) -> Declaration | None:
    """Return what a field was declared to be, `None` for fields with a resolver of their own."""
    declared: Declaration | None = field.metadata.get(_DECLARED)
    return declared


class Demand(FieldExtension):
    """What a field demands of the viewer: a role, or with `None` a token of any kind, an overlay's included.

    A field whose resolver reads many rows by itself demands so many of the token's budget, and notes those it read.
    """

    def __init__(self, role: Role | None, *, rows: int = 0) -> None:
        self.role = role
        self.rows = rows

    def resolve(self, next_: Callable[..., Any], source: Any, info: Info[Context, None], **arguments: Any) -> Any:
        """Check, then resolve."""
        self.check(info.context)
        return next_(source, info, **arguments)

    async def resolve_async(
        self, next_: Callable[..., Awaitable[Any] | Any], source: Any, info: Info[Context, None], **arguments: Any
    ) -> Any:
        """Check, then resolve; what a plan had answered before it was abandoned is not asked again.

        A subscription's resolver gives no awaitable but the stream itself.
        """
        kept = info.context.answered.get(str(info.path.key), _NOTHING) if info.path.prev is None else _NOTHING
        if isinstance(kept, Raised):
            raise kept.error
        if kept is not _NOTHING:
            return kept
        self.check(info.context)
        resolved = next_(source, info, **arguments)
        return await resolved if inspect.isawaitable(resolved) else resolved

    def check(self, context: Context) -> None:
        """Raise `Unauthenticated` without a token, `Forbidden` without the role."""
        viewer = context.viewer
        if self.role is None or viewer.has_role(self.role):
            return
        if viewer.is_overlay:
            raise Forbidden("An overlay token reads the nodes it is bound to and does nothing else.")
        raise Forbidden(f"This needs the role {self.role}; this token's user has the role {viewer.role}.")


def column(description: str, name: str | None = None) -> Any:
    """Declare a field that is read off the row. `name` is the column's, where it is not the field's own."""
    if name is None:
        return _field(description, Column(""))
    return _field(description, Column(name), lambda root: getattr(root, name))


def computed(description: str, needs: tuple[str, ...], compute: Callable[..., Any]) -> Any:
    """Declare a field that is a pure function of the columns it names."""

    def resolve(root: Any) -> Any:
        return compute(*(getattr(root, name) for name in needs))

    return _field(description, Computed(needs, compute), resolve)


def to_one(description: str, batch: ToOne[Any], *, key: str) -> Any:
    """Declare an edge to the row whose key stands in column `key`."""

    async def resolve(root: Any, info: Info[Context, None]) -> Any:
        value = getattr(root, key)
        return None if value is None else await info.context.loaders.one(batch, value)

    return _field(description, EdgeToOne(batch, key), resolve)


def to_node(description: str, batches: Iterable[ToOne[Any]], *, key: str) -> Any:
    """Declare an edge to a node of one of several kinds, whose id stands in column `key`."""
    among = tuple(batches)

    async def resolve(root: Any, info: Info[Context, None]) -> Any:
        value = getattr(root, key)
        if value is None:
            return None
        found = await asyncio.gather(*(info.context.loaders.one(batch, value) for batch in among))
        return next((row for row in found if row is not None), None)

    return _field(description, EdgeToNode(among, key), resolve)


def to_many(description: str, batch: ToMany[Any], *, key: str = "id") -> Any:
    """Declare an edge to all rows that name this one."""

    async def resolve(root: Any, info: Info[Context, None]) -> Any:
        return await info.context.loaders.many(batch, getattr(root, key))

    return _field(description, EdgeToMany(batch, key), resolve)


def claim(description: str, batch: ToOne[Any], *, key: str = "id") -> Any:
    """Declare a field that says whether there is a row for this one, as seen by the viewer."""

    async def resolve(root: Any, info: Info[Context, None]) -> bool:
        return await info.context.loaders.one(batch, getattr(root, key)) is not None

    return _field(description, Claim(batch, key), resolve)


def connection(
    description: str,
    batch: Pages[Any],
    *,
    key: str | None = "id",
    link: LinkNode | None = None,
    order: type[StrEnum] | None = None,
    filter: type[Any] | None = None,
    needs_filter: bool = False,
    demand: Demand | None = None,
) -> Any:
    """Declare a connection to the rows that name this one, or with `key=None` to all rows.

    `order` is the enum of the batch's orders, `filter` an input whose fields are the batch's filters. With a `link` the
    rows are links: the connection's nodes are what they lead to, and its edges have fields of the link.
    """

    async def resolve(root: Any, info: Info[Context, None], **arguments: Any) -> Any:
        found = await _connect(info.context, batch, None if key is None else getattr(root, key), arguments)
        return found if link is None else Linked(found=found, batch=link.batch, key=link.key)

    resolve.__signature__ = _connection_signature(batch, order, filter, needs_filter=needs_filter)  # type: ignore[attr-defined]  # read by inspect
    return _field(description, EdgePages(batch, key, link), resolve, demand)


def walk(description: str, batch: Walk[Any], *, key: str = "id", **arguments: str) -> Any:
    """Declare an edge to what lies above or below this row; `arguments` describe how far one may go."""

    async def resolve(root: Any, info: Info[Context, None], **given: Any) -> Any:
        return await info.context.loaders.walk(batch, getattr(root, key), batch.parameters(given))

    bounded = {
        name: f"{text} {batch.bounds[name].usual} if null, at most {batch.bounds[name].most}."
        for name, text in arguments.items()
    }
    parameters = [*_ROOT_AND_INFO, *(_argument(name, int | None, text) for name, text in bounded.items())]
    resolve.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # read by inspect
    return _field(description, EdgeToWalk(batch, key), resolve)


def lookup(description: str, kind: str, batch: ToOne[Any], *, demand: Demand) -> Any:
    """Declare a root field that finds one node by its id."""

    async def resolve(
        root: Any,
        info: Info[Context, None],
        id: Annotated[strawberry.ID, strawberry.argument(description="Its id.")],
    ) -> Any:
        return await info.context.loaders.one(batch, decode_id(id, kind=kind))

    return _field(description, Lookup(batch, kind), resolve, demand)


def node(kind: str, batch: ToOne[Any]) -> Callable[[type[T]], type[T]]:
    """Make a class the GraphQL type of a table's rows, found by `node(id)` under ids that begin with `kind`."""
    model = batch.model
    table = table_of(model)

    def declare(cls: type[T]) -> type[T]:
        node_kinds[kind] = NodeKind(kind, batch)
        model_by_type[cls.__name__] = model
        cls.__annotations__["id"] = strawberry.ID
        cls.id = _field("Opaque and lasting.", Identity(kind), lambda root: encode_id(kind, root.id))  # type: ignore[attr-defined]
        cls.is_type_of = classmethod(lambda _, row, __: getattr(row, "table", None) is table)  # type: ignore[attr-defined]
        return strawberry.type(cls, description=inspect.getdoc(cls))

    return declare


@dataclass_transform(kw_only_default=True, field_specifiers=(strawberry.field,))
def value(cls: type[T]) -> type[T]:
    """Make a class the GraphQL type of a value without an identity. Its docstring is its description."""
    return strawberry.type(cls, description=inspect.getdoc(cls))


def enum(of: type[E], description: str, **values: str) -> type[E]:
    """Show an enum in the graph, with a description for each of its values."""
    missing = set(of.__members__) ^ set(values)
    if missing:
        raise TypeError(f"{of.__name__}: describe each value once, these are not: {sorted(missing)}")
    shown: Any = strawberry.enum(of, description=f"{description} Values may be added.")
    for entry in shown.__strawberry_definition__.values:
        entry.description = values[entry.name]
    return of


@strawberry.interface(description="A stored thing that can be found again by its id.")
class Node:
    """A stored thing that can be found again by its id."""

    id: strawberry.ID = strawberry.field(description="Opaque and lasting.")


def filter_values(filter: Any) -> Mapping[str, Any]:
    """Return what an input of filters holds, by the names of the batch's filters, without what is null."""
    if filter is None:
        return {}
    given = {field.name: getattr(filter, field.name) for field in fields(filter)}
    return {name: value for name, value in given.items() if value is not None}


async def find_node(context: Context, text: str, kind: str) -> Any:
    """Return the row an opaque id names, `None` if it is gone or hidden."""
    known = node_kinds.get(kind)
    return None if known is None else await context.loaders.one(known.batch, decode_id(text, kind=kind))


async def _connect(context: Context, batch: Pages[Any], key: UUID | None, arguments: dict[str, Any]) -> Connected[Any]:
    order_by = arguments.pop("order_by", None)
    wanted = filter_values(arguments.pop("filter", None))
    order = batch.order(order_by)
    page = PageArguments(**arguments).page(batch, order, context.db.epoch)
    window = await context.loaders.page(batch, key, page, order_by, wanted)
    return Connected(
        window=window, page=page, order=order, batch=batch, key=key, wanted=wanted, loaders=context.loaders
    )


def _field(
    description: str,
    declared: Declaration,
    resolver: Callable[..., Any] | None = None,
    demand: Demand | None = None,
) -> Any:
    return strawberry.field(
        resolver=resolver,  # type: ignore[arg-type]  # None is how Strawberry says that there is no resolver
        description=description,
        metadata={_DECLARED: declared},
        extensions=[] if demand is None else [demand],
    )


def _connection_signature(
    batch: Pages[Any], order: type[StrEnum] | None, filter: type[Any] | None, *, needs_filter: bool
) -> inspect.Signature:
    most = f"at most {batch.most}."
    parameters = [
        *_ROOT_AND_INFO,
        _argument(
            "first", int | None, f"How many rows from the start: 20 if neither `first` nor `last` is given, {most}"
        ),
        _argument("after", str | None, "Only rows after this cursor."),
        _argument("last", int | None, f"How many rows from the end, {most} They come in the same order."),
        _argument("before", str | None, "Only rows before this cursor."),
    ]
    if order is not None:
        parameters.append(
            _argument("order_by", order | None, "The order of the rows; the first of its values if null.")
        )
    if filter is not None:
        optional = _argument("filter", filter | None, "Only rows that fit all that is given here.")
        required = _argument("filter", filter, "Rows that fit all that is given here.")
        parameters.append(required.replace(default=inspect.Parameter.empty) if needs_filter else optional)
    return inspect.Signature(parameters)


def _argument(name: str, annotation: Any, description: str) -> inspect.Parameter:
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[annotation, strawberry.argument(description=description)],
    )
