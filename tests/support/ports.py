"""Ports for servers of a test's own."""

import random
import socket
from contextlib import closing

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
