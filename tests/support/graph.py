"""The graph without a door: operations executed as some viewer."""

from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import orjson
from strawberry.types.execution import ExecutionResult

from db.access.viewer import Viewer
from db.clock import Clock
from db.database import Database
from db.flags.scanning import FlagFolder
from schema import Schema, build_schema
from schema.context import Context
from schema.scalars import print_answer


@cache
def the_schema() -> Schema:
    return build_schema()


def printed(data: dict[str, Any]) -> dict[str, Any]:
    """Return data as a client reads it."""
    read: dict[str, Any] = orjson.loads(print_answer(data))
    return read


class Graph:
    """Executes operations and says what came of them."""

    def __init__(self, db: Database, clock: Clock, viewer: Viewer | None, *, may_plan: bool = True) -> None:
        self.db = db
        self.clock = clock
        self.viewer = viewer
        self.may_plan = may_plan
        self.flags = FlagFolder()

    def as_viewer(self, viewer: Viewer | None) -> "Graph":
        return Graph(self.db, self.clock, viewer, may_plan=self.may_plan)

    def on_graphql_core(self) -> "Graph":
        """The same graph answered by graphql-core and the dataloaders, without plans."""
        return Graph(self.db, self.clock, self.viewer, may_plan=False)

    async def result(self, operation: str, **variables: Any) -> ExecutionResult:
        """Execute and return data and errors alike."""
        result = await the_schema().execute(operation, variable_values=variables, context_value=self._context())
        assert isinstance(result, ExecutionResult)
        return result

    async def execute(self, operation: str, **variables: Any) -> dict[str, Any]:
        """Execute what must succeed and return its data."""
        result = await self.result(operation, **variables)
        assert result.errors is None, result.errors
        assert result.data is not None
        return printed(result.data)

    async def refused(self, operation: str, **variables: Any) -> list[dict[str, Any]]:
        """Execute what must fail and return its errors, each as message, code and field."""
        result = await self.result(operation, **variables)
        return [{"message": error.message, **(error.extensions or {})} for error in result.errors or []]

    async def subscribe(self, operation: str, **variables: Any) -> AsyncGenerator[dict[str, Any], None]:
        """Yield the data of each message."""
        stream = await the_schema().subscribe(operation, variable_values=variables, context_value=self._context())
        async for result in stream:
            assert result.errors is None, result.errors
            assert result.data is not None
            yield printed(result.data)

    @contextmanager
    def statements(self) -> Iterator[list[str]]:
        """Collect the SQL of the statements that are run inside the block."""
        heard: list[str] = []
        self.db.on_statement = heard.append
        try:
            yield heard
        finally:
            self.db.on_statement = None

    def _context(self) -> Context:
        return Context(db=self.db, clock=self.clock, asker=self.viewer, flags=self.flags, may_plan=self.may_plan)
