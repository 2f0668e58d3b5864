"""OBS machines: each that is switched on has one client, as they are set up, changed and removed."""

import asyncio
from typing import TYPE_CHECKING

from api.workers.following import follow
from api.workers.obs_client import OBSClient, Patience
from api.workers.supervisor import Supervisor
from db.clock import Clock
from db.database import Database
from db.recordings import machines
from db.recordings.events import ALL_MACHINES, OBSMachineConfigured
from db.recordings.tables import OBSMachine

if TYPE_CHECKING:
    from uuid import UUID


class OBSMachines:
    """Keeps a client for each machine that is switched on."""

    def __init__(self, db: Database, clock: Clock, supervisor: Supervisor, *, patience: Patience | None = None) -> None:
        self._db = db
        self._clock = clock
        self._supervisor = supervisor
        self._patience = patience or Patience()
        self._running: dict[UUID, OBSMachine] = {}

    async def run(self) -> None:
        """Follow what is configured until cancelled, then stop all of it."""
        try:
            await follow(self._db, ALL_MACHINES, OBSMachineConfigured, self._follow)
        finally:
            await asyncio.gather(*(self._stop(running) for running in list(self._running.values())))

    def facts(self) -> dict[str, object]:
        """Say what health shows."""
        return {"machines": len(self._running)}

    async def _follow(self) -> None:
        """Stop clients that are not wanted any more or are wanted otherwise, then start those that are missing."""
        async with self._db.read() as session:
            known = await machines.list_machines(session)
        wanted = {one.id: one for one in known if one.is_enabled}
        for running in list(self._running.values()):
            if running.id not in wanted or wanted[running.id].revision != running.revision:
                await self._stop(running)
        for machine in wanted.values():
            if machine.id not in self._running:
                self._running[machine.id] = machine
                client = OBSClient(self._db, self._clock, machine, self._patience)
                self._supervisor.start(_name(machine), client.run, client.facts)

    async def _stop(self, running: OBSMachine) -> None:
        await self._supervisor.stop(_name(running))
        del self._running[running.id]


def _name(machine: OBSMachine) -> str:
    return f"OBS {machine.name} {machine.id.hex[-6:]}"
