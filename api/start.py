"""How the process begins: what is loaded stays, so the garbage collector need not look through it."""

import gc

from api.collector import resume_collecting


def main() -> None:
    """Run `ringside`. With the collector at work, loading takes a third longer, and so does ending.

    It rests until a command has loaded what it works with, and begins then: see `api.commands.options.plainly`.
    """
    gc.disable()
    from api.cli import app  # noqa: PLC0415 -- loaded when the collector rests

    try:
        app()
    finally:
        resume_collecting()
