"""Seal bytes so that no one without the key reads them and no one changes them unseen; the door to keyring, and for what is stored to cryptography.

AES-256-GCM with a fresh random nonce for each seal. The key in use is derived (HKDF-SHA256) from the 32-byte master key and the
store's own random id, one key a purpose, so that no two stores and no two purposes share one.
What it blocks: reading, editing, swapping and moving sealed records. What it does not block: whoever can read the master key,
and putting back an older copy of the whole store.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from vultus.errors import StoreAltered, StoreError
from vultus.private_files import make_private_folder, translate_os_error, write_new

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
"""Of the random nonce; 96 bits are safe for 2**32 seals under one key (NIST SP 800-38D, 8.3)."""
MAC_BYTES: Final = 16
_SERVICE: Final = "vultus"


class KeySource(Protocol):
    """Where the master key of one store lives."""

    @property
    def name(self) -> str:
        """Word that the store remembers: "file" or "keyring"."""

    def load(self) -> bytes:
        """Return the 32 bytes; raises StoreError with the remedy when they are missing or unsafe."""

    def obtain(self) -> bytes:
        """Return the 32 bytes, made first if there are none."""


@dataclass(frozen=True, slots=True)
class KeyFile:
    """A file of 32 random bytes that only its owner may read. A copy of the folder holds store and key: guard the folder.

    remedy: what to do, other than putting the file back, when it is lost.
    """

    path: Path
    name: str = "file"
    remedy: str = "remove the store and enrol again"

    def load(self) -> bytes:
        """Return the key; raises StoreError when the file is missing, a link, of a wrong length, or readable by others."""
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)
        try:
            descriptor = os.open(self.path, flags)
        except FileNotFoundError as error:
            raise StoreError(f"the key file {self.path} is missing: put it back, or {self.remedy}") from error
        except OSError as error:
            raise translate_os_error(error, self.path, "the key file") from error
        try:
            info = os.fstat(descriptor)
            self._check(info)
            key = os.read(descriptor, KEY_BYTES + 1)
        finally:
            os.close(descriptor)
        if len(key) != KEY_BYTES:
            raise StoreError(
                f"the key file {self.path} has {info.st_size} bytes, not {KEY_BYTES}: put the right file back, or {self.remedy}"
            )
        return key

    def _check(self, info: os.stat_result) -> None:
        """Raise StoreError when others could have read or put the key."""
        if not stat.S_ISREG(info.st_mode):
            raise StoreError(f"the key file {self.path} is not a plain file: put the key itself there")
        if os.name != "posix":
            return
        if stat.S_IMODE(info.st_mode) & 0o077:
            mode = stat.S_IMODE(info.st_mode)
            raise StoreError(f"the key file {self.path} is open to others (mode {mode:04o}): run chmod 600 on it")
        if info.st_uid not in (os.geteuid(), 0):
            raise StoreError(f"the key file {self.path} belongs to another user: run as that user, or chown the file")

    def obtain(self) -> bytes:
        """Return the key, made first if there is no file; two processes that do so at once end with one key."""
        if not os.path.lexists(self.path):
            make_private_folder(self.path.parent)
            try:
                write_new(self.path, os.urandom(KEY_BYTES))
            except OSError as error:
                raise translate_os_error(error, self.path, "the key file") from error
        return self.load()


@dataclass(frozen=True, slots=True)
class Keyring:
    """The operating system's keyring (extra `keyring`); `account` is the store's id in hex."""

    account: str
    name: str = "keyring"
    remedy: str = "remove the store and enrol again"

    def load(self) -> bytes:
        """Return the key; raises StoreError when the keyring cannot be reached or has none for this store."""
        text = self._ask()
        if text is None:
            raise StoreError(f"the system keyring has no key for {self.account[:16]}: unlock or restore it, or {self.remedy}")
        return self._parse(text)

    def obtain(self) -> bytes:
        """Return the key, put into the keyring first if it has none."""
        text = self._ask()
        if text is None:
            key = os.urandom(KEY_BYTES)
            self._ask(put=key.hex())
            return key
        return self._parse(text)

    def _ask(self, put: str | None = None) -> str | None:
        """Read the entry, or write it when `put` is given."""
        try:
            import keyring
            import keyring.errors
        except ImportError as error:
            raise StoreError("the system keyring needs an extra: pip install 'vultus[keyring]', or use VULTUS_KEY=file") from error
        try:
            if put is not None:
                keyring.set_password(_SERVICE, self.account, put)
                return put
            return keyring.get_password(_SERVICE, self.account)
        except keyring.errors.KeyringError as error:
            raise StoreError(f"the system keyring refused ({type(error).__name__}): unlock it, or use VULTUS_KEY=file") from error

    def _parse(self, text: str) -> bytes:
        """Read the entry's 64 hex digits."""
        try:
            key = bytes.fromhex(text)
        except ValueError:
            key = b""
        if len(key) != KEY_BYTES:
            raise StoreError(f"the system keyring's entry for {self.account[:16]} is not a key: restore it, or {self.remedy}")
        return key


def bind(*parts: bytes | str | int) -> bytes:
    """Join parts to associated data so that different parts never give the same bytes; integers are 64-bit, signed."""
    out = bytearray()
    for part in parts:
        raw = part.encode() if isinstance(part, str) else part if isinstance(part, bytes) else part.to_bytes(8, "big", signed=True)
        out += len(raw).to_bytes(4, "big") + raw
    return bytes(out)


@dataclass(frozen=True, slots=True)
class Sealed:
    """What lies in the store: nonce, authentication code, ciphertext."""

    nonce: bytes
    mac: bytes
    body: bytes


class Sealer:
    """Seals and opens with the keys of one store."""

    __slots__ = ("_cipher", "_tag_key", "check")

    def __init__(self, master: bytes, store_id: bytes) -> None:
        if len(master) != KEY_BYTES:
            raise ValueError(f"the master key has {KEY_BYTES} bytes, got {len(master)}")
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self._cipher = AESGCM(_derive(master, store_id, "seal"))
        self._tag_key = _derive(master, store_id, "name")
        self.check = _derive(master, store_id, "check")[:MAC_BYTES]
        """Tells a wrong key from an altered record; reveals nothing about either."""

    def __repr__(self) -> str:
        return "Sealer()"

    def seal(self, plain: bytes, data: bytes) -> Sealed:
        """Encrypt `plain` and bind it to the associated `data`."""
        nonce = os.urandom(NONCE_BYTES)
        out = self._cipher.encrypt(nonce, plain, data)
        return Sealed(nonce, out[-MAC_BYTES:], out[:-MAC_BYTES])

    def open(self, sealed: Sealed, data: bytes) -> bytes:
        """Return what was sealed; raises StoreAltered when one bit of it or of `data` is another."""
        from cryptography.exceptions import InvalidTag

        if len(sealed.nonce) != NONCE_BYTES or len(sealed.mac) != MAC_BYTES:
            raise StoreAltered("a sealed record has the wrong shape")
        try:
            return self._cipher.decrypt(sealed.nonce, sealed.body + sealed.mac, data)
        except InvalidTag as error:
            raise StoreAltered("a sealed record was changed") from error

    def tag(self, name: str) -> bytes:
        """Return a keyed hash (32 bytes) by which a name is found without being readable."""
        return hmac.new(self._tag_key, name.encode(), hashlib.sha256).digest()


def stretch(passphrase: str, salt: bytes, log2_n: int) -> bytes:
    """Return the 32-byte key of a passphrase by scrypt (RFC 7914; r = 8, p = 1): 2**(log2_n + 10) bytes of memory make guessing dear."""
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

    return Scrypt(salt=salt, length=KEY_BYTES, n=1 << log2_n, r=8, p=1).derive(passphrase.encode())


def _derive(master: bytes, store_id: bytes, purpose: str) -> bytes:
    """Derive the 32-byte key of one purpose."""
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(SHA256(), KEY_BYTES, salt=store_id, info=f"vultus store 1 {purpose}".encode()).derive(master)
