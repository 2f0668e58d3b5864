"""How many files may be open: as many as the connections take, where the system lets us."""

import subprocess
import sys

import pytest

from api.files import _TOO_FEW

# A process of its own: nobody may raise what it has lowered for good.
_CHILD = """
import logging, resource, sys
from api.files import make_room
logging.basicConfig(format="%(message)s", stream=sys.stdout)
soft, hard, connections = map(int, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
make_room(connections)
print(*resource.getrlimit(resource.RLIMIT_NOFILE))
"""


@pytest.mark.parametrize(
    ("soft", "hard", "connections", "told"),
    [
        (256, 900, 100, "600 900"),
        (700, 900, 100, "700 900"),
        (256, 550, 100, f"{_TOO_FEW % (550, 100)}\n550 550"),
    ],
    ids=["room is made", "there is room", "there is not enough"],
)
def test_a_process_makes_room_for_its_connections(soft: int, hard: int, connections: int, told: str) -> None:
    command = [sys.executable, "-c", _CHILD, str(soft), str(hard), str(connections)]

    run = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 -- our own words

    assert run.stdout.strip() == told
