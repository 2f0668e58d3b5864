"""What a client may ask of lists of flags and codes: orders and filters."""

from enum import StrEnum

import strawberry

from schema.fields import enum
from schema.flags.vocabulary import CodeKind, FlagState


class FlagOrder(StrEnum):
    """How flags may be ordered."""

    NAME = "NAME"
    NEWEST = "NEWEST"


class FlagMappingOrder(StrEnum):
    """How codes may be ordered."""

    CODE = "CODE"
    COUNTRY = "COUNTRY"


enum(FlagOrder, "How flags are ordered.", NAME="By the names of their files.", NEWEST="The last found first.")
enum(FlagMappingOrder, "How codes are ordered.", CODE="By code.", COUNTRY="By country.")


@strawberry.input(description="Which flags.")
class FlagFilter:
    """Which flags."""

    states: list[FlagState] | None = strawberry.field(default=None, description="In one of these states. Null: in any.")


@strawberry.input(description="Which codes.")
class FlagMappingFilter:
    """Which codes."""

    kinds: list[CodeKind] | None = strawberry.field(default=None, description="Of one of these kinds. Null: of any.")
