"""Keep the store's SQLite file: made whole, opened with suspicion, changed in transactions; the only door to sqlite3.

A rollback journal, not WAL: at rest there is one file, which can be copied and lies well on any file system. A crash in the middle
of a change leaves a journal from which the next opening restores what was there; a full disk rolls back at once.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from vultus.errors import NotEnrolled, StoreAltered, StoreBusy, StoreError, StoreFull, StoreOutdated
from vultus.private_files import draft, make_private_folder, publish, translate_os_error

APPLICATION_ID: Final = 0x564C5453
"""The letters VLTS, in the place of the SQLite header that is for this."""
SCHEMA_VERSION: Final = 1
_SCHEMA: Final = (
    "CREATE TABLE meta (one INTEGER PRIMARY KEY CHECK (one = 1), store BLOB NOT NULL, key TEXT NOT NULL, key_check BLOB NOT NULL)",
    "CREATE TABLE ledger (one INTEGER PRIMARY KEY CHECK (one = 1), nonce BLOB NOT NULL, mac BLOB NOT NULL, body BLOB NOT NULL)",
    # No index on tag: an altered index would hide a user. Every reading goes through all rows anyway, for the ledger's digest.
    (
        "CREATE TABLE record (id INTEGER PRIMARY KEY, tag BLOB NOT NULL, format INTEGER NOT NULL,"
        " graph TEXT NOT NULL, nonce BLOB NOT NULL, mac BLOB NOT NULL, body BLOB NOT NULL)"
    ),
)
_GONE: Final = "put a backup back, or remove the file and enrol again"
_FULL: Final = frozenset(
    {
        sqlite3.SQLITE_FULL,
        # SQLite says so for a file-size limit and for a quota, which are not ENOSPC.
        sqlite3.SQLITE_IOERR_WRITE,
        sqlite3.SQLITE_IOERR_FSYNC,
        sqlite3.SQLITE_IOERR_TRUNCATE,
    }
)
_ALTERED: Final = frozenset(
    {
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
        # The statements here are fixed, so one that fails, a value of another type or size: the file is not what it was.
        sqlite3.SQLITE_ERROR,
        sqlite3.SQLITE_MISMATCH,
        sqlite3.SQLITE_TOOBIG,
        sqlite3.SQLITE_CONSTRAINT,
        sqlite3.SQLITE_FORMAT,
    }
)


class Database:
    """An open store file. Safe to share between threads: one transaction at a time."""

    def __init__(self, path: Path, busy_s: float) -> None:
        self.path = path
        self._lock = threading.RLock()
        with _translated(path):
            uri = f"{path.absolute().as_uri()}?mode=rw"
            self._sql = sqlite3.connect(uri, uri=True, timeout=busy_s, isolation_level=None, check_same_thread=False)
        try:
            with _translated(path):
                _prepare(self._sql)
                _check_schema(self._sql, path)
        except BaseException:
            self._sql.close()
            raise

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        with self._lock:
            self._sql.close()

    @contextlib.contextmanager
    def transaction(self, *, write: bool) -> Iterator[sqlite3.Connection]:
        """Yield a connection on which everything happens or nothing; other processes wait or get StoreBusy."""
        with self._lock, _translated(self.path):
            self._sql.execute("BEGIN IMMEDIATE" if write else "BEGIN")
            try:
                yield self._sql
                self._sql.execute("COMMIT")
            except BaseException:
                if self._sql.in_transaction:
                    self._sql.execute("ROLLBACK")
                raise


def create(path: Path, fill: Callable[[sqlite3.Connection], None]) -> None:
    """Make a store file whose first content `fill` writes; does nothing when another process was faster."""
    make_private_folder(path.parent)
    try:
        with draft(path) as new:
            try:
                with _translated(path), contextlib.closing(sqlite3.connect(new, isolation_level=None)) as sql:
                    _prepare(sql)
                    sql.execute("BEGIN IMMEDIATE")
                    sql.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                    sql.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
                    for statement in _SCHEMA:
                        sql.execute(statement)
                    fill(sql)
                    sql.execute("COMMIT")
            finally:
                new.with_name(f"{new.name}-journal").unlink(missing_ok=True)
            publish(new, path)
    except OSError as error:
        raise translate_os_error(error, path, "the store") from error


def exists(path: Path) -> bool:
    """Say whether there is anything at `path`; raises StoreError when that cannot be told."""
    try:
        return path.exists()
    except OSError as error:
        raise translate_os_error(error, path, "the store") from error


def check_header(path: Path) -> None:
    """Raise NotEnrolled when there is no file, StoreAltered when it is no SQLite file at all."""
    try:
        with path.open("rb") as file:
            head = file.read(16)
    except FileNotFoundError as error:
        raise NotEnrolled(f"nobody is enrolled: there is no store at {path}; enrol first, or name another with --store") from error
    except OSError as error:
        raise translate_os_error(error, path, "the store") from error
    if head != b"SQLite format 3\0":
        state = "is empty" if not head else "is not a template store, or it was cut off or altered"
        raise StoreAltered(f"{path} {state}: {_GONE}")


def _prepare(sql: sqlite3.Connection) -> None:
    """Set what one connection needs to be safe against crashes and against a hostile file."""
    for pragma in (
        "journal_mode = DELETE",
        "synchronous = EXTRA",  # the journal's removal, which is the commit, reaches the disk too
        "secure_delete = ON",  # a removed user's bytes are overwritten, sealed as they are
        "trusted_schema = OFF",
        "cell_size_check = ON",
        "mmap_size = 0",
    ):
        sql.execute(f"PRAGMA {pragma}").fetchall()


def _check_schema(sql: sqlite3.Connection, path: Path) -> None:
    """Raise unless the file has exactly the tables that `create` makes: no trigger, no view, nothing else."""
    if sql.execute("PRAGMA application_id").fetchone() != (APPLICATION_ID,):
        raise StoreAltered(f"{path} is not a template store, or it was altered: {_GONE}")
    (version,) = sql.execute("PRAGMA user_version").fetchone()
    if version != SCHEMA_VERSION:
        raise StoreOutdated(f"{path} has store version {version}, this is {SCHEMA_VERSION}: use the Vultus that wrote it, or enrol again")
    found = {text for (text,) in sql.execute("SELECT sql FROM sqlite_schema")}
    if found != set(_SCHEMA):
        raise StoreAltered(f"the tables of {path} were altered: {_GONE}")


@contextlib.contextmanager
def _translated(path: Path) -> Iterator[None]:
    """Turn what sqlite3 raises into the SDK's errors."""
    try:
        yield
    except sqlite3.Error as error:
        raise _translate(error, path) from error
    except (UnicodeDecodeError, OverflowError) as error:
        raise StoreAltered(f"{path} was altered: {_GONE}") from error


def _translate(error: sqlite3.Error, path: Path) -> StoreError:
    """Choose the SDK's error for one of SQLite's result codes."""
    code: int | None = getattr(error, "sqlite_errorcode", None)
    name: str = getattr(error, "sqlite_errorname", type(error).__name__)
    primary = None if code is None else code & 0xFF
    if isinstance(error, sqlite3.ProgrammingError):
        return StoreError(f"the store {path} is closed: open it again")
    if code in _FULL:
        return StoreFull(f"cannot write {path}: the disk is full or a size limit was reached; what was there is intact, free some space")
    if primary in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreBusy(f"another process is using {path}: try again in a moment")
    if primary in _ALTERED or primary is None:
        return StoreAltered(f"{path} was cut off or altered: {_GONE}")
    if primary == sqlite3.SQLITE_READONLY:
        return StoreError(f"{path} cannot be written: check the permissions of the file and its folder")
    return StoreError(f"cannot use {path} ({name}): check the path, the disk and the permissions")
