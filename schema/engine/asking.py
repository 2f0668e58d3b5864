"""Asking: one run of a plan, what it asks of the database, and the trace of what was answered."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from graphql.execution.values import VariableValues, get_argument_values

from db.access.viewer import ViewerKind
from db.batches import Asked, Chosen, Order, Page, asked, filter_parameters, page_parameters
from db.blocks import Reading, compile_reading
from db.descent import Descent
from db.session import Session
from db.statements import CompiledStatement, RawRow
from schema.connections import PageArguments
from schema.context import Context
from schema.engine.plan import Arguments, EdgePage
from schema.engine.sharing import Wishes
from schema.fields import filter_values

_KEYS_ALONE = ("keys",)


class Traced(NamedTuple):
    """One statement that was run: where in the operation, for how many keys, what came back and how long it took."""

    path: str
    sql: str
    keys: int
    rows: int
    seconds: float
    # Where the levels below stand that were read with it.
    below: tuple[str, ...] = ()


@dataclass(slots=True)
class Run:
    """One run of a plan."""

    context: Context
    session: Session
    variables: VariableValues
    kind: ViewerKind
    parameters: Mapping[str, Any]
    trace: list[Traced]
    wishes: Wishes = field(default_factory=Wishes)
    # Levels that were read with one above them, by the edges they are read for.
    levels: dict[int, Sequence[RawRow]] = field(default_factory=dict)

    @property
    def mode(self) -> str:
        """The database whose rows are read."""
        return self.session.dialect

    def arguments(self, arguments: Arguments) -> dict[str, Any]:
        """Return a field's arguments as its resolver would be given them."""
        found = dict(arguments.constants)
        for name, variable in arguments.variables or ():
            value = self.variables.coerced.get(variable)
            if value is None:
                return arguments.convert(self.graphql_arguments(arguments))
            found[name] = value
        return arguments.convert(self.graphql_arguments(arguments)) if arguments.variables is None else found

    def graphql_arguments(self, arguments: Arguments) -> Mapping[str, Any]:
        """Return a field's arguments as GraphQL knows them."""
        return get_argument_values(arguments.field, arguments.node, self.variables)

    def reading(
        self,
        kept: dict[Any, Reading],
        what: Any,
        build: Callable[[], Chosen],
        *,
        are_many: bool = False,
        by: str | None = None,
    ) -> Reading:
        """Return a compiled statement, kept with its step for this sort of viewer and question.

        `are_many` says that many rows are to be expected, and `by` which of their columns holds the keys.
        """
        key = (self.mode, self.kind, what, are_many)
        found = kept.get(key)
        if found is None:
            found = kept[key] = compile_reading(self.session.statements, build(), are_many=are_many, by=by)
        return found

    def question(self, edge: EdgePage) -> "Question":
        """Return what is asked of a connection in this run."""
        arguments = self.arguments(edge.arguments)
        order = edge.batch.order(arguments.pop("order_by", None))
        wanted = filter_values(arguments.pop("filter", None))
        page = PageArguments(**arguments).page(edge.batch, order, self.context.db.epoch)
        return Question(page, order, wanted, asked(page, order, wanted))

    async def fetch(
        self, path: str, reading: Reading, keys: Sequence[Any], parameters: Mapping[str, Any]
    ) -> Sequence[RawRow]:
        """Run a statement for all keys, which are as the driver gives them."""
        began = time.perf_counter()
        rows = reading.rows(await self._ask(reading.compiled, keys, parameters))
        self._note(Traced(path, reading.compiled.sql, len(keys), len(rows), time.perf_counter() - began))
        return rows

    async def fetch_levels(
        self, paths: Sequence[str], descent: Descent, keys: Sequence[Any], parameters: Mapping[str, Any]
    ) -> list[Sequence[RawRow]]:
        """Run a statement that reads several levels, the first of them for all keys."""
        began = time.perf_counter()
        levels = descent.levels(await self._ask(descent.compiled, keys, parameters))
        count, seconds = sum(map(len, levels)), time.perf_counter() - began
        self._note(Traced(paths[0], descent.compiled.sql, len(keys), count, seconds, tuple(paths[1:])))
        return levels

    async def _ask(
        self, statement: CompiledStatement, keys: Sequence[Any], parameters: Mapping[str, Any]
    ) -> Sequence[RawRow]:
        if statement.names == _KEYS_ALONE:
            return await self.session.raw(statement, [statement.printers["keys"](keys)])
        known = {**statement.constants, **parameters}
        arguments = [
            statement.printers["keys"](keys) if name == "keys" else known[name] if bind is None else bind(known[name])
            for name, bind in zip(statement.names, statement.binders, strict=True)
        ]
        return await self.session.raw(statement, arguments)

    def _note(self, traced: Traced) -> None:
        self.trace.append(traced)
        self.context.rows.note(traced.rows)


@dataclass(frozen=True, slots=True)
class Question:
    """What a client asked of a connection, values and all."""

    page: Page
    order: Order
    wanted: Mapping[str, Any]
    shape: Asked

    def parameters(self, *, wants_more: bool) -> dict[str, Any]:
        """Return the values of its parameters. The row that would tell of a next page is read if that is wanted."""
        values = {**page_parameters(self.page), **filter_parameters(self.wanted)}
        if not wants_more:
            values["limit"] = self.page.limit
        return values
