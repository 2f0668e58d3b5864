"""What a source is made of: the address it is listened to at, and the secret its calls are signed with."""

import base64
import hashlib
import hmac
import secrets
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from db.errors import Invalid, Unauthenticated

LONGEST_URL = 500
OLDEST_CALL = timedelta(minutes=5)
LONGEST_CALL_ID = 200
_SECRET_BYTES = 32
_PREFIX = "whsec_"
_FORM = "The address of a source looks like ws://127.0.0.1:21213/; this one does not"


def checked_url(url: str) -> str:
    """Return the address of a WebSocket. Raises `Invalid`, saying what is wrong with it."""
    url = url.strip()
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise Invalid(f"{_FORM}: {error}.", field="url") from error
    if parts.scheme not in {"ws", "wss"} or not parts.hostname:
        raise Invalid(f"{_FORM}.", field="url")
    if parts.username is not None or parts.password is not None:
        raise Invalid("An address is shown to others: it carries no name and no password.", field="url")
    if parts.fragment or len(url) > LONGEST_URL or not url.isascii() or not url.isprintable() or " " in url:
        raise Invalid(f"{_FORM}.", field="url")
    return url


# What such secrets are sealed for.
PURPOSE = "stream_sources.secret"


def new_signing_secret() -> bytes:
    """Make a secret that calls are signed with."""
    return secrets.token_bytes(_SECRET_BYTES)


def shown_secret(secret: bytes) -> str:
    """Write a secret as the Standard Webhooks do."""
    return _PREFIX + base64.b64encode(secret).decode()


def sign(secret: bytes, call_id: str, timestamp: str, body: bytes) -> str:
    """Return the signature of a call, as the Standard Webhooks write it."""
    signed = hmac.new(secret, f"{call_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(signed).decode()}"


def check_call(
    secret: bytes | None, *, call_id: str, timestamp: str, signatures: str, body: bytes, now: datetime
) -> None:
    """Check the signature and the age of a call. Raises `Unauthenticated`."""
    expected = sign(secret or bytes(_SECRET_BYTES), call_id, timestamp, body).encode()
    offered = [one.encode("utf-8", "replace") for one in signatures.split()[:5]]
    # Compared with each, also when there is no secret: how long it takes says nothing.
    is_signed = sum(hmac.compare_digest(expected, one) for one in offered) > 0
    if secret is None or not is_signed or not call_id or len(call_id) > LONGEST_CALL_ID:
        raise Unauthenticated("This call is not signed with the secret of this source.")
    if (
        not (timestamp.isascii() and timestamp.isdecimal())
        or abs(now.timestamp() - int(timestamp)) > OLDEST_CALL.seconds
    ):
        raise Unauthenticated("This call was signed too long ago, or a clock is wrong.")
