"""The event loop that everything runs on."""

import asyncio
from collections.abc import Callable

import uvicorn


def run(main: Callable[[], object]) -> None:
    """Run a coroutine function on the fastest loop there is."""
    factory = uvicorn.Config("", loop="auto", log_config=None).get_loop_factory()
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main())  # type: ignore[arg-type]  # a coroutine, as the runner will say if it is not
