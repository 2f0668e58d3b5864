"""Our pages, run: each shows what the server says, as it is and as it becomes, or says in words what is wrong."""

from pathlib import Path
from typing import Any

import pytest

from db.ids import new_id
from db.practice import operations as practice
from db.streams import operations as streams
from schema.ids import encode_id
from tests.clients.pages import OVERLAY, heard, overlay, wires
from tests.support.browser import LIVE, Browser, Page
from tests.support.captures import CHALLENGE, FINAL
from tests.support.house import RunningHouse, eventually
from tests.support.node import run_client
from tests.support.practice import make_goal as make_practice_goal
from tests.support.practice import make_user
from tests.support.streaming import make_goal, make_stream

pytestmark = pytest.mark.usefixtures("node")


REFUSED = "document.body.dataset.connection === 'refused'"


HAS_GOALS = "document.getElementById('waiting').hidden"


WRONG = "document.body.dataset.connection === 'error'"


def side(board: dict[str, Any], name: str) -> dict[str, str]:
    """What a scoreboard shows of a side, by the graph."""
    shown = board[name]
    return {
        f"{name}.name": shown["longName"],
        f"{name}.code": shown["countryCode"],
        f"{name}.score": str(shown["score"]),
        f"{name}.gamJeoms": str(shown["gamJeoms"]),
        f"{name}.pips": str(shown["roundsWon"]),
    }


END_OF_FINAL = {
    "tournament": "Ringside Open",
    "number": "Match 1945",
    "line": "M -87kg  ·  U21  ·  F",
    "label": "Result",
    "clock": "2–1",
    "note": "PTF",
    "blue.code": "RUS",
    "blue.name": "Luka Šarić",
    "blue.score": "12",
    "blue.gamJeoms": "0",
    "blue.pips": "2",
    "blue.roundScores": "R1 4 R2 19 R3 12",
    "red.code": "GER",
    "red.name": "Jonas Keller",
    "red.score": "0",
    "red.gamJeoms": "0",
    "red.pips": "1",
    "red.roundScores": "R1 5 R2 12 R3 0",
}


END_OF_CHALLENGED = {
    "tournament": "Ringside Open",
    "number": "Match 5555",
    "line": "W +73kg  ·  U21  ·  BMD",
    "label": "Tie",
    # As announced; a round was blue's.
    "clock": "0–0",
    "note": "WDR",
    "blue.code": "IND",
    "blue.name": "Anjali Rao",
    "blue.score": "0",
    "blue.gamJeoms": "0",
    "blue.pips": "0",
    "blue.roundScores": "R1 0",
    "red.code": "CHI",
    "red.name": "Lucía Peña",
    "red.score": "0",
    "red.gamJeoms": "0",
    "red.pips": "0",
    "red.roundScores": "R1 0",
}


WINNER_OF_FINAL = {
    "tournament": "Ringside Open",
    "number": "Match 1945",
    "line": "M -87kg  ·  U21  ·  F",
    "title": "Winner",
    "name": "Luka Šarić",
    "code": "RUS",
    "how": "Final score",
    "heads": "R1 R2 R3 Rounds",
    "blue.scores": "Luka Šarić 4 19 12 2",
    "red.scores": "Jonas Keller 5 12 0 1",
}


WINNER_OF_CHALLENGED = {
    "tournament": "Ringside Open",
    "number": "Match 5555",
    "line": "W +73kg  ·  U21  ·  BMD",
    "title": "Result",
    "name": "Tie",
    "how": "Withdrawal",
    "heads": "R1 Rounds",
    "blue.scores": "Anjali Rao 0 0",
    "red.scores": "Lucía Peña 0 0",
}


INTRODUCTION_OF_FINAL = {
    "tournament": "Ringside Open",
    "number": "Match 1945",
    "line": "M -87kg  ·  Under 21  ·  Final",
    "blue.name": "Luka Šarić",
    "blue.code": "RUS",
    "blue.corner": "Blue · Chong",
    "red.name": "Jonas Keller",
    "red.code": "GER",
    "red.corner": "Red · Hong",
}


@pytest.mark.parametrize(
    ("capture", "expected"),
    [
        (
            FINAL,
            {
                "": END_OF_FINAL,
                "?show=winner&look=olympic": WINNER_OF_FINAL,
                "?show=introduction&look=arcade": INTRODUCTION_OF_FINAL,
                "?show=auto&debug=false": WINNER_OF_FINAL,
            },
        ),
        (CHALLENGE, {"": END_OF_CHALLENGED, "?show=winner&look=arcade": WINNER_OF_CHALLENGED}),
    ],
    ids=["final", "challenge"],
)
async def test_overlays_show_how_a_captured_fight_ended(
    either_house: RunningHouse, browser: Browser, capture: Path, expected: dict[str, dict[str, str]]
) -> None:
    match = (await heard(either_house, wires(capture)))["currentMatch"]
    revision = match["scoreboard"]["revision"]

    of_mat = {options: await (await overlay(either_house, browser, options)).at(revision) for options in expected}
    of_match = await (await overlay(either_house, browser, "", match["id"])).at(revision)

    assert (of_mat, of_match) == (expected, expected[""])


async def test_an_overlay_follows_a_fight_through_an_interruption(either_house: RunningHouse, browser: Browser) -> None:
    """From before the fight to its end, cut off twice on the way, it shows what the graph says at each stop."""
    final = wires(FINAL)
    page = await overlay(either_house, browser, "?names=short")
    assert await page.until(LIVE) == {"waiting": "Waiting for the next match"}
    told = []
    # Stops at which nothing is half told.
    for begin, end in ((0, 12), (12, 42), (42, 97), (97, 203), (203, 302), (302, len(final))):
        board = (await heard(either_house, final[begin:end]))["currentMatch"]["scoreboard"]
        shown = await page.at(board["revision"])
        told.append({name: shown[name] for name in side(board, "blue") | side(board, "red")})
        assert told[-1] == side(board, "blue") | side(board, "red")
        if end in {42, 203}:
            cut_off(either_house)

    assert len({one["blue.score"] for one in told}) > 2, "it was not always the same"


def cut_off(house: RunningHouse) -> None:
    """Hang up on everybody."""
    for guest in set(house.house.doorkeeper._guests):
        guest.cut()


async def test_each_scene_comes_in_its_time(house: RunningHouse, browser: Browser) -> None:
    final = wires(FINAL)
    page = await overlay(house, browser, "?show=auto")

    scenes = []
    for messages in (final[:12], final[12:42], final[42:]):
        board = (await heard(house, messages))["currentMatch"]["scoreboard"]
        await page.at(board["revision"])
        scenes.append(await scene(page))
    later = await overlay(house, browser, "?show=auto")
    await later.at(board["revision"])

    # Whoever saw it end sees the score for a moment more; whoever comes later sees who has won.
    assert [*scenes, await scene(later)] == ["introduction", "scoreboard", "scoreboard", "winner"]


async def scene(page: Page) -> str:
    """Return which of the scenes is there."""
    shown: str = (await page.browser.ask(page=page.number, until="true"))["scene"]
    return shown


async def test_red_stands_left_where_that_is_asked_for(house: RunningHouse, browser: Browser) -> None:
    mat = await heard(house, wires(FINAL))
    shown = {}
    for show in ("scoreboard", "introduction"):
        page = await overlay(house, browser, f"?show={show}&left=red")
        await page.at(mat["currentMatch"]["scoreboard"]["revision"])
        shown[show] = await page.until(f"document.querySelector('#{show} .left').dataset.colour === 'red'")

    assert shown["scoreboard"] == {**END_OF_FINAL, "clock": "1–2"}
    assert shown["introduction"] == INTRODUCTION_OF_FINAL


async def test_countries_are_named_where_that_is_asked_for_and_known(house: RunningHouse, browser: Browser) -> None:
    """Of a code that nobody knows there is no more to say than the code."""
    named = await overlay(house, browser, "?names=country")
    load = [*wires(FINAL)[:12], "at1;A;Ana One;KOR;at2;B;Bo Two;MRN"]
    board = (await heard(house, load))["currentMatch"]["scoreboard"]

    shown = await named.at(board["revision"])

    assert (shown["blue.name"], shown["red.name"]) == ("South Korea", "MRN")


async def test_there_is_no_winner_before_the_end_and_then_the_one_announced(
    house: RunningHouse, browser: Browser
) -> None:
    page = await overlay(house, browser, "?show=winner")
    before = (await heard(house, wires(FINAL)[:302]))["currentMatch"]["scoreboard"]
    shown_before = await page.at(before["revision"])
    messages = [*wires(FINAL)[302:-2], "win;RED", "wmh;Jonas Keller;1-2 RSC"]
    board = (await heard(house, messages))["currentMatch"]["scoreboard"]
    shown = await page.at(board["revision"])

    assert shown_before == {}
    assert (board["blue"]["roundsWon"], board["red"]["roundsWon"]) == (2, 1)
    assert (shown["name"], shown["how"]) == ("Jonas Keller", "Referee stopped the contest")
    assert (shown["blue.scores"], shown["red.scores"]) == ("Luka Šarić 4 19 12 1", "Jonas Keller 5 12 0 2")


async def test_a_video_review_and_kye_shi_are_told_while_they_last(house: RunningHouse, browser: Browser) -> None:
    page = await overlay(house, browser)
    told = []
    for messages in (
        [*wires(CHALLENGE)[:12], "clk;02:00;start", "clk;01:45;stop", "ij1;01:00;show", "ch1"],
        ["ch1;1"],
        ["ij1;00:59;hide", "ch1;1;0"],
        ["clk;01:45;start"],
        ["clk;01:40;stop", "ch2", "ch2;1"],
        ["clk;01:40;start"],
    ):
        board = (await heard(house, messages))["currentMatch"]["scoreboard"]
        shown = await page.at(board["revision"])
        told.append(["blue.injuryClock" in shown, shown.get("blue.challenge"), shown.get("red.challenge")])

    assert told == [
        [True, "asked for", None],
        [True, "under way", None],
        [False, "not upheld", None],
        [False, "not upheld", None],
        [False, None, "under way"],
        [False, None, None],
    ]


async def test_whoever_comes_after_a_review_hears_nothing_of_it(house: RunningHouse, browser: Browser) -> None:
    messages = [*wires(CHALLENGE)[:12], "clk;02:00;start", "clk;01:45;stop", "ch1", "ch1;1", "ch1;1;1"]
    board = (await heard(house, messages))["currentMatch"]["scoreboard"]

    shown = await (await overlay(house, browser)).at(board["revision"])

    assert "blue.challenge" not in shown


async def test_an_overlay_waits_for_its_video_and_begins_at_once(house: RunningHouse, browser: Browser) -> None:
    begun = (await heard(house, wires(FINAL)[:12]))["currentMatch"]["scoreboard"]
    page = await overlay(house, browser, "?delayMs=60000&debug")
    first = await page.at(begun["revision"])

    await heard(house, wires(FINAL)[12:42])
    # Points come one after the other, and slow readers may be spared some.
    waiting = await page.until("/waiting [1-9]/.test(document.getElementById('debug').textContent)")

    assert (first["red.score"], waiting["red.score"]) == ("0", "0")


async def test_the_picture_stays_when_the_server_goes(house: RunningHouse, browser: Browser) -> None:
    mat = await heard(house, wires(FINAL))
    page = await overlay(house, browser)
    await page.at(mat["currentMatch"]["scoreboard"]["revision"])

    await house.stop()

    assert await page.until("document.body.dataset.stale === 'yes'") == END_OF_FINAL
    assert await page.until("document.body.dataset.connection === 'connecting'") == END_OF_FINAL


async def test_a_lamp_tells_that_the_scoring_program_is_off(house: RunningHouse, browser: Browser) -> None:
    page = await overlay(house, browser)
    for messages, is_stale in (
        (wires(FINAL)[:42], False),
        (["Udp Port 8888 disconnected;"], True),
        (["Udp Port 8888 connected;", "clk;01:40"], False),
    ):
        board = (await heard(house, messages))["currentMatch"]["scoreboard"]
        await page.at(board["revision"])
        await page.until(f"Boolean(document.body.dataset.stale) === {str(is_stale).lower()}")


async def test_text_of_others_is_shown_as_text(house: RunningHouse, browser: Browser) -> None:
    name = "<img src=x onerror=alert(1)>"
    load = [
        wire if not wire.startswith("at1;") else f"at1;{name};{name};\u202eGER;at2;;;" for wire in wires(FINAL)[:12]
    ]
    board = (await heard(house, load))["currentMatch"]["scoreboard"]

    shown = await (await overlay(house, browser)).at(board["revision"])

    assert (shown["blue.name"], shown["blue.code"], shown.get("red.name")) == (name, "GER", None)


async def test_a_page_says_what_is_wrong_with_its_token(house: RunningHouse, browser: Browser) -> None:
    told = []
    for address in ("mat/{mat}", "goal/{mat}", "practice/{mat}", "mat/{mat}#token=rs_wrong", "stream/{mat}#token="):
        page = await browser.open(f"{house.url}/overlays/{address.format(mat=house.mat)}")
        told.append((await page.until(REFUSED))["waiting"])

    assert told == [
        *["This overlay’s address has no token: it ends in #token=…"] * 3,
        "This is not a token of Ringside: they look like rs_XXXXXXXX_… and are one word.",
        "This overlay’s address has no token: it ends in #token=…",
    ]


async def test_a_page_says_what_it_cannot_find(house: RunningHouse, browser: Browser) -> None:
    told = []
    for node in (encode_id("match", new_id()), encode_id("mat", new_id()), "match_nonsense"):
        page = await browser.open(f"{house.url}/overlays/{node.partition('_')[0]}/{node}#token={house.secret}")
        told.append(await page.until(WRONG))

    assert told == [
        {"waiting": "There is no such match."},
        {"waiting": "There is no such mat."},
        {"waiting": "This is not an id of a match: 'match_nonsense'. Ids come from the `id` fields of answers."},
    ]


OPTIONS_THAT_CANNOT_BE = {
    "mat?look=neon": "“look” is one of modern, olympic, arcade, not “neon”.",
    "match?delayMs=60001": "“delayMs” is a whole number from 0 to 60000, not “60001”.",
    "match?delayms=-1": "“delayMs” is a whole number from 0 to 60000, not “-1”.",
    "mat?delay=5&left=green": (
        "This overlay knows no “delay”: it has show, look, left, names, delayMs, debug. "
        "“left” is one of blue, red, not “green”."
    ),
    "mat?debug=yes": "“debug” is said alone, as ?debug is, not “yes”.",
    "stream?show=scoreboard": "“show” is one of all, rotate, not “scoreboard”.",
    "practice?look=modern": "This overlay knows no “look”: it has no options.",
    "goal?seconds=0": "“seconds” is a whole number from 1 to 3600, not “0”.",
}


async def test_a_page_says_what_is_wrong_with_its_options(house: RunningHouse, browser: Browser) -> None:
    told = {}
    for address in OPTIONS_THAT_CANNOT_BE:
        kind, _, options = address.partition("?")
        page = await browser.open(f"{house.url}/overlays/{kind}/{house.mat}?{options}#token={house.secret}")
        told[address] = (await page.until(WRONG))["waiting"]

    assert told == OPTIONS_THAT_CANNOT_BE
    assert not house.house.doorkeeper._guests, "such a page asks for nothing"


async def test_a_token_that_holds_too_many_sockets_is_told_so(house: RunningHouse, browser: Browser) -> None:
    await heard(house, wires(FINAL)[:12])
    secret = (await house.execute(OVERLAY, node=house.mat))["tokenCreate"]["secret"]
    url = f"{house.url}/overlays/mat/{house.mat}#token={secret}"
    for _ in range(5):
        await (await browser.open(url)).until(LIVE)

    shown = await (await browser.open(url)).until(WRONG)

    assert shown == {"waiting": "This token holds 5 sockets already, which is as many as it may."}


async def test_a_page_that_is_left_lets_go_of_its_socket(house: RunningHouse, browser: Browser) -> None:
    page = await overlay(house, browser)
    await page.until(LIVE)

    await page.until("window.dispatchEvent(new Event('pagehide'))")

    await eventually(lambda: not house.house.doorkeeper._guests, "a house without guests")


async def test_the_page_of_goals_shows_how_they_are_and_become(house: RunningHouse, browser: Browser) -> None:
    now = house.house.clock.now()
    stream = await make_stream(house.house.db, now)
    goal = await make_goal(house.house.db, stream, now, name="Laps", target=10)
    of_goal = await overlay(house, browser, node=encode_id("streamgoal", goal.id))
    page = await overlay(house, browser, "?look=circular", encode_id("stream", stream.id))

    before = await of_goal.until(HAS_GOALS)
    await page.until(HAS_GOALS)
    async with house.house.db.transaction() as tx:
        await streams.add_progress(tx, goal.id, 7, viewer=None, now=now)
    after = await of_goal.until("document.body.textContent.includes('Laps: 7 / 10')")
    all_of_them = await page.until("document.body.textContent.includes('Laps: 7 / 10')")

    assert (before, after) == ({"text": "Laps: 0 / 10"}, {"text": "Laps: 7 / 10"})
    assert all_of_them["text"][-1] == "Laps: 7 / 10"
    assert len(all_of_them["text"]) == 5


async def test_the_page_of_practice_shows_how_far_a_goal_is(house: RunningHouse, browser: Browser) -> None:
    owner = await make_user(house.house.db)
    goal = await make_practice_goal(house.house.db, owner.id, name="Clean turning kicks")
    page = await overlay(house, browser, node=encode_id("goal", goal.id))

    before = await page.until(HAS_GOALS)
    async with house.house.db.transaction() as tx:
        await practice.complete_goal(tx, goal.id, viewer=None, now=house.house.clock.now())
    after = await page.until("document.getElementById('percent').textContent === '100%'")

    assert (before, after) == (
        {"name": "Clean turning kicks", "percent": "0%"},
        {"name": "Clean turning kicks", "percent": "100%"},
    )


async def test_what_waits_for_a_video_and_what_counts_clocks() -> None:
    found = await run_client("parts.mjs")

    assert found == {
        "undelayed": [[0, "a"], [5, "b"]],
        # The first at once: a page that was just opened has nothing better to show.
        "delayed": [[0, "a"], [1_005, "b"], [1_006, "c"], [5_000, "d"]],
        "throughAFault": ["first", "after"],
        "most": {"waiting": 2_000, "shown": [0, 1, 2, 3]},
        "counts": [58_500, 57_500, 1, 0, 0],
        "stands": 60_000,
        "untilNextSecond": [501, None, None],
        "keepsTheTruer": True,
        "takesACorrection": True,
        "isNone": [None, 0],
        "formats": ["2:00", "0:59", "0:01", "0:00", "0:00", "0:00"],
    }
