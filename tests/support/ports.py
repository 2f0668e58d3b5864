"""Ports for servers of a test's own, and for nobody's."""

import random
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager

# Below those that a machine gives to whoever calls somebody: none of these is taken before the server comes up.
_PORTS = range(20_000, 32_000)


def free_port() -> int:
    """Return a port that nobody listens on, and that nobody is given who does not ask for it."""
    while True:
        port = random.choice(_PORTS)  # noqa: S311 -- chance, not a secret
        with closing(socket.socket()) as one:
            try:
                one.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


@contextmanager
def deaf_port() -> Iterator[int]:
    """Hold a port that nobody listens on until the block ends: one that is only free now may be somebody's then."""
    with closing(socket.socket()) as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]
