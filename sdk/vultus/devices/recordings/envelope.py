"""Seal the messages of a recording, so that nobody without its key sees a picture and nobody changes, moves, repeats or drops one unseen.

Each recording has a random key of its own, wrapped by the user's recording key or by a passphrase (scrypt). A message is its place in the
recording (8 bytes), a nonce (12), a code (16) and the packed message under AES-256-GCM, bound to the recording, the place, the stream,
the time and the sequence number. A closed recording ends with its sealed number of messages. The device's identity, the consent note and
the frames' times and sizes stay readable without a key; the identity and the note cannot be changed unseen.
"""

from __future__ import annotations

import json
import secrets
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Final, Self

from vultus import settings
from vultus.devices.recordings.chunks import MAX_RECORD, deflate, inflate
from vultus.errors import StoreAltered, StoreError
from vultus.sealing import KEY_BYTES, MAC_BYTES, NONCE_BYTES, KeyFile, Keyring, KeySource, Sealed, Sealer, bind, stretch
from vultus.types import Stream

ENCODING: Final = "vultus.sealed"
"""What a sealed channel says of its messages; readers that do not know it show the channel and none of its contents."""
END: Final = "vultus.end"
MAX_NOTE: Final = 2000
"""Characters of a consent note: a paragraph or two."""
_HEAD: Final = struct.Struct(f"<Q{NONCE_BYTES}s{MAC_BYTES}sQ")
"""Place, nonce, code, and the message's length before it was packed."""
_LOG2_N: Final = 17
"""scrypt's cost for new recordings: 128 MiB and about half a second (OWASP's first choice, N = 2^17, r = 8, p = 1)."""
_LOG2_N_READ: Final = range(14, 19)
"""Costs that are read: no file may ask for more than 256 MiB, nor claim a protection that is none."""
_OWN: Final = frozenset({"wrapped", "crc32"})
_LOST: Final = "do without the recording"


@dataclass(frozen=True, slots=True)
class Consent:
    """What the people in a recording agreed to: who, what for. `until` is the day (YYYY-MM-DD) from which it must be gone; "" = not said."""

    text: str
    until: str = ""

    def __post_init__(self) -> None:
        if not self.text.strip() or len(self.text) > MAX_NOTE or not all(c.isprintable() or c == "\n" for c in self.text):
            raise ValueError(f"a consent note says who agreed to what, in 1 to {MAX_NOTE} printable characters")
        if self.until:
            date.fromisoformat(self.until)

    def expired(self, today: date) -> bool:
        """Say whether the day has come."""
        return bool(self.until) and today >= date.fromisoformat(self.until)


@dataclass(frozen=True, slots=True)
class Passphrase:
    """A key that a person remembers; at least 8 characters, which alone is weak: use several words."""

    text: str = field(repr=False)
    name: str = "passphrase"

    def __post_init__(self) -> None:
        if not 8 <= len(self.text) <= 1024:
            raise ValueError("a passphrase has 8 to 1024 characters")


Key = KeySource | Passphrase
"""What wraps the key of a recording."""


def user_key() -> KeySource:
    """Return the user's own recording key, in a file or in the keyring as the settings say; `obtain` makes it."""
    return _stored(settings.load().key)


def _stored(name: str) -> KeySource:
    if name == "keyring":
        return Keyring("recordings", remedy=_LOST)
    return KeyFile(settings.load().recording_key or settings.default_recording_key(), remedy=_LOST)


def key_file(path: str) -> KeySource:
    """Return a key that lies in a file of one's own."""
    return KeyFile(Path(path).expanduser(), remedy=_LOST)


def _found(name: str) -> Key:
    """Return the key that a recording names when the caller gave none; raises ValueError with the remedy."""
    if name in settings.KEY_KINDS:
        return _stored(name)
    told = settings.load().passphrase
    if told is None:
        raise ValueError("it is encrypted by a passphrase; set VULTUS_PASSPHRASE, or let a vultus command ask for it on a terminal")
    return Passphrase(told)


def asks_passphrase(path: Path) -> bool:
    """Say whether a file looks like a recording that a passphrase opens, from the first bytes of it; never raises for what they are."""
    with path.open("rb") as file:
        head = file.read(1 << 16)
    word = b"".join(len(part).to_bytes(4, "little") + part for part in (b"key", b"passphrase"))
    return word in head


def _master(key: Key, recording_id: bytes, log2_n: int, *, make: bool) -> bytes:
    if isinstance(key, Passphrase):
        return stretch(key.text, recording_id, log2_n)
    return key.obtain() if make else key.load()


def _header(about: Mapping[str, str]) -> bytes:
    """Return what stands readable at the beginning, in the one form that the key's wrapping is bound to."""
    return json.dumps({k: v for k, v in about.items() if k not in _OWN}, sort_keys=True).encode()


class Envelope:
    """Seals or opens the messages of one recording, in their order."""

    def __init__(self, recording_id: bytes, key: bytes, wrapped_by: Key) -> None:
        self.wrapped_by = wrapped_by
        self._id = recording_id
        self._sealer = Sealer(key, recording_id)
        self._number: int | None = 0
        self.ended = False

    @classmethod
    def make(cls, about: Mapping[str, str], key: Key) -> tuple[Self, dict[str, str]]:
        """Return a new recording's envelope, and what its header says from then on. Raises StoreError for a key that cannot be used."""
        recording_id, own = secrets.token_bytes(16), secrets.token_bytes(KEY_BYTES)
        wrapper = Sealer(_master(key, recording_id, _LOG2_N, make=True), recording_id)
        said = dict(about) | {"sealed": "aes-256-gcm", "id": recording_id.hex(), "key": key.name, "key_check": wrapper.check.hex()}
        if isinstance(key, Passphrase):
            said["scrypt_log2_n"] = str(_LOG2_N)
        sealed = wrapper.seal(own, bind("recording key", _header(said)))
        return cls(recording_id, own, key), said | {"wrapped": (sealed.nonce + sealed.mac + sealed.body).hex()}

    @classmethod
    def unwrap(cls, about: Mapping[str, str], key: Key | None) -> Self:
        """Return the envelope of a recording by its header; raises ValueError, with the remedy, for a wrong or missing key."""
        try:
            recording_id, wrapped = bytes.fromhex(about["id"]), bytes.fromhex(about["wrapped"])
            name, check, log2_n = about["key"], bytes.fromhex(about["key_check"]), int(about.get("scrypt_log2_n", _LOG2_N))
        except KeyError as problem:
            raise ValueError(f"the header of an encrypted recording has no {problem}") from problem
        if about.get("sealed") != "aes-256-gcm" or name not in (*settings.KEY_KINDS, "passphrase") or log2_n not in _LOG2_N_READ:
            raise ValueError("it is encrypted in a way that this version of Vultus does not know")
        chosen = key if key is not None else _found(name)
        if (name == "passphrase") != isinstance(chosen, Passphrase):
            raise ValueError(f"it is encrypted by a {name}, not by a {chosen.name}; give that")
        try:
            wrapper = Sealer(_master(chosen, recording_id, log2_n, make=False), recording_id)
        except StoreError as problem:
            raise ValueError(f"it is encrypted, and its key cannot be used: {problem}") from problem
        if not secrets.compare_digest(wrapper.check, check):
            raise ValueError(f"it is encrypted by another {name} than this one; give the right one")
        parts = Sealed(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES : NONCE_BYTES + MAC_BYTES], wrapped[NONCE_BYTES + MAC_BYTES :])
        try:
            own = wrapper.open(parts, bind("recording key", _header(about)))
        except StoreAltered as problem:
            raise ValueError("its header was altered: the device, the consent note or the wrapped key") from problem
        return cls(recording_id, own, chosen)

    @property
    def place(self) -> int | None:
        """The place of the next message; None right after `jump`."""
        return self._number

    def jump(self) -> None:
        """Go on anywhere in the recording: the next message may have any place, later ones must follow it."""
        self._number, self.ended = None, False

    def _data(self, number: int, stream: Stream, time_ns: int, sequence: int) -> bytes:
        """Return what a message's seal is bound to; the time is unsigned in the file."""
        return bind("frame", self._id, number, stream.value, time_ns.to_bytes(8, "big"), sequence)

    def seal(self, plain: bytes, stream: Stream, time_ns: int, sequence: int) -> bytes:
        """Return the next message, sealed."""
        number = self._number or 0
        sealed = self._sealer.seal(deflate(plain), self._data(number, stream, time_ns, sequence))
        self._number = number + 1
        return _HEAD.pack(number, sealed.nonce, sealed.mac, len(plain)) + sealed.body

    def open(self, message: bytes | memoryview, stream: Stream, time_ns: int, sequence: int) -> bytes:
        """Return what was sealed; raises ValueError when it was altered or does not stand in its place."""
        if len(message) < _HEAD.size or self.ended:
            raise ValueError("an encrypted message is too short, or stands behind the end")
        number, nonce, mac, size = _HEAD.unpack_from(message)
        if number >= 2**63 or self._number not in (None, number):
            raise ValueError(
                f"the encrypted message {number} stands where {self._number} belongs: messages were moved, repeated or left out"
            )
        if size > MAX_RECORD:
            raise ValueError(f"an encrypted message claims {size} bytes")
        try:
            sealed = Sealed(nonce, mac, bytes(message[_HEAD.size :]))
            packed = self._sealer.open(sealed, self._data(number, stream, time_ns, sequence))
        except StoreAltered as problem:
            raise ValueError(f"the encrypted message {number} was altered, or comes from another stream, time or recording") from problem
        self._number = number + 1
        return inflate(packed, size)

    def end(self) -> dict[str, str]:
        """Return the record that closes a recording: nobody else can make one for fewer messages."""
        number = self._number or 0
        sealed = self._sealer.seal(b"", bind("end", self._id, number))
        return {"messages": str(number), "seal": (sealed.nonce + sealed.mac).hex()}

    def check_end(self, said: Mapping[str, str]) -> None:
        """Take in the closing record; raises ValueError when it is not this recording's or messages are missing before it."""
        try:
            number, seal = int(said["messages"]), bytes.fromhex(said["seal"])
        except KeyError as problem:
            raise ValueError("the closing record is malformed") from problem
        if not 0 <= number < 2**63 or self._number not in (None, number):
            raise ValueError("the closing record counts another number of messages: some were left out")
        try:
            self._sealer.open(Sealed(seal[:NONCE_BYTES], seal[NONCE_BYTES:], b""), bind("end", self._id, number))
        except StoreAltered as problem:
            raise ValueError("the closing record was altered") from problem
        self.ended = True
