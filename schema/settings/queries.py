"""What can be asked about settings."""

import strawberry

from db.access.viewer import Role
from db.settings import queries
from schema.connections import Connection
from schema.fields import Demand, connection
from schema.settings.arguments import SettingFilter, SettingOrder
from schema.settings.types import Setting


@strawberry.type
class SettingQueries:
    """What can be asked about settings."""

    settings: Connection[Setting] = connection(
        "All that may be set while the server runs.",
        queries.settings,
        key=None,
        order=SettingOrder,
        filter=SettingFilter,
        demand=Demand(Role.ADMIN),
    )
