"""How executions can be brought about and changed, and taken in from elsewhere."""

from functools import partial
from typing import Annotated, Any

import strawberry

from db.access.viewer import Role
from db.accounts import executions
from db.accounts.importing import import_orders
from schema.accounts.inputs import ParameterInput, by_name
from schema.accounts.types import Execution
from schema.changes import change, change_one, changed
from schema.context import Asked
from schema.errors import RefusalsAsData, UserError
from schema.fields import Demand, value
from schema.ids import decode_id
from schema.practice.inputs import decode_some

_of_execution = partial(
    change_one,
    of=Execution,
    name="execution",
    kind="execution",
    argument="The execution.",
    result="The execution after the change.",
)


@strawberry.input(description="Something to be carried out once.")
class ExecutionInput:
    """Something to be carried out once."""

    target_url: str = strawberry.field(description="The address it is about.")
    quantity: int = strawberry.field(default=1, description="How much of it, as the service allows.")
    parameters: list[ParameterInput] | None = strawberry.field(
        default=None, description="What the service is told beside that. Null: nothing."
    )


@value
class ExecutionsTakenIn:
    """What came of taking orders in."""

    imported_count: int = strawberry.field(description="How many were taken in.")
    existing_count: int = strawberry.field(description="How many had been before, and were left alone.")


@strawberry.type(description="What came of it.")
class ExecutionsImportPayload:
    """What came of `executionsImport`."""

    result: ExecutionsTakenIn | None = strawberry.field(
        description="What was taken in. Null if it was refused: then nothing was."
    )
    errors: list[UserError] = strawberry.field(description="Why it was refused. Empty if it was not.")


@strawberry.type
class ExecutionMutations:
    """How executions can be brought about and changed."""

    @change(
        Execution,
        "execution",
        "Have something carried out now. Refused, with the guard's words, if one holds it back.",
        result="The execution.",
    )
    async def execution_create(
        self,
        info: Asked,
        service_id: Annotated[strawberry.ID, strawberry.argument(description="What is to be done.")],
        input: Annotated[ExecutionInput, strawberry.argument(description="For what, and how much.")],
        account_id: Annotated[
            strawberry.ID | None, strawberry.argument(description="The account it counts for. Null: none.")
        ] = None,
        may_repeat: Annotated[  # noqa: FBT002 -- GraphQL's arguments have names
            bool, strawberry.argument(description="Whether it may be done though it was within the last 24 hours.")
        ] = False,
    ) -> Any:
        """Have something carried out."""
        return await changed(
            info,
            executions.create_execution,
            owner_id=info.context.viewer.user_id,
            service_id=decode_id(service_id, kind="service", field="service_id"),
            target_url=input.target_url,
            quantity=input.quantity,
            parameters=by_name(input.parameters or ()),
            account_id=decode_some(account_id, kind="account", field="account_id"),
            may_repeat=may_repeat,
        )

    execution_cancel = _of_execution(
        "execution_cancel",
        "Cancel an execution: at once if it was not sent, otherwise as soon as its provider says so.",
        executions.cancel_execution,
    )

    @change(
        Execution,
        "execution",
        "Queue again what failed, was canceled or held back.",
        result="The execution after the change.",
    )
    async def execution_retry(
        self,
        info: Asked,
        id: Annotated[strawberry.ID, strawberry.argument(description="The execution.")],
        may_repeat: Annotated[  # noqa: FBT002 -- GraphQL's arguments have names
            bool,
            strawberry.argument(
                description="Whether it may be sent though it may have been carried out, as one that is UNKNOWN may."
            ),
        ] = False,
    ) -> Any:
        """Queue an execution again."""
        return await changed(info, executions.retry_execution, decode_id(id, kind="execution"), may_repeat=may_repeat)

    @change(
        Execution,
        "execution",
        "Say what became of an execution whose answer was lost, as you have found out elsewhere.",
        result="The execution after the change.",
    )
    async def execution_resolve(
        self,
        info: Asked,
        id: Annotated[strawberry.ID, strawberry.argument(description="The execution.")],
        was_carried_out: Annotated[bool, strawberry.argument(description="Whether it was done.")],
    ) -> Any:
        """Say what became of an execution."""
        execution = decode_id(id, kind="execution")
        return await changed(info, executions.resolve_execution, execution, was_carried_out=was_carried_out)

    @strawberry.mutation(
        description="Take in rows of `orders` or `execution_history` of the older dashboard, all or none, each once.",
        extensions=[RefusalsAsData(), Demand(Role.MEMBER)],
    )
    async def executions_import(
        self,
        info: Asked,
        document: Annotated[str, strawberry.argument(description="A JSON list of those rows.")],
    ) -> ExecutionsImportPayload:
        """Take orders in."""
        context = info.context
        owner_id = context.viewer.user_id
        async with context.db.transaction() as tx:
            found = await import_orders(tx, owner_id=owner_id, document=document, now=context.now())
        taken = ExecutionsTakenIn(imported_count=found.imported, existing_count=found.existing)
        return ExecutionsImportPayload(result=taken, errors=[])
