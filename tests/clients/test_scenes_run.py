"""Scenes beside the scoreboard, as a browser runs them: earlier results, a ceremony, banners, events, lamps."""

from base64 import b64encode

import pytest

from tests.clients.pages import heard, overlay, wires
from tests.conftest import ManualClock
from tests.support.browser import Browser
from tests.support.captures import FINAL
from tests.support.flagging import svg
from tests.support.house import RunningHouse

pytestmark = pytest.mark.usefixtures("node")


def fought(number: str, phase: str, blue: str, red: str, won: str, score: str) -> list[str]:
    """All that is said of a fight, in short."""
    return [
        "pre;FightLoaded",
        f"at1;{blue};{blue};KOR;at2;{red};{red};GER",
        f"mch;{number};{phase};M -68kg;0;#0000ff;#FFFFFF;#ff0000;#FFFFFF;null;Seniors;3;120;cntDown;20;5",
        "rdy;FightReady",
        "clk;02:00;start",
        f"win;{won}",
        f"wmh;{blue if won == 'BLUE' else red};{score}",
    ]


async def test_previous_results_are_shown_as_each_has_fought_them(either_house: RunningHouse, browser: Browser) -> None:
    before = [
        *fought("1", "Semifinals", "Dua", "Ana", "RED", "1-2 SUP"),
        *fought("2", "Final", "Cia", "Ana", "TIE", "0-0 WDR"),
    ]
    loaded = fought("3", "Final", "Bea", "Ana", "BLUE", "2-0 PTF")[:4]
    board = (await heard(either_house, [*before, *loaded]))["currentMatch"]["scoreboard"]

    page = await overlay(either_house, browser, "?show=results")
    shown = await page.at(board["revision"])

    assert shown == {
        "tournament": "Ringside Open",
        "number": "Match 3",
        "line": "M -68kg  ·  SEN  ·  F",
        "blue.code": "KOR",
        "blue.name": "Bea",
        "blue.nothing": "No earlier result",
        "red.code": "GER",
        "red.name": "Ana",
        "red.record": "1 won  ·  0 lost  ·  1 tied  ·  100 %",
        "red.fights": "T F Cia KOR 0–0 WDR W SF Dua KOR 2–1 SUP",
    }


async def test_a_ceremony_waits_for_the_final_and_shows_who_won_what(
    either_house: RunningHouse, browser: Browser
) -> None:
    page = await overlay(either_house, browser, "?show=ceremony&look=olympic")
    semifinals = [
        *fought("1", "Semifinals", "Ana", "Bea", "BLUE", "2-1 SUP"),
        *fought("2", "Semifinals", "Cia", "Dua", "RED", "0-2 PTF"),
    ]
    final = fought("4", "Final", "Ana", "Dua", "RED", "1-2 PTF")
    board = (await heard(either_house, [*semifinals, *final]))["currentMatch"]["scoreboard"]

    shown = await page.at(board["revision"])

    medals = sorted(zip(shown["medal"], shown["name"], strict=True))
    assert medals == [("Bronze", "Bea"), ("Bronze", "Cia"), ("Gold", "Dua"), ("Silver", "Ana")]
    assert (shown["tournament"], shown["title"], shown["line"]) == (
        "Ringside Open",
        "Victory ceremony",
        "M -68kg  ·  Seniors",
    )


BANNER = """
[document.getElementById('banner').dataset.colour]
  .concat([...document.querySelectorAll('#banner [data-field]')].map((field) => field.textContent))
"""


async def test_banners_tell_what_happens_one_after_the_other_and_nothing_that_was(
    house: RunningHouse, browser: Browser
) -> None:
    """A gam-jeom was given before anybody looked: no banner. Then a punch, which is none either, and a head kick."""
    load = [*fought("1", "Final", "Ana", "Bea", "BLUE", "")[:5], "sc1;0;sc2;1", "wg1;1;wg2;0"]
    board = (await heard(house, load))["currentMatch"]["scoreboard"]
    page = await overlay(house, browser, "?show=banners")
    before = await page.at(board["revision"])
    board = (await heard(house, ["sc1;1;sc2;1", "pt1;1"]))["currentMatch"]["scoreboard"]
    punched = await page.at(board["revision"])
    board = (await heard(house, ["sc1;1;sc2;4", "pt2;3"]))["currentMatch"]["scoreboard"]
    await page.at(board["revision"])
    # It leaves after its time, and its words stay until the next.
    await page.until(f"{BANNER} == 'red,Head kick,Bea,+3'")
    board = (await heard(house, ["sc1;1;sc2;5", "wg1;2;wg2;0"]))["currentMatch"]["scoreboard"]
    await page.at(board["revision"])
    await page.until(f"{BANNER} == 'blue,Gam-jeom,Ana,2'")

    assert (before, punched) == ({}, {})


CODES = "[...document.querySelectorAll('#events tr')].map((row) => row.firstChild.textContent)"


async def test_the_table_of_events_has_points_penalties_and_challenges_newest_first(
    either_house: RunningHouse, browser: Browser
) -> None:
    page = await overlay(either_house, browser, "?show=events")
    told = ["sc1;2;sc2;0", "pt1;2", "clk;01:50", "sc1;2;sc2;1", "wg1;1;wg2;0", "ch2", "ch2;1", "sc1;2;sc2;6", "pt2;5"]
    load = fought("1", "Final", "Ana", "Bea", "BLUE", "")[:5]
    board = (await heard(either_house, [*load, *told]))["currentMatch"]["scoreboard"]

    shown = await page.at(board["revision"])

    # The latest is of red, as its colour says; a clock is known to the millisecond, and runs.
    rows = await page.until("document.querySelectorAll('#events tr').length === 4")
    assert rows == shown
    codes = await page.browser.ask(
        page=page.number,
        until="[...document.querySelectorAll('#events tr')].map((row) => row.firstChild.textContent) == 'TH,R,R,K'",
    )
    assert codes["holds"]
    assert (shown["number"], shown["line"]) == ("Match 1", "M -68kg  ·  SEN  ·  F")


RECORD = """
mutation ($m: ID!, $kind: RecordingKind!, $name: String!, $at: DateTime) {
  recordingCreate(matId: $m, kind: $kind, input: {name: $name, path: $name, startedAt: $at}) {
    recording { id } errors { message }
  }
}
"""


async def test_a_lamp_says_that_a_mat_is_recorded_and_a_logo_stands_where_there_is_one(
    house: RunningHouse, browser: Browser, clock: ManualClock
) -> None:
    page = await overlay(house, browser)
    tournament = (await house.execute("query ($m: ID!) { mat(id: $m) { tournament { id } } }", m=house.mat))["mat"]
    logo = "mutation ($t: ID!, $i: String) { tournamentSetLogo(id: $t, revision: 0, image: $i) { errors { message } } }"
    given = await house.execute(logo, t=tournament["tournament"]["id"], i=b64encode(svg()).decode())
    board = (await heard(house, wires(FINAL)[:12]))["currentMatch"]["scoreboard"]
    await page.at(board["revision"])
    await page.until("document.querySelector('#scoreboard .logo').src.startsWith('/logos/tournament_')")
    await page.until("!('recording' in document.body.dataset)")

    at = clock.now().isoformat()
    await house.execute(RECORD, m=house.mat, kind="STREAM", name="b", at=at)
    recording = (await house.execute(RECORD, m=house.mat, kind="RECORDING", name="a", at=at))["recordingCreate"][
        "recording"
    ]
    await page.until("document.body.dataset.recording === 'yes'")
    lose = "mutation ($r: ID!) { recordingLose(id: $r) { errors { message } } }"
    lost = await house.execute(lose, r=recording["id"])
    await page.until("!('recording' in document.body.dataset)")

    assert (given["tournamentSetLogo"], lost["recordingLose"]) == ({"errors": []}, {"errors": []})
