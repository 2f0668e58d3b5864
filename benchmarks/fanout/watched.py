"""What everybody watches: one operation, and one answer to it that those peers send which know no fight."""

from typing import Any

OPERATION = """
subscription ($matId: ID!) {
  scoreboardChanged(matId: $matId) {
    sentAt
    scoreboard {
      revision number phase weight division state round roundCount roundScore changedAt
      clock { state remainingMs asOf }
      blue { name longName countryCode score roundsWon gamJeoms roundScores background foreground }
      red { name longName countryCode score roundsWon gamJeoms roundScores background foreground }
    }
  }
}
"""


def answer(revision: int) -> dict[str, Any]:
    """Return an answer as Ringside gives it, field for field."""
    return {
        "scoreboardChanged": {
            "sentAt": "2026-11-21T09:00:01.123456Z",
            "scoreboard": {
                "revision": revision,
                "number": "101",
                "phase": "Final",
                "weight": "M -68kg",
                "division": "Seniors",
                "state": "LIVE",
                "round": 1,
                "roundCount": 3,
                "roundScore": "0-0",
                "changedAt": "2026-11-21T09:00:01.123456Z",
                "clock": {"state": "RUNNING", "remainingMs": 120_000, "asOf": "2026-11-21T09:00:01.123456Z"},
                "blue": _side("B. 101", "Blue 101", "KOR", "#0000ff", revision),
                "red": _side("R. 101", "Red 101", "GER", "#ff0000", 0),
            },
        }
    }


def _side(name: str, long_name: str, country: str, colour: str, score: int) -> dict[str, Any]:
    return {
        "name": name,
        "longName": long_name,
        "countryCode": country,
        "score": score,
        "roundsWon": 0,
        "gamJeoms": 0,
        "roundScores": [0, 0, 0],
        "background": colour,
        "foreground": "#FFFFFF",
    }
