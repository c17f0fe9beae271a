"""Put new files in place whole or not at all, readable by their owner alone.

The bytes go to a hidden file beside the target, reach the disk, and only then get the target's name. A crash or a full disk leaves
at worst that hidden file, never half a target. An existing target is never replaced.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from vultus.errors import StoreError, StoreFull

_NO_HARD_LINKS: Final = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
_NO_SPACE: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def translate_os_error(error: OSError, path: Path, what: str) -> StoreError:
    """Turn an operating system's error into the SDK's, with what to do about it."""
    if error.errno in _NO_SPACE:
        return StoreFull(f"cannot write {what} {path}: the disk is full or a size limit was reached; free some space and try again")
    reason = (error.strerror or type(error).__name__).lower()
    return StoreError(f"cannot use {what} {path}: {reason}; check the path and its permissions, or name another with --store")


def make_private_folder(folder: Path) -> None:
    """Make a folder that only its owner may enter, and its parents; raises StoreError."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise translate_os_error(error, folder, "the folder") from error


@contextlib.contextmanager
def draft(target: Path) -> Iterator[Path]:
    """Yield the path of a new, empty, private file beside `target`; it is gone afterwards unless `publish` gave it the target's name."""
    path = target.with_name(f".{target.name}.{secrets.token_hex(8)}.new")
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def publish(path: Path, target: Path) -> bool:
    """Give a finished draft its name; False when another process was faster, whose file then stays."""
    try:
        os.link(path, target)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
        # A file system without hard links (FAT): a rename is still atomic, but two processes that create at once may race here.
        if target.exists():
            return False
        path.rename(target)
    _sync_folder(target.parent)
    return True


def write_new(target: Path, data: bytes) -> bool:
    """Write a new private file; False when one is there already, which then stays as it is. Raises OSError."""
    with draft(target) as path:
        with path.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        return publish(path, target)


def _sync_folder(folder: Path) -> None:
    """Make a new name in a folder survive a power cut, where the system can."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
