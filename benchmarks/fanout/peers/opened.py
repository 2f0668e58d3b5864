"""Ringside, saying at a third port for how long its collector stood in the way, and for how long anything did."""

import asyncio
import gc
import json
import time

from benchmarks.fanout.peers import ringside

_BEAT_SECONDS = 0.005
# As Python has them.
_UNTOUCHED = (700, 10, 10)


class Pauses:
    """How long the loop was kept from turning since that was last asked, in milliseconds."""

    def __init__(self) -> None:
        self.collections: list[float] = []
        self.late = 0.0
        self._began = 0.0

    def note(self, phase: str, _: object) -> None:
        """Hear of a collection."""
        if phase == "start":
            self._began = time.perf_counter()
        else:
            self.collections.append((time.perf_counter() - self._began) * 1000)

    async def beat(self) -> None:
        """Find out how late a timer can be."""
        while True:
            due = time.perf_counter() + _BEAT_SECONDS
            await asyncio.sleep(_BEAT_SECONDS)
            self.late = max(self.late, (time.perf_counter() - due) * 1000)

    def told(self) -> dict[str, float]:
        """Say it, and begin anew."""
        found, self.collections = self.collections, []
        late, self.late = self.late, 0.0
        return {"late": late, "longest": max(found, default=0.0), "all": sum(found), "count": len(found)}


async def main(port: int, mats: str, manner: str) -> None:
    """Serve in a manner: `served` as it is, `once` with the collector spared at the start alone, or `untouched`."""
    pauses = Pauses()
    gc.callbacks.append(pauses.note)

    async def tell(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readline():
            if manner == "untouched":
                gc.unfreeze()
                gc.set_threshold(*_UNTOUCHED)
            writer.write(json.dumps(pauses.told()).encode() + b"\n")

    async with await asyncio.start_server(tell, "127.0.0.1", port + 2), asyncio.TaskGroup() as tasks:
        tasks.create_task(pauses.beat())
        await ringside.main(port, mats, "1", manner)
