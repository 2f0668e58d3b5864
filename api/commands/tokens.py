"""`ringside token`: tokens made, listed and revoked at the machine's own console."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from api.commands.migrations import bring_up_to_date
from api.commands.output import console, plain, print_json, print_table
from api.opening import open_database
from api.settings import Settings
from db.access import operations
from db.access.operations import NewToken
from db.access.tables import Token, User
from db.access.viewer import Role
from db.clock import Clock
from db.database import Database
from db.errors import Invalid, NotFound
from db.ids import decode_id, encode_id, kind_of
from db.urls import is_embedded, sqlite_path

_BINDABLE = ("mat", "match", "stream", "streamgoal", "goal")


async def create(
    settings: Settings,
    clock: Clock,
    *,
    user: str,
    role: Role,
    label: str,
    overlay_of: Sequence[str],
    days: float | None,
    is_trusted_only: bool = False,
    as_json: bool,
) -> None:
    """Make a token, and its user if there is none of that name; show the secret, this once."""
    nodes = [_node(text) for text in overlay_of] or None
    db = await _open(settings)
    try:
        made = await _create(
            db, clock, user=user, role=role, label=label, nodes=nodes, days=days, is_trusted_only=is_trusted_only
        )
    finally:
        await db.close()
    if as_json:
        print_json({**_shown(made.token, user), "secret": made.secret})
        return
    console.print(
        f"[bold green]Made[/] {made.token.prefix}… for {plain(user)}: {plain(made.token.label)}", highlight=False
    )
    console.print("This is the token. It is not shown again:", style="dim")
    console.print(made.secret, soft_wrap=True, highlight=False)


async def show(settings: Settings, *, as_json: bool) -> None:
    """List tokens. The secrets are nowhere."""
    db = await _open(settings)
    try:
        async with db.read() as session:
            tokens = await operations.list_tokens(session)
    finally:
        await db.close()
    if as_json:
        print_json([_shown(token, user.name) for token, user in tokens])
        return
    columns = ["Token", "User", "Kind", "Label", "Made", "Last used", "Expires", "Revoked"]
    print_table("Tokens", columns, [_row(token, user) for token, user in tokens])


async def revoke(settings: Settings, clock: Clock, *, prefix: str, as_json: bool) -> None:
    """Make a token stop working; sockets that hold it are closed by the server within seconds."""
    db = await _open(settings)
    try:
        async with db.transaction() as tx:
            token = await operations.find_token(tx, prefix[: len("rs_") + 8])
            if token is None:
                raise NotFound(f"There is no token that begins with {prefix[:11]}. `ringside token list` shows them.")
            revoked = await operations.revoke_token(tx, token.id, viewer=None, now=clock.now())
    finally:
        await db.close()
    if as_json:
        print_json({"token": encode_id("token", revoked.id), "revokedAt": revoked.revoked_at})
        return
    console.print(f"[bold green]Revoked[/] {revoked.prefix}… ({plain(revoked.label)})", highlight=False)


async def _create(
    db: Database,
    clock: Clock,
    *,
    user: str,
    role: Role,
    label: str,
    nodes: Sequence[UUID] | None,
    days: float | None,
    is_trusted_only: bool,
) -> NewToken:
    now = clock.now()
    async with db.transaction() as tx:
        owner = await operations.find_user(tx, user) or await operations.create_user(tx, name=user, role=role, now=now)
        lifetime = None if days is None else timedelta(days=days)
        return await operations.create_token(
            tx,
            user_id=owner.id,
            label=label,
            nodes=nodes,
            lifetime=lifetime,
            is_trusted_only=is_trusted_only,
            now=now,
        )


async def _open(settings: Settings) -> Database:
    return await open_database(settings, pool_size=2)


def prepare(url: str, *, may_make: bool) -> None:
    """Bring a database of ours up to date; `may_make`: a token can be made before the first start."""
    if is_embedded(url) and not may_make and not sqlite_path(url).exists():
        raise NotFound(f"There is no database {sqlite_path(url)} yet: `ringside serve` makes it.")
    bring_up_to_date(url)


def _node(text: str) -> UUID:
    kind = kind_of(text)
    if kind not in _BINDABLE:
        raise Invalid(
            "An overlay token is bound to what mat_…, match_…, stream_…, streamgoal_… and goal_… name, "
            f"not to {text!r}."
        )
    return decode_id(text, kind=kind)


def _shown(token: Token, user: str) -> dict[str, object]:
    return {
        "id": encode_id("token", token.id),
        "prefix": token.prefix,
        "user": user,
        "kind": token.kind,
        "label": token.label,
        "createdAt": token.created_at,
        "lastUsedAt": token.last_used_at,
        "expiresAt": token.expires_at,
        "revokedAt": token.revoked_at,
    }


def _row(token: Token, user: User) -> list[object]:
    made, used, expires, revoked = map(
        _minute, (token.created_at, token.last_used_at, token.expires_at, token.revoked_at)
    )
    return [f"{token.prefix}…", user.name, token.kind, token.label, made, used, expires, revoked]


def _minute(instant: datetime | None) -> str | None:
    return None if instant is None else f"{instant:%Y-%m-%d %H:%M}"
