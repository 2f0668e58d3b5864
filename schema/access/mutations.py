"""How access can be changed."""

from datetime import timedelta
from typing import Annotated
from uuid import UUID

import strawberry

from db.access import operations
from db.access.viewer import Role
from db.errors import Invalid, NotFound
from schema.access.types import Token
from schema.changes import change_one
from schema.context import Asked
from schema.errors import RefusalsAsData, UserError
from schema.fields import Demand, find_node
from schema.ids import decode_id, kind_of

_BINDABLE = ("mat", "match", "stream", "streamgoal", "goal")
_LONGEST_SECONDS = 10 * 365 * 86_400


@strawberry.input(description="A token to be made.")
class TokenInput:
    """A token to be made."""

    label: str = strawberry.field(description="What it is for: 1 to 200 characters.")
    node_ids: list[strawberry.ID] | None = strawberry.field(
        default=None,
        description=(
            "For an overlay: the mats, matches, streams, stream goals and goals it may read, 1 to 20. Null: it may do "
            "all that you may."
        ),
    )
    is_trusted_only: bool = strawberry.field(
        default=False, description="Whether it runs the documents that were given to the server, and no others."
    )
    lifetime_seconds: int | None = strawberry.field(
        default=None, description="How long it works. Null: until it is revoked."
    )


@strawberry.type(description="What came of it.")
class TokenCreatePayload:
    """What came of `tokenCreate`."""

    token: Token | None = strawberry.field(description="The token. Null if it was refused.")
    secret: str | None = strawberry.field(
        description="What to send as `Authorization: Bearer …`. Shown this once. Null if it was refused."
    )
    errors: list[UserError] = strawberry.field(description="Why it was refused. Empty if it was not.")


@strawberry.type
class AccessMutations:
    """How access can be changed."""

    @strawberry.mutation(
        description="Make a token that speaks for you.", extensions=[RefusalsAsData(), Demand(Role.OPERATOR)]
    )
    async def token_create(
        self, info: Asked, input: Annotated[TokenInput, strawberry.argument(description="The token.")]
    ) -> TokenCreatePayload:
        """Make a token."""
        nodes = None if input.node_ids is None else [await _bound(info, id) for id in input.node_ids]
        async with info.context.db.transaction() as tx:
            made = await operations.create_token(
                tx,
                user_id=info.context.viewer.user_id,
                label=input.label,
                nodes=nodes,
                lifetime=_lifetime(input.lifetime_seconds),
                is_trusted_only=input.is_trusted_only,
                now=info.context.now(),
            )
        return TokenCreatePayload(token=made.token, secret=made.secret, errors=[])  # type: ignore[arg-type]  # a row

    token_revoke = change_one(
        "token_revoke",
        "Make a token stop working, open sockets included. Yours; anybody's if you are an admin.",
        operations.revoke_token,
        of=Token,
        name="token",
        kind="token",
        argument="The token.",
        result="The token after the change.",
        demand=Role.VIEWER,
    )


async def _bound(info: Asked, id: strawberry.ID) -> UUID:
    decoded, kind = decode_id(id, field="node_ids"), kind_of(id)
    if kind not in _BINDABLE:
        raise Invalid("An overlay token is bound to mats, matches, streams and goals.", field="node_ids")
    if await find_node(info.context, id, kind) is None:
        raise NotFound(f"There is no such {kind}: {id}", field="node_ids")
    return decoded


def _lifetime(seconds: int | None) -> timedelta | None:
    if seconds is not None and not 0 < seconds <= _LONGEST_SECONDS:
        raise Invalid("A lifetime is between a second and ten years.", field="lifetime_seconds")
    return None if seconds is None else timedelta(seconds=seconds)
