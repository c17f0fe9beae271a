"""Keep the store's ledger: one sealed row that vouches for all records, and holds failed attempts and the devices under a liveness guard.

A record that was edited, added, swapped or deleted behind the store's back does not fit the ledger's digest; a missing or edited
ledger does not open. Only the whole file's older copy fits itself.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from dataclasses import astuple, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from vultus.errors import StoreAltered
from vultus.guard import Device
from vultus.sealing import MAC_BYTES, NONCE_BYTES, Sealed, Sealer

ANYONE: Final = ""
"""The counter of attempts without a user name."""
SELECT_ONE: Final = "SELECT id, tag, format, graph, nonce, mac, body FROM record WHERE tag = ?"
SELECT_ALL: Final = "SELECT id, tag, format, graph, nonce, mac, body FROM record ORDER BY id"
_TYPES: Final = (int, bytes, int, str, bytes, bytes, bytes)


@dataclass(frozen=True, slots=True)
class AttemptState:
    """Failed attempts since the last success: matches that failed and spoofs, counted apart.

    `last_ns`, `spoof_ns` are the clock of the latest of each as it was given, 0 when there is none.
    """

    count: int = 0
    last_ns: int = 0
    spoofs: int = 0
    spoof_ns: int = 0

    def and_one(self, now_ns: int, *, spoof: bool) -> AttemptState:
        """Return the state after one more."""
        if spoof:
            return replace(self, spoofs=self.spoofs + 1, spoof_ns=now_ns)
        return replace(self, count=self.count + 1, last_ns=now_ns)


@dataclass(slots=True)
class Ledger:
    """What the sealed row says: `attempts` by the hex tag of a user, `guarded` devices on which a liveness calibration was in use."""

    revision: int = 0
    digest: str = ""
    attempts: dict[str, AttemptState] = field(default_factory=dict)
    guarded: set[Device] = field(default_factory=set)


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
    attempts = {tag: AttemptState(*state) for tag, state in plain["attempts"].items()}
    guarded = {(kind, model, serial) for kind, model, serial in plain.get("guarded", ())}
    ledger = Ledger(plain["revision"], plain["digest"], attempts, guarded)
    if ledger.digest != _digest(sql, path):
        raise altered(path)
    return ledger


def write(sql: sqlite3.Connection, sealer: Sealer, data: bytes, ledger: Ledger, path: Path) -> None:
    """Seal the ledger anew over the records as they now are."""
    attempts = {tag: astuple(state) for tag, state in ledger.attempts.items()}
    plain = {"revision": ledger.revision, "digest": _digest(sql, path), "attempts": attempts, "guarded": sorted(ledger.guarded)}
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
