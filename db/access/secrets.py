"""The secrets behind tokens: `rs_<8 to find it by>_<43 to prove it>`, 256 bits of chance, stored as a hash."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass

_FORM = ("rs", 8, 43)
_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789"


@dataclass(frozen=True)
class Secret:
    """A freshly made secret. `text` is shown once and then forgotten."""

    text: str
    prefix: str
    hash: bytes


def new_secret() -> Secret:
    """Make a secret."""
    name, id_length, _ = _FORM
    prefix = f"{name}_{''.join(secrets.choice(_ALPHABET) for _ in range(id_length))}"
    proof = secrets.token_urlsafe(32)
    return Secret(text=f"{prefix}_{proof}", prefix=prefix, hash=hash_of(proof))


def split_secret(text: str) -> tuple[str, str] | None:
    """Return the prefix and the proof of a secret, `None` if it has not the form of one."""
    name, id_length, proof_length = _FORM
    start = len(name) + 1 + id_length
    has_form = text.startswith(f"{name}_") and text[start : start + 1] == "_" and len(text) == start + 1 + proof_length
    # PostgreSQL cannot even be asked for every character.
    return (text[:start], text[start + 1 :]) if has_form and text.isascii() and text.isprintable() else None


def hash_of(proof: str) -> bytes:
    """Hash a proof. SHA-256 is enough: nobody can guess 256 random bits, so slowing the guess down gains nothing."""
    return hashlib.sha256(proof.encode()).digest()


def is_proof(proof: str, stored: bytes | None) -> bool:
    """Compare in constant time; against nothing at all if there is no such token, which takes as long."""
    matches = hmac.compare_digest(hash_of(proof), stored or bytes(32))
    return matches and stored is not None
