"""One process of several: it reads its orders from its standard input, and ends when that is closed."""

import gc
import os
import signal
import sys
import threading

from api.collector import resume_collecting


def main() -> None:
    """Serve as the parent says, until it says otherwise or is gone."""
    gc.disable()
    from api.commands.options import plainly  # noqa: PLC0415 -- loaded when the collector rests
    from api.commands.serve import serve_as_worker  # noqa: PLC0415 -- as above
    from api.fleet import Orders  # noqa: PLC0415 -- as above

    orders = Orders.read(sys.stdin.buffer.readline())
    threading.Thread(target=_watch_parent, name="parent", daemon=True).start()
    resume_collecting()
    plainly(lambda: serve_as_worker(orders))


def _watch_parent() -> None:
    """Stop when the parent is gone, however it went: nobody would start or stop us any more."""
    # Not the buffer above it, which the end of the process would wait for.
    while os.read(sys.stdin.fileno(), 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
