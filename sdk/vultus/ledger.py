"""Keep the store's ledger: one sealed row that vouches for all records and holds the failed attempts.

A record that was edited, added, swapped or deleted behind the store's back does not fit the ledger's digest; a missing or edited
ledger does not open. Only the whole file's older copy fits itself.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from vultus.errors import StoreAltered
from vultus.sealing import MAC_BYTES, NONCE_BYTES, Sealed, Sealer

ANYONE: Final = ""
"""The counter of attempts without a user name."""
SELECT_ONE: Final = "SELECT id, tag, format, graph, nonce, mac, body FROM record WHERE tag = ?"
SELECT_ALL: Final = "SELECT id, tag, format, graph, nonce, mac, body FROM record ORDER BY id"
_TYPES: Final = (int, bytes, int, str, bytes, bytes, bytes)


@dataclass(slots=True)
class Ledger:
    """What the sealed row says; `attempts` is (count, last_ns) by the hex tag of a user."""

    revision: int = 0
    digest: str = ""
    attempts: dict[str, tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table `record`."""

    id: int
    tag: bytes
    format: int
    graph: str
    sealed: Sealed


def row(values: tuple[Any, ...], path: Path) -> Row:
    """Check the types of a selected row, which SQLite itself does not hold to; raises StoreAltered."""
    if not all(type(value) is kind for value, kind in zip(values, _TYPES, strict=True)):
        raise altered(path)
    record, tag, form, graph, nonce, mac, body = values
    return Row(record, tag, form, graph, Sealed(nonce, mac, body))


def read(sql: sqlite3.Connection, sealer: Sealer, data: bytes, path: Path) -> Ledger:
    """Unseal the ledger and hold the records against it; raises StoreAltered."""
    found = sql.execute("SELECT nonce, mac, body FROM ledger").fetchall()
    if len(found) != 1 or not all(isinstance(value, bytes) for value in found[0]):
        raise altered(path)
    try:
        plain = json.loads(sealer.open(Sealed(*found[0]), data))
    except StoreAltered as error:
        raise altered(path) from error
    attempts = {tag: (count, last) for tag, (count, last) in plain["attempts"].items()}
    ledger = Ledger(plain["revision"], plain["digest"], attempts)
    if ledger.digest != _digest(sql, path):
        raise altered(path)
    return ledger


def write(sql: sqlite3.Connection, sealer: Sealer, data: bytes, ledger: Ledger, path: Path) -> None:
    """Seal the ledger anew over the records as they now are."""
    plain = {"revision": ledger.revision, "digest": _digest(sql, path), "attempts": ledger.attempts}
    sealed = sealer.seal(json.dumps(plain).encode(), data)
    sql.execute("INSERT OR REPLACE INTO ledger VALUES (1, ?, ?, ?)", (sealed.nonce, sealed.mac, sealed.body))


def altered(path: Path) -> StoreAltered:
    """Return the error for a store whose parts do not fit each other."""
    return StoreAltered(f"records of {path} were altered, added or deleted: put a backup back, or remove the file and enrol again")


def _digest(sql: sqlite3.Connection, path: Path) -> str:
    """Hash what identifies every record: its id, tag, nonce and authentication code, which in turn vouches for the body."""
    total, tags = hashlib.sha256(), set()
    for record, tag, nonce, mac in sql.execute("SELECT id, tag, nonce, mac FROM record ORDER BY id"):
        if type(record) is not int or not all(isinstance(value, bytes) for value in (tag, nonce, mac)):
            raise altered(path)
        if (len(nonce), len(mac)) != (NONCE_BYTES, MAC_BYTES) or tag in tags:
            raise altered(path)
        tags.add(tag)
        total.update(record.to_bytes(8, "big", signed=True) + hashlib.sha256(tag).digest() + nonce + mac)
    return total.hexdigest()
