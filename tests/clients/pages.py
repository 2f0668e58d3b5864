"""Our pages in a browser of tests: how they are opened, and what they are told."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from api.capture import read_capture
from db.matches import operations as matches
from tests.conftest import ManualClock
from tests.support.browser import Browser, Page
from tests.support.house import RunningHouse, running_house

OVERLAY = 'mutation ($node: ID!) { tokenCreate(input: {label: "OBS", nodeIds: [$node]}) { secret } }'

BOARD = """
query ($mat: ID!) {
  mat(id: $mat) {
    lastSeq
    currentMatch {
      id
      scoreboard {
        revision
        blue { longName countryCode score gamJeoms roundsWon }
        red { longName countryCode score gamJeoms roundsWon }
      }
    }
  }
}
"""


@asynccontextmanager
async def house_with_a_mat(database_url: str, clock: ManualClock) -> AsyncIterator[RunningHouse]:
    """Run a house with a mat of a tournament."""
    async with running_house(database_url, clock=clock, has_listener=False) as running:
        async with running.house.db.transaction() as tx:
            tournament = await matches.create_tournament(tx, name="Ringside Open", city="Seoul", now=clock.now())
            mat = await matches.create_mat(tx, name="Mat 7", tournament_id=tournament.id, now=clock.now())
        running.mat_id = mat.id
        running.listener = await running.house.listeners.of(await running.house.listen(mat.id))
        yield running


def wires(capture: Path) -> list[str]:
    return [message.wire for message in read_capture(capture)]


async def heard(house: RunningHouse, messages: Sequence[str]) -> dict[str, Any]:
    """Let the scoring program speak, and return what the mat then is."""
    seq = await house.last_seq()
    # As many to a datagram as it may carry.
    await house.send(*("\n".join(messages[at : at + 50]) for at in range(0, len(messages), 50)))
    await house.logged(seq + len(messages))
    mat: dict[str, Any] = (await house.execute(BOARD, mat=house.mat))["mat"]
    return mat


async def overlay(house: RunningHouse, browser: Browser, options: str = "", node: str | None = None) -> Page:
    """Open an overlay as OBS does, with a token of its own."""
    node = node or house.mat
    kind = {"streamgoal": "goal", "goal": "practice"}.get(node.partition("_")[0], node.partition("_")[0])
    secret = (await house.execute(OVERLAY, node=node))["tokenCreate"]["secret"]
    return await browser.open(f"{house.url}/overlays/{kind}/{node}{options}#token={secret}")
