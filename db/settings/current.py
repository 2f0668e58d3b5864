"""What settings are at this moment, for who works by them: read once, and again whenever one is changed."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from db.bus import Lagged
from db.database import Database
from db.errors import Conflict, Unavailable
from db.settings.events import ALL_SETTINGS, SettingChanged
from db.settings.operations import read_values
from db.settings.registry import KEYS

_log = logging.getLogger(__name__)

# Another process, or somebody at the console, may have changed one without our hearing of it.
_LOOK_AGAIN_SECONDS = 10.0


class CurrentSettings:
    """The values of all settings, kept current by `run`. Before the first look they are the defaults."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._values: dict[str, Any] = {name: key.default for name, key in KEYS.items()}
        self._followers: list[tuple[str, Callable[[Any], None]]] = []
        self._changed = asyncio.Condition()
        self._complaint = ""

    def value(self, name: str) -> Any:
        """Return what a setting is set to."""
        return self._values[name]

    def follow(self, name: str, apply: Callable[[Any], None]) -> None:
        """Hand a setting's value to whoever works by it, now and whenever it changes."""
        self._followers.append((name, apply))
        apply(self._values[name])

    async def wait(self, *names: str, seconds: float) -> None:
        """Return when one of these settings changes, at the latest after so many seconds."""
        before = self._of(names)
        async with self._changed:
            # Not `asyncio.wait_for`: in Python 3.11 it forgets a cancellation that comes together with a change.
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._changed.wait_for(lambda: self._of(names) != before)

    async def look(self) -> None:
        """Read all of them, and wake who waits for one that changed."""
        async with self._db.read() as session:
            values = await read_values(session)
        if values != self._values:
            before, self._values = self._values, values
            for name, apply in self._followers:
                if values[name] != before[name]:
                    apply(values[name])
            async with self._changed:
                self._changed.notify_all()

    async def run(self) -> None:
        """Keep them current until cancelled."""
        listening = self._db.bus.listen(ALL_SETTINGS, of=SettingChanged, latest_only=True, is_standing=True)
        with listening as heard:
            while True:
                await self._try()
                try:
                    async with asyncio.timeout(_LOOK_AGAIN_SECONDS):
                        await anext(heard)
                except (TimeoutError, Lagged):
                    continue
                except StopAsyncIteration:
                    return

    async def _try(self) -> None:
        """Look; a secret that does not open leaves everything as it was, and is told of once."""
        complaint = ""
        try:
            await self.look()
        except Unavailable:
            return
        except Conflict as refusal:
            complaint = refusal.message
        if complaint and complaint != self._complaint:
            _log.error("settings cannot be read, those from before hold: %s", complaint)
        self._complaint = complaint

    def _of(self, names: Sequence[str]) -> list[Any]:
        return [self._values[name] for name in names]
