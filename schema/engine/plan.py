"""What a plan is made of.

A plan is a tree of selections. A `RowSelection` is what is wanted of a table's rows: printed values, and edges to
further rows. An `ObjectSelection` is what is wanted of plain objects: a mutation's payload, an event, a clock.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from graphql import FieldNode, GraphQLField, GraphQLLeafType, GraphQLOutputType
from sqlalchemy import Table

from db.batches import Pages, ToMany, ToOne
from db.blocks import Reading
from db.walks import Walk

if TYPE_CHECKING:
    from schema.engine.descending import Descending


class Unplanned(Exception):
    """The planner does not know this; graphql-core does. The message says what it was."""


class Abandoned(Exception):
    """Something went wrong while a plan ran: graphql-core runs the operation and says what, as the spec wants it."""


@dataclass(frozen=True, slots=True)
class FromColumn:
    """A value that stands in a column."""

    column: str


@dataclass(frozen=True, slots=True)
class FromIdentity:
    """A node's opaque id."""

    kind: str


@dataclass(frozen=True, slots=True)
class FromColumns:
    """A pure function of columns."""

    needs: tuple[str, ...]
    compute: Callable[..., Any]


@dataclass(frozen=True, slots=True)
class FromAttribute:
    """A plain object's attribute."""

    name: str


Source = FromColumn | FromIdentity | FromColumns | FromAttribute


@dataclass(frozen=True, slots=True)
class TypeName:
    """`__typename`."""

    key: str
    name: str


@dataclass(frozen=True, slots=True)
class Printed:
    """A leaf, or a list of leaves: `type` is the field's, with its wrappers."""

    key: str
    source: Source
    type: GraphQLOutputType
    leaf: GraphQLLeafType


@dataclass(frozen=True, slots=True)
class Composed:
    """A plain object made from columns or held by another object, printed on the spot."""

    key: str
    source: Source
    type: GraphQLOutputType
    selection: "ObjectSelection"


@dataclass(frozen=True, slots=True)
class HeldRows:
    """Rows that a plain object holds: a payload's changed thing, a viewer's user. Printed level by level."""

    key: str
    attribute: str
    type: GraphQLOutputType
    target: "Target"

    @property
    def takes_reads(self) -> bool:
        """Whether printing them takes reads: rows that are held already do not, unless something hangs on them."""
        if isinstance(self.target, RowSelection):
            return bool(self.target.edges)
        return isinstance(self.target, ByTable) or self.target.takes_reads


@dataclass(eq=False, slots=True)
class EdgeOne:
    """An edge to one row."""

    key: str
    path: str
    batch: ToOne[Any]
    parent_key: str
    is_nullable: bool
    selection: "RowSelection"
    compiled: dict[Any, Reading] = field(default_factory=dict)


@dataclass(eq=False, slots=True)
class EdgeMany:
    """An edge to all rows of a parent."""

    key: str
    path: str
    batch: ToMany[Any]
    parent_key: str
    selection: "RowSelection"
    # The same edge of these rows, and so on down: where it is a tree that is asked for, one statement reads all of it.
    below: "tuple[EdgeMany, ...]" = ()
    compiled: dict[Any, Reading] = field(default_factory=dict)


@dataclass(eq=False, slots=True)
class EdgePage:
    """An edge to a page of a parent's rows; of all rows if `parent_key` is None.

    `nodes` and `edges` of a connection may select different things of the same rows; each is a selection of its own
    over one read. `selection` holds the columns of both.
    """

    key: str
    path: str
    batch: Pages[Any]
    parent_key: str | None
    arguments: "Arguments"
    selection: "RowSelection"
    connection: "ConnectionSelection"
    compiled: dict[Any, Reading] = field(default_factory=dict)
    # What is read with it, found out when it is first read.
    descending: "Descending | None" = None


@dataclass(eq=False, slots=True)
class EdgeClaim:
    """Whether there is a row for a parent: something that is true of it for the viewer."""

    key: str
    path: str
    batch: ToOne[Any]
    parent_key: str
    selection: "RowSelection"
    compiled: dict[Any, Reading] = field(default_factory=dict)


@dataclass(eq=False, slots=True)
class EdgeWalk:
    """An edge to what lies above or below a row of a tree."""

    key: str
    path: str
    batch: Walk[Any]
    parent_key: str
    arguments: "Arguments"
    selection: "RowSelection"
    compiled: dict[Any, Reading] = field(default_factory=dict)


@dataclass(eq=False, slots=True)
class EdgeNode:
    """An edge to one row that may be of any of several tables: ids are never shared, so at most one has it."""

    key: str
    path: str
    parent_key: str
    choices: list[EdgeOne]
    # What a group of edges has in common; there is nothing of this one in it.
    selection: "RowSelection"
    batch: None = None


Edge = EdgeOne | EdgeMany | EdgePage | EdgeClaim | EdgeWalk | EdgeNode


@dataclass(slots=True)
class RowSelection:
    """What is wanted of a table's rows. `columns` are those that a read must bring, in this order."""

    type_name: str
    table: Table | None
    steps: "list[TypeName | Printed | Composed | Edge]"
    columns: tuple[str, ...]
    edges: list[Edge]
    # The same edges, those together that ask the same of the same rows under several names: one read serves a group.
    groups: list[list[Edge]] = field(default_factory=list)
    # Of groups that can wait, by their places: the edge, below or beside, that reads the same batch query for both.
    readers: dict[int, Edge] = field(default_factory=dict)
    assemblers: dict[str, Callable[..., list[dict[str, Any]]]] = field(default_factory=dict)


@dataclass(slots=True)
class ObjectSelection:
    """What is wanted of plain objects."""

    type_name: str
    steps: list[TypeName | Printed | Composed | HeldRows]
    assembler: Callable[[Any], dict[str, Any]] | None = None
    # What of it takes no reads, if some of it does.
    at_hand: "ObjectSelection | None" = None

    @property
    def holds_rows(self) -> bool:
        """Whether rows hang on it."""
        return any(isinstance(step, HeldRows) for step in self.steps)

    @property
    def takes_reads(self) -> bool:
        """Whether printing it takes reads."""
        return any(isinstance(step, HeldRows) and step.takes_reads for step in self.steps)


@dataclass(frozen=True, slots=True)
class ByTable:
    """Rows of several tables, told apart by the table they came from: an interface."""

    selections: Mapping[Table, RowSelection]


Target = RowSelection | ObjectSelection | ByTable


@dataclass(frozen=True, slots=True)
class PageInfoStep:
    """One of the fields of `pageInfo`, by its python name; `None` for its `__typename`."""

    key: str
    name: str | None


@dataclass(frozen=True, slots=True)
class EdgeStep:
    """One of the fields of `edges`: `cursor`, `node`, or `None` for its `__typename`."""

    key: str
    name: str | None
    type_name: str
    selection: RowSelection | None = None


@dataclass(frozen=True, slots=True)
class ConnectionStep:
    """One of the fields of a connection: `nodes`, `edges`, `page_info`, `total_count`, or None for `__typename`.

    Where the rows of the connection are links, `link` is what is wanted of each: under `nodes` the row it leads to,
    as `node`, and under `edges` all that is asked of the edge but its cursor.
    """

    key: str
    name: str | None
    type_name: str
    nodes: RowSelection | None = None
    edges: tuple[EdgeStep, ...] = ()
    page_info: tuple[PageInfoStep, ...] = ()
    link: RowSelection | None = None


@dataclass(slots=True)
class ConnectionSelection:
    """What is wanted of a connection."""

    steps: list[ConnectionStep]
    wants_rows: bool
    wants_total: bool
    counts: dict[Any, Reading] = field(default_factory=dict)

    @property
    def wants_more(self) -> bool:
        """Whether it is asked if there are further rows, which takes reading one."""
        names = {one.name for step in self.steps for one in step.page_info}
        return bool(names & {"has_next_page", "has_previous_page"})

    @property
    def wants_nodes_alone(self) -> bool:
        """Whether nothing but the rows is asked, as most do."""
        return [step.name for step in self.steps] == ["nodes"]

    def row_selections(self) -> "list[RowSelection]":
        """What is wanted of the rows, under `nodes` and under each `node`."""
        found = [one for step in self.steps for one in (step.nodes, step.link)]
        found += [edge.selection for step in self.steps for edge in step.edges]
        return [selection for selection in found if selection is not None]


@dataclass(frozen=True, slots=True)
class Arguments:
    """How a field's arguments are found at each run, by the names its resolver knows them by.

    `constants` are known now, and `variables` (resolver's name, variable's name) are scalars that are taken as they
    are if they are given. With `variables` None, or one of them null, graphql-core and Strawberry are asked.
    """

    field: GraphQLField
    node: FieldNode
    constants: Mapping[str, Any]
    variables: tuple[tuple[str, str], ...] | None
    convert: Callable[[Mapping[str, Any]], dict[str, Any]]


@dataclass(slots=True)
class RootLookup:
    """A root field that finds one row by the node id in its argument."""

    key: str
    path: str
    batch: ToOne[Any]
    kind: str
    is_nullable: bool
    arguments: Arguments
    selection: RowSelection
    compiled: dict[Any, Reading] = field(default_factory=dict)


@dataclass(slots=True)
class RootPage:
    """A root field that is a connection over all rows."""

    key: str
    edge: EdgePage


# Calls a field's resolver: what Strawberry's `Info` is made from, and the arguments as the resolver knows them.
Call = Callable[[Any, dict[str, Any]], Any]


@dataclass(slots=True)
class RootResolved:
    """A root field with a resolver of its own, whose answer is printed by plan. `is_event`: the answer is the event."""

    key: str
    path: str
    field: GraphQLField
    node: FieldNode
    arguments: Arguments
    # Without one, the field's own `resolve` is called, with all that Strawberry does on the way.
    call: Call | None
    target: Target | None
    leaf: Printed | None
    is_event: bool


Root = RootLookup | RootPage | RootResolved | TypeName


@dataclass(slots=True)
class Plan:
    """A compiled operation. `demands` must all be met before it runs."""

    roots: list[Root]
    demands: list[Callable[[Any], None]]
    is_serial: bool
