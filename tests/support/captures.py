"""The captured fights: real traffic of a scoring program, names replaced.

They derive from logs in an MIT-licensed public repository (reStrike VTA, 2025): offsets and wire text as received
or, where `text_is` says so, rebuilt from the log.
"""

from pathlib import Path

from api.demo import CAPTURE

FINAL = CAPTURE
CHALLENGE = Path(__file__).parents[1] / "data" / "pss" / "fight_5555_challenge_wdr.tsv"
