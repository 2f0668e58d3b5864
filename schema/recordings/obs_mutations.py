"""How OBS machines can be changed: by those who run the event, as the server calls where they say."""

from typing import Annotated, Any

import strawberry

from db.access.viewer import Role
from db.recordings import commands, machines
from schema.changes import change, changed
from schema.context import Asked
from schema.ids import decode_id
from schema.inputs import given
from schema.recordings.inputs import OBSMachineInput
from schema.recordings.mutations import done
from schema.recordings.types import OBSCommand, OBSMachine

MachineId = Annotated[strawberry.ID, strawberry.argument(description="The machine.")]
_MACHINE = "The machine after the change."


@strawberry.type
class OBSMutations:
    """How OBS machines can be changed."""

    @change(
        OBSMachine,
        "obs_machine",
        "Set up an OBS that films a mat. It is called at once, and again for ever.",
        result="The machine.",
        demand=Role.OPERATOR,
    )
    async def obs_machine_create(
        self,
        info: Asked,
        mat_id: Annotated[strawberry.ID, strawberry.argument(description="The mat it films, for good.")],
        input: Annotated[OBSMachineInput, strawberry.argument(description="The machine.")],
    ) -> Any:
        """Set up a machine."""
        id = decode_id(mat_id, kind="mat", field="mat_id")
        return await done(info, machines.create_machine, id, changes=given(input))

    @change(
        OBSMachine,
        "obs_machine",
        "Change a machine. It is called anew; with its clock, what its recordings show is corrected.",
        result=_MACHINE,
        demand=Role.OPERATOR,
    )
    async def obs_machine_update(
        self,
        info: Asked,
        id: MachineId,
        input: Annotated[OBSMachineInput, strawberry.argument(description="What to change.")],
    ) -> Any:
        """Change a machine."""
        async with info.context.db.transaction() as tx:
            return await machines.update_machine(tx, decode_id(id, kind="obsmachine"), given(input))

    @change(OBSMachine, "obs_machine", "Switch a machine on.", result=_MACHINE, demand=Role.OPERATOR)
    async def obs_machine_enable(self, info: Asked, id: MachineId) -> Any:
        """Switch a machine on."""
        return await done(info, machines.enable_machine, decode_id(id, kind="obsmachine"), is_enabled=True)

    @change(
        OBSMachine,
        "obs_machine",
        "Switch a machine off. What OBS is doing goes on.",
        result=_MACHINE,
        demand=Role.OPERATOR,
    )
    async def obs_machine_disable(self, info: Asked, id: MachineId) -> Any:
        """Switch a machine off."""
        return await done(info, machines.enable_machine, decode_id(id, kind="obsmachine"), is_enabled=False)

    @change(
        OBSMachine,
        "obs_machine",
        "Remove a machine. What it recorded stays, with the times it had.",
        result="The machine as it was.",
        demand=Role.OPERATOR,
    )
    async def obs_machine_delete(self, info: Asked, id: MachineId) -> Any:
        """Remove a machine."""
        async with info.context.db.transaction() as tx:
            return await machines.delete_machine(tx, decode_id(id, kind="obsmachine"))

    @change(
        OBSCommand,
        "command",
        "Save the replay buffer of an OBS. What is asked for within two seconds is one replay.",
        result="What OBS was told, which `recordingChanged` says more of.",
        demand=Role.OPERATOR,
    )
    async def replay_save(
        self,
        info: Asked,
        obs_machine_id: Annotated[strawberry.ID, strawberry.argument(description="The OBS.")],
    ) -> Any:
        """Save a replay."""
        id = decode_id(obs_machine_id, kind="obsmachine", field="obs_machine_id")
        return await changed(info, commands.save_replay, id)
