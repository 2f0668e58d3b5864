"""Who asks, and what he may do."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID


class Role(StrEnum):
    """What a user may do. Each role may do all that the ones above it may."""

    VIEWER = "VIEWER"
    MEMBER = "MEMBER"
    OPERATOR = "OPERATOR"
    ADMIN = "ADMIN"


class UserKind(StrEnum):
    """What a user is."""

    HUMAN = "HUMAN"
    AI = "AI"


_RANK = {role: rank for rank, role in enumerate(Role)}


class TokenKind(StrEnum):
    """What a token opens: the whole graph as its user sees it, or a few named nodes to read."""

    API = "API"
    OVERLAY = "OVERLAY"


@dataclass(frozen=True, slots=True)
class ViewerKind:
    """All of a viewer that may change the shape of a statement. Who he is comes in as the `parameters` of it."""

    role: Role
    is_overlay: bool

    def has_role(self, role: Role) -> bool:
        """Say whether such a viewer may do what `role` may. An overlay has no role at all."""
        return not self.is_overlay and _RANK[self.role] >= _RANK[role]


@dataclass(frozen=True, kw_only=True, slots=True)
class Viewer:
    """The asker: a token's user and role, or an overlay that sees the `nodes` its token names and nothing else."""

    user_id: UUID
    token_id: UUID
    role: Role
    nodes: frozenset[UUID] | None = None
    # Whether the token runs trusted documents and no others, whatever the server does.
    is_trusted_only: bool = False

    # What sort of viewer it is.
    kind: ViewerKind = field(init=False, repr=False, compare=False)
    # The values that conditions on what a viewer sees may name: `viewer_id`, `viewer_nodes`.
    parameters: Mapping[str, object] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Work out once what every statement asks."""
        parameters = {"viewer_id": self.user_id, "viewer_nodes": list(self.nodes or ())}
        object.__setattr__(self, "kind", ViewerKind(self.role, self.is_overlay))
        object.__setattr__(self, "parameters", parameters)

    @property
    def is_overlay(self) -> bool:
        """An overlay token reads the nodes it is bound to, and changes nothing."""
        return self.nodes is not None

    def has_role(self, role: Role) -> bool:
        """Say whether the viewer may do what `role` may. An overlay has no role at all."""
        return self.kind.has_role(role)
