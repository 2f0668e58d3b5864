"""Cost: how many rows an operation may read, computed from its plan before it runs, and a budget of it for each token.

A row that is looked up costs one, a page one and the rows it may have, and what hangs on the rows of a page costs as
much for each of them. Sizes that are variables are filled in at each run; everything else is added up once.

How long a list without pages is, nobody knows before it is read: it is taken for a short one, and what was really read
is counted. Who reads more than an operation may is stopped there, and who reads more than was charged owes the rest.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from math import ceil, prod
from typing import Any, cast
from uuid import UUID

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    NullValueNode,
    SelectionSetNode,
    VariableNode,
    get_named_type,
    get_nullable_type,
    is_list_type,
)

from db.batches import LARGEST_PAGE
from db.clock import Clock
from schema.connections import DEFAULT_PAGE
from schema.engine.plan import (
    ByTable,
    Edge,
    EdgeMany,
    EdgeNode,
    EdgePage,
    EdgeWalk,
    HeldRows,
    Plan,
    RootLookup,
    RootPage,
    RootResolved,
    RowSelection,
    Target,
)
from schema.fields import Demand, EdgePages, declaration_of

# What a list without pages may have, and what counting takes: neither is known before it is read.
ROWS_OF_A_LIST = 10
_ROWS_TO_COUNT = 10
# What a walk may have whose bounds are not looked at.
_MOST_WALKED = 2_000
# The arguments that say how many, as a number or as a list.
_SIZES = ("first", "last", "ids")

# The part of a budget that has to be gone before other processes are told what was spent of it.
_WORTH_TELLING = 0.1
# How many may come at once, in multiples of what may come in a second.
_AT_ONCE = 10

# The variable that says how many, and how many at most.
_Named = tuple[str, int]
# So many rows, times the values of these variables.
_Term = tuple[int, tuple[_Named, ...]]
# A factor: so many, or the variable that says how many.
_Factor = int | _Named


@dataclass(frozen=True, slots=True)
class Cost:
    """What a plan costs: a number, and terms that hang on variables. Nothing is free: it is one at least."""

    fixed: int
    terms: tuple[_Term, ...] = ()

    def of(self, variables: Mapping[str, Any]) -> int:
        """Return it for these variables."""
        if not self.terms:
            return self.fixed or 1
        varying = sum(
            rows * prod(_size(variables.get(name), most) for name, most in names) for rows, names in self.terms
        )
        return self.fixed + varying or 1


def cost_of(plan: Plan) -> Cost:
    """Add up what a plan may read."""
    return _added(_of_roots(plan))


def _added(terms: Iterable[_Term]) -> Cost:
    sums: dict[tuple[_Named, ...], int] = {}
    for rows, names in terms:
        sums[names] = sums.get(names, 0) + rows
    fixed = sums.pop((), 0)
    return Cost(fixed, tuple((rows, names) for names, rows in sums.items()))


def _of_roots(plan: Plan) -> Iterator[_Term]:
    for root in plan.roots:
        if isinstance(root, RootLookup):
            yield 1, ()
            yield from _of_rows(root.selection)
        elif isinstance(root, RootPage):
            yield from _of_edge(root.edge)
        elif isinstance(root, RootResolved):
            yield from _demanded(root.field)
            inner = () if root.target is None else _of_target(root.target)
            yield from _times(_asked(root.node) if _is_list(root.field.type) else 1, _with_one(inner))


def _demanded(field: GraphQLField) -> Iterator[_Term]:
    """Give what a field's resolver reads by itself, where it says so."""
    for one in field.extensions["strawberry-definition"].extensions:
        if isinstance(one, Demand) and one.rows:
            yield one.rows, ()


def _of_target(target: Target) -> Iterator[_Term]:
    if isinstance(target, RowSelection):
        yield from _of_rows(target)
    elif isinstance(target, ByTable):
        # Each may be of any of the tables.
        for selection in target.selections.values():
            yield from _of_rows(selection)
    else:
        for step in target.steps:
            if isinstance(step, HeldRows):
                yield 1, ()
                yield from _times(ROWS_OF_A_LIST if _is_list(step.type) else 1, _of_target(step.target))


def _of_rows(selection: RowSelection) -> Iterator[_Term]:
    for edge in selection.edges:
        yield from _of_edge(edge)


def _of_edge(edge: Edge) -> Iterator[_Term]:
    if isinstance(edge, EdgeMany):
        yield from _of_list(edge, 1)
        return
    if isinstance(edge, EdgeWalk):
        bound = edge.batch.bounds["most"]
        yield from _times(_walked(edge.arguments.node, bound.usual, bound.most), _with_one(_of_rows(edge.selection)))
        return
    if isinstance(edge, EdgeNode):
        # One of them has the row, and it may be any.
        yield 1, ()
        for choice in edge.choices:
            yield from _of_rows(choice.selection)
        return
    if not isinstance(edge, EdgePage):
        yield from _with_one(_of_rows(edge.selection))
        return
    inner = [term for rows in edge.connection.row_selections() for term in _of_rows(rows)]
    if edge.connection.wants_rows:
        # One row more than is shown may be read, to know whether there are more.
        yield 1, ()
        yield from _times(_asked(edge.arguments.node, edge.batch.most), _with_one(inner))
    if edge.connection.wants_total:
        yield _ROWS_TO_COUNT, ()


def _of_list(edge: EdgeMany, parents: int) -> Iterator[_Term]:
    """Add up the lists of so many parents. Each row has one parent, so no level of a tree has more than the tree."""
    rows = parents * ROWS_OF_A_LIST
    if edge.batch.tree is not None:
        rows = min(rows, edge.batch.tree)
    yield rows, ()
    for inner in edge.selection.edges:
        if isinstance(inner, EdgeMany) and inner.batch is edge.batch:
            yield from _of_list(inner, rows)
        else:
            yield from _times(rows, _of_edge(inner))


def _walked(node: FieldNode, usual: int, most: int) -> int:
    """Return how many rows a walk may read; where a variable says that, as many as it may say."""
    for argument in node.arguments or ():
        if argument.name.value == "most" and not isinstance(argument.value, NullValueNode):
            given = argument.value
            return min(max(int(given.value), 0), most) if isinstance(given, IntValueNode) else most
    return usual


def _with_one(terms: Iterable[_Term]) -> Iterator[_Term]:
    yield 1, ()
    yield from terms


def _times(factor: _Factor, terms: Iterable[_Term]) -> Iterator[_Term]:
    for rows, names in terms:
        if isinstance(factor, int):
            yield rows * factor, names
        else:
            yield rows, (*names, factor)


def _asked(node: FieldNode, most: int = LARGEST_PAGE) -> _Factor:
    """Return how many rows a field asks for, of which it may give `most`: a number, or the variable that says so."""
    for argument in node.arguments or ():
        if argument.name.value in _SIZES:
            if isinstance(argument.value, VariableNode):
                return argument.value.name.value, most
            if isinstance(argument.value, IntValueNode):
                return _size(int(argument.value.value), most)
            if isinstance(argument.value, ListValueNode):
                return len(argument.value.values)
    return DEFAULT_PAGE


def _size(value: Any, most: int) -> int:
    """Return how many rows a page of this size may have: a size out of bounds is refused before it is read."""
    if isinstance(value, list):
        return len(value)
    return min(max(value, 0), most) if isinstance(value, int) else DEFAULT_PAGE


def cost_without_plan(
    schema: GraphQLSchema,
    root: GraphQLObjectType,
    selection_set: SelectionSetNode,
    fragments: Mapping[str, FragmentDefinitionNode],
) -> Cost:
    """Add up what an operation that there is no plan for may read, by its types: rather too much than too little."""
    return _added(_Estimating(schema, fragments).selection(root, selection_set, is_page=False))


class _Estimating:
    def __init__(self, schema: GraphQLSchema, fragments: Mapping[str, FragmentDefinitionNode]) -> None:
        self._schema = schema
        self._fragments = fragments

    def selection(self, type_: Any, selection_set: SelectionSetNode, *, is_page: bool) -> Iterator[_Term]:
        for selection in selection_set.selections:
            if isinstance(selection, FieldNode):
                yield from self._field(type_, selection, is_page=is_page)
                continue
            fragment = (
                self._fragments[selection.name.value]
                if isinstance(selection, FragmentSpreadNode)
                else cast("InlineFragmentNode", selection)
            )
            condition = fragment.type_condition
            of = type_ if condition is None else self._schema.type_map[condition.name.value]
            yield from self.selection(of, fragment.selection_set, is_page=is_page)

    def _field(self, type_: Any, node: FieldNode, *, is_page: bool) -> Iterator[_Term]:
        """Add up a field; in a page (`is_page`) the rows were counted with the page itself."""
        name = node.name.value
        if name.startswith("__"):
            if node.selection_set is not None:
                # The schema is not read from the database; walking it takes time all the same.
                yield ROWS_OF_A_LIST, ()
            return
        field = type_.fields[name]
        yield from _demanded(field)
        if node.selection_set is None:
            return
        named = get_named_type(field.type)
        if not isinstance(named, GraphQLObjectType | GraphQLInterfaceType):
            return
        is_connection = "first" in field.args
        factor: _Factor = 1
        if is_connection:
            factor = _asked(node, _most_of(field))
        elif "most" in field.args:
            factor = _walked(node, _MOST_WALKED, _MOST_WALKED)
        elif _is_list(field.type) and not is_page:
            factor = _asked(node) if "ids" in field.args else ROWS_OF_A_LIST
        inner = self.selection(named, node.selection_set, is_page=is_connection or (is_page and name == "edges"))
        yield from _times(factor, inner if is_page else _with_one(inner))


def _most_of(field: GraphQLField) -> int:
    """Return how many rows a page of a connection may have."""
    declared = declaration_of(field.extensions["strawberry-definition"])
    return declared.batch.most if isinstance(declared, EdgePages) else LARGEST_PAGE


def _is_list(type_: GraphQLOutputType) -> bool:
    return is_list_type(get_nullable_type(type_))


class _Budget:
    __slots__ = ("at", "left", "untold")

    def __init__(self, left: float, at: float) -> None:
        self.left = left
        self.at = at
        # What was spent here since other processes were told of it.
        self.untold = 0.0


class Budgets:
    """What each token may still spend: refilled all the time, never more than `most`.

    Spending is a subtraction. Somebody calls `refill` now and then; in between, the clock is asked only for whoever
    seems to have run out.
    """

    def __init__(self, *, most: int, per_second: float) -> None:
        self.most = most
        self.per_second = per_second
        # Of those who have spent anything that was not refilled yet, by the number of the token: a UUID is slow.
        self._budgets: dict[int, _Budget] = {}

    def __len__(self) -> int:
        """How many have less than all of it."""
        return len(self._budgets)

    def spend(self, token_id: UUID, cost: int, clock: Clock) -> GraphQLError | None:
        """Take a cost off a token's budget; return why not if it does not hold that much."""
        budget = self._budgets.get(token_id.int)
        if budget is None:
            budget = self._budgets[token_id.int] = _Budget(self.most, clock.now().timestamp())
        if budget.left < cost:
            self._refill(budget, clock.now().timestamp())
            if budget.left < cost:
                return self._refused(cost, budget)
        budget.left -= cost
        budget.untold += cost
        return None

    def owe(self, token_id: UUID, rows: int, clock: Clock) -> None:
        """Take off what was read beyond the cost: a budget may fall below nothing, and is refilled from there."""
        if self.spend(token_id, rows, clock) is not None:
            budget = self._budgets[token_id.int]
            budget.left -= rows
            budget.untold += rows

    def untold(self) -> dict[UUID, int]:
        """Return what was spent here since this was asked last, by those whose budget it makes a difference to.

        Whoever has nearly all of it left has spent nothing worth telling.
        """
        enough = self.most * (1 - _WORTH_TELLING)
        told: dict[UUID, int] = {}
        for token, budget in self._budgets.items():
            if budget.untold and budget.left < enough:
                told[UUID(int=token)] = round(budget.untold)
                budget.untold = 0.0
        return told

    def take_off(self, token_id: UUID, cost: int, now: datetime) -> None:
        """Note what a token has spent elsewhere. A budget may fall below nothing, and is refilled from there."""
        budget = self._budgets.get(token_id.int)
        if budget is None:
            budget = self._budgets[token_id.int] = _Budget(self.most, now.timestamp())
        budget.left -= cost

    def refill(self, now: datetime) -> None:
        """Give everybody what time has brought, and forget those who have all of it again."""
        at = now.timestamp()
        for budget in self._budgets.values():
            self._refill(budget, at)
        self._budgets = {token: budget for token, budget in self._budgets.items() if budget.left < self.most}

    def left(self, token_id: UUID) -> int:
        """Return what a token had left when that was last looked at."""
        budget = self._budgets.get(token_id.int)
        return self.most if budget is None else int(budget.left)

    def _refill(self, budget: _Budget, at: float) -> None:
        if at > budget.at:
            budget.left = min(self.most, budget.left + (at - budget.at) * self.per_second)
        # Also where the clock was set back: nobody waits until it is as late again.
        budget.at = at

    def _refused(self, cost: int, budget: _Budget) -> GraphQLError:
        left, seconds = max(0, int(budget.left)), max(1, ceil((cost - budget.left) / self.per_second))
        numbers = {"cost": cost, "left": left, "most": self.most, "retryAfterSeconds": seconds}
        return GraphQLError(
            f"This costs {cost} and {left} are left of this token's budget. Try again in {seconds} s.",
            extensions={"code": "RATE_LIMITED", **numbers},
        )


class Rate(Budgets):
    """How often a token may do something: so many times a second, and ten times as many at once."""

    def __init__(self, what: str, *, per_second: float) -> None:
        super().__init__(most=max(1, round(per_second * _AT_ONCE)), per_second=per_second)
        self._what = what

    def _refused(self, cost: int, budget: _Budget) -> GraphQLError:
        seconds = max(1, ceil((cost - budget.left) / self.per_second))
        return GraphQLError(
            f"This token has sent too many {self._what}: {self.per_second:g} a second are taken, and {self.most} at "
            f"once. Try again in {seconds} s.",
            extensions={"code": "RATE_LIMITED", "retryAfterSeconds": seconds},
        )


def too_costly(cost: int, most: int) -> GraphQLError:
    """Return how an operation is refused that costs more than any may."""
    return GraphQLError(
        f"This may read {cost} rows; an operation may read {most}. Ask for smaller pages, or for fewer inside pages.",
        extensions={"code": "BAD_USER_INPUT", "limit": "cost", "found": cost, "most": most},
    )
