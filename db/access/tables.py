"""Users and the tokens that speak for them."""

from sqlalchemy import Index, LargeBinary, false

from db.access.viewer import Role, TokenKind
from db.base import UUID, Base, Field, Stored, datetime, enum_type


class User(Stored, table=True):
    """Somebody who may ask."""

    __tablename__ = "users"

    name: str = Field(unique=True)
    role: Role = Field(sa_type=enum_type(Role))
    created_at: datetime


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
    secret_hash: bytes = Field(sa_type=LargeBinary)
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
