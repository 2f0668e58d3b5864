"""How actions and their triggers can be changed."""

from functools import partial
from typing import Annotated, Any

import strawberry

from db.accounts import actions, executions
from schema.accounts.inputs import ActionInput, TriggerInput, said_of_action, timeless
from schema.accounts.types import Action, Execution, Trigger
from schema.accounts.vocabulary import TriggerKind
from schema.changes import change, change_one, changed
from schema.context import Asked
from schema.ids import decode_id
from schema.inputs import given

_of_action = partial(change_one, of=Action, name="action", kind="action", argument="The action.")
_of_trigger = partial(change_one, of=Trigger, name="trigger", kind="trigger", argument="The trigger.")


@strawberry.type
class ActionMutations:
    """How actions and their triggers can be changed."""

    @change(
        Action,
        "action",
        "Have a service run for an account, for each of its new posts unless it is said otherwise.",
        result="The action after the change.",
    )
    async def action_create(
        self,
        info: Asked,
        account_id: Annotated[strawberry.ID, strawberry.argument(description="The account.")],
        service_id: Annotated[strawberry.ID, strawberry.argument(description="The service, for good.")],
        input: Annotated[ActionInput, strawberry.argument(description="The action.")],
    ) -> Any:
        """Make an action."""
        account = decode_id(account_id, kind="account", field="account_id")
        service = decode_id(service_id, kind="service", field="service_id")
        return await changed(info, actions.create_action, account, service, said_of_action(input))

    @change(
        Action, "action", "Change some of an action. What is not named stays.", result="The action after the change."
    )
    async def action_update(
        self,
        info: Asked,
        id: Annotated[strawberry.ID, strawberry.argument(description="The action.")],
        input: Annotated[ActionInput, strawberry.argument(description="What to change.")],
    ) -> Any:
        """Change some of an action."""
        return await changed(info, actions.update_action, decode_id(id, kind="action"), said_of_action(input))

    action_activate = _of_action(
        "action_activate",
        "Let an action run by itself.",
        actions.activate_action,
        result="The action after the change.",
        is_active=True,
    )

    action_deactivate = _of_action(
        "action_deactivate",
        "Let an action run by hand alone.",
        actions.activate_action,
        result="The action after the change.",
        is_active=False,
    )

    action_delete = _of_action(
        "action_delete",
        "Remove an action with its triggers. What it carried out stays.",
        timeless(actions.delete_action),
        result="The action as it was.",
    )

    @change(
        Execution,
        "execution",
        "Run an action now, for its account's own address. Refused, with the guard's words, if one holds it back.",
        result="The execution.",
    )
    async def action_run(
        self,
        info: Asked,
        id: Annotated[strawberry.ID, strawberry.argument(description="The action.")],
        may_repeat: Annotated[  # noqa: FBT002 -- GraphQL's arguments have names
            bool, strawberry.argument(description="Whether it may run though it did within the last 24 hours.")
        ] = False,
    ) -> Any:
        """Run an action."""
        return await changed(info, executions.run_action, decode_id(id, kind="action"), may_repeat=may_repeat)

    @change(
        Trigger,
        "trigger",
        "Make an action run at times, under a condition, or whenever somebody pulls this.",
        result="The trigger.",
    )
    async def trigger_create(
        self,
        info: Asked,
        action_id: Annotated[strawberry.ID, strawberry.argument(description="The action.")],
        kind: Annotated[TriggerKind, strawberry.argument(description="What it is, for good.")],
        input: Annotated[TriggerInput, strawberry.argument(description="When it makes the action run.")],
    ) -> Any:
        """Make a trigger."""
        action = decode_id(action_id, kind="action", field="action_id")
        return await changed(info, actions.create_trigger, action, kind=kind, changes=given(input))

    trigger_activate = _of_trigger(
        "trigger_activate",
        "Switch a trigger on. What fell due while it was off is not made up for.",
        actions.activate_trigger,
        result="The trigger after the change.",
        is_active=True,
    )

    trigger_deactivate = _of_trigger(
        "trigger_deactivate",
        "Switch a trigger off.",
        actions.activate_trigger,
        result="The trigger after the change.",
        is_active=False,
    )

    trigger_delete = _of_trigger(
        "trigger_delete",
        "Remove a trigger. What it carried out stays.",
        timeless(actions.delete_trigger),
        result="The trigger as it was.",
    )

    trigger_pull = change_one(
        "trigger_pull",
        "Pull a trigger of the kind MANUAL: its action runs.",
        actions.pull_trigger,
        of=Execution,
        name="execution",
        kind="trigger",
        argument="The trigger.",
        result="The execution.",
    )
