"""Keep enrolled templates and failed attempts: encrypted, versioned, written whole or not at all.

One SQLite file. `record` holds one sealed template a user, found by a keyed hash of the name. `ledger` holds one sealed row: a digest
of all records and the failed attempts of each user, rewritten with every change.
What it blocks: reading names or embeddings, editing, adding, swapping or deleting a record, editing or deleting the attempts (each
is StoreAltered). What it does not block: a reader of the key, deletion of the whole file, and putting an older copy of it back,
which brings old templates and old attempt counts with it.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from vultus import database, ledger
from vultus.errors import AlreadyEnrolled, NotEnrolled, StoreAltered, StoreError, StoreOutdated
from vultus.guard import Device
from vultus.ledger import AttemptState
from vultus.sealing import KeyFile, Keyring, KeySource, Sealer, bind
from vultus.templates import FORMAT, READ, Enrolled, Entry, Template, check_user, decode, encode
from vultus.types import Modality

__all__ = ["AttemptState", "Enrolled", "Entry", "Template", "TemplateStore"]

BUSY_S: Final = 3.0
"""Seconds to wait for another process; a write takes milliseconds, so this is a crowd or a stuck process."""
_ID_BYTES: Final = 16


class TemplateStore:
    """Enrolled users in one encrypted file; use it as a context manager. Safe to share between threads and processes."""

    def __init__(self, file: database.Database, sealer: Sealer, store_id: bytes, key: str) -> None:
        self._file = file
        self.path = file.path
        self._sealer = sealer
        self._id = store_id
        self.key = key
        """Where the key lives: "file" or "keyring"."""

    @classmethod
    def open(cls, path: Path | str, key: KeySource | str = "file", *, create: bool = True, busy_s: float = BUSY_S) -> Self:
        """Open the store at `path`; an absent one is made with `create`, and is NotEnrolled without.

        key: where the key of a new store goes, "file" (`<path>.key`) or "keyring"; an old store remembers that itself. A KeySource of
        the caller's own is used as it is. Raises StoreAltered, StoreOutdated, StoreBusy, StoreFull; StoreError for an unusable key.
        """
        if isinstance(key, str) and key not in ("file", "keyring"):
            raise ValueError(f"a key goes into the file or the keyring, got {key!r}")
        path = Path(path)
        if create and not database.exists(path):
            _create(path, key)
        database.check_header(path)
        file = database.Database(path, busy_s)
        try:
            with file.transaction(write=False) as sql:
                store_id, name, check = _meta(sql, path)
            source = _source(name, path, store_id) if isinstance(key, str) else key
            if source.name != name:
                raise StoreError(f"the key of {path} lies in the {name}, not in the {source.name}: open it with that")
            sealer = Sealer(source.load(), store_id)
            if sealer.check != check:
                raise StoreAltered(f"the {name} holds another key than that of {path}: put the right one back, or start a new store")
            store = cls(file, sealer, store_id, name)
            with file.transaction(write=False) as sql:
                store._read_ledger(sql)
        except BaseException:
            file.close()
            raise
        return store

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"TemplateStore({str(self.path)!r})"

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        self._file.close()

    def add(self, template: Template, *, replace: bool = False) -> None:
        """Store a template whole or not at all; raises AlreadyEnrolled unless `replace`. Failed attempts stay as they are."""
        tag = self._sealer.tag(template.user)
        with self._file.transaction(write=True) as sql:
            book = self._read_ledger(sql)
            if sql.execute("SELECT 1 FROM record WHERE tag = ?", (tag,)).fetchone() is not None:
                if not replace:
                    raise AlreadyEnrolled(f"{template.user} is enrolled already: ask to replace, or remove first")
                sql.execute("DELETE FROM record WHERE tag = ?", (tag,))
            blank = sql.execute("INSERT INTO record (tag, format, graph, nonce, mac, body) VALUES (?, 0, '', x'', x'', x'')", (tag,))
            row_id = int(blank.lastrowid or 0)
            sealed = self._sealer.seal(encode(template), self._record_data(row_id, tag, FORMAT, template.graph))
            sql.execute(
                "UPDATE record SET format = ?, graph = ?, nonce = ?, mac = ?, body = ? WHERE id = ?",
                (FORMAT, template.graph, sealed.nonce, sealed.mac, sealed.body, row_id),
            )
            self._write_ledger(sql, book, changed=True)

    def get(self, user: str, forms: Mapping[Modality, str]) -> Template:
        """Return a user's template with what can be compared with embeddings of these `forms` (hashes by modality, as `Manifest.forms` gives them).

        Embeddings of another form are left out. Raises NotEnrolled, StoreAltered, and StoreOutdated when none is left.
        """
        user = check_user(user)
        with self._file.transaction(write=False) as sql:
            self._read_ledger(sql)
            found = sql.execute(ledger.SELECT_ONE, (self._sealer.tag(user),)).fetchone()
            if found is None:
                raise NotEnrolled(f"{user} is not enrolled: enrol first")
            template = self._open_record(ledger.row(found, self.path), user)
        usable = template.usable(forms)
        if usable is None:
            raise StoreOutdated(f"the template of {user} was made by another graph ({template.graph[:12]}): enrol {user} again")
        return usable

    def has(self, user: str) -> bool:
        """Say whether a user is enrolled, whatever the state of the template."""
        try:
            self.failures(check_user(user))
        except NotEnrolled:
            return False
        return True

    def all(self, forms: Mapping[Modality, str]) -> Enrolled:
        """Return everyone as `get` does, and the names of those of whom nothing can be compared; raises StoreAltered."""
        everyone = [(entry.readable(), entry.readable().usable(forms)) for entry in self.entries()]
        return Enrolled(tuple(t for _, t in everyone if t is not None), tuple(whole.user for whole, t in everyone if t is None))

    def users(self) -> list[str]:
        """Return the enrolled names in alphabetical order; raises StoreAltered when one record cannot be read."""
        return sorted(entry.readable().user for entry in self.entries())

    def entries(self) -> tuple[Entry, ...]:
        """Return every record in the order of enrolment, those that cannot be read among them."""
        with self._file.transaction(write=False) as sql:
            self._read_ledger(sql)
            rows = [ledger.row(r, self.path) for r in sql.execute(ledger.SELECT_ALL)]
        out = []
        for row in rows:
            try:
                out.append(Entry(row.id, self._open_record(row, None)))
            except (StoreAltered, StoreOutdated) as problem:
                out.append(Entry(row.id, problem))
        return tuple(out)

    def remove(self, user: str) -> None:
        """Forget a user, the failed attempts included, even when the template was altered or is outdated; raises NotEnrolled."""
        user = check_user(user)
        tag = self._sealer.tag(user)
        with self._file.transaction(write=True) as sql:
            book = self._read_ledger(sql)
            if sql.execute("DELETE FROM record WHERE tag = ?", (tag,)).rowcount != 1:
                raise NotEnrolled(f"{user} is not enrolled: nothing was removed")
            book.attempts.pop(tag.hex(), None)
            self._write_ledger(sql, book, changed=True)

    @property
    def revision(self) -> int:
        """A number that grows with every change of the templates, for callers that keep them in memory."""
        with self._file.transaction(write=False) as sql:
            return self._read_ledger(sql).revision

    def failures(self, user: str | None) -> AttemptState:
        """Return the failed attempts of a user, or for None of identification without a name; raises NotEnrolled."""
        with self._file.transaction(write=False) as sql:
            book = self._read_ledger(sql)
            return book.attempts.get(self._counter(sql, user), AttemptState())

    def record_failure(self, user: str | None, now_ns: int, *, spoof: bool = False) -> AttemptState:
        """Count one failed match, or one `spoof`, at `now_ns` (Unix epoch) and return the new state, which is on the disk by then."""
        if type(now_ns) is not int or not 0 <= now_ns < 2**63:
            raise ValueError("now_ns must be a non-negative integer number of nanoseconds")
        with self._file.transaction(write=True) as sql:
            book = self._read_ledger(sql)
            counter = self._counter(sql, user)
            state = book.attempts[counter] = book.attempts.get(counter, AttemptState()).and_one(now_ns, spoof=spoof)
            self._write_ledger(sql, book, changed=False)
        return state

    def clear_failures(self, user: str | None) -> None:
        """Forget the failed attempts of a user, or for None of identification; writes nothing when there are none."""
        if self.failures(user) == AttemptState():
            return
        with self._file.transaction(write=True) as sql:
            book = self._read_ledger(sql)
            book.attempts.pop(self._counter(sql, user), None)
            self._write_ledger(sql, book, changed=False)

    def guarded(self) -> frozenset[Device]:
        """Return the devices that a liveness calibration guarded; without one they accept nobody any more."""
        with self._file.transaction(write=False) as sql:
            return frozenset(self._read_ledger(sql).guarded)

    def guard(self, device: Device, *, drop: bool = False) -> None:
        """Remember that a liveness calibration guards a device, or with `drop` forget it; writes nothing when that is so already."""
        if (device in self.guarded()) is not drop:
            return
        with self._file.transaction(write=True) as sql:
            book = self._read_ledger(sql)
            book.guarded = book.guarded - {device} if drop else book.guarded | {device}
            self._write_ledger(sql, book, changed=False)

    def _counter(self, sql: sqlite3.Connection, user: str | None) -> str:
        """Return the ledger's key for a user; raises NotEnrolled, so that made-up names cannot fill the ledger."""
        if user is None:
            return ledger.ANYONE
        user = check_user(user)
        tag = self._sealer.tag(user)
        if sql.execute("SELECT 1 FROM record WHERE tag = ?", (tag,)).fetchone() is None:
            raise NotEnrolled(f"{user} is not enrolled: enrol first")
        return tag.hex()

    def _record_data(self, row_id: int, tag: bytes, form: int, graph: str) -> bytes:
        """Return what a record's seal is bound to."""
        return bind("record", self._id, row_id, tag, form, graph)

    def _open_record(self, row: ledger.Row, user: str | None) -> Template:
        """Unseal one record; raises StoreAltered, or StoreOutdated for an unknown format."""
        who = f"the template of {user}" if user is not None else f"record {row.id} of {self.path}"
        remedy = f"remove {user if user is not None else 'that user'} and enrol again"
        try:
            plain = self._sealer.open(row.sealed, self._record_data(row.id, row.tag, row.format, row.graph))
        except StoreAltered as error:
            raise StoreAltered(f"{who} was altered: {remedy}") from error
        if row.format not in READ:
            raise StoreOutdated(f"{who} has format {row.format}, this is {FORMAT}: {remedy}")
        try:
            return decode(plain, row.graph)
        except ValueError as error:
            raise StoreAltered(f"{who} cannot be read: {remedy}") from error

    def _read_ledger(self, sql: sqlite3.Connection) -> ledger.Ledger:
        """Unseal the ledger and hold the records against it; raises StoreAltered."""
        return ledger.read(sql, self._sealer, _ledger_data(self._id, self.key), self.path)

    def _write_ledger(self, sql: sqlite3.Connection, book: ledger.Ledger, *, changed: bool) -> None:
        """Seal the ledger anew over the records as they now are; `changed` says that a template did."""
        book.revision += changed
        ledger.write(sql, self._sealer, _ledger_data(self._id, self.key), book, self.path)


def _ledger_data(store_id: bytes, key: str) -> bytes:
    """Return what the ledger's seal is bound to."""
    return bind("ledger", store_id, database.SCHEMA_VERSION, key)


def _create(path: Path, key: KeySource | str) -> None:
    """Make an empty store and, where there is none, its key."""
    store_id = secrets.token_bytes(_ID_BYTES)
    source = _source(key, path, store_id) if isinstance(key, str) else key
    sealer = Sealer(source.obtain(), store_id)

    def fill(sql: sqlite3.Connection) -> None:
        sql.execute("INSERT INTO meta VALUES (1, ?, ?, ?)", (store_id, source.name, sealer.check))
        ledger.write(sql, sealer, _ledger_data(store_id, source.name), ledger.Ledger(), path)

    database.create(path, fill)


def _source(name: str, path: Path, store_id: bytes) -> KeySource:
    """Return where the key lies that a store's meta row names; raises StoreError for another word."""
    if name == "file":
        return KeyFile(path.with_name(f"{path.name}.key"))
    if name == "keyring":
        return Keyring(store_id.hex())
    raise StoreError(f"{path} has its key in {name!r}, or was altered: open it with that KeySource")


def _meta(sql: sqlite3.Connection, path: Path) -> tuple[bytes, str, bytes]:
    """Return the store's id, the place of its key and the key's check value; raises StoreAltered."""
    rows = sql.execute("SELECT store, key, key_check FROM meta").fetchall()
    if len(rows) != 1 or [type(value) for value in rows[0]] != [bytes, str, bytes] or len(rows[0][0]) != _ID_BYTES:
        raise ledger.altered(path)
    store_id, name, check = rows[0]
    return store_id, name, check
