"""How providers may change: by those who run the event, because the server calls where they say."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import delete, func, insert, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlmodel import col, select

from db.accounts.catalogue import SERVICES
from db.accounts.events import ExecutionsWaiting
from db.accounts.holding import LONGEST_NAME, checked_limit, checked_web_url
from db.accounts.money import checked_amount
from db.accounts.signing import new_signing_secret
from db.accounts.tables import Action, Execution, Provider, Service
from db.accounts.vocabulary import FINAL_STATES, ProviderKind
from db.errors import Conflict, Invalid, NotFound
from db.ids import new_id
from db.session import Session, Transaction
from db.statements import any_of
from db.texts import checked

# What such secrets are sealed for.
PURPOSE = "providers.secret"
MOST_PROVIDERS = 50
SANDBOX = "Sandbox"
NEW_PROVIDER: dict[str, Any] = {
    "name": "",
    "url": "",
    "is_asked": None,
    "daily_limit": None,
    "daily_spend_limit": None,
}


@dataclass(frozen=True, kw_only=True)
class MadeProvider:
    """A provider, and the secret its calls are signed with, which is shown now or never. `None`: it needs none."""

    provider: Provider
    secret: bytes | None


async def create_provider(
    tx: Transaction, *, kind: ProviderKind, changes: Mapping[str, Any], now: datetime
) -> MadeProvider:
    """Add a provider with the services of its kind. Raises `Invalid`, and `Conflict` for a name that is taken."""
    columns = _provider_columns(kind, {**NEW_PROVIDER, **changes})
    if await tx.scalar(select(func.count()).select_from(Provider)) >= MOST_PROVIDERS:
        raise Conflict(f"There are {MOST_PROVIDERS} providers, which is the most there may be.")
    secret = new_signing_secret() if kind is ProviderKind.WEBHOOK else None
    provider = await _insert(tx, kind, {**columns, "secret": _sealed(tx, secret)}, now)
    if provider is None:
        raise Conflict("There is a provider of this name.", field="name")
    return MadeProvider(provider=provider, secret=secret)


async def ensure_sandbox(tx: Transaction, *, now: datetime) -> None:
    """Make the sandbox if there is none: it is what a new server has."""
    if await tx.row(select(Provider).where(col(Provider.kind) == ProviderKind.SANDBOX)) is None:
        await _insert(tx, ProviderKind.SANDBOX, _provider_columns(ProviderKind.SANDBOX, {"name": SANDBOX}), now)


async def update_provider(tx: Transaction, provider_id: UUID, changes: Mapping[str, Any]) -> MadeProvider:
    """Change some of a provider. At another address calls are signed with another secret, which is returned.

    Raises `Invalid`, `Conflict` and `NotFound`.
    """
    provider = await _found(tx, provider_id)
    columns = _provider_columns(provider.kind, changes)
    if "name" in columns:
        same = col(Provider.name) == columns["name"], col(Provider.id) != provider_id
        if await tx.row(select(Provider).where(*same)) is not None:
            raise Conflict("There is a provider of this name.", field="name")
    secret = None
    if provider.secret is not None and columns.get("url", provider.url) != provider.url:
        # Or whoever may change the address could have calls sent to him that prove to be ours.
        secret = new_signing_secret()
        columns["secret"] = _sealed(tx, secret)
    return MadeProvider(provider=await _change(tx, provider_id, columns), secret=secret)


async def enable_provider(tx: Transaction, provider_id: UUID, *, is_enabled: bool) -> Provider:
    """Switch a provider on or off. What is queued waits."""
    await _found(tx, provider_id)
    tx.record(ExecutionsWaiting())
    return await _change(tx, provider_id, {"is_enabled": is_enabled})


async def rotate_secret(tx: Transaction, provider_id: UUID) -> MadeProvider:
    """Give a provider that is called another secret. Raises `Conflict` for others, and `NotFound`."""
    provider = await _found(tx, provider_id)
    if provider.secret is None:
        raise Conflict("Calls to this provider are not signed.", field="id")
    secret = new_signing_secret()
    return MadeProvider(provider=await _change(tx, provider_id, {"secret": _sealed(tx, secret)}), secret=secret)


async def delete_provider(tx: Transaction, provider_id: UUID) -> Provider:
    """Remove a provider; what it carried out stays. Returns it as it was. Raises `NotFound`, `Conflict` while used."""
    provider = await _found(tx, provider_id)
    of_provider = select(col(Service.id)).where(col(Service.provider_id) == provider_id)
    if await tx.row(select(Action).where(col(Action.service_id).in_(of_provider)).limit(1)) is not None:
        raise Conflict("Actions use this provider: remove them first, or switch it off.", field="id")
    under_way = col(Execution.provider_id) == provider_id, ~any_of(col(Execution.state), FINAL_STATES)
    if await tx.row(select(Execution).where(*under_way).limit(1)) is not None:
        raise Conflict("This provider has executions under way: switch it off, or wait.", field="id")
    await tx.execute(delete(Provider).where(col(Provider.id) == provider_id))
    return provider


async def find_provider(session: Session, provider_id: UUID) -> Provider | None:
    """Return a provider with all that is secret of it, for who calls it or checks what it sent."""
    return await session.row(select(Provider).where(col(Provider.id) == provider_id))


async def find_providers(session: Session, ids: Collection[UUID]) -> list[Provider]:
    """Return providers with all that is secret of them, for who calls them."""
    return await session.rows(select(Provider).where(any_of(col(Provider.id), ids)))


async def note_trouble(tx: Transaction, provider_id: UUID, error: str, *, now: datetime) -> None:
    """Note what last went wrong with a provider."""
    values = {"last_error": error[:300], "last_error_at": now}
    await tx.execute(update(Provider).where(col(Provider.id) == provider_id).values(**values))


async def _insert(tx: Transaction, kind: ProviderKind, columns: Mapping[str, Any], now: datetime) -> Provider | None:
    values = {
        "id": new_id(),
        "kind": kind,
        "url": "",
        "is_enabled": True,
        "is_asked": kind is ProviderKind.SANDBOX,
        "currency": "USD",
        "last_error": "",
        "revision": 0,
        "created_at": now,
        **columns,
    }
    provider = await tx.row(upsert(Provider).values(**values).on_conflict_do_nothing().returning(Provider))
    if provider is None:
        return None
    for service in SERVICES[kind]:
        row = {"id": new_id(), "provider_id": provider.id, "currency": provider.currency, "fetched_at": now, **service}
        await tx.execute(insert(Service).values(**row))
    return provider


async def _found(tx: Transaction, provider_id: UUID) -> Provider:
    provider = await find_provider(tx, provider_id)
    if provider is None:
        raise NotFound("There is no such provider.", field="id")
    return provider


def _sealed(tx: Transaction, secret: bytes | None) -> bytes | None:
    return None if secret is None else tx.sealer.seal_bytes(secret, purpose=PURPOSE)


async def _change(tx: Transaction, provider_id: UUID, columns: Mapping[str, Any]) -> Provider:
    values = {**columns, "revision": col(Provider.revision) + 1}
    changed = update(Provider).where(col(Provider.id) == provider_id).values(**values).returning(Provider)
    return cast("Provider", await tx.row(changed))


def _provider_columns(kind: ProviderKind, changes: Mapping[str, Any]) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    if "name" in changes:
        columns["name"] = checked(changes["name"] or "", "A name", field="name", longest=LONGEST_NAME)
    if "url" in changes:
        columns["url"] = _url_of(kind, changes["url"] or "")
    if "is_asked" in changes:
        columns["is_asked"] = _asked(kind, changes["is_asked"])
    if "daily_limit" in changes:
        columns["daily_limit"] = checked_limit(changes["daily_limit"], field="daily_limit")
    if "daily_spend_limit" in changes:
        most = changes["daily_spend_limit"]
        columns["daily_spend_limit"] = None if most is None else checked_amount(most, field="daily_spend_limit")
    return columns


def _url_of(kind: ProviderKind, url: str) -> str:
    if kind is not ProviderKind.SANDBOX:
        return checked_web_url(url)
    if url:
        raise Invalid("The sandbox is here: it has no address.", field="url")
    return ""


def _asked(kind: ProviderKind, is_asked: bool | None) -> bool:  # noqa: FBT001 -- a column's value
    if kind is ProviderKind.NOTIFY and is_asked:
        raise Invalid("Messages cannot be asked after.", field="is_asked")
    return kind is ProviderKind.SANDBOX if is_asked is None else is_asked
