"""The protocol of a socket, `graphql-transport-ws`: messages are looked at before Strawberry takes them apart."""

from typing import Any, cast

from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import BaseGraphQLTransportWSHandler
from strawberry.subscriptions.protocols.graphql_transport_ws.types import ConnectionInitMessage, Message

from api.auth import TOKEN_ENDED
from db.errors import Refusal, Unauthenticated
from schema.context import Context

TRY_AGAIN_LATER = 1013
# What the reason of a close may have.
_LONGEST_REASON = 123


class SocketHandler(BaseGraphQLTransportWSHandler[Context, None]):
    """Strawberry's handler, for messages that are what the protocol says and clients that are let in."""

    async def handle_message(self, message: Message) -> None:
        """Handle a message; close the socket on one that is none."""
        given = cast("dict[str, Any]", message)
        if given.get("type") == "connection_init" and given.get("payload") is None:
            given.pop("payload", None)
        fault = _fault_in(given)
        if fault is not None:
            await self.handle_invalid_message(fault)
            return
        await super().handle_message(message)

    async def handle_connection_init(self, message: ConnectionInitMessage) -> None:
        """Let a client in, or close with the reason: 4403 for his token, 1013 if it cannot be looked up now."""
        try:
            await super().handle_connection_init(message)
        except Refusal as refusal:
            code = TOKEN_ENDED if isinstance(refusal, Unauthenticated) else TRY_AGAIN_LATER
            await self.websocket.close(code, _reason(refusal.message))


def _reason(message: str) -> str:
    """Return as many sentences as a close has room for. The rest stands in the documentation."""
    while len(message.encode()) > _LONGEST_REASON:
        message = message[: message.rstrip(".").rindex(". ") + 1]
    return message


def _fault_in(message: dict[str, Any]) -> str | None:
    if not isinstance(message.get("type"), str):
        return "A message has a `type`."
    if message["type"] not in {"subscribe", "complete"}:
        return None
    if not isinstance(message.get("id"), str):
        return "An operation has an `id`, which is a string."
    return _fault_in_operation(message.get("payload")) if message["type"] == "subscribe" else None


def _fault_in_operation(payload: object) -> str | None:
    if not isinstance(payload, dict) or not isinstance(payload.get("query"), str):
        return "An operation's `payload` has a `query`, which is a string."
    if not isinstance(payload.get("variables"), dict | None) or not isinstance(payload.get("extensions"), dict | None):
        return "An operation's `variables` and `extensions` are objects."
    return None if isinstance(payload.get("operationName"), str | None) else "An `operationName` is a string."
