"""The types of access: users and tokens."""

from __future__ import annotations

from datetime import datetime

import strawberry

from db.access import queries
from db.access.viewer import Role, TokenKind
from schema.connections import Connection
from schema.fields import Node, column, connection, enum, node, to_one, value

enum(
    Role,
    "What a user may do. Each role may do all that the ones before it may.",
    VIEWER="Read.",
    MEMBER="Keep things of his own.",
    OPERATOR="Run an event.",
    ADMIN="Everything, users and tokens included.",
)
enum(
    TokenKind,
    "What a token opens.",
    API="The whole graph, as its user sees it.",
    OVERLAY="The nodes it names, to read.",
)


@node("user", queries.user_by_id)
class User(Node):
    """Somebody who may ask."""

    name: str = column("What he or she is called here.")
    role: Role = column("What he or she may do.")
    created_at: datetime = column("When the user was made.")
    tokens: Connection[Token] = connection(
        "The tokens that speak for the user, newest first. Empty unless they are yours or you are an admin.",
        queries.tokens_by_user,
    )


@node("token", queries.token_by_id)
class Token(Node):
    """A token. The secret itself was shown once, when it was made, and is stored nowhere."""

    kind: TokenKind = column("What it opens.")
    label: str = column("What it is for, in its maker's words.")
    is_trusted_only: bool = column("Whether it runs the documents that were given to the server, and no others.")
    prefix: str = column("How it begins, to recognise it by.")
    created_at: datetime = column("When it was made.")
    expires_at: datetime | None = column("When it stops working. Null: never.")
    revoked_at: datetime | None = column("When it was revoked. Null if it was not.")
    last_used_at: datetime | None = column("When it was last used, to the hour. Null if never.")
    user: User = to_one("Whom it speaks for.", queries.user_by_id, key="user_id")


@value
class Viewer:
    """Who asks: what the token that came with this request stands for."""

    is_overlay: bool = strawberry.field(description="Whether it is an overlay's token, bound to a few nodes.")
    role: Role | None = strawberry.field(
        description="What it may do. Null for an overlay, which may only read its nodes."
    )
    user: User | None = strawberry.field(description="Whom it speaks for. Null for an overlay.")
