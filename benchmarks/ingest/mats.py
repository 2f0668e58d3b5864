"""Many mats at once: a fight is replayed to each over real UDP, and every log and every overlay is looked at.

    uv run python -m benchmarks.ingest.mats --mats 32 --speed 60

Each mat has a listener of its own. The senders are one process. An overlay watches each mat as a browser would, through
the graph. In the end every log must be the capture, byte for byte, and every overlay must have come to what the fight
came to, over revisions that only ever grew.
"""

import argparse
import asyncio
import itertools
import json
import multiprocessing
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlmodel import col, select

from api.capture import read_capture
from api.collector import spare_the_collector
from api.demo import CAPTURE
from api.loop import run as run_on_fastest_loop
from api.migrate import migrate_up
from api.replay import replay
from api.workers.listeners import Listeners, Terms
from api.workers.supervisor import Supervisor
from db.access.viewer import Role, Viewer
from db.clock import SystemClock
from db.connecting import connect
from db.database import Database
from db.ids import new_id
from db.matches import operations as matches
from db.matches.tables import MatchEvent
from db.network import operations as network
from db.network.tables import ListenerSession
from schema import build_schema
from schema.context import Context
from schema.ids import encode_id

_WATCH = """
subscription ($mat: ID!) {
  scoreboardChanged(matId: $mat) {
    scoreboard {
      revision state outcome winnerName roundScore resultCode
      blue { name score gamJeoms roundsWon roundScores } red { name score gamJeoms roundsWon roundScores }
    }
  }
}
"""
_PATIENCE_SECONDS = 60.0


def main() -> None:
    """Replay, compare, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mats", type=int, default=32, help="how many")
    parser.add_argument("--speed", type=float, default=60.0, help="how fast the fights are replayed")
    parser.add_argument("--database", help="an empty PostgreSQL database, instead of a SQLite file of its own")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ringside-mats-") as folder:
        url = options.database or f"sqlite:///{Path(folder) / 'mats.db'}"
        migrate_up(url)
        run_on_fastest_loop(lambda: _measure(url, options.mats, options.speed))


async def _measure(url: str, mats: int, speed: float) -> None:
    db = await connect(url)
    supervisor = Supervisor(SystemClock())
    listeners = Listeners(db, SystemClock(), supervisor, Terms())
    supervisor.start("listeners", listeners.run)
    supervisor.start("listener reports", listeners.report)
    spare_the_collector()
    mat_ids, ports = await _lay(db, listeners, mats)
    wires = [message.wire.encode() for message in read_capture(CAPTURE)]
    watching = [asyncio.create_task(_watch(db, mat_id)) for mat_id in mat_ids]
    began, busy = time.perf_counter(), time.process_time()
    sender = multiprocessing.get_context("spawn").Process(target=_send, args=(ports, speed))
    sender.start()
    await asyncio.to_thread(sender.join)
    async with asyncio.timeout(_PATIENCE_SECONDS):
        shown = await asyncio.gather(*watching)
    took, busy = time.perf_counter() - began, time.process_time() - busy
    await supervisor.close()
    wrong = [mat_id for mat_id in mat_ids if await _log_of(db, mat_id) != wires]
    counted = await _counted(db)
    await db.close()
    assert not wrong, f"{len(wrong)} of {mats} logs are not what was sent"
    assert len({json.dumps(boards[-1] | {"revision": 0}, sort_keys=True) for boards in shown}) == 1
    assert all(_grows([board["revision"] for board in boards]) for boards in shown)
    assert counted == [len(wires)] * mats
    messages = len(wires) * mats
    figures = {
        "mats": mats,
        "messages": messages,
        "seconds": round(took, 2),
        "per second": round(messages / took),
        "CPU µs each": round(busy / messages * 1e6, 1),
        "logs that are exact": mats,
        "overlays that are right": mats,
        "boards an overlay was sent, on average": round(sum(map(len, shown)) / mats, 1),
        "how it ended": shown[0][-1],
    }
    print(json.dumps(figures, ensure_ascii=False, indent=1))


async def _lay(db: Database, listeners: Listeners, mats: int) -> tuple[list[UUID], list[int]]:
    mat_ids, ports = [], []
    for number in range(mats):
        now = SystemClock().now()
        async with db.transaction() as tx:
            mat = await matches.create_mat(tx, name=f"Mat {number:02}", now=now)
            row = await network.create_listener(tx, mat.id, changes={"name": mat.name, "port": 0}, viewer=None, now=now)
        mat_ids.append(mat.id)
        ports.append(await (await listeners.of(row.id)).wait_until_bound())
    return mat_ids, ports


async def _watch(db: Database, mat_id: UUID) -> list[dict[str, Any]]:
    """Watch a mat until its fight is over, and return every board that was sent."""
    viewer = Viewer(user_id=new_id(), token_id=new_id(), role=Role.ADMIN, nodes=frozenset({mat_id}))
    context = Context(db=db, clock=SystemClock(), asker=viewer)
    variables = {"mat": encode_id("mat", mat_id)}
    stream: Any = await build_schema().subscribe(_WATCH, variable_values=variables, context_value=context)
    boards: list[dict[str, Any]] = []
    async for result in stream:
        board = result.data["scoreboardChanged"]["scoreboard"]
        if board is None:
            continue
        boards.append(board)
        if board["state"] == "ENDED" and board["resultCode"]:
            return boards
    raise AssertionError("the fight was not over")


def _send(ports: Sequence[int], speed: float) -> None:
    async def all_at_once() -> None:
        fight = read_capture(CAPTURE)
        await asyncio.gather(*(replay(fight, ("127.0.0.1", port), speed=speed) for port in ports))

    asyncio.run(all_at_once())


async def _log_of(db: Database, mat_id: UUID) -> list[bytes]:
    async with db.read() as session:
        of_mat = select(MatchEvent).where(col(MatchEvent.mat_id) == mat_id).order_by(col(MatchEvent.seq))
        return [entry.raw for entry in await session.rows(of_mat)]


async def _counted(db: Database) -> list[int]:
    async with db.read() as session:
        return [one.packet_count for one in await session.rows(select(ListenerSession))]


def _grows(numbers: Sequence[int]) -> bool:
    return all(before < after for before, after in itertools.pairwise(numbers))


if __name__ == "__main__":
    main()
