"""Sealing, handshake and check digits against the protocol's own example, and what is true of every order of packets."""

from __future__ import annotations

import hashlib
import re
import struct

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from vultus.devices.heads.handshake import Handshake
from vultus.devices.heads.keys import Ephemeral, Identity, check_digits, derive, opened, seal, verified
from vultus.devices.heads.messages import Kind
from vultus.devices.heads.sealing import WINDOW, Receiving, Sending

KEY = bytes(range(32))


def scripted(pairing: bool = False) -> tuple[Handshake, bytes, bytes]:
    """Return a handshake with the example's keys, its HELLO and the WELCOME that answers it."""
    head, head_ephemeral = Identity(b"\2" * 32), Ephemeral(X25519PrivateKey.from_private_bytes(b"\4" * 32))
    one = Handshake(Identity(b"\1" * 32), lambda _: True, pairing=pairing)
    one._ephemeral = Ephemeral(X25519PrivateKey.from_private_bytes(b"\3" * 32))
    hello = one.hello(0x01020304)
    said = struct.pack("<IBBHQ", 0x01020304, 1, 1, 256, 5_000_000) + head_ephemeral.public + head.public
    whole = struct.pack("<H", len(hello)) + hello + struct.pack("<H", len(said)) + said
    transcript = hashlib.sha256(b"vultus serial 1 paired" + whole).digest()
    return one, hello, said + head.sign(b"vultus serial 1 head" + transcript)


def example() -> dict[str, bytes]:
    """Compute every value of the protocol's example."""
    one, hello, welcome = scripted()
    assert one.welcomed(welcome) == ""
    keys = one.sending._key + one.receiving._key
    return {
        "HELLO": hello,
        "WELCOME": welcome,
        "T": one._transcript,
        "keys": keys,
        "PROVE": one.proof(),
        "sealed 1": one.sending.seal(Kind.PROVE, 1, one.proof()),
        "sealed 65536": Sending(keys[:32]).seal(Kind.PING, 65536, b"\1\2\3\4"),
    }


def test_the_protocols_example_is_what_we_compute(repository) -> None:
    """Each value of the example in PROTOCOL.md is what this host computes from the same keys."""
    text = (repository / "native" / "serial" / "PROTOCOL.md").read_text(encoding="utf-8")
    part = text.split("### 8.7")[1].split("## 9")[0]
    stated = {
        name.strip(): bytes.fromhex("".join(digits.split()))
        for name, digits in re.findall(r"^    (\S[\w ]*?)  +((?:[0-9a-f]+\n? *)+)$", part, re.MULTILINE)
    }
    assert stated == example()
    assert check_digits(Identity(b"\2" * 32).public) in part


def test_secrets_are_shared() -> None:
    """Both holders of ephemeral keys come to one secret."""
    a, b = Ephemeral.fresh(), Ephemeral.fresh()
    assert a.agree(b.public) == b.agree(a.public) is not None
    assert a.agree(b"short") is None


@pytest.mark.parametrize("wrong", ["key", "nonce", "data", "body", "tag", "short"])
def test_nothing_opens_with_anything_wrong(wrong: str) -> None:
    """A sealed packet opens only with its own key, nonce, header and every bit of itself."""
    nonce, data = bytes(12), b"header"
    sealed = seal(KEY, nonce, data, b"pixels")
    assert opened(KEY, nonce, data, sealed) == b"pixels"
    flip = lambda b, at=0: b[:at] + bytes([b[at] ^ 1]) + b[at + 1 :]
    arguments = {
        "key": (flip(KEY), nonce, data, sealed),
        "nonce": (KEY, flip(nonce), data, sealed),
        "data": (KEY, nonce, flip(data), sealed),
        "body": (KEY, nonce, data, flip(sealed)),
        "tag": (KEY, nonce, data, flip(sealed, len(sealed) - 1)),
        "short": (KEY, nonce, data, sealed[:15]),
    }
    assert opened(*arguments[wrong]) is None


def test_wrong_signatures_are_a_result() -> None:
    """A signature of another key, over another message, of a wrong length, or under a key that is none, is False."""
    identity = Identity(KEY)
    good = identity.sign(b"m")
    assert verified(identity.public, b"m", good)
    for public, message, signature in (
        (Identity(b"x" * 32).public, b"m", good),
        (identity.public, b"n", good),
        (identity.public, b"m", good[:63]),
        (b"\xff" * 32, b"m", good),
        (b"short", b"m", good),
    ):
        assert not verified(public, message, signature)


@given(st.binary(min_size=32, max_size=32))
def test_check_digits_look_the_same_everywhere(public: bytes) -> None:
    """Check digits are six groups of five digits, whatever the key."""
    assert re.fullmatch(r"\d{5}( \d{5}){5}", check_digits(public))


def accepted(offsets: list[int], start: int) -> list[bool]:
    """Say by the protocol's words alone which packets are taken, when `start` is the highest counter reached so far and was not taken."""
    highest, taken, out = start, set(), []
    for offset in offsets:
        counter = start + offset
        good = counter not in taken and counter > highest - WINDOW
        if good:
            taken.add(counter)
            highest = max(highest, counter)
        out.append(good)
    return out


@given(st.lists(st.integers(-90, 200), max_size=120), st.sampled_from([100, 65_440, 65_536, 65_600, 2**32 - 30, 2**47]))
def test_each_packet_is_taken_once_in_any_order(offsets: list[int], start: int) -> None:
    """Whatever order and however often packets come, also over a rotation, each is taken at most once and none that is 64 or more old."""
    turns, generations = start >> 16, [KEY]
    for _ in range(2):
        generations.append(derive(generations[-1], None, b"vultus serial 1 next"))
    receiving = Receiving(generations[1])
    receiving._highest, receiving._before = start, generations[0]

    def packet(counter: int) -> bytes:
        sending = Sending(generations[(counter >> 16) - turns + 1])
        sending._turn = counter >> 16
        return sending.seal(Kind.PING, counter, counter.to_bytes(8, "big"))

    got = [receiving.open(Kind.PING, (start + o) & 0xFFFF, packet(start + o)) for o in offsets if start + o >= 0]
    wanted = accepted([o for o in offsets if start + o >= 0], start)
    assert [g is not None for g in got] == wanted
    assert all(g == (start + o).to_bytes(8, "big") for g, o in zip(got, offsets, strict=True) if g is not None)


def test_a_forged_packet_moves_nothing() -> None:
    """A packet far ahead with a wrong tag neither moves the window nor turns the key."""
    sending, receiving = Sending(KEY), Receiving(KEY)
    receiving._highest = 65_500
    for ahead in (1, 100, 32_767):
        assert receiving.open(Kind.PING, (65_500 + ahead) & 0xFFFF, bytes(40)) is None
    assert receiving.open(Kind.PING, 65_500, sending.seal(Kind.PING, 65_500, b"here")) == b"here"


def test_a_packet_of_another_type_does_not_open() -> None:
    """The type is bound: a sealed PING is no BYE."""
    sealed = Sending(KEY).seal(Kind.PING, 3, b"1234")
    assert Receiving(KEY).open(Kind.BYE, 3, sealed) is None
    assert Receiving(KEY).open(Kind.PING, 4, sealed) is None


def test_keys_before_are_forgotten_when_nothing_needs_them() -> None:
    """The receiver holds the key before a rotation exactly as long as a packet under it could still be taken."""
    sending, receiving = Sending(KEY), Receiving(KEY)
    receiving._highest = 65_530
    assert receiving.open(Kind.PING, 0, sending.seal(Kind.PING, 65_536, b"")) == b""
    assert receiving._before == KEY
    assert receiving.open(Kind.PING, 62, sending.seal(Kind.PING, 65_536 + 62, b"")) == b""
    assert receiving._before == KEY
    assert receiving.open(Kind.PING, 63, sending.seal(Kind.PING, 65_536 + 63, b"")) == b""
    assert receiving._before is None


@given(st.integers(0, 143), st.integers(1, 255))
def test_no_changed_welcome_is_taken(at: int, mask: int) -> None:
    """Whatever byte of WELCOME is changed, the host says what is wrong and has no keys."""
    one, _, welcome = scripted()
    assert one.welcomed(welcome[:at] + bytes([welcome[at] ^ mask]) + welcome[at + 1 :]) != ""
    assert one.sending is None


def test_a_head_with_the_hosts_own_identity_is_refused() -> None:
    """A host is not paired with itself: its own identity in WELCOME is a reflection."""
    one, _, welcome = scripted()
    one._identity = Identity(b"\2" * 32)
    assert "proof of identity is wrong" in one.welcomed(welcome)
