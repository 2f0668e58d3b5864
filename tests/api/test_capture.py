"""Captures: read whole, or refused with the line at fault; written and sent as they came."""

import asyncio
import socket
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import select

from api.capture import CapturedMessage, CaptureError, print_capture, read_capture
from api.commands.capturing import captured
from api.commands.replaying import Manner, send
from api.fights import invented_fight
from api.replay import Network, over, replay
from api.workers.pss_protocol import parse
from db.database import Database
from db.errors import NotFound
from db.ids import new_id
from db.matches import operations
from db.matches.log import Received
from db.matches.tables import Match
from db.matches.wire import read_wire
from tests.db.stored import NOW, lay_mat
from tests.support.captures import CHALLENGE, FINAL
from tests.support.house import PATIENCE_SECONDS, running_house

ROOT = Path(__file__).parents[2]
HEADER = "offset_ms\twire\ttext_is\n"


def test_a_capture_is_read_message_by_message() -> None:
    captured = read_capture(ROOT / "tests/data/pss/fight_5555_challenge_wdr.tsv")

    assert [captured[0], captured[2], captured[-1], len(captured)] == [
        CapturedMessage(offset=timedelta(0), wire="pre;FightLoaded", text_is="rebuilt"),
        CapturedMessage(
            offset=timedelta(milliseconds=25),
            wire="at1;Anjali Rao;Anjali Rao;IND;at2;Lucía Peña;Lucía Peña;CHI",
            text_is="rebuilt",
        ),
        CapturedMessage(offset=timedelta(seconds=535, milliseconds=882), wire="wmh;;0-0 WDR", text_is="rebuilt"),
        39,
    ]


def test_line_ends_of_windows_do_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "fight.tsv"
    path.write_bytes(b"offset_ms\twire\ttext_is\r\n5\trsr;\tverbatim\r\n")

    captured = read_capture(path)

    assert captured == [CapturedMessage(offset=timedelta(milliseconds=5), wire="rsr;", text_is="verbatim")]


def test_a_capture_may_hold_no_message(tmp_path: Path) -> None:
    path = tmp_path / "fight.tsv"
    path.write_text(HEADER)

    assert read_capture(path) == []


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "fight.tsv, line 1: a capture begins with the columns offset_ms, wire, text_is."),
        ("0\trsr;\texact\n", "fight.tsv, line 1: a capture begins with the columns offset_ms, wire, text_is."),
        (HEADER + "0\trsr;\texact\n7\trsr;\n", "fight.tsv, line 3: there are 2 columns, not 3."),
        (HEADER + "\n", "fight.tsv, line 2: there are 1 columns, not 3."),
        (HEADER + "-1\trsr;\texact\n", 'fight.tsv, line 2: the offset is "-1", not a whole number of milliseconds.'),
        (HEADER + "½\trsr;\texact\n", 'fight.tsv, line 2: the offset is "½", not a whole number of milliseconds.'),
        (
            HEADER + "9\trsr;\texact\n8\trsr;\texact\n",
            "fight.tsv, line 3: the offset is smaller than the one before it.",
        ),
    ],
)
def test_a_malformed_capture_is_refused_by_line(tmp_path: Path, content: str, sentence: str) -> None:
    path = tmp_path / "fight.tsv"
    path.write_text(content, encoding="utf-8")

    with pytest.raises(CaptureError) as refusal:
        read_capture(path)

    assert str(refusal.value) == sentence


def test_a_capture_that_is_not_text_is_refused_by_line(tmp_path: Path) -> None:
    path = tmp_path / "fight.tsv"
    path.write_bytes(HEADER.encode() + b"0\t\xff\texact\n")

    with pytest.raises(CaptureError) as refusal:
        read_capture(path)

    assert str(refusal.value) == "fight.tsv, line 2: the text is not UTF-8."


@pytest.mark.parametrize("path", [FINAL, CHALLENGE], ids=["final", "challenge"])
def test_what_is_read_is_written_byte_for_byte(path: Path) -> None:
    assert print_capture(read_capture(path)) == path.read_bytes()


@given(st.lists(st.tuples(st.integers(0, 10**9), st.binary(max_size=40)), max_size=20))
def test_whatever_was_on_the_wire_is_written_and_read_again(
    tmp_path_factory: pytest.TempPathFactory, said: list[tuple[int, bytes]]
) -> None:
    messages = [CapturedMessage.of(timedelta(milliseconds=offset), raw) for offset, raw in sorted(said)]
    path = tmp_path_factory.mktemp("captures") / "fight.tsv"
    path.write_bytes(print_capture(messages))

    again = read_capture(path)

    assert again == messages
    assert [one.raw for one in again] == [raw for _, raw in sorted(said)]


def test_what_is_said_to_be_base64_and_is_not_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "fight.tsv"
    path.write_text(HEADER + "0\tpre;\tbase64\n")

    with pytest.raises(CaptureError, match=r"fight\.tsv, line 2: the text is not base64, and is said to be\."):
        read_capture(path)


# From the log to a capture and back.


async def log(db: Database, messages: Sequence[CapturedMessage]) -> UUID:
    """Log what a capture says, and return the fight."""
    mat = await lay_mat(db, f"Mat {new_id()}")
    received = [
        Received(received_at=NOW + one.offset, sender="127.0.0.1:5", raw=one.raw, message=parse(one.raw))
        for one in messages
    ]
    async with db.transaction() as tx:
        progress = await operations.log_messages(tx, await operations.load_progress(tx, mat.id), received)
    assert progress.fight is not None
    return progress.fight.match_id


async def stored(db: Database, match_id: UUID) -> list[CapturedMessage]:
    async with db.read() as session:
        return await captured(read_wire(session, match_id))


@pytest.mark.parametrize("path", [FINAL, CHALLENGE], ids=["final", "challenge"])
async def test_a_stored_fight_is_captured_as_it_came(db: Database, path: Path) -> None:
    messages = read_capture(path)

    again = await stored(db, await log(db, messages))

    assert [(one.offset, one.raw) for one in again] == [(one.offset, one.raw) for one in messages]


async def test_capturing_what_was_captured_gives_the_same_file_byte_for_byte(db: Database) -> None:
    odd = [b"pre;FightLoaded", b"hl1;\xff\xfe", b"a\tb", b"", b"sc1;1;sc2;0;", b"  padded ", b"\x00"]
    messages = [CapturedMessage.of(timedelta(milliseconds=7 * place), raw) for place, raw in enumerate(odd)]

    first = await stored(db, await log(db, messages))
    second = await stored(db, await log(db, first))

    assert print_capture(first) == print_capture(second) == print_capture(messages)


async def test_more_entries_than_are_read_at_once_are_captured(db: Database) -> None:
    fight = invented_fight(1)
    ticks = [replace(fight[-1], wire=f"clk;00:{number % 60:02}") for number in range(700)]

    again = await stored(db, await log(db, [*fight[:-1], *ticks]))

    assert [one.wire for one in again] == [one.wire for one in [*fight[:-1], *ticks]]


async def test_what_was_on_no_wire_is_not_captured(db: Database) -> None:
    fight = invented_fight(1)[:12]
    match_id = await log(db, fight)
    async with db.read() as session:
        match = await session.row(select(Match))
    assert match is not None
    by_hand = Received(received_at=NOW + timedelta(seconds=1), sender="@ann", raw=b"{}", message=parse(b"pt1;1"))
    async with db.transaction() as tx:
        await operations.log_messages(tx, await operations.load_progress(tx, match.mat_id), [by_hand])

    assert [one.wire for one in await stored(db, match_id)] == [one.wire for one in fight]


async def test_a_fight_that_is_none_is_not_captured(db: Database) -> None:
    with pytest.raises(NotFound):
        await stored(db, new_id())


async def test_a_fight_that_is_replayed_over_udp_is_captured_byte_for_byte(database_url: str) -> None:
    odd = CapturedMessage.of(timedelta(0), b"hl1;\xff\xfe")
    messages = [*read_capture(CHALLENGE), replace(odd, offset=timedelta(minutes=20))]
    async with running_house(database_url) as house:
        assert house.listener is not None
        port = await house.listener.wait_until_bound()
        await replay(messages, ("127.0.0.1", port), speed=10_000)
        await house.logged(len(messages))
        db = house.house.db
        async with db.read() as session:
            (match,) = await session.rows(select(Match))
        again = await stored(db, match.id)

    assert [one.raw for one in again] == [one.raw for one in messages]


# The network in between.


async def test_an_empty_datagram_is_sent_and_nobody_need_be_there() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear:
        ear.bind(("127.0.0.1", 0))
        ear.setblocking(False)
        address = ear.getsockname()
        await replay([CapturedMessage.of(timedelta(0), b""), CapturedMessage.of(timedelta(0), b"x")], address)
        async with asyncio.timeout(PATIENCE_SECONDS):
            heard = [await asyncio.get_running_loop().sock_recv(ear, 10) for _ in range(2)]
    await replay([CapturedMessage.of(timedelta(0), b"x")] * 3, address)

    assert heard == [b"", b"x"]


async def test_a_capture_that_is_looped_is_sent_again_until_it_is_stopped() -> None:
    messages = read_capture(CHALLENGE)
    heard: list[bytes] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear:
        ear.bind(("127.0.0.1", 0))
        ear.setblocking(False)
        manner = Manner(speed=10_000, times=None)
        sending = asyncio.create_task(send("fight", messages, ear.getsockname(), manner, is_silent=True))
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(heard) < 2 * len(messages) + 1:
                heard.append(await asyncio.get_running_loop().sock_recv(ear, 1000))
        sending.cancel()
        await asyncio.wait([sending])
        while True:
            try:
                ear.recv(1000)
            except BlockingIOError:
                break
        sent = await send("fight", messages, ear.getsockname(), Manner(speed=10_000, times=3), is_silent=True)

    wires = [one.raw for one in messages]
    assert heard == [*wires, *wires, wires[0]]
    assert sent == 3 * len(messages)


NETWORKS = st.builds(
    Network,
    jitter=st.timedeltas(timedelta(0), timedelta(seconds=2)),
    loss=st.floats(0, 1),
    reorder=st.floats(0, 1),
)


@given(NETWORKS, st.integers(0, 1000))
def test_a_network_loses_delays_and_mixes_and_invents_nothing(network: Network, seed: int) -> None:
    messages = invented_fight(3)[:60]

    arrived = over(messages, network, seed)

    assert over(messages, network, seed) == arrived
    assert Counter(one.wire for one in arrived) <= Counter(one.wire for one in messages)
    assert all(before.offset <= after.offset for before, after in pairwise(arrived))
    if network.loss == 0:
        assert len(arrived) == len(messages)
    if network.loss == network.reorder == 0:
        delays = [late.offset - one.offset for late, one in zip(arrived, messages, strict=True)]
        assert timedelta(0) <= min(delays) <= max(delays) <= network.jitter


def test_a_perfect_network_changes_nothing_and_a_dead_one_passes_nothing() -> None:
    messages = invented_fight(3)

    assert over(messages, Network()) == messages
    assert over(messages, Network(loss=1.0)) == []
    assert [one.wire for one in over(messages[:4], Network(reorder=1.0))] == [
        messages[place].wire for place in (1, 0, 3, 2)
    ]
