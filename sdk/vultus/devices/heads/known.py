"""Keep this host's identity and the sensor heads that it is paired with: a folder that only its owner may enter.

`host.key` holds the host's Ed25519 secret, `<identity>.head` one head each, signed with that secret, so that a damaged file, or one put
there by somebody without the key, is found out and trusts nobody. Files are written whole or not at all and never changed.
What it does not block: whoever reads `host.key` can speak to the heads as this host.
"""

from __future__ import annotations

import errno
import json
import os
import stat
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from vultus.devices.heads.keys import KEY_BYTES, SIGNATURE_BYTES, Identity, check_digits, verified
from vultus.errors import PairingError, StoreError
from vultus.private_files import make_private_folder, translate_os_error, write_new
from vultus.sealing import KeyFile

FORMAT: Final = 1
_LONGEST_FILE: Final = 16_384
_LONGEST_TEXT: Final = 200
_LABEL: Final = b"vultus known head 1"
_AGAIN: Final = "remove it and pair the head again: vultus pair URL"


@dataclass(frozen=True, slots=True)
class KnownHead:
    """A head that was paired: its identity in hex, what it called itself then, where and when (ns since 1970) it was paired."""

    identity: str
    model: str
    serial: str
    url: str
    paired_ns: int

    @property
    def digits(self) -> str:
        """Return the check digits of its identity."""
        return check_digits(bytes.fromhex(self.identity))


class KnownHeads:
    """The folder of one user; every file in it is checked whenever it is read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._key = KeyFile(folder / "host.key", remedy=f"remove the folder {folder} and pair its heads again")

    def identity(self, *, create: bool = False) -> Identity:
        """Return the host's identity; raises PairingError when there is none and none is to be made, StoreError for an unusable file."""
        if not os.path.lexists(self._key.path):
            heads = self._files()
            if heads:
                raise StoreError(
                    f"{self._key.path} is missing, but {len(heads)} head(s) know this host by it: put it back, or {self._key.remedy}"
                )
            if not create:
                raise PairingError("this host is paired with no sensor head: vultus pair URL")
            self._claim_folder()
            return Identity(self._key.obtain())
        return Identity(self._key.load())

    def add(self, head: bytes, model: str, serial: str, url: str) -> KnownHead:
        """Store a head that has proved who it is; one that is known already stays as it was stored."""
        host = self.identity()
        entry = KnownHead(head.hex(), model[:_LONGEST_TEXT], serial[:_LONGEST_TEXT], url[:_LONGEST_TEXT], time.time_ns())
        record = json.dumps({"format": FORMAT, **asdict(entry)}, sort_keys=True)
        whole = json.dumps({"record": record, "signature": host.sign(_LABEL + record.encode()).hex()})
        path = self._path(entry.identity)
        try:
            write_new(path, whole.encode())
        except OSError as error:
            raise translate_os_error(error, path, "the file of a head") from error
        return self.get(head) or entry

    def get(self, head: bytes) -> KnownHead | None:
        """Return what is known of an identity, None when it is not paired; raises StoreError for a damaged file."""
        path = self._path(head.hex())
        return self._read(path, self.identity()) if os.path.lexists(path) else None

    def all(self) -> tuple[KnownHead, ...]:
        """Return every head, the oldest pairing first; raises StoreError for a damaged file."""
        files = self._files()
        if not files:
            return ()
        host = self.identity()
        return tuple(sorted((self._read(path, host) for path in files), key=lambda h: h.paired_ns))

    def remove(self, head: bytes) -> bool:
        """Forget a head, also one whose file is damaged; False when there is none."""
        path = self._path(head.hex())
        try:
            path.unlink()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise translate_os_error(error, path, "the file of a head") from error
        return True

    def _path(self, identity: str) -> Path:
        return self.folder / f"{identity}.head"

    def _files(self) -> list[Path]:
        """Return the files of all heads; raises StoreError when others could have put them there."""
        if not os.path.lexists(self.folder):
            return []
        self._check_owner(self.folder, self.folder.lstat(), folder=True)
        return sorted(self.folder.glob("*.head"))

    def _claim_folder(self) -> None:
        """Make the folder, or check the one that is there."""
        make_private_folder(self.folder)
        self._check_owner(self.folder, self.folder.lstat(), folder=True)

    def _check_owner(self, path: Path, info: os.stat_result, *, folder: bool = False) -> None:
        """Raise StoreError when somebody else could have written here."""
        plain = stat.S_ISDIR(info.st_mode) if folder else stat.S_ISREG(info.st_mode)
        if not plain:
            raise StoreError(f"{path} is not a plain {'folder' if folder else 'file'}: {_AGAIN}")
        if os.name == "posix" and info.st_uid not in (os.geteuid(), 0):
            raise StoreError(f"{path} belongs to another user: run as that user, or chown it")
        if os.name == "posix" and stat.S_IMODE(info.st_mode) & 0o022:
            raise StoreError(f"{path} can be written by others: run chmod {'700' if folder else '600'} on it")

    def _read(self, path: Path, host: Identity) -> KnownHead:
        """Read and check one file."""
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)
        try:
            descriptor = os.open(path, flags)
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise StoreError(f"{path} is not a plain file: {_AGAIN}") from error
            raise translate_os_error(error, path, "the file of a head") from error
        with os.fdopen(descriptor, "rb") as file:
            self._check_owner(path, os.fstat(file.fileno()))
            raw = file.read(_LONGEST_FILE + 1)
        found = _parse(raw, host)
        if found is None or path != self._path(found.identity):
            raise StoreError(f"{path} is damaged, or was not written under this host's key: {_AGAIN}")
        return found


def _parse(raw: bytes, host: Identity) -> KnownHead | None:
    """Return what a file says, None when it does not bear the host's signature or makes no sense."""
    try:
        whole = json.loads(raw)
        record, signature = whole["record"].encode(), bytes.fromhex(whole["signature"])
        if len(signature) != SIGNATURE_BYTES or not verified(host.public, _LABEL + record, signature):
            return None
        fields = json.loads(record)
        if fields.pop("format") != FORMAT:
            return None
        found = KnownHead(**fields)
        good = len(bytes.fromhex(found.identity)) == KEY_BYTES and isinstance(found.paired_ns, int)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    return found if good else None
