"""How soon what is sent to do harm is refused, and what it costs the server until then."""

import argparse
import asyncio
import json
import os
import platform
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from schema import build_schema
from schema.engine.limits import Limits
from tests.support.hostile import TOO_MUCH, requests
from tests.support.process import Serving, serving

_DOCUMENT_MILLISECONDS = 20.0
_STALL_MILLISECONDS = 250.0
_GROWTH_MEBIBYTES = 64.0


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """One document: how long it took to say no, at best and at worst."""

    name: str
    characters: int
    best: float
    worst: float


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One request: how long the server was at it at most, and by how much it has grown since its start."""

    name: str
    status: int
    best: float
    worst: float
    grown_mebibytes: float


def main() -> None:
    """Measure and print; fail where a target is missed."""
    options = _options()
    refusals = [_refused(name, text, options.rounds) for name, text, *_ in TOO_MUCH]
    answers = asyncio.run(_answered(options.rounds))
    machine = _machine()
    if options.json:
        figures = {"machine": machine, "documents": refusals, "requests": answers}
        print(json.dumps(figures, default=asdict))
    else:
        _print(machine, refusals, answers)
    assert [one for one in refusals if one.best > _DOCUMENT_MILLISECONDS] == []
    assert [one for one in answers if one.best > _STALL_MILLISECONDS or one.grown_mebibytes > _GROWTH_MEBIBYTES] == []


def _refused(name: str, text: str, rounds: int) -> Refusal:
    taken: list[float] = []
    for _ in range(rounds):
        # A document that is known costs nothing, so each time nothing is known.
        documents = build_schema().engine.documents
        documents.limits = replace(Limits(), fields=200)
        # Of the processor: a document waits for nothing but that.
        began = time.thread_time()
        refused = documents.get(text).errors
        taken.append((time.thread_time() - began) * 1000)
        assert refused, f"{name} is not refused"
    return Refusal(name=name, characters=len(text), best=round(min(taken), 2), worst=round(max(taken), 2))


async def _answered(rounds: int) -> list[Answer]:
    found = [await _on_a_server() for _ in range(rounds)]
    return [
        Answer(
            name=one[0].name,
            status=one[0].status,
            best=min(again.best for again in one),
            worst=max(again.worst for again in one),
            grown_mebibytes=max(again.grown_mebibytes for again in one),
        )
        for one in zip(*found, strict=True)
    ]


async def _on_a_server() -> list[Answer]:
    """Send everything to a server that has heard nothing of it yet."""
    with tempfile.TemporaryDirectory() as folder:
        database, log = f"sqlite:///{Path(folder) / 'doors.db'}", Path(folder) / "doors.log"
        async with serving(database, log) as server:
            await server.execute("{ viewer { role } }")
            process = psutil.Process(server.process.pid)
            at_first = process.memory_info().rss
            return [await _send(server, process, at_first, name, body) for name, body in requests()]


async def _send(server: Serving, process: psutil.Process, at_first: int, name: str, body: bytes) -> Answer:
    began = time.perf_counter()
    answer = await server.http.post("/graphql", content=body, headers={"Content-Type": "application/json"})
    # The whole way there and back: nobody else was kept waiting for longer.
    taken = round((time.perf_counter() - began) * 1000, 2)
    assert answer.json()["errors"], f"{name} is not refused"
    grown = round((process.memory_info().rss - at_first) / 1024**2, 1)
    return Answer(name=name, status=answer.status_code, best=taken, worst=taken, grown_mebibytes=grown)


def _machine() -> dict[str, object]:
    return {
        "cpus": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "system": platform.platform(),
    }


def _print(machine: dict[str, object], refusals: Sequence[Refusal], answers: Sequence[Answer]) -> None:
    console = Console(width=120)
    documents = Table(title=f"Documents: target {_DOCUMENT_MILLISECONDS} ms", title_justify="left")
    documents.add_column("Document")
    for column in ("Characters", "Best ms", "Worst ms"):
        documents.add_column(column, justify="right")
    for refusal in refusals:
        documents.add_row(refusal.name, f"{refusal.characters:,}", str(refusal.best), str(refusal.worst))
    sent = Table(
        title=f"Requests: targets {_STALL_MILLISECONDS} ms and {_GROWTH_MEBIBYTES} MiB",
        title_justify="left",
        caption=", ".join(f"{name} {value}" for name, value in machine.items()),
    )
    sent.add_column("Request")
    for column in ("Status", "Best ms", "Worst ms", "Grown MiB"):
        sent.add_column(column, justify="right")
    for one in answers:
        sent.add_row(one.name, str(one.status), str(one.best), str(one.worst), str(one.grown_mebibytes))
    console.print(documents, sent)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="how often each is tried, each time as if for the first")
    parser.add_argument("--json", action="store_true", help="one line of JSON")
    return parser.parse_args()


if __name__ == "__main__":
    main()
