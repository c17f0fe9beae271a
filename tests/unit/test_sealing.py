from __future__ import annotations

import hmac
import os
import stat
import threading

import keyring
import keyring.backend
import keyring.errors
import pytest

from vultus import sealing
from vultus.errors import StoreAltered, StoreError, StoreFull
from vultus.sealing import KeyFile, Keyring, Sealed, Sealer, bind

MASTER = bytes(range(32))
STORE = b"s" * 16


class MemoryKeyring(keyring.backend.KeyringBackend):
    priority = 1

    def __init__(self):
        self.entries = {}

    def get_password(self, service, username):
        return self.entries.get((service, username))

    def set_password(self, service, username, password):
        self.entries[service, username] = password


class LockedKeyring(MemoryKeyring):
    def get_password(self, service, username):
        raise keyring.errors.KeyringLocked("locked")


@pytest.fixture
def use_keyring():
    """Put another keyring in place of the system's and take it away again."""
    before = keyring.get_keyring()
    yield keyring.set_keyring
    keyring.set_keyring(before)


def test_round_trip():
    """What was sealed opens to the same bytes, the empty string included."""
    sealer = Sealer(MASTER, STORE)
    for plain in (b"", b"x", bytes(10_000)):
        assert sealer.open(sealer.seal(plain, b"a"), b"a") == plain


def test_nonce_is_never_reused():
    """Sealing the same bytes twice gives different ciphertexts."""
    sealer = Sealer(MASTER, STORE)
    seals = [sealer.seal(b"same", b"") for _ in range(200)]
    assert len({s.nonce for s in seals}) == len({s.body for s in seals}) == 200


@pytest.mark.parametrize("part", ["nonce", "mac", "body"])
def test_any_flipped_bit_is_altered(part):
    """Each single bit of a seal, once flipped, makes it StoreAltered."""
    sealer = Sealer(MASTER, STORE)
    sealed = sealer.seal(b"secret", b"data")
    whole = getattr(sealed, part)
    for bit in range(8 * len(whole)):
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(StoreAltered):
            sealer.open(Sealed(**{**{n: getattr(sealed, n) for n in ("nonce", "mac", "body")}, part: bytes(flipped)}), b"data")


def test_other_data_is_altered():
    """A seal does not open under other associated data, another key or another store's id."""
    sealed = Sealer(MASTER, STORE).seal(b"secret", b"data")
    for other, data in ((Sealer(MASTER, STORE), b"datb"), (Sealer(bytes(32), STORE), b"data"), (Sealer(MASTER, b"t" * 16), b"data")):
        with pytest.raises(StoreAltered):
            other.open(sealed, data)


def test_wrong_shape_is_altered():
    """A nonce or a code of another length is StoreAltered, not a crash of the cipher."""
    for sealed in (Sealed(b"", bytes(16), b""), Sealed(bytes(12), b"", b""), Sealed(bytes(13), bytes(16), b"")):
        with pytest.raises(StoreAltered):
            Sealer(MASTER, STORE).open(sealed, b"")


def test_known_answer():
    """Name tags and the key check are HKDF-SHA256 and HMAC-SHA256 as written down here again, so that old stores open for ever."""

    def derive(purpose):
        extracted = hmac.digest(STORE, MASTER, "sha256")
        return hmac.digest(extracted, b"vultus store 1 " + purpose + b"\x01", "sha256")

    sealer = Sealer(MASTER, STORE)
    assert sealer.check == derive(b"check")[:16]
    assert sealer.check.hex() == "3048569b48583522d6e420085d927ca2"
    assert sealer.tag("ada") == hmac.digest(derive(b"name"), b"ada", "sha256")


def test_bind_tells_parts_apart():
    """Moving a byte from one part to the next changes the bound bytes."""
    assert bind("ab", "c") != bind("a", "bc") != bind("abc")
    assert bind(1) != bind(-1) != bind("1")


def test_repr_hides_the_key():
    """No repr shows key bytes."""
    sealer = Sealer(MASTER, STORE)
    assert repr(sealer) == "Sealer()"


def test_key_file_is_made_private(tmp_path):
    """A new key file has 32 random bytes and mode 0600 whatever the umask, and nothing else lies beside it."""
    before = os.umask(0)
    try:
        path = tmp_path / "new" / "store.key"
        key = KeyFile(path).obtain()
    finally:
        os.umask(before)
    assert len(key) == 32
    assert key == KeyFile(path).load() == KeyFile(path).obtain()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [p.name for p in path.parent.iterdir()] == ["store.key"]
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o660, 0o644, 0o601])
def test_open_key_file_is_refused(tmp_path, mode):
    """A key file that others may touch is refused, and the message says chmod 600."""
    path = tmp_path / "k"
    KeyFile(path).obtain()
    path.chmod(mode)
    with pytest.raises(StoreError, match=r"mode 0\d+\): run chmod 600"):
        KeyFile(path).load()


@pytest.mark.parametrize("length", [0, 16, 31, 33, 64])
def test_key_of_another_length_is_refused(tmp_path, length):
    """A key file that has not exactly 32 bytes is refused with its length."""
    path = tmp_path / "k"
    path.write_bytes(bytes(length))
    path.chmod(0o600)
    with pytest.raises(StoreError, match=f"has {length} bytes, not 32"):
        KeyFile(path).obtain()


def test_missing_link_and_folder_are_refused(tmp_path):
    """A missing key file, a symbolic link and a folder in its place each give a clear line."""
    with pytest.raises(StoreError, match="is missing: put it back"):
        KeyFile(tmp_path / "none").load()
    KeyFile(tmp_path / "real").obtain()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(StoreError, match="key file"):
        KeyFile(tmp_path / "link").obtain()
    (tmp_path / "folder").mkdir(mode=0o700)
    os.mkfifo(tmp_path / "pipe", 0o600)
    for name in ("folder", "pipe"):
        with pytest.raises(StoreError, match="not a plain file"):
            KeyFile(tmp_path / name).load()


def test_full_disk_leaves_no_key(tmp_path, monkeypatch):
    """When the key cannot be written nothing is left behind, neither a short key nor a draft."""

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreFull, match="free some space"):
        KeyFile(tmp_path / "k").obtain()
    assert list(tmp_path.iterdir()) == []


def test_racing_creators_share_one_key(tmp_path):
    """However many create the key file at once, all of them get the same key."""
    gate = threading.Barrier(8)
    keys = []

    def create():
        gate.wait()
        keys.append(KeyFile(tmp_path / "k").obtain())

    threads = [threading.Thread(target=create) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(keys) == 8
    assert len(set(keys)) == 1


def test_file_system_without_hard_links(tmp_path, monkeypatch):
    """Where hard links are not known the key is put in place by a rename, and a key that is there stays."""

    def no_links(source, target):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    key = KeyFile(tmp_path / "k").obtain()
    assert not sealing.write_new(tmp_path / "k", bytes(32))
    assert KeyFile(tmp_path / "k").load() == key


def test_keyring_keeps_one_key_an_account(use_keyring):
    """The keyring's key is made once for each account and then always returned."""
    use_keyring(MemoryKeyring())
    with pytest.raises(StoreError, match="has no key for a"):
        Keyring("a").load()
    key = Keyring("a").obtain()
    assert len(key) == 32
    assert Keyring("a").load() == Keyring("a").obtain() == key
    assert Keyring("b").obtain() != key


def test_unusable_keyring_says_what_to_do(use_keyring):
    """A locked keyring and an entry that is no key each give a StoreError with the remedy."""
    use_keyring(LockedKeyring())
    with pytest.raises(StoreError, match="unlock it"):
        Keyring("a").obtain()
    memory = MemoryKeyring()
    use_keyring(memory)
    for entry in ("not hex", "ab" * 31, ""):
        memory.set_password("vultus", "a", entry)
        with pytest.raises(StoreError, match="is not a key"):
            Keyring("a").load()
