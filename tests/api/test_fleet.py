"""Several servers on one database: killed, paused and stopped, and no work is left undone or done twice."""

import signal
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from api.capture import read_capture
from db.urls import is_embedded
from tests.support.captures import FINAL
from tests.support.house import Answered, GraphQLSocket, eventually, send_datagrams
from tests.support.process import Serving, serving

WIRES = [message.wire for message in read_capture(FINAL)]
LOAD = 12
MATS = "{ mats { nodes { lastSeq } } }"
LAY = "mutation ($name: String!) { matCreate(input: {name: $name}) { errors { message } } }"
LEASES = "{ leases { name holder isOver } }"
LOG = "{ mats { nodes { events(first: 100) { nodes { seq raw } } } } }"


async def last_seq(server: Serving) -> int:
    seq: int = (await server.execute(MATS))["mats"]["nodes"][0]["lastSeq"]
    return seq


async def does_all(server: Serving) -> bool:
    return all((await server.leases()).values())


async def test_another_server_takes_over_from_one_that_is_killed(database_url: str, tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    async with serving(database_url, log, lease_seconds=300) as first:
        await eventually(lambda: does_all(first), "the first at all work")
        async with serving(database_url, log, lease_seconds=300, secret=first.secret, hears=False) as second:
            assert not any((await second.leases()).values())
            send_datagrams(first.udp_port, WIRES[:LOAD])
            await eventually(lambda: _has_come(first, LOAD), "the load")

            first.process.kill()

            # They are of one machine, so it is not waited for that the leases run out.
            await eventually(lambda: does_all(second), "the second at all work")
            send_datagrams(await second.bound_port(), WIRES[LOAD:20])
            await eventually(lambda: _has_come(second, 20), "what came after")
            holders = {one["holder"].rpartition("/")[2] for one in (await second.execute(LEASES))["leases"]}
            (mat,) = (await second.execute(LOG))["mats"]["nodes"]

    assert holders == {str(second.process.pid)}
    assert [(one["seq"], one["raw"]) for one in mat["events"]["nodes"]] == list(enumerate(WIRES[:20], start=1))


async def _has_come(server: Serving, seq: int) -> bool:
    return await last_seq(server) >= seq


async def test_who_was_paused_past_its_lease_does_nothing_that_another_does(database_url: str, tmp_path: Path) -> None:
    log = tmp_path / "first.log"
    # So long that no lease runs out because a machine has much else to do.
    seconds = 4
    async with (
        serving(database_url, log, lease_seconds=seconds) as first,
        serving(
            database_url, tmp_path / "second.log", lease_seconds=seconds, secret=first.secret, hears=False
        ) as second,
    ):
        await eventually(lambda: does_all(first), "the first at all work")
        first.process.send_signal(signal.SIGSTOP)
        # Told to who cannot hear it, and stored by him when he can: nobody else has it.
        send_datagrams(first.udp_port, WIRES[:LOAD])
        await eventually(lambda: does_all(second), "the second at all work")
        heard_by_second = await second.bound_port()
        first.process.send_signal(signal.SIGCONT)
        await eventually(lambda: _does_nothing(first), "the first without work")
        await eventually(lambda: _has_come(second, LOAD), "what the first had heard")
        send_datagrams(heard_by_second, WIRES[LOAD:20])
        await eventually(lambda: _has_come(second, 20), "what the second has heard")

        (mat,) = (await second.execute(LOG))["mats"]["nodes"]
        (listener,) = (await second.execute("{ listeners { nodes { state } } }"))["listeners"]["nodes"]

    assert [(one["seq"], one["raw"]) for one in mat["events"]["nodes"]] == list(enumerate(WIRES[:20], start=1))
    assert listener == {"state": "LISTENING"}
    assert "another process has taken over: feeds" in log.read_text()
    assert "Traceback" not in log.read_text() + (tmp_path / "second.log").read_text()


async def _does_nothing(server: Serving) -> bool:
    return not any((await server.leases()).values())


async def test_a_listener_of_a_machine_stays_there(database_url: str, tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(serving(database_url, log, lease_seconds=300, host_name="booth"))
        stage = serving(database_url, log, lease_seconds=300, host_name="stage", secret=first.secret, hears=False)
        # On SQLite nobody is told of what another process changes: a server looks when it begins, and then seldom.
        if is_embedded(database_url):
            await _lay_south(first)
            second = await stack.enter_async_context(stage)
        else:
            second = await stack.enter_async_context(stage)
            await _lay_south(first)

        await eventually(lambda: _hears(second, "South"), "a port on the stage")

        assert not await _hears(first, "South")
        assert (await second.leases())["listeners of stage"]
        assert not (await second.leases())["listeners"]


async def _lay_south(server: Serving) -> None:
    (mat,) = (await server.execute("{ mats { nodes { id } } }"))["mats"]["nodes"]
    made = await server.execute(
        'mutation ($mat: ID) { listenerCreate(input: {name: "South", matId: $mat, port: 0, host: "stage"})'
        " { errors { message } } }",
        mat=mat["id"],
    )
    assert made == {"listenerCreate": {"errors": []}}


async def _hears(server: Serving, name: str) -> bool:
    ready = (await server.http.get("/readyz")).json()
    return any(worker["name"].startswith(f"pss {name}") for worker in ready["workers"])


async def test_a_server_that_goes_says_so_and_serves_on_until_it_was_noticed(database_url: str, tmp_path: Path) -> None:
    # So long that what is asked here is asked within it, also of a machine that has much else to do.
    async with serving(database_url, tmp_path / "log", notice_seconds=5) as server, server.admitted() as socket:
        server.process.send_signal(signal.SIGTERM)
        await eventually(lambda: _says(server, 503, "stopping"), "the notice")

        laid = await server.execute(LAY, name="Mat 2")
        ended = await socket.closed()

        assert await server.ended() == 0
    assert (laid, ended) == ({"matCreate": {"errors": []}}, (1012, "The server stops."))


async def _says(server: Serving, status: int, word: str) -> bool:
    answer = await server.http.get("/readyz")
    return (answer.status_code, answer.json()["status"]) == (status, word)


async def test_who_is_asked_twice_to_stop_ends_at_once(database_url: str, tmp_path: Path) -> None:
    async with serving(database_url, tmp_path / "log", notice_seconds=600) as server, server.admitted() as socket:
        server.process.send_signal(signal.SIGTERM)
        await eventually(lambda: _says(server, 503, "stopping"), "the notice")
        server.process.send_signal(signal.SIGTERM)

        assert await server.ended() == 128 + signal.SIGTERM
        with pytest.raises(Answered):
            await socket.receive()


async def test_what_is_being_answered_is_answered_before_its_socket_is_closed(
    database_url: str, tmp_path: Path
) -> None:
    async with serving(database_url, tmp_path / "log") as server, server.admitted() as first, server.admitted() as last:
        for number in range(50):
            await (first, last)[number % 2].begin(LAY, name=f"Mat {number + 2}")
        # All that was sent before is read by then, and the first of it is answered.
        answers = [await first.receive(), await last.receive()]
        server.process.send_signal(signal.SIGTERM)

        ends = [await _end_of(one, answers) for one in (first, last)]

        assert await server.ended() == 0
    assert ends == [(1012, "The server stops.")] * 2
    assert [one["payload"]["data"] for one in answers if one["type"] == "next"] == [{"matCreate": {"errors": []}}] * 50


async def _end_of(socket: GraphQLSocket, answers: list[dict[str, Any]]) -> tuple[int | None, str]:
    """Collect what is answered until the server closes, and return how it does."""
    while True:
        try:
            answers.append(await socket.receive())
        except Answered as end:
            return end.code, end.reason
