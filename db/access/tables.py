"""Users and the tokens that speak for them."""

from typing import Any

from sqlalchemy import BigInteger, Index, LargeBinary, false, text

from db.access.viewer import Role, TokenKind, UserKind
from db.base import IS_UNTOLD, UUID, Base, Field, Stored, datetime, enum_type

# Users that were there before had nothing of the kind.
_EMPTY: dict[str, Any] = {"server_default": ""}
_NONE: dict[str, Any] = {"server_default": text("0")}


class User(Stored, table=True):
    """Somebody who may ask."""

    __tablename__ = "users"
    __table_args__ = (Index(None, "username_key", unique=True),)

    name: str
    role: Role = Field(sa_type=enum_type(Role))
    created_at: datetime
    username: str = Field(default="", sa_column_kwargs=_EMPTY)
    # The username without regard to case: no two users share it.
    username_key: str = Field(default="", sa_column_kwargs=_EMPTY)
    kind: UserKind = Field(
        default=UserKind.HUMAN, sa_type=enum_type(UserKind), sa_column_kwargs={"server_default": UserKind.HUMAN.value}
    )
    bio: str = Field(default="", sa_column_kwargs=_EMPTY)
    location: str = Field(default="", sa_column_kwargs=_EMPTY)
    avatar_url: str = Field(default="", sa_column_kwargs=_EMPTY)
    # These five are kept by triggers, in the transaction of what they count: see `db.social`.
    follower_count: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs=_NONE)
    following_count: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs=_NONE)
    entry_count: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs=_NONE)
    dream_count: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs=_NONE)
    # Raised whenever one of them changes.
    revision: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs=_NONE)


class Token(Stored, table=True):
    """A secret that speaks for a user. The secret itself is nowhere, only its hash."""

    __tablename__ = "tokens"
    __table_args__ = (Index(None, "user_id", "created_at", "id"),)

    user_id: UUID = Field(foreign_key="users.id", ondelete="CASCADE")
    kind: TokenKind = Field(sa_type=enum_type(TokenKind))
    label: str
    # Whether it runs trusted documents and no others.
    is_trusted_only: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    # The part that may be shown, and by which a token is found.
    prefix: str = Field(unique=True)
    secret_hash: bytes = Field(sa_type=LargeBinary, sa_column_kwargs={"info": IS_UNTOLD})
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    # Kept to the hour, so that reading does not mean writing.
    last_used_at: datetime | None = None


class TokenNode(Base, table=True):
    """One node an overlay token may read."""

    __tablename__ = "token_nodes"

    token_id: UUID = Field(foreign_key="tokens.id", ondelete="CASCADE", primary_key=True)
    node_id: UUID = Field(primary_key=True)
