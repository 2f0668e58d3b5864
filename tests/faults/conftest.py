"""What every fault may ask for: how large it is to be, and where its figures go."""

import signal
from collections.abc import Callable, Iterator
from typing import TypeVar

import pytest

from tests.support.figures import FIGURE

T = TypeVar("T")
Size = Callable[[int, int], int]
Figure = Callable[[str, str], None]

# Many times what the slowest takes on a machine that does much else.
_LONGEST_SECONDS = 300


@pytest.fixture(autouse=True)
def _as_served(as_served: None) -> None:
    """What is left after a fault is what a server would have left."""


@pytest.fixture(autouse=True)
def _deadline(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that waits for what never comes, whatever it waits with: a fault must not hold up all tests.

    At full size they take as long as they take.
    """
    if request.config.getoption("--full"):
        yield
        return

    def give_up(*_: object) -> None:
        pytest.fail(f"It was not over after {_LONGEST_SECONDS} s: it waits where the traceback ends.")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, _LONGEST_SECONDS)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def size(request: pytest.FixtureRequest) -> Size:
    """Choose between the size that always runs and the share of the full one that is asked for by `--full`."""
    share: float = request.config.getoption("--full")
    return lambda small, full: max(small, round(share * full))


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Figure:
    """Tell what was measured: of which fault of the catalogue, and in words."""
    return lambda fault, text: request.node.user_properties.append((FIGURE, [fault, text]))
