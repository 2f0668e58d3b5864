"""What a client may ask of lists of settings and their history: orders and filters."""

from enum import StrEnum

import strawberry

from schema.fields import enum
from schema.settings.vocabulary import SettingCategory


class SettingOrder(StrEnum):
    """How settings may be ordered."""

    KEY = "KEY"


enum(SettingOrder, "How settings are ordered.", KEY="By key.")


@strawberry.input(description="Which settings.")
class SettingFilter:
    """Which settings."""

    categories: list[SettingCategory] | None = strawberry.field(
        default=None, description="About one of these. Null: about anything."
    )
