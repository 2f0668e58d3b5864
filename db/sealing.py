"""Secrets at rest: sealed with the key of whoever runs the server (`RINGSIDE_SECRET_KEY`), or stored as they are.

What is sealed begins with `sealed:1:` and holds nothing that can be read without the key. The key is any text: what
it is derived into has 256 bits, and AES-GCM says when a sealed value was changed or belongs to another key.
"""

import base64
import hashlib
import logging
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from db.errors import Conflict, Unavailable

_log = logging.getLogger(__name__)

_MARK = "sealed:1:"
_NONCE_BYTES = 12
_ROUNDS = 100_000


class Sealer:
    """Seals and opens secrets. Without a key it leaves them as they are."""

    def __init__(self, key: str | None) -> None:
        derived = hashlib.pbkdf2_hmac("sha256", key.encode(), b"ringside sealing", _ROUNDS) if key else None
        self._cipher = None if derived is None else AESGCM(derived)

    @property
    def has_key(self) -> bool:
        """Whether what is stored from now on is sealed."""
        return self._cipher is not None

    def seal(self, text: str, *, purpose: str) -> str:
        """Seal a secret for one purpose, the name of its table and column: sealed for another, it does not open."""
        return self.seal_bytes(text.encode(), purpose=purpose).decode()

    def seal_bytes(self, secret: bytes, *, purpose: str) -> bytes:
        """Seal a secret that is no text, as `seal` does."""
        if self._cipher is None:
            return secret
        nonce = os.urandom(_NONCE_BYTES)
        sealed = nonce + self._cipher.encrypt(nonce, secret, purpose.encode())
        return _MARK.encode() + base64.b64encode(sealed)

    def open(self, stored: str, *, purpose: str) -> str:
        """Return a secret. Raises `Conflict` if it was sealed with another key, or was changed."""
        return self.open_bytes(stored.encode(), purpose=purpose).decode()

    def open_bytes(self, stored: bytes, *, purpose: str) -> bytes:
        """Return a secret that is no text, as `open` does."""
        if not is_sealed(stored):
            return stored
        if self._cipher is None:
            raise Conflict(
                "A secret is sealed and there is no key: set RINGSIDE_SECRET_KEY to the one it was sealed with."
            )
        try:
            raw = base64.b64decode(stored.removeprefix(_MARK.encode()), validate=True)
            return self._cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], purpose.encode())
        except (InvalidTag, ValueError) as error:
            raise Conflict(
                "A secret does not open: RINGSIDE_SECRET_KEY is not the one it was sealed with. Set the secret again."
            ) from error

    def reveal(self, stored: bytes | None, *, purpose: str) -> bytes | None:
        """Return a secret for its use, `None` if there is none. Raises `Unavailable`; why stands in the log alone."""
        if stored is None:
            return None
        try:
            return self.open_bytes(stored, purpose=purpose)
        except Conflict as error:
            _log.error("a secret of %s cannot be used: %s", purpose, error.message)
            raise Unavailable("This cannot be done: a secret does not open. The server's log says why.") from error


def is_sealed(stored: object) -> bool:
    """Say whether a stored secret is sealed, as text or as its bytes."""
    if isinstance(stored, bytes):
        return stored.startswith(_MARK.encode())
    return isinstance(stored, str) and stored.startswith(_MARK)


# Whoever has no key.
NO_KEY = Sealer(None)
