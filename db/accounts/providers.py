"""How providers may change: by those who run the event, because the server calls where they say."""

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from urllib.parse import urlsplit
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
from db.parameters import any_of
from db.session import Session, Transaction
from db.texts import checked

_log = logging.getLogger(__name__)

MOST_PROVIDERS = 50
# What they are sealed for: the names of their columns.
_URL = "providers.url"
_SECRET = "providers.secret"  # noqa: S105 -- a name
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
    provider = await _insert(tx, kind, {**columns, "secret": secret}, now)
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
    if provider.secret is not None and "url" in columns and columns["url"] != _opened_url(tx, provider):
        # Or whoever may change the address could have calls sent to him that prove to be ours.
        secret = columns["secret"] = new_signing_secret()
    if provider.kind is ProviderKind.WEBHOOK and "is_asked" in columns:
        # What comes of being asked to stop is what it says when it is asked.
        services = update(Service).where(col(Service.provider_id) == provider_id)
        await tx.execute(services.values(can_be_canceled=columns["is_asked"]))
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
    return MadeProvider(provider=await _change(tx, provider_id, {"secret": secret}), secret=secret)


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
    found = await find_providers(session, [provider_id])
    return found[0] if found else None


async def find_providers(session: Session, ids: Collection[UUID]) -> list[Provider]:
    """Return providers with all that is secret of them, for who calls them; without those that do not open."""
    found = await session.rows(select(Provider).where(any_of(col(Provider.id), ids)))
    return [one for one in (_opened(session, provider) for provider in found) if one is not None]


async def note_trouble(tx: Transaction, provider_id: UUID, error: str, *, now: datetime) -> None:
    """Note what last went wrong with a provider."""
    values = {"last_error": error[:300], "last_error_at": now}
    await tx.execute(update(Provider).where(col(Provider.id) == provider_id).values(**values))


async def _insert(tx: Transaction, kind: ProviderKind, columns: Mapping[str, Any], now: datetime) -> Provider | None:
    values = {
        "id": new_id(),
        "kind": kind,
        "url": "",
        "host": "",
        "is_enabled": True,
        "is_asked": kind is ProviderKind.SANDBOX,
        "currency": "USD",
        "last_error": "",
        "revision": 0,
        "created_at": now,
        **columns,
    }
    provider = await tx.row(upsert(Provider).values(**_sealed(tx, values)).on_conflict_do_nothing().returning(Provider))
    if provider is None:
        return None
    for service in SERVICES[kind]:
        row = {"id": new_id(), "provider_id": provider.id, "currency": provider.currency, "fetched_at": now, **service}
        if kind is ProviderKind.WEBHOOK:
            row["can_be_canceled"] = provider.is_asked
        await tx.execute(insert(Service).values(**row))
    return provider


async def _found(tx: Transaction, provider_id: UUID) -> Provider:
    provider = await tx.row(select(Provider).where(col(Provider.id) == provider_id))
    if provider is None:
        raise NotFound("There is no such provider.", field="id")
    return provider


async def _change(tx: Transaction, provider_id: UUID, columns: Mapping[str, Any]) -> Provider:
    values = {**_sealed(tx, columns), "revision": col(Provider.revision) + 1}
    changed = update(Provider).where(col(Provider.id) == provider_id).values(**values).returning(Provider)
    return cast("Provider", await tx.row(changed))


def _provider_columns(kind: ProviderKind, changes: Mapping[str, Any]) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    if "name" in changes:
        columns["name"] = checked(changes["name"] or "", "A name", field="name", longest=LONGEST_NAME)
    if "url" in changes:
        columns["url"] = _url_of(kind, changes["url"] or "")
        columns["host"] = urlsplit(columns["url"]).hostname or ""
    if "is_asked" in changes:
        columns["is_asked"] = _asked(kind, changes["is_asked"])
    if "daily_limit" in changes:
        columns["daily_limit"] = checked_limit(changes["daily_limit"], field="daily_limit")
    if "daily_spend_limit" in changes:
        most = changes["daily_spend_limit"]
        columns["daily_spend_limit"] = None if most is None else checked_amount(most, field="daily_spend_limit")
    return columns


def _sealed(tx: Transaction, columns: Mapping[str, Any]) -> dict[str, Any]:
    """Return columns as they are stored: what is secret of them sealed, where there is a key."""
    sealed = dict(columns)
    if sealed.get("url"):
        sealed["url"] = tx.sealer.seal(sealed["url"], purpose=_URL)
    if sealed.get("secret") is not None:
        sealed["secret"] = tx.sealer.seal_bytes(sealed["secret"], purpose=_SECRET)
    return sealed


def _opened(session: Session, provider: Provider) -> Provider | None:
    """Return a provider with its secrets as they are; `None`, and a line in the log, if they do not open."""
    try:
        url = _opened_url(session, provider)
        secret = None if provider.secret is None else session.sealer.open_bytes(provider.secret, purpose=_SECRET)
    except Conflict as error:
        _log.error("provider %s cannot be called: %s", provider.id, error.message)
        return None
    return cast("Provider", cast("Any", provider)._replace(url=url, secret=secret))


def _opened_url(session: Session, provider: Provider) -> str | None:
    return None if provider.url is None else session.sealer.open(provider.url, purpose=_URL)


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
