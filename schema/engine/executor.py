"""Where the engine meets graphql-core: the executor of queries, mutations, and each event of a subscription.

graphql-core hands us a validated operation with its variables coerced. If there is a plan for it, the plan answers.
If there is none, or it is abandoned half way, graphql-core answers as it always would; a mutation's resolvers are
not called again then: what they answered is kept, and only the printing of it starts anew.
"""

import logging
from collections import Counter, OrderedDict
from collections.abc import Awaitable
from typing import Any

import strawberry
from graphql import ExecutionResult, OperationDefinitionNode
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from schema.context import Context
from schema.engine.plan import Plan, Unplanned
from schema.engine.planner import Planner
from schema.engine.reading import Run
from schema.engine.running import Operation, run_plan
from schema.engine.selections import flags_of

_log = logging.getLogger(__name__)

_PLANS_KEPT = 2000


class Engine:
    """The plans of one schema, and how often which path answered."""

    def __init__(self, schema: strawberry.Schema) -> None:
        self._planner = Planner(schema)
        self._plans: OrderedDict[Any, tuple[OperationDefinitionNode, Plan | None]] = OrderedDict()
        self._flags: OrderedDict[int, tuple[OperationDefinitionNode, tuple[str, ...]]] = OrderedDict()
        # By path: `planned`, `unplanned` and `abandoned`.
        self.counts: Counter[str] = Counter()

    def plan(self, operation: OperationDefinitionNode, fragments: Any, variables: Any) -> Plan | None:
        """Return the plan of an operation, made at its first run; `None` if there can be none."""
        flags = {name: variables.coerced.get(name) for name in self._flags_of(operation, fragments)}
        key = (id(operation), *flags.values())
        known = self._plans.get(key)
        # The operation is kept with its plan: while it is, no other can have its id.
        if known is None or known[0] is not operation:
            known = self._plans[key] = (operation, self._make(operation, fragments, flags))
            if len(self._plans) > _PLANS_KEPT:
                self._plans.popitem(last=False)
        else:
            self._plans.move_to_end(key)
        return known[1]

    def _make(self, operation: OperationDefinitionNode, fragments: Any, flags: Any) -> Plan | None:
        try:
            return self._planner.plan(operation, fragments, flags)
        except Unplanned as reason:
            _log.debug("no plan for %s: %s", operation.name.value if operation.name else "(unnamed)", reason)
            return None

    def _flags_of(self, operation: OperationDefinitionNode, fragments: Any) -> tuple[str, ...]:
        known = self._flags.get(id(operation))
        if known is None or known[0] is not operation:
            known = self._flags[id(operation)] = (operation, flags_of(operation, fragments))
            if len(self._flags) > _PLANS_KEPT:
                self._flags.popitem(last=False)
        return known[1]


def executor_for(engine: Engine) -> type[StrawberryGraphQLCoreExecutionContext]:
    """Return graphql-core's executor with an engine in it."""

    class PlannedExecutor(StrawberryGraphQLCoreExecutionContext):
        """Runs an operation by its plan where there is one."""

        def execute_operation(self, serially: bool | None = None) -> Any:  # noqa: FBT001 -- graphql-core's signature
            """Return the result, or an awaitable of it."""
            context = self.context_value
            if not isinstance(context, Context) or not context.may_plan or context.asker is None:
                return super().execute_operation(serially)
            plan = engine.plan(self.operation, self.fragment_definitions, self.variable_values)
            if plan is None:
                engine.counts["unplanned"] += 1
                context.path = "unplanned"
                return super().execute_operation(serially)
            return self._planned(plan, context, serially)

        async def _planned(self, plan: Plan, context: Context, serially: bool | None) -> Any:  # noqa: FBT001 -- as above
            context.answered.clear()
            try:
                data = await self._data(plan, context)
            except Exception as error:  # noqa: BLE001 -- whatever it was, graphql-core knows how to say it
                _log.debug("a plan was abandoned", exc_info=error)
                engine.counts["abandoned"] += 1
                context.path = "abandoned"
                result = super().execute_operation(serially)
                return await result if isinstance(result, Awaitable) else result
            engine.counts["planned"] += 1
            context.path = "planned"
            return ExecutionResult(data, None)

        async def _data(self, plan: Plan, context: Context) -> dict[str, Any]:
            operation = Operation(self.schema, self.operation, self.fragment_definitions, self.root_value)
            async with context.db.read() as session:
                viewer = context.viewer
                run = Run(context, session, self.variable_values, viewer.kind, viewer.parameters, context.trace)
                return await run_plan(plan, run, operation)

    return PlannedExecutor
