"""Keep features between runs: one SQLite file, written row by row, so that an interrupted evaluation resumes where it stopped.

The file holds embeddings of the people in the data set; it lies in the user's cache folder, readable by the user alone.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from vultus.evaluate.features import Features

_TABLE: Final = "CREATE TABLE IF NOT EXISTS features (key TEXT PRIMARY KEY, meta TEXT NOT NULL, rgb BLOB, nir BLOB) WITHOUT ROWID"
_ASK: Final = 500
"""Keys in one question; SQLite allows 999 in old builds."""


def default_path() -> Path:
    """Return the cache file in the user's cache folder."""
    import platformdirs

    return platformdirs.user_cache_path("vultus", appauthor=False) / "features.db"


class FeatureCache:
    """Features by key. A damaged file is replaced: everything in it can be made again."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Created with its mode before SQLite writes to it; SQLite gives its journal the same mode.
        path.touch(mode=0o600, exist_ok=True)
        try:
            self._sql = self._open()
        except sqlite3.DatabaseError:
            path.unlink()
            path.touch(mode=0o600)
            self._sql = self._open()

    def _open(self) -> sqlite3.Connection:
        sql = sqlite3.connect(self.path, timeout=30.0)
        try:
            sql.execute("PRAGMA journal_mode = WAL")
            sql.execute("PRAGMA synchronous = NORMAL")
            with sql:
                sql.execute(_TABLE)
        except sqlite3.DatabaseError:
            sql.close()
            raise
        return sql

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._sql.close()

    def load(self, keys: Iterable[str]) -> dict[str, Features]:
        """Return the features that are there; a row that cannot be read is not there."""
        out: dict[str, Features] = {}
        for part in _parts(list(keys)):
            marks = ",".join("?" * len(part))
            for key, meta, rgb, nir in self._sql.execute(f"SELECT key, meta, rgb, nir FROM features WHERE key IN ({marks})", part):  # noqa: S608 - the marks are question marks only
                with contextlib.suppress(ValueError):
                    out[key] = Features.from_row(meta, rgb, nir)
        return out

    def store(self, rows: Mapping[str, Features]) -> None:
        """Write rows, all or none."""
        with self._sql:
            self._sql.executemany("INSERT OR REPLACE INTO features VALUES (?, ?, ?, ?)", [(k, *f.to_row()) for k, f in rows.items()])


def _parts(keys: list[str]) -> Iterator[list[str]]:
    """Cut a list into questions of a size that SQLite takes."""
    for start in range(0, len(keys), _ASK):
        yield keys[start : start + _ASK]
