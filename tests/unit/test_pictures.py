"""Decoding pictures: header first, whole or not at all."""

from __future__ import annotations

import resource
import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from vultus import pictures
from vultus.frames import Stream

SIDES = st.tuples(st.integers(16, 40), st.integers(16, 40))


def jpeg(image: Any) -> bytes:
    """Encode a picture as JPEG."""
    import cv2

    return bytes(cv2.imencode(".jpg", image)[1])


def png_header(width: int, height: int, bits: int = 8, colour: int = 2) -> bytes:
    """Return a PNG file that claims a size and holds next to nothing."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")


def jpeg_header(width: int, height: int) -> bytes:
    """Return a JPEG file that claims a size and holds nothing."""
    frame = struct.pack(">BHHB", 8, height, width, 3) + bytes(9)
    return b"\xff\xd8\xff\xc0" + struct.pack(">H", len(frame) + 2) + frame + b"\xff\xd9"


@given(SIDES.flatmap(lambda s: hnp.arrays(np.uint8, (*s, 3))))
def test_png_keeps_every_colour(image: Any) -> None:
    """RGB as PNG comes back bit for bit, in the order R, G, B."""
    assert np.array_equal(pictures.decode(pictures.encode_png(image)), image)


@given(st.sampled_from([np.uint8, np.uint16]).flatmap(lambda d: SIDES.flatmap(lambda s: hnp.arrays(d, s))))
def test_png_keeps_every_grey(image: Any) -> None:
    """Grey of 8 and 16 bits as PNG comes back bit for bit, 16 bits also as depth."""
    data = pictures.encode_png(image)
    back = pictures.decode(data, Stream.NIR)
    assert back.dtype == image.dtype
    assert np.array_equal(back, image)
    if image.dtype == np.uint16:
        assert np.array_equal(pictures.decode(data, Stream.DEPTH), image)


def test_red_stays_red() -> None:
    """A red picture is red after JPEG and after PNG."""
    red = np.zeros((32, 32, 3), np.uint8)
    red[..., 0] = 200
    for data in (pictures.encode_png(red), jpeg(red[..., ::-1])):
        r, g, b = pictures.decode(data).reshape(-1, 3).mean(axis=0)
        assert r > 190
        assert g < 10
        assert b < 10


def test_a_grey_jpeg_serves_as_colour() -> None:
    """A grey JPEG is decoded to three equal planes for RGB and to one for NIR."""
    data = jpeg(np.full((20, 30), 90, np.uint8))
    assert pictures.decode(data).shape == (20, 30, 3)
    assert pictures.decode(data, Stream.NIR).shape == (20, 30)


@pytest.mark.parametrize("make", [png_header, jpeg_header])
@pytest.mark.parametrize("size", [(20_000, 20_000), (1, 1), (8193, 100), (15, 100), (0, 0)])
def test_a_size_beyond_the_limits_is_refused_before_decoding(make: Callable[[int, int], bytes], size: tuple[int, int]) -> None:
    """A picture of 20,000 x 20,000 or 1 x 1 is refused from its header, with little memory."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ValueError, match=f"sides must be 16 to 8192 pixels; the picture is {size[0]} x {size[1]}"):
        pictures.decode(make(*size))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10


@pytest.mark.parametrize(
    ("data", "stream", "message"),
    [
        (b"", Stream.RGB, "the file is empty"),
        (b"GIF89a" + bytes(40), Stream.RGB, "neither PNG nor JPEG"),
        (png_header(100, 100)[:20], Stream.RGB, "the PNG header is cut short"),
        (png_header(100, 100, colour=5), Stream.RGB, "unknown colour type"),
        (png_header(100, 100)[:-20], Stream.RGB, "the PNG file is cut short"),
        (png_header(100, 100, 16), Stream.RGB, "8 bits a channel; the picture has 16"),
        (png_header(100, 100, 8, 4), Stream.NIR, "grey picture; this one has 2 channels"),
        (png_header(100, 100, 8, 0), Stream.DEPTH, "16-bit grey"),
        (b"\xff\xd8", Stream.RGB, "the JPEG header is cut short"),
        (b"\xff\xd8\xff\xda\0\x08" + bytes(20), Stream.RGB, "the JPEG header is cut short"),
        (b"\xff\xd8\x00\x00" + bytes(20), Stream.RGB, "the JPEG header is damaged"),
        (b"\xff\xd8\xff\xe0\0\0" + bytes(20), Stream.RGB, "the JPEG header is cut short"),
        (jpeg_header(100, 100)[:-2], Stream.RGB, "the JPEG file is cut short"),
        (jpeg_header(100, 100), Stream.RGB, "cannot be decoded"),
    ],
)
def test_a_picture_that_does_not_suit_is_refused(data: bytes, stream: Stream, message: str) -> None:
    """Other formats, cut and damaged headers, and bits or channels that do not suit the stream are ValueErrors in one line."""
    with pytest.raises(ValueError, match=message) as caught:
        pictures.decode(data, stream)
    assert "\n" not in str(caught.value)


def test_a_damaged_png_is_never_half_decoded() -> None:
    """Whichever byte of a PNG has a bit flipped, decoding raises or gives the same pixels."""
    image = np.random.default_rng(0).integers(0, 255, (16, 16), np.uint8)
    good = pictures.encode_png(image)
    for at in range(len(good)):
        try:
            back = pictures.decode(good[:at] + bytes([good[at] ^ 4]) + good[at + 1 :], Stream.NIR)
        except ValueError:
            continue
        assert np.array_equal(back, image), f"byte {at}"


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_cut_picture_is_never_half_decoded(share: float) -> None:
    """A JPEG or PNG that is cut short is refused rather than filled up with grey."""
    image = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    for data in (jpeg(image), pictures.encode_png(image)):
        with pytest.raises(ValueError, match=r"cut short|cannot be decoded"):
            pictures.decode(data[: int(len(data) * share)])


@given(st.sampled_from([b"\x89PNG\r\n\x1a\n", b"\xff\xd8", b"\xff\xd8\xff\xc0", b""]), st.binary(max_size=200))
def test_any_bytes_are_decoded_or_refused(head: bytes, tail: bytes) -> None:
    """Whatever bytes follow a magic number, the outcome is a picture or a ValueError."""
    try:
        image = pictures.decode(head + tail)
    except ValueError:
        return
    assert image.ndim == 3


def test_a_huge_file_is_refused_before_it_is_decoded(tmp_path: Any) -> None:
    """A file above the limit is a ValueError; a missing one an OSError."""
    path = tmp_path / "huge.png"
    with path.open("wb") as file:
        file.truncate(pictures.MAX_FILE_BYTES + 1)
    with pytest.raises(ValueError, match="larger than 128 MiB"):
        pictures.read(path)
    with pytest.raises(FileNotFoundError):
        pictures.read(tmp_path / "gone.png")


def test_resize_averages_when_shrinking() -> None:
    """Shrinking by two averages four pixels; growing keeps the range."""
    image = np.array([[0, 100], [100, 200]] * 8, np.uint8).reshape(16, 2).repeat(8, axis=1)
    assert pictures.resize(image, 8, 8).shape == (8, 8)
    assert np.allclose(pictures.resize(np.tile([[0, 100], [100, 200]], (8, 8)).astype(np.uint8), 8, 8), 100)
    assert pictures.resize(image, 64, 64).max() <= 200


def test_text_is_drawn_in_place() -> None:
    """Text changes the picture that it is drawn into, in its colour."""
    image = np.zeros((40, 120, 3), np.uint8)
    pictures.draw_text(image, "REJECT", 4, 28, (255, 0, 0))
    assert image[..., 0].max() == 255
    assert image[..., 1:].max() == 0
