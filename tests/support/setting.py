"""Settings as tests set them."""

from datetime import datetime
from typing import Any

from db.access.viewer import Viewer
from db.database import Database
from db.settings import operations
from db.settings.tables import Setting


async def configure(
    db: Database, key: str, value: Any, at: datetime, *, reason: str = "", viewer: Viewer | None = None
) -> Setting:
    """Set a setting, at the machine's own console where nothing else is said."""
    async with db.transaction() as tx:
        return await operations.set_setting(tx, key, value, reason=reason, viewer=viewer, now=at)


async def reset(db: Database, key: str, at: datetime, *, viewer: Viewer | None = None) -> Setting:
    """Reset a setting."""
    async with db.transaction() as tx:
        return await operations.reset_setting(tx, key, reason="", viewer=viewer, now=at)
