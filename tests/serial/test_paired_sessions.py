"""Paired sessions of host and firmware core: who is let in, and what somebody on the line can do to them."""

from __future__ import annotations

import importlib.util
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vultus.devices.heads.handshake import Handshake
from vultus.devices.heads.keys import Ephemeral, Identity
from vultus.devices.heads.messages import OPEN, Kind, Phase
from vultus.devices.heads.packets import HEADER, Unframer, encode, stuff
from vultus.devices.heads.sealing import Sending
from vultus.devices.heads.session import HostSession

# The import mode of the suite makes no package of this folder.
_spec = importlib.util.spec_from_file_location("serial_lines", Path(__file__).with_name("conftest.py"))
lines = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(lines)
Line, Shuffler, changing, losing, expected = lines.Line, lines.Shuffler, lines.changing, lines.losing, lines.expected

HOST = Identity(b"h" * 32)
OTHER = Identity(b"o" * 32)
HEAD = Identity(bytes([1]) * 32)


def handshake(identity: Identity = HOST, head: Identity = HEAD, *, pairing: bool = False) -> Handshake:
    """Return the handshake of a host that trusts one head."""
    return Handshake(identity, lambda found: found == head.public, pairing=pairing)


def begin(head, secure: Handshake | None, **line) -> Line:
    """Let a host and a head greet each other until they are ready or one has refused."""
    made = Line(head, 1e6, secure=secure, **line)
    made.until(lambda: made.host.phase is Phase.READY, 10)
    return made


def pair(head, identity: Identity = HOST, number: int = 5) -> None:
    """Pair them, the button pressed."""
    head.press()
    assert begin(head, handshake(identity, pairing=True), number=number).host.phase is Phase.READY


def collect(line, count: int, seconds: float = 60) -> list:
    """Return the next frames."""
    frames = []

    def enough() -> bool:
        while line.host.joiner.frames:
            frames.append(line.host.joiner.frames.popleft())
        return len(frames) >= count

    assert line.until(enough, seconds), f"{len(frames)} of {count} frames; {line.host.failure}"
    return frames


def right(frame) -> bool:
    """Say whether a frame is what the head drew."""
    return np.array_equal(frame.data, expected(frame, lit=frame.exposure == 0))


class Tamperer:
    """Somebody on the line who sees packets and sends others, with right checksums; `change` gives what goes on, in bytes of packets."""

    def __init__(self, change: Callable[[int, int, bytes], list[tuple[int, int, bytes]]], number: int = 7) -> None:
        self.change, self.number, self.unframer = change, number, Unframer()

    def __call__(self, data: bytes) -> bytes:
        """Pass on what is whole."""
        out = b""
        for raw in self.unframer.feed(data):
            _, kind, sequence, _ = HEADER.unpack_from(raw)
            for one in self.change(kind, sequence, raw[6:-4]):
                out += stuff(encode(*one, 0 if one[0] in OPEN else self.number)) + b"\0"
        return out


def altering(which: Kind, at: int, value: int | None = None, number: int = 7) -> Tamperer:
    """Return somebody who changes one byte in every packet of a type."""

    def change(kind: int, sequence: int, payload: bytes) -> list[tuple[int, int, bytes]]:
        if kind == which:
            spoilt = bytearray(payload)
            spoilt[at] = spoilt[at] ^ 1 if value is None else value
            payload = bytes(spoilt)
        return [(kind, sequence, payload)]

    return Tamperer(change, number)


def test_pairing_makes_host_and_head_known_to_each_other(paired_head) -> None:
    """A head that was made ready takes a host once, and then speaks with it sealed without its button; every frame arrives."""
    head = paired_head()
    pair(head)
    assert head.hosts == 1
    line = begin(head, handshake())
    assert line.host.proven
    line.stream()
    assert all(right(f) for f in collect(line, 12))
    assert line.host.bad == 0
    assert head.lib.synthetic_bad(head.made) == 0


def test_nothing_readable_goes_over_the_line(paired_head) -> None:
    """After WELCOME neither capabilities nor pixels can be read on the line, and no two packets are alike."""
    head = paired_head()
    pair(head)
    seen: list[bytes] = []
    line = begin(head, handshake(), down=lambda data: seen.append(data) or data)
    line.stream()
    collect(line, 8)
    packets = [raw for raw in Unframer().feed(b"".join(seen)) if raw[1] not in OPEN]
    assert b"synthetic" not in b"".join(packets)
    assert len(set(packets)) == len(packets) > 10


def test_a_head_that_is_not_ready_is_not_paired(paired_head) -> None:
    """Without its button a head refuses a host that it does not know, whether it asks for pairing or not, and says which it was."""
    head = paired_head()
    assert "not ready" in begin(head, handshake(pairing=True)).host.failure
    assert "does not know this host" in begin(head, handshake(), number=8).host.failure
    assert head.hosts == 0


def test_one_press_is_one_pairing(paired_head) -> None:
    """A second host cannot use the press that the first one used, and the first one can pair again, as when it lost READY."""
    head = paired_head()
    pair(head)
    late = begin(head, handshake(OTHER, pairing=True), number=8)
    assert "not ready" in late.host.failure
    assert late.host.distrusted
    assert begin(head, handshake(pairing=True), number=9).host.phase is Phase.READY
    assert head.hosts == 1


def test_readiness_that_ends_before_the_proof_pairs_nobody(paired_head) -> None:
    """When the time to pair runs out between WELCOME and PROVE the head says so, sealed, and stores nothing."""
    head = paired_head()
    head.press()

    def late(kind: int, sequence: int, payload: bytes) -> list[tuple[int, int, bytes]]:
        if kind == Kind.PROVE:
            head.press(ready=False)
        return [(kind, sequence, payload)]

    assert "not ready" in begin(head, handshake(pairing=True), up=Tamperer(late)).host.failure
    assert head.hosts == 0


def test_a_full_head_pairs_nobody(paired_head) -> None:
    """A head whose store has no room refuses, and those that it knows stay known."""
    head = paired_head()
    for n in range(4):
        pair(head, Identity(bytes([50 + n]) * 32), number=20 + n)
    head.press()
    assert begin(head, handshake(pairing=True)).host.phase is Phase.FAILED
    assert head.hosts == 4


def test_an_unknown_head_is_refused_before_anything_is_proved(paired_head) -> None:
    """A head other than those that are paired gets no proof, and its check digits are told."""
    head = paired_head(2)
    sent: list[int] = []
    head.press()
    line = begin(head, handshake(), up=Tamperer(lambda *p: sent.append(p[0]) or [p]))
    assert line.host.phase is Phase.FAILED
    pair_line = begin(head, handshake(pairing=True), number=8, up=Tamperer(lambda *p: sent.append(p[0]) or [p], 8))
    assert "not the head that is to be trusted" in pair_line.host.failure
    assert Kind.PROVE not in sent
    assert head.hosts == 0


def test_a_host_without_the_key_of_its_identity_is_refused(paired_head) -> None:
    """Who says that he is a paired host but cannot sign as that host is told that the proof was wrong."""
    head = paired_head()
    pair(head)
    forged = Handshake(OTHER, lambda _: True)
    forged._identity = type("Forged", (), {"public": HOST.public, "sign": OTHER.sign})()
    line = begin(head, forged)
    assert "proof of identity was wrong" in line.host.failure
    assert not line.host.proven


@pytest.mark.parametrize("insecure", [False, True])
def test_a_paired_head_speaks_to_nobody_unsealed(paired_head, insecure: bool) -> None:
    """A head with a paired host refuses a session that is not sealed, also when it was built to take such."""
    head = paired_head(insecure=insecure)
    before = begin(head, None).host
    assert (before.phase is Phase.READY) == insecure
    pair(head)
    after = begin(head, None, number=8).host
    assert after.phase is Phase.FAILED
    assert after.distrusted
    assert "only to a paired host" in after.failure


def test_a_host_is_not_talked_out_of_sealing(paired_head, head) -> None:
    """A host that wants a sealed session takes no other: not from a head that cannot, not from one whose answer was changed."""
    assert "does not support pairing" in begin(head(), handshake()).host.failure
    one = paired_head()
    pair(one)
    line = begin(one, handshake(), number=8, down=altering(Kind.WELCOME, 5, 0))
    assert "not sealed" in line.host.failure
    plain = paired_head(3, insecure=True)
    strip = Tamperer(lambda k, s, p: [(k, s, p[:6] + b"\0" if k == Kind.HELLO else p)], 9)
    line = begin(plain, handshake(), number=9, up=strip)
    assert "not sealed" in line.host.failure
    assert line.host.capabilities == {}


def test_an_unsealed_host_takes_no_sealed_answer(paired_head) -> None:
    """A host that was told to speak unsealed does not go on when the answer says that the session is sealed."""
    head = paired_head(insecure=True)
    assert "was not to be sealed" in begin(head, None, down=altering(Kind.WELCOME, 5, 1)).host.failure


@pytest.mark.parametrize("at", [0, 4, 5, 6, 7, 38, 39, 70])
def test_a_changed_hello_gives_no_session(paired_head, at: int) -> None:
    """One changed byte of HELLO, whichever field it lies in, and no session comes about."""
    head = paired_head()
    pair(head)
    assert begin(head, handshake(), number=8, up=altering(Kind.HELLO, at, number=8)).host.phase is Phase.FAILED


@pytest.mark.parametrize("at", [*range(16), 16, 47, 48, 79, 80, 111, 112, 143])
def test_a_changed_welcome_gives_no_session(paired_head, at: int) -> None:
    """One changed byte of WELCOME, version, limits and time included, and no session comes about."""
    head = paired_head()
    pair(head)
    assert not begin(head, handshake(), number=8, down=altering(Kind.WELCOME, at)).host.proven


@pytest.mark.parametrize("where", ["host", "head", "both"])
def test_somebody_in_between_cannot_put_in_his_own_ephemeral_keys(paired_head, where: str) -> None:
    """Ephemeral keys exchanged for one's own, in either direction or in both, are found out by the signatures."""
    head = paired_head()
    pair(head)
    own = Ephemeral.fresh().public
    up = Tamperer(lambda k, s, p: [(k, s, p[:7] + own + p[39:] if k == Kind.HELLO else p)], 8)
    down = Tamperer(lambda k, s, p: [(k, s, p[:16] + own + p[48:] if k == Kind.WELCOME else p)])
    faults = {"up": up} if where == "host" else {"down": down} if where == "head" else {"up": up, "down": down}
    line = begin(head, handshake(), number=8, **faults)
    assert "proof of identity is wrong" in line.host.failure


def test_somebody_in_between_cannot_pair_as_himself_unseen(paired_head) -> None:
    """A head that pairs through somebody with another identity sees that identity in HELLO, and the host's session does not come about."""
    head = paired_head()
    head.press()
    up = Tamperer(lambda k, s, p: [(k, s, p[:39] + OTHER.public if k == Kind.HELLO else p)])
    line = begin(head, handshake(pairing=True), up=up)
    assert "proof of identity is wrong" in line.host.failure
    assert head.hosts == 0


def test_keys_that_keep_no_secret_are_refused(paired_head) -> None:
    """An ephemeral key of small order, which would give a secret that anybody knows, starts no session on the head."""
    head = paired_head()
    pair(head)
    for point in (bytes(32), b"\1" + bytes(31)):
        secure = handshake()
        secure._ephemeral.public = point
        assert "could not make keys" in begin(head, secure, number=8).host.failure
    assert Ephemeral.fresh().agree(bytes(32)) is None


def test_a_played_back_host_gets_nothing(paired_head) -> None:
    """All that a host once said, played back, gives no second session, and nothing of the first is said again."""
    head = paired_head()
    pair(head)
    said: list[bytes] = []
    line = begin(head, handshake(), up=lambda data: said.append(data) or data)
    line.stream()
    collect(line, 4)
    for _ in range(4000):
        head.step(line.now, 1 << 16)
        line.now += 0.001
    bad = head.lib.synthetic_bad(head.made)
    replies = b""
    for data in said:
        head.feed(data)
        line.now += 0.001
        replies += head.step(line.now, 1 << 16)
    kinds = {raw[1] for raw in Unframer().feed(replies)}
    assert kinds <= {Kind.WELCOME}
    assert head.lib.synthetic_bad(head.made) > bad


def test_a_played_back_head_gives_nothing(paired_head) -> None:
    """All that a head once said, played back to a new session with the same number, is refused."""
    head = paired_head()
    pair(head)
    said: list[bytes] = []
    line = begin(head, handshake(), down=lambda data: said.append(data) or data)
    line.stream()
    collect(line, 4)
    host = HostSession(7, secure=handshake())
    host.step(0.0)
    host.receive(b"".join(said), 0.1)
    assert "proof of identity is wrong" in host.failure
    assert host.capabilities == {}
    assert not host.joiner.frames


@pytest.mark.parametrize(
    ("down", "up", "chunk"),
    [
        (lambda: losing(0.002), lambda: losing(0.002), 200),
        (lambda: changing(0.005), lambda: changing(0.005), 40),
        (lambda: Shuffler(0.3, 0.3), lambda: Shuffler(0.3, 0.3), 200),
    ],
    ids=["loss", "corruption", "doubled and reordered"],
)
@pytest.mark.parametrize("coded", [False, True], ids=["cobs", "words"])
def test_sealed_frames_survive_a_bad_line(paired_head, down, up, chunk: int, *, coded: bool) -> None:
    """Every frame that comes sealed over a bad line, in either framing, is whole and right, and none is missing."""
    head = paired_head()
    pair(head)
    line = begin(head, handshake(), down=down(), up=up(), chunk=chunk, coded=coded)
    line.stream()
    frames = collect(line, 16)
    assert all(right(f) for f in frames)
    assert [f.set for f in frames] == [n // 4 for n in range(len(frames))]


def test_packets_in_the_clear_mean_nothing_in_a_sealed_session(paired_head) -> None:
    """Requests, acknowledgements, farewells and proofs that are not sealed are dropped by the head, chunks and faults by the host."""
    head = paired_head()
    pair(head)
    line = begin(head, handshake())
    line.stream()
    forged = [(Kind.BYE, b""), (Kind.STOP, b"\1"), (Kind.UNPAIR, b"\1"), (Kind.PROVE, bytes(64)), (Kind.PING, bytes(4))]
    for n, (kind, payload) in enumerate(forged):
        head.feed(stuff(encode(kind, 900 + n, payload, 7)) + b"\0")
    for n, (kind, payload) in enumerate(
        [(Kind.FAULT, b"\6"), (Kind.CHUNK, bytes(40)), (Kind.REFUSE, b"\7\0\0\0\3"), (Kind.WELCOME, bytes(16))]
    ):
        line.host.receive(stuff(encode(kind, 900 + n, payload, 0 if kind in OPEN else 7)) + b"\0", line.now)
    assert all(right(f) for f in collect(line, 8))
    assert head.hosts == 1
    assert head.lib.synthetic_bad(head.made) >= len(forged)


def test_a_stranger_does_not_end_a_session_by_asking(paired_head) -> None:
    """A greeting that is refused leaves the running session alone."""
    head = paired_head()
    pair(head)
    line = begin(head, handshake())
    line.stream()
    for flags, keys in ((0, b""), (1, Ephemeral.fresh().public + OTHER.public), (3, Ephemeral.fresh().public + OTHER.public)):
        head.feed(stuff(encode(Kind.HELLO, 0, (99).to_bytes(4, "little") + bytes([1, 1, flags]) + keys, 0)) + b"\0")
        collect(line, 4)


def test_rotation_goes_unnoticed(paired_head) -> None:
    """Both directions pass the number of packets at which keys are replaced, with packets lost and out of order, and no frame is wrong."""
    head = paired_head()
    pair(head)
    line = begin(head, handshake(), down=Shuffler(0.2, 0.3), up=Shuffler(0.2, 0.3), chunk=100)
    secure = line.host._secure
    keys = secure.sending._key, secure.receiving._key
    head.count_from(65_500, 65_499)
    line.host._sequence = 65_500
    secure.receiving._highest, secure.receiving._taken = 65_499, 0
    line.stream()
    frames = collect(line, 40)
    assert all(right(f) for f in frames)
    assert line.host._sequence > 65_536
    assert secure.receiving._highest > 65_536 + 64
    assert secure.sending._key != keys[0]
    assert secure.receiving._key != keys[1]
    assert secure.receiving._before is None
    assert line.host.failure == ""


def test_unpairing_ends_it_on_both_sides(paired_head) -> None:
    """After UNPAIR the head knows the host no longer, says so again when asked again, and does nothing else in that session."""
    head = paired_head()
    pair(head)
    pair(head, OTHER, number=6)
    answered: list[bool] = []
    line = begin(head, handshake())
    line.stream()
    collect(line, 4)
    line.host.unpair(lambda: answered.append(True))
    assert line.until(lambda: bool(answered), 2)
    assert head.hosts == 1
    line.host.unpair(lambda: answered.append(True))
    assert line.until(lambda: len(answered) == 2, 2)
    line.host.start(15, 0)
    assert not line.until(lambda: line.host.phase is Phase.STREAMING and line.host._asked is None, 1)
    assert "does not know this host" in begin(head, handshake(), number=8).host.failure
    assert begin(head, handshake(OTHER), number=9).host.phase is Phase.READY


def test_cut_off_messages_are_dropped(paired_head) -> None:
    """HELLO, WELCOME and sealed packets cut off at every length do no harm, and the whole ones that follow still work."""
    head = paired_head()
    pair(head)
    cut = {"n": 0}

    def shorten(kind: int, sequence: int, payload: bytes) -> list[tuple[int, int, bytes]]:
        cut["n"] += 1
        return [(kind, sequence, payload[: cut["n"] % (len(payload) + 1)])]

    up, down = Tamperer(shorten), Tamperer(shorten)
    line = Line(head, 1e6, down, up, secure=handshake())
    line.until(lambda: line.host.phase is Phase.READY, 5)
    assert not line.host.proven
    assert begin(head, handshake(), number=8).host.phase is Phase.READY


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_single_change_to_the_handshake_is_taken(paired_library, data: st.DataObject) -> None:
    """Whatever byte of whatever message before READY is changed to whatever value, no session comes about in which it was believed."""
    head = lines.PairedHead(paired_library, 32, 24, bytes([1]) * 32, insecure=False)
    pair(head)
    which = data.draw(st.sampled_from([(Kind.HELLO, 71), (Kind.WELCOME, 144), (Kind.PROVE, 80), (Kind.READY, 16)]))
    at, mask = data.draw(st.integers(0, which[1] - 1)), data.draw(st.integers(1, 255))

    def change(kind: int, sequence: int, payload: bytes) -> list[tuple[int, int, bytes]]:
        if kind == which[0]:
            payload = payload[:at] + bytes([payload[at] ^ mask]) + payload[at + 1 :]
        return [(kind, sequence, payload)]

    line = Line(head, 1e6, Tamperer(change), Tamperer(change), secure=handshake())
    line.until(lambda: line.host.phase is Phase.READY, 4)
    assert not line.host.proven
    head.close()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(-90, 90), max_size=60), st.sampled_from([100, 65_440, 65_500, 65_535]))
def test_the_core_takes_each_packet_once_in_any_order(paired_library, offsets: list[int], start: int) -> None:
    """Whatever order and however often sealed packets come to the core, also over a rotation, each counts once and none that is 64 or more old."""
    head = lines.PairedHead(paired_library, 32, 24, bytes([1]) * 32, insecure=False)
    pair(head)
    line = begin(head, handshake())
    key, bad = line.host._secure.sending._key, head.lib.synthetic_bad(head.made)
    head.count_from(50, start)
    highest, taken, wanted = start, set(), 0
    for counter in (start + offset for offset in offsets):
        sealed = Sending(key).seal(Kind.PING, counter, b"1234")
        head.feed(stuff(encode(Kind.PING, counter & 0xFFFF, sealed, 7)) + b"\0")
        head.step(line.now, 1 << 16)
        if counter in taken or counter <= highest - 64:
            wanted += 1
        taken.add(counter) if counter > highest - 64 else None
        highest = max(highest, counter)
    assert head.lib.synthetic_bad(head.made) - bad == wanted
    head.close()


def test_no_bytes_break_the_sealed_core(repository: Path, compiler: str, libcrypto: None, tmp_path: Path) -> None:
    """Made-up packets under the session's own keys, spoilt, cut, played again and unsealed ones, break nothing under sanitizers."""
    built = tmp_path / "fuzz_sealed"
    flags = ["-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    main = repository / "native" / "serial" / "host" / "fuzz_sealed.c"
    files = [*lines.sources(repository), str(main), *lines.pairing_sources(repository)]
    subprocess.run([compiler, *flags, *files, "-o", str(built)], check=True)
    done = subprocess.run([str(built), "30000", "2"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_no_packet_breaks_the_host(paired_library, data: st.DataObject) -> None:
    """Whatever a head that is paired sends, of any type and content, sealed rightly, the host says what is wrong or goes on."""
    head = lines.PairedHead(paired_library, 32, 24, bytes([1]) * 32, insecure=False)
    pair(head)
    line = begin(head, handshake())
    head.close()
    secure = line.host._secure
    host, sending = line.host, Sending(secure.receiving._key)
    if data.draw(st.booleans()):
        host.start(15, 0)
    for counter in range(100, 100 + data.draw(st.integers(1, 40))):
        kind = data.draw(st.one_of(st.sampled_from(list(Kind)), st.integers(0, 255)))
        payload = data.draw(st.one_of(st.binary(max_size=60), st.binary(max_size=900).map(lambda b: bytes([host._request]) + b)))
        sealed = payload if kind in OPEN else sending.seal(kind, counter, payload)
        host.receive(stuff(encode(kind, counter, sealed, 0 if kind in OPEN else 7)) + b"\0", line.now)
        host.step(line.now)
    assert host.phase in (Phase.READY, Phase.STREAMING, Phase.FAILED)


def test_fresh_keys_every_time() -> None:
    """Two handshakes of one host share no ephemeral key, and neither says a secret in its text."""
    first, second = handshake(), handshake()
    assert first.hello(1)[7:39] != second.hello(1)[7:39]
    assert "h" * 8 not in repr(HOST)
