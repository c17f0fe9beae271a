"""Encrypted recordings: read with their key alone, and whatever somebody does to their messages is noticed."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from contextlib import closing
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from vultus.devices import Recorder, open_device
from vultus.devices.recordings.envelope import Consent, Key, Passphrase, asks_passphrase, key_file
from vultus.devices.recordings.recorder import METADATA, checksum
from vultus.devices.recordings.recording import Recording
from vultus.devices.recordings.trimming import trim
from vultus.errors import RecordingError
from vultus.frames import DeviceIdentity, FrameSet

NOTE = Consent("form 17: Ada, to tune the camera", "2027-06-30")
Make = Callable[..., FrameSet]
SETS = 6


@pytest.fixture
def key(tmp_path: Path) -> Key:
    """Return a key that lies in a new file."""
    found = key_file(str(tmp_path / "own.key"))
    found.obtain()  # type: ignore[union-attr] - a key file makes its key
    return found


@pytest.fixture
def sealed(tmp_path: Path, camera: DeviceIdentity, make_set: Make, key: Key) -> Path:
    """Write an encrypted recording of six small frame sets."""
    return write(tmp_path / "sealed.mcap", camera, make_set, key)


def write(path: Path, camera: DeviceIdentity, make_set: Make, key: Key) -> Path:
    with Recorder(path, camera, consent=NOTE, key=key) as recorder:
        for number in range(SETS):
            recorder.write(make_set(number, time_ns=10**9 * (number + 1)))
    return path


def pixels(path: Path, key: Key | None, *, partial: bool = False) -> list[list[bytes]]:
    with closing(Recording(path, partial=partial, key=key)) as recording:
        return [[f.data.tobytes() for f in s.frames()] for s in recording]


Record = tuple[int, bytes]


def split(data: bytes, at: int = 0) -> list[Record]:
    """Return the records of a stretch of MCAP bytes."""
    found = []
    while at + 9 <= len(data):
        kind, length = struct.unpack_from("<BQ", data, at)
        found.append((kind, data[at + 9 : at + 9 + length]))
        at += 9 + length
    return found


def rebuild(path: Path, edit: Callable[[list[list[Record]]], list[list[Record]]], *, header: dict[str, str] | None = None) -> None:
    """Write a recording again after an edit of its chunks, with every checksum right and no summary, as somebody without the key can."""
    records = split(path.read_bytes(), 8)
    chunks = edit([split(body[28 + 4 + 8 :]) for kind, body in records if kind == 0x06])
    before = records[: [kind for kind, _ in records].index(0x06)]
    out = b"\x89MCAP0\r\n"
    for kind, body in before:
        out += join([(kind, relabel(body, header) if kind == 0x0C and header else body)])
    for chunk in chunks:
        content, times = join(chunk), [struct.unpack_from("<Q", body, 6)[0] for kind, body in chunk if kind == 0x05]
        head = struct.pack("<QQQIIQ", min(times), max(times), len(content), zlib.crc32(content), 0, len(content))
        out += join([(0x06, head + content)])
    out += join([r for r in records if r[0] == 0x0C][1:])
    path.write_bytes(out + join([(0x0F, bytes(4)), (0x02, bytes(20))]) + b"\x89MCAP0\r\n")


def join(records: list[Record]) -> bytes:
    return b"".join(struct.pack("<BQ", kind, len(body)) + body for kind, body in records)


def relabel(body: bytes, changes: dict[str, str]) -> bytes:
    """Return the header's metadata record with some entries changed and its checksum right again."""
    from vultus.devices.recordings import records

    name, at = records.text(body, 0)
    about = records.pairs(body, at) | changes
    about["crc32"] = checksum(about)

    def text(value: str) -> bytes:
        return struct.pack("<I", len(value.encode())) + value.encode()

    entries = b"".join(text(k) + text(v) for k, v in about.items())
    assert name == METADATA
    return text(name) + struct.pack("<I", len(entries)) + entries


def test_an_encrypted_recording_is_read_bit_for_bit_and_shows_nothing(sealed: Path, key: Key, make_set: Make) -> None:
    """With the key every frame comes back; without it no row of any picture stands in the file, and header and note are readable."""
    wanted = [[f.data.tobytes() for f in make_set(n, time_ns=10**9 * (n + 1)).frames()] for n in range(SETS)]
    assert pixels(sealed, key) == wanted
    data = sealed.read_bytes()
    assert not any(picture[i : i + 8] in data for pictures in wanted for picture in pictures for i in range(0, 64, 8))
    with closing(Recording(sealed, key=key)) as recording:
        assert recording.consent == NOTE
    assert NOTE.text.encode() in data
    assert sealed.stat().st_mode & 0o077 == 0


def test_other_programs_open_it_as_mcap(sealed: Path) -> None:
    """The reference reader goes through every message of an encrypted recording; their contents are opaque to it."""
    from mcap.reader import make_reader

    with sealed.open("rb") as file:
        found = list(make_reader(file, validate_crcs=True).iter_messages())
    assert len(found) == 4 * SETS
    assert {(c.message_encoding, s) for s, c, _ in found} == {("vultus.sealed", None)}


def test_a_missing_or_wrong_key_is_one_line_that_says_so(
    sealed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, camera: DeviceIdentity, make_set: Make
) -> None:
    """No key, another key, and a passphrase where there is a key file each name what is wrong."""
    monkeypatch.setenv("VULTUS_RECORDING_KEY", str(tmp_path / "gone.key"))
    with pytest.raises(RecordingError, match=r"encrypted, and its key cannot be used: .*gone.key is missing"):
        Recording(sealed)
    other = key_file(str(tmp_path / "other.key"))
    other.obtain()  # type: ignore[union-attr] - a key file makes its key
    with pytest.raises(RecordingError, match="encrypted by another file than this one"):
        Recording(sealed, key=other)
    with pytest.raises(RecordingError, match="by a file, not by a passphrase"):
        open_device(f"replay:{sealed}", passphrase="five words are better than one")
    monkeypatch.setenv("VULTUS_RECORDING_KEY", str(tmp_path / "own.key"))
    assert len(pixels(sealed, None)) == SETS


def test_a_passphrase_opens_what_it_sealed(tmp_path: Path, camera: DeviceIdentity, make_set: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """The passphrase of the settings opens the recording, another one and none do not."""
    monkeypatch.setattr("vultus.devices.recordings.envelope._LOG2_N", 14)
    path = write(tmp_path / "p.mcap", camera, make_set, Passphrase("five words are better than one"))
    assert asks_passphrase(path)
    monkeypatch.setenv("VULTUS_PASSPHRASE", "five words are better than one")
    assert len(pixels(path, None)) == SETS
    with pytest.raises(RecordingError, match="another passphrase than this one"):
        Recording(path, key=Passphrase("another one, quite wrong"))
    monkeypatch.delenv("VULTUS_PASSPHRASE")
    with pytest.raises(RecordingError, match="set VULTUS_PASSPHRASE"):
        Recording(path)


@pytest.mark.parametrize("cost", ["5", "40", "-1", "many"])
def test_no_file_says_how_much_memory_a_passphrase_takes(
    tmp_path: Path, camera: DeviceIdentity, make_set: Make, cost: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A header that asks for an absurd or a worthless scrypt cost is refused before any work."""
    monkeypatch.setattr("vultus.devices.recordings.envelope._LOG2_N", 14)
    path = write(tmp_path / "p.mcap", camera, make_set, Passphrase("five words are better than one"))
    rebuild(path, lambda chunks: chunks, header={"scrypt_log2_n": cost})
    with pytest.raises(RecordingError):
        Recording(path, key=Passphrase("five words are better than one"))


@pytest.mark.parametrize(
    "header",
    [{"serial": "9999"}, {"consent": "everything, for ever"}, {"consent_until": "2099-01-01"}, {"source": "simulated"}, {"more": "x"}],
)
def test_a_changed_header_is_noticed(sealed: Path, key: Key, header: dict[str, str]) -> None:
    """Device and consent note can be read by everybody and changed by nobody, with the right checksum neither."""
    rebuild(sealed, lambda chunks: chunks, header=header)
    with pytest.raises(RecordingError, match="header was altered"):
        Recording(sealed, key=key)


def _flip(chunks: list[list[Record]]) -> list[list[Record]]:
    kind, body = chunks[2][-1]
    chunks[2][-1] = (kind, body[:-3] + bytes([body[-3] ^ 1]) + body[-2:])
    return chunks


def _other_time(chunks: list[list[Record]]) -> list[list[Record]]:
    kind, body = chunks[2][-1]
    chunks[2][-1] = (kind, body[:6] + struct.pack("<Q", 3 * 10**9 + 1) + body[14:])
    return chunks


def _other_stream(chunks: list[list[Record]]) -> list[list[Record]]:
    """Give a NIR picture out as the ambient one and the other way round."""
    lit, ambient = [i for i, (kind, _) in enumerate(chunks[2]) if kind == 0x05][1:3]
    (_, a), (_, b) = chunks[2][lit], chunks[2][ambient]
    chunks[2][lit], chunks[2][ambient] = (0x05, a[:22] + b[22:]), (0x05, b[:22] + a[22:])
    return chunks


EDITS: dict[str, tuple[Callable[[list[list[Record]]], list[list[Record]]], str, int]] = {
    "changed": (_flip, "was altered, or comes from another", 2),
    "another time": (_other_time, "was altered, or comes from another", 2),
    "another stream": (_other_stream, "stands where", 2),
    "moved": (lambda c: [*c[:2], c[3], c[2], *c[4:]], "stands where", 2),
    "repeated": (lambda c: [*c[:3], c[2], *c[3:]], "stands where", 3),
    "left out": (lambda c: [*c[:2], *c[3:]], "stands where", 2),
    "the first left out": (lambda c: [[*(r for r in c[0] if r[0] != 0x05), *c[1]], *c[2:]], "stands where", 0),
    "the last left out": (lambda c: c[:-1], "another number of messages", 5),
}


@pytest.mark.parametrize("what", EDITS)
def test_what_is_done_to_messages_is_noticed(sealed: Path, key: Key, what: str) -> None:
    """A changed, moved, repeated or left-out message is an error at its place, although every checksum is right."""
    edit, message, before = EDITS[what]
    rebuild(sealed, lambda chunks: chunks)
    assert len(pixels(sealed, key)) == SETS
    rebuild(sealed, edit)
    for partial in (False, True):
        with pytest.raises(RecordingError, match=message) as caught:
            pixels(sealed, key, partial=partial)
        assert f"after {before} readable" in str(caught.value)


def test_a_message_of_another_recording_is_noticed(tmp_path: Path, sealed: Path, key: Key, camera: DeviceIdentity, make_set: Make) -> None:
    """A chunk of a second recording under the same key, of the same frames at the same place, is refused."""
    second = write(tmp_path / "second.mcap", camera, make_set, key)
    taken: list[list[Record]] = []
    rebuild(second, lambda chunks: taken.extend(chunks) or chunks)
    rebuild(sealed, lambda chunks: [*chunks[:3], taken[3], *chunks[4:]])
    with pytest.raises(RecordingError, match="comes from another stream, time or recording"):
        pixels(sealed, key)


def test_without_its_closing_record_a_recording_is_not_whole(sealed: Path, key: Key) -> None:
    """Somebody who cuts the end off and writes a proper end of MCAP behind it is noticed."""
    data = sealed.read_bytes()
    at = 8
    while data[at] != 0x0C or b"vultus.end" not in data[at : at + 40]:
        at += 9 + struct.unpack_from("<Q", data, at + 1)[0]
    sealed.write_bytes(data[:at] + join([(0x0F, bytes(4)), (0x02, bytes(20))]) + b"\x89MCAP0\r\n")
    with pytest.raises(RecordingError, match="without its closing record"):
        pixels(sealed, key)


def test_cut_off_anywhere_it_is_read_up_to_its_last_complete_chunk(tmp_path: Path, sealed: Path, key: Key) -> None:
    """Every prefix of the file, as a kill leaves it, gives its whole frame sets with `partial` and an error without."""
    data, whole, cut = sealed.read_bytes(), pixels(sealed, key), tmp_path / "cut.mcap"
    first = data.index(b"\x06", data.index(b"vultus.sealed"))
    counts = set()
    for end in range(first + 400, len(data), 211):
        cut.write_bytes(data[:end])
        found = pixels(cut, key, partial=True)
        assert found == whole[: len(found)]
        counts.add(len(found))
        with pytest.raises(RecordingError, match=r"cut short|damaged"):
            pixels(cut, key)
    assert counts == set(range(SETS + 1))


def test_it_is_played_from_any_second(sealed: Path, key: Key, make_set: Make) -> None:
    """Seeking works as in a readable recording, and messages behind the place must still follow each other."""
    with open_device(f"replay:{sealed}?from=3", key=key) as device:
        assert [s.sequence for s in device.frames()] == [3, 4, 5]
    rebuild(sealed, lambda c: [*c[:4], *c[5:]])
    with pytest.raises(RecordingError, match="stands where"), open_device(f"replay:{sealed}?from=3", key=key) as device:
        list(device.frames())


def test_a_piece_is_encrypted_like_the_whole(tmp_path: Path, sealed: Path, key: Key) -> None:
    """A trimmed piece carries the consent note, needs the key, and is bit for bit what it was."""
    piece = tmp_path / "piece.mcap"
    assert trim(sealed, piece, start_s=1, end_s=4, key=key) == 3
    assert pixels(piece, key) == pixels(sealed, key)[1:4]
    with closing(Recording(piece, key=key)) as recording:
        assert recording.consent == NOTE
        assert recording.envelope is not None


@pytest.mark.parametrize("note", ["", "  ", "x" * 3000, "a\x1b[31mb"])
def test_a_consent_note_is_text_for_people(note: str) -> None:
    """An empty, endless or unprintable note is a wrong argument; a day that is none too."""
    with pytest.raises(ValueError, match="consent note"):
        Consent(note)
    with pytest.raises(ValueError, match="isoformat"):
        Consent("fine", "soon")
    assert Consent("fine", "2026-01-02").expired(date(2026, 1, 2))
    assert not Consent("fine").expired(date(2099, 1, 2))


def test_frames_of_many_sizes_come_back(tmp_path: Path, camera: DeviceIdentity, make_set: Make, key: Key) -> None:
    """Sizes and streams may change within an encrypted recording."""
    path = tmp_path / "sizes.mcap"
    sets = [make_set(n, time_ns=n + 1, side=16 + n * 7, streams=("rgb", "nir", "depth")[: 1 + n % 3]) for n in range(9)]
    with Recorder(path, camera, key=key) as recorder:
        for frame_set in sets:
            recorder.write(frame_set)
    with closing(Recording(path, key=key)) as recording:
        for found, wanted in zip(recording, sets, strict=True):
            assert all(np.array_equal(a.data, b.data) for a, b in zip(found.frames(), wanted.frames(), strict=True))
