"""Where the engine meets graphql-core: the executor of queries, mutations, and each event of a subscription.

graphql-core hands us a validated operation with its variables coerced. If there is a plan for it, the plan answers.
If there is none, or it is abandoned half way, graphql-core answers as it always would; a mutation's resolvers are
not called again then: what they answered is kept, and only the printing of it starts anew.
"""

import logging
import time
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import strawberry
from graphql import ExecutionResult, GraphQLError, OperationDefinitionNode, OperationType
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from db.access.viewer import Role
from schema.context import Context, TooManyRows
from schema.engine.asking import Run, Traced
from schema.engine.cost import Budgets, Cost, Rate, cost_of, cost_without_plan, too_costly
from schema.engine.documents import Document, Documents
from schema.engine.explain import in_one_line
from schema.engine.introspection import Introspections
from schema.engine.plan import Plan, Unplanned
from schema.engine.planner import Planner
from schema.engine.running import Operation, event_printer, run_plan
from schema.engine.selections import asks_for_nothing_else, asks_for_schema, flags_of
from schema.engine.variables import Variables

_log = logging.getLogger(__name__)

_OPERATIONS_KEPT = 2000
# An operation has a plan for each way its @skip and @include fall.
_PLANS_OF_ONE = 64


class Asked(NamedTuple):
    """An operation as a client sent it."""

    text: str
    name: str | None
    variables: dict[str, Any]
    wants_explaining: bool = False
    wants_cost: bool = False


@dataclass(frozen=True, slots=True)
class _Known:
    """What is kept of an operation: how its variables are read, and its plans by the variables that choose fields.

    Of what has no plan, the cost is kept all the same.
    """

    operation: Operation
    variables: Variables
    flags: tuple[str, ...]
    # Whether it asks what the schema is, and whether it asks for nothing else.
    is_introspection: bool = False
    is_of_schema_alone: bool = False
    plans: dict[tuple[Any, ...], tuple[Plan | None, Cost]] = field(default_factory=dict)


class Engine:
    """The plans of one schema, and how often which path answered."""

    def __init__(self, schema: strawberry.Schema) -> None:
        self._planner = Planner(schema)
        self.documents = Documents(self._planner.schema)
        self.introspections = Introspections(self._planner.schema)
        self._known: OrderedDict[int, _Known] = OrderedDict()
        # By path: `planned`, `unplanned` and `abandoned`.
        self.counts: Counter[str] = Counter()
        # An operation that takes longer is logged with the steps of its plan.
        self.slow_seconds = 1.0
        # What tokens may spend; without budgets they may spend what they like.
        self.budgets: Budgets | None = None
        # How often one may change something.
        self.changes: Rate | None = None
        # Who may ask what the schema is. An overlay has no role, and so may not.
        self.introspection = Role.ADMIN

    @property
    def plan_count(self) -> int:
        """How many plans are kept."""
        return sum(len(known.plans) for known in self._known.values())

    async def answer(self, asked: Asked, context: Context) -> Any:
        """Return the `data` of a query or mutation, straight from its plan; `None` if graphql-core is to answer.

        This is the short way for a door that has nothing to tell graphql-core. What comes back is the whole answer,
        to be printed by `print_answer`, as parts of it may be printed already. An operation that met an error comes
        back as `None`, and may be run again with the same context.
        """
        if not context.may_plan or context.asker is None:
            return None
        document = self.documents.get(asked.text)
        operation = document.operation(asked.name)
        if operation is None or operation.operation is OperationType.SUBSCRIPTION:
            return None
        try:
            return await self._answer(asked, document, operation, context)
        except Exception as error:  # noqa: BLE001 -- whatever it was, graphql-core knows how to say it
            self._abandon(context, error)
            return None

    async def _answer(
        self, asked: Asked, document: Document, operation: OperationDefinitionNode, context: Context
    ) -> Any:
        known = self._know(operation, document.fragments)
        variables = known.variables.read(asked.variables)
        if variables is None:
            return None
        plan, cost = self._planned(known, variables)
        context.begin(operation)
        if known.is_of_schema_alone:
            return await self._introspect(asked, document, known, variables, context)
        if plan is None or self._charge(cost, variables, context) is not None:
            return None
        return await self._run(plan, context, variables, known.operation)

    async def _introspect(
        self, asked: Asked, document: Document, known: _Known, variables: Any, context: Context
    ) -> Any:
        """Return what the schema says of itself, printed; `None` where graphql-core is to say why not."""
        if document.node is None or self._refuse(known, variables, context) is not None:
            return None
        data = await self.introspections.answer(asked.text, document.node, asked.name, variables.coerced)
        if data is not None:
            self.counts["unplanned"] += 1
            context.path = "unplanned"
        return data

    async def run(self, plan: Plan, context: Context, executor: Any) -> dict[str, Any] | None:
        """Return the `data` of an operation that graphql-core's executor holds; `None` if it is to answer itself."""
        operation = Operation(executor.schema, executor.operation, executor.fragment_definitions, executor.root_value)
        try:
            return await self._run(plan, context, executor.variable_values, operation)
        except Exception as error:  # noqa: BLE001 -- as above
            self._abandon(context, error)
            return None

    def event_printer(self, plan: Plan) -> Callable[[Any], dict[str, Any]] | None:
        """Return what prints events of a subscription by themselves: see `schema.engine.running`."""
        printer = event_printer(plan)
        if printer is None:
            return None

        def print_event(event: Any) -> dict[str, Any]:
            data = printer(event)
            self.counts["planned"] += 1
            return data

        return print_event

    async def _run(self, plan: Plan, context: Context, variables: Any, operation: Operation) -> dict[str, Any]:
        viewer = context.viewer
        trace: list[Traced] = [] if context.trace is None else context.trace
        began = time.perf_counter()
        try:
            async with context.db.read() as session:
                run = Run(context, session, variables, viewer.kind, viewer.parameters, trace)
                data = await run_plan(plan, run, operation)
        finally:
            self._settle(context)
        seconds = time.perf_counter() - began
        if seconds > self.slow_seconds:
            name = operation.node.name.value if operation.node.name else "(unnamed)"
            _log.warning("slow operation %s took %.0f ms: %s", name, seconds * 1000, in_one_line(trace))
        self.counts["planned"] += 1
        context.statements = len(trace)
        context.path = "planned"
        return data

    def _settle(self, context: Context) -> None:
        """Charge what was read beyond what was reckoned."""
        beyond = context.rows.read - (context.cost or 0)
        if beyond > 0 and self.budgets is not None:
            self.budgets.owe(context.viewer.token_id, beyond, context.clock)

    def _abandon(self, context: Context, error: Exception) -> None:
        _log.debug("a plan was abandoned: %s", type(error).__name__)
        self.counts["abandoned"] += 1
        context.path = "abandoned"
        if not isinstance(error, TooManyRows):
            # What is read again must not count twice; who has read too much is stopped at once.
            context.rows.read = 0
        # It would be abandoned again.
        context.may_plan = False

    def plan(self, operation: OperationDefinitionNode, fragments: Any, variables: Any) -> Plan | None:
        """Return the plan of an operation, made at its first run; `None` if there can be none."""
        return self._planned(self._know(operation, fragments), variables)[0]

    def price(self, asked: Asked) -> int | None:
        """Return what an operation would cost; `None` for one that cannot be run."""
        document = self.documents.get(asked.text)
        operation = document.operation(asked.name)
        if operation is None:
            return None
        known = self._know(operation, document.fragments)
        variables = known.variables.read(asked.variables)
        return None if variables is None else self._planned(known, variables)[1].of(variables.coerced)

    def charge(
        self, operation: OperationDefinitionNode, fragments: Any, variables: Any, context: Context
    ) -> GraphQLError | None:
        """Charge an operation to the viewer's token, once; return why it is refused, if it is."""
        return self._refuse(self._know(operation, fragments), variables, context)

    def _refuse(self, known: _Known, variables: Any, context: Context) -> GraphQLError | None:
        if known.is_introspection and not context.viewer.has_role(self.introspection):
            return GraphQLError(
                f"Asking what the schema is needs the role {self.introspection}.", extensions={"code": "FORBIDDEN"}
            )
        return self._charge(self._planned(known, variables)[1], variables, context)

    def _charge(self, price: Cost, variables: Any, context: Context) -> GraphQLError | None:
        if context.cost is not None:
            return None
        cost = price.of(variables.coerced)
        if cost > self.documents.limits.cost:
            return too_costly(cost, self.documents.limits.cost)
        token_id, refused = context.viewer.token_id, None
        if context.is_change and self.changes is not None:
            refused = self.changes.spend(token_id, 1, context.clock)
        if refused is None and self.budgets is not None:
            refused = self.budgets.spend(token_id, cost, context.clock)
        if refused is None:
            context.cost, context.rows.most = cost, self.documents.limits.cost
        return refused

    def _planned(self, known: _Known, variables: Any) -> tuple[Plan | None, Cost]:
        """Return an operation's plan for these variables and what it costs, made at their first run."""
        key = tuple(variables.coerced.get(name) for name in known.flags) if known.flags else ()
        found = known.plans.get(key)
        if found is None:
            if len(known.plans) >= _PLANS_OF_ONE:
                known.plans.clear()
            plan = self._make(known.operation, dict(zip(known.flags, key, strict=True)))
            found = known.plans[key] = (plan, self._price(plan, known.operation))
        return found

    def _make(self, operation: Operation, flags: dict[str, Any]) -> Plan | None:
        node = operation.node
        try:
            return self._planner.plan(node, operation.fragments, flags)
        except Unplanned as reason:
            _log.debug("no plan for %s: %s", node.name.value if node.name else "(unnamed)", reason)
            return None

    def _price(self, plan: Plan | None, operation: Operation) -> Cost:
        if plan is not None:
            return cost_of(plan)
        node, schema = operation.node, self._planner.schema
        root = schema.get_root_type(node.operation)
        return Cost(1) if root is None else cost_without_plan(schema, root, node.selection_set, operation.fragments)

    def _know(self, operation: OperationDefinitionNode, fragments: Any) -> _Known:
        """Return what is kept of an operation, which is kept with it: while it is, no other can have its id."""
        known = self._known.get(id(operation))
        if known is None:
            schema = self._planner.schema
            whole = Operation(schema, operation, fragments, None)
            is_introspection = asks_for_schema(operation.selection_set, fragments)
            known = _Known(
                whole,
                Variables(schema, operation),
                flags_of(operation, fragments),
                is_introspection=is_introspection,
                is_of_schema_alone=is_introspection and asks_for_nothing_else(operation.selection_set, fragments),
            )
            self._known[id(operation)] = known
            if len(self._known) > _OPERATIONS_KEPT:
                self._known.popitem(last=False)
        else:
            self._known.move_to_end(id(operation))
        return known


def executor_for(engine: Engine) -> type[StrawberryGraphQLCoreExecutionContext]:
    """Return graphql-core's executor with an engine in it."""

    class PlannedExecutor(StrawberryGraphQLCoreExecutionContext):
        """Runs an operation by its plan where there is one."""

        @classmethod
        def build(cls, *arguments: Any, **options: Any) -> Any:
            """Make an executor, or return what is wrong with the variables; with hints only where they are wanted."""
            return super().build(*arguments, **{**options, "hide_suggestions": not engine.documents.gives_hints})

        def execute_operation(self, serially: bool | None = None) -> Any:  # noqa: FBT001 -- graphql-core's signature
            """Return the result, or an awaitable of it."""
            context = self.context_value
            if not isinstance(context, Context) or context.asker is None:
                return super().execute_operation(serially)
            context.begin(self.operation)
            refused = engine.charge(self.operation, self.fragment_definitions, self.variable_values, context)
            if refused is not None:
                return ExecutionResult(None, [refused])
            if not context.may_plan:
                return super().execute_operation(serially)
            plan = engine.plan(self.operation, self.fragment_definitions, self.variable_values)
            if plan is None:
                engine.counts["unplanned"] += 1
                context.path = "unplanned"
                return super().execute_operation(serially)
            return self._planned(plan, context, serially)

        async def _planned(self, plan: Plan, context: Context, serially: bool | None) -> Any:  # noqa: FBT001 -- as above
            data = await engine.run(plan, context, self)
            if data is not None:
                return ExecutionResult(data, None)
            result = super().execute_operation(serially)
            return await result if isinstance(result, Awaitable) else result

    return PlannedExecutor
