"""Asking over HTTP: `ringside serve` over both databases, and PostGraphile over one of them, turn by turn."""

import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.graph import load
from benchmarks.graph.fleet import PEERS, Disagreement, Peer, Running, running
from benchmarks.graph.load import Samples
from benchmarks.graph.shapes import Ids, Shape
from benchmarks.social.inside import BUDGET, RATE, ringside
from benchmarks.social.questions import COMPARED, POSTGRAPHILE, SHAPES, Asking, Subjects, is_whole, said

TITLES = {
    "ringside": "Ringside over PostgreSQL",
    "ringside-sqlite": "Ringside over SQLite",
    "postgraphile": "PostGraphile 5 over PostgreSQL",
}
# With one connection it is how long somebody waits, with many how many are served.
CONNECTIONS = (1, 16)
# How many times longer a burst is of what is not answered often.
_PATIENCE = {"thread": 3}

Advance = Callable[[str], None]
# By the number of connections.
Loads = dict[int, Samples]


@contextmanager
def serving(
    subjects: Subjects, urls: tuple[str, str], tokens: tuple[str, str], *, core: int | None, logs: Path
) -> Iterator[list[Running]]:
    """Start all servers, the first URL and token being PostgreSQL's, and stop them at the end."""
    reader = subjects.readers[len(subjects.readers) // 2]
    served = ringside(subjects, reader, command=_serve, patience=_PATIENCE)
    manner = Asking(documents=POSTGRAPHILE, subjects=subjects, reader=reader)
    rival = Peer(**{**vars(PEERS["postgraphile"]), "manner": manner, "patience": _PATIENCE})
    embedded = ringside(subjects, reader, command=_serve, patience=_PATIENCE, name="ringside-sqlite")
    first = SHAPES["home"]
    with (
        running([served, rival], urls[0], Ids(), tokens[0], core=core, logs=logs, first=first) as on_postgresql,
        running([embedded], urls[1], Ids(), tokens[1], core=core, logs=logs, first=first) as on_sqlite,
    ):
        yield [*on_postgresql, *on_sqlite]


def compare(up: Sequence[Running], wanted: Sequence[Shape]) -> None:
    """Ask everybody for what he can say. Raises `Disagreement` unless all of them say the same, and all of it."""
    for shape in wanted:
        expected = None
        for one in able(up, shape):
            response = one.ask(shape, one.bodies(shape)[0])
            path = response.headers.get("x-ringside-path", "planned")
            try:
                found = said(response.content)
            except ValueError as error:
                raise Disagreement(f"{TITLES[one.peer.name]}, {shape.name}: {error}") from error
            expected = found if expected is None else expected
            if found != expected or not is_whole(shape, found) or path != "planned":
                raise Disagreement(
                    f"{TITLES[one.peer.name]}, {shape.name} ({path}), says otherwise than Ringside over PostgreSQL:\n"
                    f"{str(found)[:800]}\n{str(expected)[:800]}"
                )


def able(up: Sequence[Running], shape: Shape) -> list[Running]:
    """Return those who can say what is asked for."""
    return [one for one in up if one.peer.manner.documents and shape.name in one.peer.manner.documents]


async def measure(
    up: Sequence[Running],
    wanted: Sequence[Shape],
    url: str,
    *,
    rounds: int,
    seconds: int,
    core: int | None,
    advance: Advance,
) -> Loads:
    """Load everybody in turn: with one connection for all shapes, with many for those that are compared."""
    loads: Loads = {}
    with tempfile.TemporaryDirectory(prefix="ringside-social-") as folder:
        for connections in CONNECTIONS:
            plan = load.Plan(rounds=rounds, seconds=seconds, connections=connections, core=core, folder=Path(folder))
            loads[connections] = {}
            for shape in wanted:
                if connections == 1 or shape.name in COMPARED:
                    loads[connections] |= await load.measure(able(up, shape), [shape], plan, url, advance)
    return loads


def _serve(url: str, port: int) -> Sequence[str]:
    program = str(Path(sys.executable).with_name("ringside"))
    rates = (f"RINGSIDE_OPERATIONS_PER_SECOND={RATE}", f"RINGSIDE_CHANGES_PER_SECOND={RATE}")
    settings = (f"RINGSIDE_BUDGET={BUDGET}", *rates, "RINGSIDE_LOG_LEVEL=ERROR")
    return ("env", *settings, program, "serve", "--json", "--database", url, "--port", str(port), "--pss-port", "0")
