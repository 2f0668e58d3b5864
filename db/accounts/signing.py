"""Calls between us and providers, signed both ways as the Standard Webhooks say."""

import base64
import hashlib
import hmac
import secrets
from datetime import datetime, timedelta

from db.errors import Unauthenticated

OLDEST_CALL = timedelta(minutes=5)
LONGEST_CALL_ID = 200
_SECRET_BYTES = 32


def new_signing_secret() -> bytes:
    """Make a secret that calls are signed with."""
    return secrets.token_bytes(_SECRET_BYTES)


def shown_secret(secret: bytes) -> str:
    """Write a secret as the Standard Webhooks do."""
    return "whsec_" + base64.b64encode(secret).decode()


def signature(secret: bytes, call_id: str, timestamp: int, body: bytes) -> str:
    """Return the signature of a call."""
    signed = hmac.new(secret, f"{call_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(signed).decode()}"


def check_signature(
    secret: bytes | None, *, call_id: str, timestamp: str, signatures: str, body: bytes, now: datetime
) -> None:
    """Check the signature and the age of a call. Raises `Unauthenticated`."""
    is_number = timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= 12  # noqa: PLR2004 -- the year 33658
    at = int(timestamp) if is_number else 0
    expected = signature(secret or bytes(_SECRET_BYTES), call_id, at, body).encode()
    offered = [one.encode("utf-8", "replace") for one in signatures.split()[:5]]
    # Compared with each, also when there is no secret: how long it takes says nothing.
    is_signed = sum(hmac.compare_digest(expected, one) for one in offered) > 0
    if secret is None or not is_signed or not call_id or len(call_id) > LONGEST_CALL_ID:
        raise Unauthenticated("This call is not signed with the secret of this provider.")
    if abs(now.timestamp() - at) > OLDEST_CALL.total_seconds():
        raise Unauthenticated("This call was signed too long ago, or a clock is wrong.")
