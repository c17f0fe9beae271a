"""Give paired sessions their primitives: Ed25519, X25519, HKDF-SHA-256 and AES-256-GCM; the devices' only door to cryptography.

Wrong keys, signatures and tags are results (False, None), never exceptions: they come over the line.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final, Self

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64
TAG_BYTES: Final = 16
_GROUPS: Final = 6


class Identity:
    """A lasting Ed25519 key; `public` is what others know it by (32 bytes)."""

    __slots__ = ("_key", "public")

    def __init__(self, secret: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(secret)
        self.public = self._key.public_key().public_bytes_raw()

    def __repr__(self) -> str:
        return f"Identity({check_digits(self.public)})"

    def sign(self, message: bytes) -> bytes:
        """Return the signature, 64 bytes."""
        return self._key.sign(message)


class Ephemeral:
    """An X25519 key for one session."""

    __slots__ = ("_key", "public")

    def __init__(self, key: X25519PrivateKey) -> None:
        self._key = key
        self.public = key.public_key().public_bytes_raw()

    @classmethod
    def fresh(cls) -> Self:
        """Make a new one at random."""
        return cls(X25519PrivateKey.generate())

    def agree(self, theirs: bytes) -> bytes | None:
        """Return the secret shared with the holder of `theirs`; None for a key that gives zeros."""
        try:
            return self._key.exchange(X25519PublicKey.from_public_bytes(theirs))
        except ValueError:
            return None


def verified(public: bytes, message: bytes, signature: bytes) -> bool:
    """Say whether the holder of an identity signed the message."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def derive(secret: bytes, salt: bytes | None, info: bytes, size: int = KEY_BYTES) -> bytes:
    """Derive key material with HKDF-SHA-256; without a salt it is 32 zero bytes (RFC 5869)."""
    return HKDF(SHA256(), size, salt, info).derive(secret)


def seal(key: bytes, nonce: bytes, data: bytes, plain: bytes) -> bytes:
    """Return ciphertext and tag; `data` is authenticated only."""
    return AESGCM(key).encrypt(nonce, plain, data)


def opened(key: bytes, nonce: bytes, data: bytes, sealed: bytes) -> bytes | None:
    """Return what was sealed, None when a bit of anything is another."""
    if len(sealed) < TAG_BYTES:
        return None
    try:
        return AESGCM(key).decrypt(nonce, sealed, data)
    except InvalidTag:
        return None


def check_digits(public: bytes) -> str:
    """Return an identity's check digits, six groups of five, that people compare with what the head shows or has printed on it.

    Each group is five bytes of SHA-256("vultus serial 1 check" || identity), as a number modulo 100,000: 99.7 bits together, so that
    finding another key with the same digits takes 2**99 tries.
    """
    digest = hashlib.sha256(b"vultus serial 1 check" + public).digest()
    return " ".join(f"{int.from_bytes(digest[5 * i : 5 * i + 5], 'big') % 100_000:05}" for i in range(_GROUPS))


def plain_digits(given: str) -> str:
    """Return check digits without their gaps, 30 digits; raises ValueError when they are none."""
    digits = re.sub(r"[\s-]", "", given)
    if not (digits.isascii() and digits.isdigit() and len(digits) == 5 * _GROUPS):
        raise ValueError(f"check digits are {5 * _GROUPS} digits in six groups of five; got {given!r}")
    return digits
