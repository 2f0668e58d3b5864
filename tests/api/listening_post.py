"""What tests of a listener send, and how they read the log."""

from typing import Any

from tests.support.house import RunningHouse

LOG = """
query ($mat: ID!, $after: String) {
  mat(id: $mat) {
    currentMatch {
      events(first: 100, after: $after) {
        nodes { seq kind side points round raw isValid reason receivedAt }
        pageInfo { hasNextPage endCursor }
      }
    }
  }
}
"""

BOARD = """
subscription ($mat: ID!) {
  scoreboardChanged(matId: $mat) { scoreboard { revision blue { score } red { score } } }
}
"""

LOAD = [
    "pre;FightLoaded",
    "at1;Ana ONE;Ana ONE;SUI;at2;Bo TWO;Bo TWO;GER",
    "mch;7;Final;W -57kg;0;#0000ff;#FFFFFF;#ff0000;#FFFFFF;null;Seniors;3;120;cntDown;18;5;",
    "rdy;FightReady",
]

# In one datagram, so that it is one batch: in several, the first of them shows an empty board on its own.
LOADED = "\n".join(LOAD)

BLUE_PUNCHES = ["sup;1", "sc1;1;sc2;0", "s11;1;s21;0;s12;0;s22;0;s13;0;s23;0", "pt1;1"]


async def log_of(house: RunningHouse) -> list[dict[str, Any]]:
    """Read the whole log of the fight on the mat, through the graph."""
    entries: list[dict[str, Any]] = []
    after, is_full = None, True
    while is_full:
        page = (await house.execute(LOG, mat=house.mat, after=after))["mat"]["currentMatch"]["events"]
        entries += page["nodes"]
        after, is_full = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
    return entries


def raws(entries: list[dict[str, Any]]) -> list[str]:
    return [entry["raw"] for entry in entries]


def expected_board(revision: int, blue: int, red: int) -> dict[str, Any]:
    scoreboard = {"revision": revision, "blue": {"score": blue}, "red": {"score": red}}
    return {"scoreboardChanged": {"scoreboard": scoreboard}}
