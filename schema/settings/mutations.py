"""How settings can be changed: by admins, while the server runs."""

from typing import Annotated, Any

import strawberry
from strawberry.scalars import JSON

from db.access.viewer import Role
from db.settings import operations
from schema.changes import change, changed
from schema.context import Asked
from schema.settings.types import Setting

_KEY = "The setting's key, as `backups.keep`."
_REASON = "Why, for the history: at most 500 characters. Null: nobody says."


@strawberry.type
class SettingMutations:
    """How settings can be changed."""

    @change(
        Setting,
        "setting",
        "Set a setting. Who works by it hears of it at once; nothing is started again.",
        result="The setting after the change.",
        demand=Role.ADMIN,
    )
    async def setting_set(
        self,
        info: Asked,
        key: Annotated[str, strawberry.argument(description=_KEY)],
        value: Annotated[JSON, strawberry.argument(description="Its value, of its kind and within its rules.")],
        reason: Annotated[str | None, strawberry.argument(description=_REASON)] = None,
    ) -> Any:
        """Set a setting."""
        return await changed(info, operations.set_setting, key, value, reason=reason or "")

    @change(
        Setting,
        "setting",
        "Bring a setting's default back. Twice is as good as once.",
        result="The setting after the change.",
        demand=Role.ADMIN,
    )
    async def setting_reset(
        self,
        info: Asked,
        key: Annotated[str, strawberry.argument(description=_KEY)],
        reason: Annotated[str | None, strawberry.argument(description=_REASON)] = None,
    ) -> Any:
        """Reset a setting."""
        return await changed(info, operations.reset_setting, key, reason=reason or "")
