"""How providers can be changed: by those who run the event, because the server calls where they say."""

from typing import Annotated, Any

import strawberry

from db.access.viewer import Role
from db.accounts import providers
from db.accounts.signing import shown_secret
from schema.accounts.inputs import ProviderInput
from schema.accounts.types import Provider
from schema.accounts.vocabulary import ProviderKind
from schema.changes import change
from schema.context import Asked
from schema.errors import RefusalsAsData, UserError
from schema.fields import Demand
from schema.ids import decode_id
from schema.inputs import given

_SECRET = "What calls are signed with, in both directions. Shown this once. Null if none is made."  # noqa: S105 -- a description
_Id = Annotated[strawberry.ID, strawberry.argument(description="The provider.")]


@strawberry.type(description="What came of it.")
class ProviderCreatePayload:
    """What came of `providerCreate`."""

    provider: Provider | None = strawberry.field(description="The provider. Null if it was refused.")
    secret: str | None = strawberry.field(description=_SECRET)
    errors: list[UserError] = strawberry.field(description="Why it was refused. Empty if it was not.")


@strawberry.type(description="What came of it.")
class ProviderUpdatePayload:
    """What came of `providerUpdate`."""

    provider: Provider | None = strawberry.field(description="The provider. Null if it was refused.")
    secret: str | None = strawberry.field(description=_SECRET)
    errors: list[UserError] = strawberry.field(description="Why it was refused. Empty if it was not.")


@strawberry.type(description="What came of it.")
class ProviderRotateSecretPayload:
    """What came of `providerRotateSecret`."""

    provider: Provider | None = strawberry.field(description="The provider. Null if it was refused.")
    secret: str | None = strawberry.field(description=_SECRET)
    errors: list[UserError] = strawberry.field(description="Why it was refused. Empty if it was not.")


@strawberry.type
class ProviderMutations:
    """How providers can be changed."""

    @strawberry.mutation(
        description="Add somebody who carries executions out.", extensions=[RefusalsAsData(), Demand(Role.OPERATOR)]
    )
    async def provider_create(
        self,
        info: Asked,
        kind: Annotated[ProviderKind, strawberry.argument(description="What it is, for good.")],
        input: Annotated[ProviderInput, strawberry.argument(description="The provider.")],
    ) -> ProviderCreatePayload:
        """Add a provider."""
        async with info.context.db.transaction() as tx:
            made = await providers.create_provider(tx, kind=kind, changes=given(input), now=info.context.now())
        return ProviderCreatePayload(provider=_row(made), secret=_shown(made), errors=[])

    @strawberry.mutation(
        description="Change some of a provider. What is not named stays.",
        extensions=[RefusalsAsData(), Demand(Role.OPERATOR)],
    )
    async def provider_update(
        self,
        info: Asked,
        id: _Id,
        input: Annotated[ProviderInput, strawberry.argument(description="What to change.")],
    ) -> ProviderUpdatePayload:
        """Change a provider."""
        async with info.context.db.transaction() as tx:
            made = await providers.update_provider(tx, decode_id(id, kind="provider"), given(input))
        return ProviderUpdatePayload(provider=_row(made), secret=_shown(made), errors=[])

    @strawberry.mutation(
        description="Sign calls with another secret from now on. The one before stops working at once.",
        extensions=[RefusalsAsData(), Demand(Role.OPERATOR)],
    )
    async def provider_rotate_secret(self, info: Asked, id: _Id) -> ProviderRotateSecretPayload:
        """Give a provider another secret."""
        async with info.context.db.transaction() as tx:
            made = await providers.rotate_secret(tx, decode_id(id, kind="provider"))
        return ProviderRotateSecretPayload(provider=_row(made), secret=_shown(made), errors=[])

    @change(
        Provider,
        "provider",
        "Switch a provider on. What is queued is sent.",
        result="The provider after the change.",
        demand=Role.OPERATOR,
    )
    async def provider_enable(self, info: Asked, id: _Id) -> Any:
        """Switch a provider on."""
        async with info.context.db.transaction() as tx:
            return await providers.enable_provider(tx, decode_id(id, kind="provider"), is_enabled=True)

    @change(
        Provider,
        "provider",
        "Switch a provider off. What is queued waits; what comes then is held back.",
        result="The provider after the change.",
        demand=Role.OPERATOR,
    )
    async def provider_disable(self, info: Asked, id: _Id) -> Any:
        """Switch a provider off."""
        async with info.context.db.transaction() as tx:
            return await providers.enable_provider(tx, decode_id(id, kind="provider"), is_enabled=False)

    @change(
        Provider,
        "provider",
        "Remove a provider that no action uses. What it carried out stays.",
        result="The provider as it was.",
        demand=Role.OPERATOR,
    )
    async def provider_delete(self, info: Asked, id: _Id) -> Any:
        """Remove a provider."""
        async with info.context.db.transaction() as tx:
            return await providers.delete_provider(tx, decode_id(id, kind="provider"))


def _row(made: providers.MadeProvider) -> Any:
    return made.provider


def _shown(made: providers.MadeProvider) -> str | None:
    return None if made.secret is None else shown_secret(made.secret)
