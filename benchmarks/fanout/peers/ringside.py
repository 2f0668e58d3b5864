"""Ringside as it is served, on a database of its own; a trigger logs a point, which is committed and then heard."""

import time
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from api.migrate import migrate_up
from api.server import House, Server, first_admin, open_house
from api.settings import Settings
from api.workers.pss_protocol import parse
from benchmarks.fanout.peers.serve import on_trigger, up
from db.bus import Event, Listener
from db.clock import SystemClock
from db.matches import operations
from db.matches.events import ScoreboardChanged
from db.matches.log import MatProgress, Received
from db.session import Transaction
from schema.ids import encode_id

_LOAD = [
    "pre;FightLoaded",
    "at1;B. 101;Blue 101;KOR;at2;R. 101;Red 101;GER",
    "mch;101;Final;M -68kg;0;#0000ff;#FFFFFF;#ff0000;#FFFFFF;null;Seniors;3;120;cntDown;20;5",
    "wg1;0;wg2;0",
    "s11;0;s21;0;s12;0;s22;0;s13;0;s23;0",
    "sc1;0;sc2;0",
    "clk;02:00",
    "rnd;1",
    "rdy;FightReady",
    "clk;02:00;start",
]


class _Stamp(Listener[ScoreboardChanged]):
    """Hears when a change is published, which is at its commit."""

    def __init__(self) -> None:
        super().__init__(ScoreboardChanged, capacity=1, latest_only=True)
        self.at = 0

    def hear(self, _: Event) -> None:
        """Note the time."""
        self.at = time.monotonic_ns()


async def main(port: int, mats: str = "1", fights: str = "1", manner: str = "served") -> None:
    """Serve `mats` until killed, the first `fights` of them with a fight; the collector as `served`, or left alone."""
    with TemporaryDirectory(prefix="ringside-fanout-") as folder:
        url = f"sqlite:///{Path(folder) / 'fanout.db'}"
        migrate_up(url)
        many = 1_000_000
        settings = Settings(
            database=url,
            port=port,
            sockets_per_address=many,
            sockets_per_token=many,
            budget=many**2,
            operations_per_second=many,
            connections=many,
            connections_per_second=many,
            log_level="ERROR",
        )
        async with open_house(settings, SystemClock()) as house:
            if manner == "served":
                house.collector.begin()
            await _serve(house, settings, int(mats), int(fights))


async def _serve(house: House, settings: Settings, mats: int, fights: int) -> None:
    secret = await first_admin(house.db, house.clock)
    async with house.db.transaction() as tx:
        laid = [(await operations.create_mat(tx, name=f"Mat {number}", now=_now())).id for number in range(mats)]
    progress: list[MatProgress] = []
    for mat_id in laid[:fights]:
        async with house.db.transaction() as tx:
            progress.append(await _say(tx, await operations.load_progress(tx, mat_id), *_LOAD))
    stamp = _Stamp()
    changes = 0

    async def change() -> int:
        nonlocal changes
        changes += 1
        turn = changes % fights
        house.db.bus._listeners.setdefault(laid[turn], set()).add(stamp)  # type: ignore[arg-type]  # noqa: SLF001 -- it listens like one
        async with house.db.transaction() as tx:
            progress[turn] = await _say(tx, progress[turn], f"sc1;{changes};sc2;0", "pt1;1")
        return stamp.at

    await on_trigger(settings.port + 1, change)
    ids = ",".join(encode_id("mat", mat_id) for mat_id in laid)
    await Server(house.app, settings, lambda _: up(token=secret, mats=ids), house.leaving).serve()


async def _say(tx: Transaction, progress: MatProgress, *wires: str) -> MatProgress:
    received = [
        Received(received_at=_now(), sender="127.0.0.1:50000", raw=wire.encode(), message=parse(wire.encode()))
        for wire in wires
    ]
    return await operations.log_messages(tx, progress, received)


def _now() -> datetime:
    return datetime.now(UTC)
