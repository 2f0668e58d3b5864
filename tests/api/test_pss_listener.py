"""Packets of a scoring program: sent over real UDP, stored, folded, and read back through the graph."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from api.capture import read_capture
from api.replay import replay
from api.server import mat_named
from api.workers import pss
from db.connecting import connect
from tests.api.listening_post import BLUE_PUNCHES, BOARD, LOAD, LOADED, expected_board, log_of, raws
from tests.conftest import ManualClock
from tests.support.captures import CHALLENGE, FINAL
from tests.support.competition import say
from tests.support.house import RunningHouse, running_house

FAST = 2_000


FIGHT = """
query ($mat: ID!) {
  mat(id: $mat) {
    lastSeq
    currentMatch {
      number phase weight division state roundCount roundSeconds
      outcome winnerName roundScore resultCode hasResultConflict
      sides { side score gamJeomCount roundsWon athlete { name countryCode } }
      rounds { number blueScore redScore blueGamJeomCount redGamJeomCount winner hasStatisticsConflict }
      scoreboard { challenge { side state } blue { roundScores } red { roundScores } }
    }
  }
}
"""


@pytest.fixture
async def house(database_url: str) -> AsyncIterator[RunningHouse]:
    async with running_house(database_url) as running:
        yield running


async def play(house: RunningHouse, capture: Path, closing: str = "") -> list[str]:
    """Send a capture over UDP, fast, each message in the datagram it had; return what was sent."""
    assert house.listener is not None
    messages = read_capture(capture)
    wires = [message.wire.rstrip(";") + closing if closing else message.wire for message in messages]
    sent = [type(message)(offset=message.offset, wire=wire, text_is="") for message, wire in zip(messages, wires)]  # noqa: B905 -- one for each
    await replay(sent, ("127.0.0.1", await house.listener.wait_until_bound()), speed=FAST)
    await house.logged(len(wires))
    return wires


# The captured fights.


@pytest.mark.parametrize("closing", ["", ";"])
async def test_the_final_is_read_through_the_graph_as_it_was_fought(house: RunningHouse, closing: str) -> None:
    await play(house, FINAL, closing)

    fight = (await house.execute(FIGHT, mat=house.mat))["mat"]
    assert fight == {
        "lastSeq": 308,
        "currentMatch": {
            "number": "1945",
            "phase": "Final",
            "weight": "M -87kg",
            "division": "Under 21",
            "state": "ENDED",
            "roundCount": 3,
            "roundSeconds": 120,
            "outcome": "BLUE",
            "winnerName": "Luka Šarić",
            "roundScore": "2-1",
            "resultCode": "PTF",
            "hasResultConflict": False,
            "sides": [
                {
                    "side": "BLUE",
                    "score": 12,
                    "gamJeomCount": 0,
                    "roundsWon": 2,
                    "athlete": {"name": "Luka Šarić", "countryCode": "RUS"},
                },
                {
                    "side": "RED",
                    "score": 0,
                    "gamJeomCount": 0,
                    "roundsWon": 1,
                    "athlete": {"name": "Jonas Keller", "countryCode": "GER"},
                },
            ],
            "rounds": [
                _round(1, (4, 5), (1, 1), "RED"),
                _round(2, (19, 12), (0, 1), "BLUE"),
                _round(3, (12, 0), (0, 0), "BLUE"),
            ],
            "scoreboard": {
                "challenge": None,
                "blue": {"roundScores": [4, 19, 12]},
                "red": {"roundScores": [5, 12, 0]},
            },
        },
    }


@pytest.mark.parametrize("closing", ["", ";"])
async def test_every_message_of_the_final_is_in_the_log_in_its_order(house: RunningHouse, closing: str) -> None:
    wires = await play(house, FINAL, closing)

    entries = await log_of(house)

    assert raws(entries) == wires
    assert [entry["seq"] for entry in entries] == list(range(1, 309))
    assert {(entry["isValid"], entry["reason"]) for entry in entries} == {(True, None)}
    assert Counter(entry["kind"] for entry in entries) == {
        "FIGHT_LOADING": 1,
        "OFFICIALS": 1,
        "ATHLETES": 1,
        "MATCH_SETTINGS": 1,
        "GAM_JEOMS": 4,
        "ROUND_WINNERS": 4,
        "ROUND_SCORES": 25,
        "SCORE": 22,
        "CLOCK": 139,
        "ROUND_BEGAN": 3,
        "SUPERIORITY": 17,
        "FIGHT_READY": 1,
        "HIT_LEVEL": 5,
        "POINT": 18,
        "INJURY": 25,
        "ROUND_STATISTICS": 3,
        "ROUND_RESULTS_SENT": 3,
        "BREAK": 33,
        "WINNER": 1,
        "RESULT": 1,
    }


async def test_three_equal_head_kicks_within_420_ms_are_three_points(house: RunningHouse) -> None:
    await play(house, FINAL)

    points = [
        (entry["round"], entry["side"], entry["points"]) for entry in await log_of(house) if entry["kind"] == "POINT"
    ]

    assert points[-7:-4] == [(2, "BLUE", 3)] * 3
    assert Counter(points) == {
        (1, "RED", 2): 2,
        (1, "BLUE", 3): 1,
        (2, "RED", 3): 2,
        (2, "RED", 2): 3,
        (2, "BLUE", 3): 6,
        (3, "BLUE", 3): 4,
    }


@pytest.mark.parametrize("capture", [FINAL, CHALLENGE], ids=["final", "withdrawal"])
async def test_at_each_round_end_points_penalties_scores_and_statistics_agree(
    house: RunningHouse, capture: Path
) -> None:
    await play(house, capture)

    entries = await log_of(house)
    rounds = (await house.execute(FIGHT, mat=house.mat))["mat"]["currentMatch"]["rounds"]

    statistics = [entry["raw"] for entry in entries if entry["kind"] == "ROUND_STATISTICS"]
    assert [int(raw.split(";")[1]) for raw in statistics] == [one["number"] for one in rounds]
    for one, raw in zip(rounds, statistics, strict=True):
        counts = {"BLUE": _numbers(raw, 3), "RED": _numbers(raw, 10)}
        for side, other in (("BLUE", "RED"), ("RED", "BLUE")):
            points = [
                entry["points"]
                for entry in entries
                if entry["kind"] == "POINT" and entry["side"] == side and entry["round"] == one["number"]
            ]
            body, head, punch, _, _, gam_jeoms = counts[side]
            assert Counter(points) == Counter({2: body, 3: head, 1: punch})
            assert one[f"{side.lower()}GamJeomCount"] == gam_jeoms
            assert one[f"{side.lower()}Score"] == sum(points) + counts[other][-1]
        assert one["hasStatisticsConflict"] is False


@pytest.mark.parametrize("closing", ["", ";"])
async def test_a_withdrawal_is_a_tie_without_a_name_after_a_cancelled_challenge(
    house: RunningHouse, closing: str
) -> None:
    wires = await play(house, CHALLENGE, closing)

    fight = (await house.execute(FIGHT, mat=house.mat))["mat"]["currentMatch"]
    assert {name: fight[name] for name in ("state", "outcome", "winnerName", "roundScore", "resultCode")} == {
        "state": "ENDED",
        "outcome": "TIE",
        "winnerName": "",
        "roundScore": "0-0",
        "resultCode": "WDR",
    }
    assert fight["scoreboard"]["challenge"] == {"side": "BLUE", "state": "CANCELLED"}
    assert fight["rounds"] == [_round(1, (0, 0), (0, 0), "BLUE")]
    # Blue had been given the round, and nobody was announced: both are kept.
    assert fight["hasResultConflict"] is True
    assert raws(await log_of(house)) == wires


def _round(number: int, scores: tuple[int, int], gam_jeoms: tuple[int, int], winner: str) -> dict[str, Any]:
    return {
        "number": number,
        "blueScore": scores[0],
        "redScore": scores[1],
        "blueGamJeomCount": gam_jeoms[0],
        "redGamJeomCount": gam_jeoms[1],
        "winner": winner,
        "hasStatisticsConflict": False,
    }


def _numbers(raw: str, start: int) -> list[int]:
    return [int(part) for part in raw.split(";")[start : start + 6]]


# What nobody should send.


ODD: list[tuple[bytes, str, str | None]] = [
    (bytes(range(128, 256)), "UNREADABLE", "BAD_UTF8"),
    (b"\x00\x01\x02", "UNREADABLE", "BAD_UTF8"),
    (b"sc1;99;sc2;99;" + b"x" * 65_493, "UNREADABLE", "TOO_LONG"),
    (b"sc1;\xff9;sc2;99", "UNREADABLE", "BAD_NUMBER"),
    (b"sc1;99;sc2", "UNREADABLE", "MISSING_PARTS"),
    (b"sc1;99;s", "UNREADABLE", "BAD_VALUE"),
    (b"pt2;", "UNREADABLE", "MISSING_PARTS"),
    (b"sc1;-9;sc2;99", "UNREADABLE", "OUT_OF_RANGE"),
    (b"", "UNREADABLE", "EMPTY"),
    (b"\r\n\r\n", "UNREADABLE", "EMPTY"),
    (b'{"query":"{ viewer { role } }"}', "UNKNOWN", None),
    (b"GET /graphql?query=%7Bviewer%7Brole%7D%7D HTTP/1.1", "UNREADABLE", "UNKNOWN_CODE"),
    (b"xyz;99", "UNKNOWN", None),
]


async def test_what_cannot_be_read_is_logged_with_its_reason_and_changes_no_score(house: RunningHouse) -> None:
    await house.send(*LOAD, *BLUE_PUNCHES)
    await house.logged(8)
    scores: list[tuple[int, int]] = []

    for number, (datagram, _, _) in enumerate(ODD):
        await house.send(datagram)
        await house.logged(9 + 3 * number)
        scores.append(await _scores(house))
        await house.send(f"sc1;1;sc2;{number + 1}", "pt2;1")
        await house.logged(11 + 3 * number)

    odd = (await log_of(house))[8::3]
    assert [(entry["kind"], entry["isValid"], entry["reason"]) for entry in odd] == [
        (kind, kind != "UNREADABLE", reason) for _, kind, reason in ODD
    ]
    assert [entry["raw"] for entry in odd] == [datagram.decode(errors="replace") for datagram, _, _ in ODD]
    # The good message after each of them counted.
    assert scores == [(1, number) for number in range(len(ODD))]
    assert await _scores(house) == (1, len(ODD))


async def test_messages_of_one_datagram_keep_their_order(house: RunningHouse) -> None:
    await house.send("\n".join(LOAD), "\r\n".join([*BLUE_PUNCHES, "", "clk;01:59"]) + "\r\n")
    await house.logged(9)

    entries = await log_of(house)

    assert raws(entries) == [*LOAD, *BLUE_PUNCHES, "clk;01:59"]
    assert len({entry["receivedAt"] for entry in entries}) == 2


async def _scores(house: RunningHouse) -> tuple[int, int]:
    data = await house.execute(
        "query ($mat: ID!) { scoreboard(matId: $mat) { blue { score } red { score } } }", mat=house.mat
    )
    return data["scoreboard"]["blue"]["score"], data["scoreboard"]["red"]["score"]


# Bursts.


async def test_a_burst_changes_the_scoreboard_once(
    database_url: str, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    # On a busy machine it may take longer from one message to the next than the silence that ends a burst.
    monkeypatch.setattr(pss, "BURST_SILENCE", timedelta(minutes=1))
    async with running_house(database_url, clock=clock) as house, house.admitted() as socket:
        await house.send(LOADED)
        await house.logged(4)
        shown = socket.subscribe(BOARD, mat=house.mat)
        before = await anext(shown)

        for message in BLUE_PUNCHES:
            seq = await house.last_seq()
            await house.send(message)
            await house.logged(seq + 1)
        after = await anext(shown)

    assert [before, after] == [expected_board(1, 0, 0), expected_board(2, 1, 0)]


async def test_a_fight_sent_at_once_costs_each_batch_one_revision_at_most(house: RunningHouse) -> None:
    assert house.listener is not None
    await house.listener.wait_until_bound()
    # Into its queue in one go: of a socket it reads one after the other, and how many are a batch hangs on chance.
    for message in read_capture(FINAL):
        house.listener.queue.datagram_received(message.wire.encode(), ("127.0.0.1", 5000))
    await house.logged(308)

    data = await house.execute("query ($mat: ID!) { scoreboard(matId: $mat) { revision } }", mat=house.mat)

    assert data["scoreboard"]["revision"] == 1


async def test_an_unfinished_burst_is_shown_after_its_silence(database_url: str, clock: ManualClock) -> None:
    async with running_house(database_url, clock=clock) as house, house.admitted() as socket:
        await house.send(LOADED)
        await house.logged(4)
        shown = socket.subscribe(BOARD, mat=house.mat)
        before = await anext(shown)

        loop = asyncio.get_running_loop()
        began = loop.time()
        await house.send(*BLUE_PUNCHES[:-1])
        after = await anext(shown)

    assert [before, after] == [expected_board(1, 0, 0), expected_board(2, 1, 0)]
    assert loop.time() - began >= 0.09


async def test_a_burst_that_one_server_left_open_is_shown_by_the_next(database_url: str, clock: ManualClock) -> None:
    db = await connect(database_url)
    mat_id = await mat_named(db, clock, "Mat 1")
    # All that the first server did before it was gone: it never came to the silence.
    for wires in (LOAD, BLUE_PUNCHES[:-1]):
        async with db.transaction() as tx:
            await say(tx, mat_id, clock.now(), *wires)
    await db.close()

    async with running_house(database_url, clock=clock) as house, house.admitted() as socket:
        shown = socket.subscribe(BOARD, mat=house.mat)
        present = await anext(shown)
        while present != expected_board(2, 1, 0):
            present = await anext(shown)
        await house.send(BLUE_PUNCHES[-1])
        await house.logged(len(LOAD) + len(BLUE_PUNCHES))
