"""This host's identity and its paired heads on disk: private, whole, and never trusted when something is off."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from vultus.devices.heads.keys import Identity, check_digits
from vultus.devices.heads.known import KnownHeads
from vultus.errors import PairingError, StoreError

HEAD = Identity(b"H" * 32).public
OTHER = Identity(b"O" * 32).public


@pytest.fixture
def heads(tmp_path: Path) -> KnownHeads:
    """Return an empty folder's heads, with the host's identity made."""
    made = KnownHeads(tmp_path / "heads")
    made.identity(create=True)
    return made


def file_of(heads: KnownHeads, head: bytes = HEAD) -> Path:
    return heads.folder / f"{head.hex()}.head"


def test_a_head_is_known_until_it_is_removed(heads: KnownHeads) -> None:
    """What was added is found again, by another object too, listed in the order of pairing, and gone when removed."""
    added = heads.add(HEAD, "model", "0001", "serial:/dev/ttyACM0")
    heads.add(OTHER, "", "", "serial:/dev/ttyACM1")
    again = KnownHeads(heads.folder)
    assert again.get(HEAD) == added
    assert [h.identity for h in again.all()] == [HEAD.hex(), OTHER.hex()]
    assert added.digits == check_digits(HEAD)
    assert again.remove(HEAD)
    assert not again.remove(HEAD)
    assert again.get(HEAD) is None


def test_a_second_pairing_changes_nothing(heads: KnownHeads) -> None:
    """A head that is known already stays as it was stored."""
    first = heads.add(HEAD, "model", "0001", "serial:/dev/ttyACM0")
    assert heads.add(HEAD, "another", "2", "serial:/dev/ttyACM1") == first


def test_only_the_owner_can_read(heads: KnownHeads) -> None:
    """Folder, key and heads are readable by their owner alone."""
    heads.add(HEAD, "model", "0001", "")
    assert stat.S_IMODE(heads.folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(p.stat().st_mode) for p in heads.folder.iterdir()} == {0o600}
    assert len(list(heads.folder.iterdir())) == 2


def test_without_an_identity_nothing_is_made_unasked(tmp_path: Path) -> None:
    """Asking for an identity that does not exist says how to pair and writes nothing."""
    heads = KnownHeads(tmp_path / "heads")
    with pytest.raises(PairingError, match="vultus pair"):
        heads.identity()
    assert not heads.folder.exists()
    assert heads.all() == ()


def test_a_lost_key_is_not_replaced_while_heads_know_it(heads: KnownHeads) -> None:
    """When the key is gone but heads are there, no new identity is made behind the owner's back."""
    heads.add(HEAD, "model", "0001", "")
    (heads.folder / "host.key").unlink()
    for act in (lambda: heads.identity(create=True), heads.all, lambda: heads.get(HEAD)):
        with pytest.raises(StoreError, match=r"host\.key is missing.*put it back"):
            act()


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_damaged_key_is_an_error(heads: KnownHeads, size: int) -> None:
    """A key of a wrong length is refused with what to do."""
    (heads.folder / "host.key").write_bytes(bytes(size))
    with pytest.raises(StoreError, match="pair its heads again"):
        heads.identity()


def test_another_key_trusts_none_of_the_heads(heads: KnownHeads) -> None:
    """Heads that were paired under another key are not trusted under this one."""
    heads.add(HEAD, "model", "0001", "")
    (heads.folder / "host.key").write_bytes(b"x" * 32)
    with pytest.raises(StoreError, match="not written under this host's key"):
        heads.get(HEAD)


def test_no_changed_file_is_trusted(heads: KnownHeads) -> None:
    """A head's file with any byte changed, cut anywhere, or emptied, is an error that says what to do, never a head."""
    heads.add(HEAD, "model", "0001", "serial:/dev/ttyACM0")
    path = file_of(heads)
    whole = path.read_bytes()
    for at in range(0, len(whole), 3):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(StoreError, match="pair the head again"):
            heads.get(HEAD)
    for size in range(0, len(whole), 7):
        path.write_bytes(whole[:size])
        with pytest.raises(StoreError, match="pair the head again"):
            heads.get(HEAD)
        with pytest.raises(StoreError):
            heads.all()


def test_a_file_put_there_by_somebody_else_is_not_trusted(heads: KnownHeads) -> None:
    """A head's file signed by another key, or renamed to another head, is an error."""
    heads.add(HEAD, "model", "0001", "")
    content = json.loads(file_of(heads).read_text())
    forged = {"record": content["record"].replace(HEAD.hex(), OTHER.hex())}
    forged["signature"] = Identity(b"z" * 32).sign(b"vultus known head 1" + forged["record"].encode()).hex()
    file_of(heads, OTHER).write_text(json.dumps(forged))
    with pytest.raises(StoreError, match="not written under this host's key"):
        heads.get(OTHER)
    file_of(heads, OTHER).write_bytes(file_of(heads).read_bytes())
    with pytest.raises(StoreError, match="damaged"):
        heads.get(OTHER)
    assert heads.remove(OTHER)
    assert heads.get(HEAD) is not None


def test_files_that_others_can_write_are_refused(heads: KnownHeads) -> None:
    """A head's file, the folder, or the key with wrong permissions is refused with the command that puts them right."""
    heads.add(HEAD, "model", "0001", "")
    file_of(heads).chmod(0o666)
    with pytest.raises(StoreError, match="chmod 600"):
        heads.get(HEAD)
    file_of(heads).chmod(0o600)
    heads.folder.chmod(0o770)
    with pytest.raises(StoreError, match="chmod 700"):
        heads.all()
    heads.folder.chmod(0o700)
    (heads.folder / "host.key").chmod(0o644)
    with pytest.raises(StoreError, match="chmod 600"):
        heads.identity()


def test_links_are_not_followed(heads: KnownHeads, tmp_path: Path) -> None:
    """A link in the place of a head's file or of the folder is refused."""
    heads.add(HEAD, "model", "0001", "")
    file_of(heads).rename(tmp_path / "elsewhere")
    file_of(heads).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match="not a plain file"):
        heads.get(HEAD)
    os.mkfifo(file_of(heads, OTHER))
    with pytest.raises(StoreError, match="not a plain file"):
        heads.get(OTHER)
    linked = KnownHeads(tmp_path / "linked")
    linked.folder.symlink_to(heads.folder)
    with pytest.raises(StoreError, match="not a plain folder"):
        linked.all()


def test_two_that_pair_at_once_share_one_identity(tmp_path: Path) -> None:
    """Whoever makes the identity first, all have it."""
    assert len({KnownHeads(tmp_path / "heads").identity(create=True).public for _ in range(3)}) == 1
