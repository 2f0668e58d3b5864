"""How access may change: users, and tokens made, used and revoked."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast
from uuid import UUID

from sqlalchemy import insert, or_, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlmodel import col, select

from db.access.events import TokenRevoked
from db.access.secrets import is_proof, new_secret, split_secret
from db.access.tables import Token, TokenNode, User
from db.access.usernames import checked_username, taken_username, username_of
from db.access.viewer import Role, TokenKind, UserKind, Viewer
from db.errors import Conflict, Forbidden, Invalid, NotFound, Unauthenticated
from db.ids import new_id
from db.parameters import any_of
from db.session import Session, Transaction
from db.texts import checked

LONGEST_LABEL = 200
MOST_NODES = 20
LONGEST_LIFETIME = timedelta(days=36_525)
_USED_EVERY = timedelta(hours=1)
NEW_USER = {
    "bio": "",
    "location": "",
    "avatar_url": "",
    "follower_count": 0,
    "following_count": 0,
    "entry_count": 0,
    "dream_count": 0,
    "revision": 0,
}


@dataclass(frozen=True, kw_only=True)
class NewToken:
    """A token that was just made. `secret` is here and nowhere else: show it now or never."""

    token: Token
    secret: str


async def create_user(
    tx: Transaction,
    *,
    name: str,
    role: Role,
    now: datetime,
    username: str | None = None,
    kind: UserKind = UserKind.HUMAN,
) -> User:
    """Make a user. Without a username he gets one that is made of his name.

    Raises `Invalid` for a name or username that cannot be and `Conflict` for one that is taken.
    """
    user_id = new_id()
    name = checked(name, "A name", field="name", longest=LONGEST_LABEL)
    chosen = username_of(name, user_id) if username is None else checked_username(username)
    statement = upsert(User).values(
        id=user_id,
        name=name,
        role=role,
        created_at=now,
        username=chosen,
        username_key=chosen.lower(),
        kind=kind,
        **NEW_USER,
    )
    created = await tx.row(statement.on_conflict_do_nothing(index_elements=["username_key"]).returning(User))
    if created is None and username is None:
        raise Conflict("There is a user of this name.", field="name")
    if created is None:
        raise taken_username()
    return created


async def find_user(session: Session, name: str) -> User | None:
    """Return the user of a username, or of a name that his username was made of."""
    return await session.row(select(User).where(col(User.username_key) == username_of(name.strip(), UUID(int=0))))


async def has_users(session: Session) -> bool:
    """Say whether anybody was ever made."""
    return await session.row(select(User).limit(1)) is not None


async def create_token(
    tx: Transaction,
    *,
    user_id: UUID,
    label: str,
    nodes: Collection[UUID] | None = None,
    lifetime: timedelta | None = None,
    is_trusted_only: bool = False,
    now: datetime,
) -> NewToken:
    """Make a token for a user; with `nodes`, an overlay's, which reads those nodes and nothing else.

    One that `is_trusted_only` runs the documents that were given to the server, and no others.

    Raises `NotFound` for the user, `Invalid` for a label or lifetime that cannot be, and for no nodes or too many.
    """
    if await tx.row(select(User).where(col(User.id) == user_id)) is None:
        raise NotFound("There is no such user.", field="user_id")
    label = checked(label, "A label", field="label", longest=LONGEST_LABEL)
    _check_token(nodes, lifetime)
    secret = new_secret()
    statement = insert(Token).values(
        id=new_id(),
        user_id=user_id,
        kind=TokenKind.API if nodes is None else TokenKind.OVERLAY,
        label=label,
        is_trusted_only=is_trusted_only,
        prefix=secret.prefix,
        secret_hash=secret.hash,
        created_at=now,
        expires_at=None if lifetime is None else now + lifetime,
    )
    token = cast("Token", await tx.row(statement.returning(Token)))
    bound = [{"token_id": token.id, "node_id": node_id} for node_id in set(nodes or ())]
    await tx.execute_many(insert(TokenNode), bound)
    return NewToken(token=token, secret=secret.text)


async def revoke_token(tx: Transaction, token_id: UUID, *, viewer: Viewer | None, now: datetime) -> Token:
    """Make a token stop working; twice is as good as once. `viewer` is `None` at the machine's own console.

    Raises `NotFound`, also for somebody else's token, and `Forbidden` to an overlay.
    """
    if viewer is not None and viewer.is_overlay:
        raise Forbidden("An overlay token reads the nodes it is bound to and does nothing else.")
    token = await tx.row(select(Token).where(col(Token.id) == token_id))
    if token is None or not _may_revoke(viewer, token):
        raise NotFound("There is no such token.", field="id")
    works = col(Token.id) == token_id, col(Token.revoked_at).is_(None)
    revoked = await tx.row(update(Token).where(*works).values(revoked_at=now).returning(Token))
    if revoked is None:
        return cast("Token", await tx.row(select(Token).where(col(Token.id) == token_id)))
    tx.record(TokenRevoked(token=revoked))
    return revoked


async def authenticate(session: Session, text: str, *, now: datetime) -> tuple[Viewer, Token]:
    """Return the viewer behind a secret, and its token. Raises `Unauthenticated`, with a reason it is safe to say."""
    parts = split_secret(text)
    if parts is None:
        raise Unauthenticated("This is not a token of Ringside: they look like rs_XXXXXXXX_… and are one word.")
    prefix, proof = parts
    token = await session.row(select(Token).where(col(Token.prefix) == prefix))
    if not is_proof(proof, None if token is None else token.secret_hash) or token is None:
        raise Unauthenticated("This token is not known here. `ringside token create` makes one.")
    if token.revoked_at is not None:
        raise Unauthenticated("This token was revoked. `ringside token create` makes another.")
    if token.expires_at is not None and token.expires_at <= now:
        raise Unauthenticated("This token has expired. `ringside token create` makes another.")
    return (await _viewers(session, [token]))[token.id], token


async def note_use(tx: Transaction, token: Token, *, now: datetime) -> None:
    """Remember that a token was used, to the hour."""
    hour = now.replace(minute=0, second=0, microsecond=0)
    is_older = or_(col(Token.last_used_at).is_(None), col(Token.last_used_at) < hour)
    await tx.execute(update(Token).where(col(Token.id) == token.id, is_older).values(last_used_at=hour))


def is_use_worth_noting(token: Token, now: datetime) -> bool:
    """Say whether `note_use` would change anything."""
    return token.last_used_at is None or now - token.last_used_at >= _USED_EVERY


async def viewers_of(session: Session, token_ids: Collection[UUID], *, now: datetime) -> dict[UUID, Viewer]:
    """Return the viewers behind those of these tokens that work, by token."""
    is_unexpired = or_(col(Token.expires_at).is_(None), col(Token.expires_at) > now)
    works = select(Token).where(any_of(col(Token.id), token_ids), col(Token.revoked_at).is_(None), is_unexpired)
    return await _viewers(session, await session.rows(works))


async def list_tokens(session: Session) -> list[tuple[Token, User]]:
    """Return all tokens with their users, newest first."""
    tokens = await session.rows(select(Token).order_by(col(Token.created_at).desc()))
    users = {user.id: user for user in await session.rows(select(User))}
    return [(token, users[token.user_id]) for token in tokens]


async def find_token(session: Session, prefix: str) -> Token | None:
    """Return the token whose secret begins with `prefix`."""
    return await session.row(select(Token).where(col(Token.prefix) == prefix))


async def _viewers(session: Session, tokens: Sequence[Token]) -> dict[UUID, Viewer]:
    asked = {token.user_id for token in tokens}
    users = {user.id: user for user in await session.rows(select(User).where(any_of(col(User.id), asked)))}
    nodes: dict[UUID, set[UUID]] = {token.id: set() for token in tokens if token.kind is TokenKind.OVERLAY}
    if nodes:
        for one in await session.rows(select(TokenNode).where(any_of(col(TokenNode.token_id), nodes))):
            nodes[one.token_id].add(one.node_id)
    return {
        token.id: Viewer(
            user_id=token.user_id,
            token_id=token.id,
            role=users[token.user_id].role,
            nodes=frozenset(nodes[token.id]) if token.id in nodes else None,
            is_trusted_only=token.is_trusted_only,
        )
        for token in tokens
    }


def _may_revoke(viewer: Viewer | None, token: Token) -> bool:
    return viewer is None or viewer.has_role(Role.ADMIN) or viewer.user_id == token.user_id


def _check_token(nodes: Collection[UUID] | None, lifetime: timedelta | None) -> None:
    if nodes is not None and not 1 <= len(set(nodes)) <= MOST_NODES:
        raise Invalid(f"An overlay token is bound to 1 to {MOST_NODES} nodes.", field="node_ids")
    if lifetime is not None and not timedelta(0) < lifetime <= LONGEST_LIFETIME:
        raise Invalid("A token's lifetime is longer than nothing, and a hundred years at most.", field="lifetime")
