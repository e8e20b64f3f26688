"""Pictures that strangers send: whole, cut off, broken, far too large; what comes out is a picture or a reason."""

from __future__ import annotations

import io
import resource
import struct
import time
import zlib
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duanka.domain.identity import CheckReason
from duanka.identity.embedded.weights import missing
from support.parts import needed

Unpack = Callable[[bytes], Any]
EITHER = pytest.mark.parametrize("which", ["frame", "reference"])


def unpack(which: str) -> Unpack:
    needed(missing() or "")
    from duanka.identity.embedded import images as pictures

    unpacks: Unpack = getattr(pictures, which)
    return unpacks


def said(which: str, picture: bytes) -> CheckReason | tuple[int, ...]:
    """The reason, or the shape of what was unpacked."""
    from duanka.identity.embedded.images import Unreadable

    unpacks = unpack(which)
    try:
        shape: tuple[int, ...] = unpacks(picture).shape
    except Unreadable as error:
        return error.reason
    return shape


@cache
def drawn(width: int = 320, height: int = 240, form: str = "JPEG", mode: str = "RGB", **more: Any) -> bytes:
    """A picture with edges in it."""
    needed(missing() or "")
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (width, height), "grey")
    ImageDraw.Draw(image).rectangle((width // 2, 0, width, height // 2), fill="white")
    packed = io.BytesIO()
    image.convert(mode).save(packed, form, **more)
    return packed.getvalue()


def png(width: int, height: int) -> bytes:
    """A PNG whose header promises much more than there is."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(999))) + chunk(b"IEND", b"")


def resized(jpeg: bytes, width: int, height: int) -> bytes:
    """A JPEG whose header says another size."""
    at = jpeg.index(b"\xff\xc0")
    return jpeg[: at + 5] + struct.pack(">HH", height, width) + jpeg[at + 9 :]


def test_a_picture_comes_out_small_and_upright() -> None:
    assert said("frame", drawn()) == (240, 320, 3)
    assert said("frame", drawn(1920, 1080)) == (360, 640, 3)
    assert said("reference", drawn()) == (240, 320, 3)
    assert said("reference", drawn(1200, 3000)) == (640, 256, 3)
    assert said("reference", drawn(1200, 900, "PNG")) == (480, 640, 3)
    lying = drawn(400, 300, exif=_lying())
    assert said("reference", lying) == (400, 300, 3)


def _lying() -> bytes:
    from PIL import Image

    exif = Image.Exif()
    exif[0x112] = 6
    return exif.tobytes()


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1"])
def test_a_registered_photo_may_have_any_colours(mode: str) -> None:
    assert said("reference", drawn(1280, 800, "PNG", mode)) == (400, 640, 3)


def test_blue_green_red() -> None:
    from PIL import Image

    packed = io.BytesIO()
    Image.new("RGB", (64, 64), (250, 10, 20)).save(packed, "PNG")
    assert [round(float(value)) for value in unpack("reference")(packed.getvalue()).mean(axis=(0, 1))] == [
        20,
        10,
        250,
    ]


@EITHER
@pytest.mark.parametrize("form", ["GIF", "BMP", "WEBP", "TIFF"])
def test_other_formats_are_not_opened(which: str, form: str) -> None:
    assert said(which, drawn(form=form)) is CheckReason.CORRUPT


def test_a_frame_is_a_jpeg_alone() -> None:
    assert said("frame", drawn(form="PNG")) is CheckReason.CORRUPT


def test_the_largest_that_is_unpacked() -> None:
    assert said("frame", drawn(1920, 64)) == (21, 640, 3)
    assert said("frame", drawn(1921, 64)) is CheckReason.TOO_MANY_PIXELS
    assert said("reference", drawn(6000, 400)) == (43, 640, 3)
    assert said("reference", drawn(6001, 400)) is CheckReason.TOO_MANY_PIXELS


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    whole = drawn(12_000, 12_000, mode="L")  # 144 million pixels, really there
    bombs = [whole, resized(drawn(), 60_000, 60_000), png(60_000, 60_000), png(2**31 - 1, 2**31 - 1)]
    unpack("frame")
    before, began = _most_memory(), time.thread_time()
    assert [said("frame", bomb) for bomb in bombs[:2]] == [CheckReason.TOO_MANY_PIXELS] * 2
    assert [said("reference", bomb) for bomb in bombs] == [CheckReason.TOO_MANY_PIXELS] * 4
    assert time.thread_time() - began < 0.2
    assert _most_memory() - before < 10


def test_two_headers_in_one_file_are_not_one_for_each_reader() -> None:
    jpeg = drawn()
    at = jpeg.index(b"\xff\xc0")
    header = jpeg[at : at + 2 + struct.unpack(">H", jpeg[at + 2 : at + 4])[0]]
    huge = resized(jpeg, 30_000, 30_000)[at : at + len(header)]
    for bomb in (jpeg[:at] + huge + jpeg[at:], jpeg[: at + len(header)] + huge + jpeg[at + len(header) :]):
        assert said("frame", bomb) in (CheckReason.CORRUPT, CheckReason.TOO_MANY_PIXELS)


def test_a_jpeg_of_empty_scans_keeps_nobody_busy() -> None:
    """400 kB of them took a minute."""
    jpeg = drawn(1920, 1920, mode="L", progressive=True)
    last = jpeg.rindex(b"\xff\xda")
    assert said("frame", jpeg) == (640, 640, 3), "a progressive one is none"
    for which in ("frame", "reference"):
        began = time.thread_time()
        assert said(which, jpeg[:-2] + jpeg[last:-2] * 5000 + jpeg[-2:]) is CheckReason.CORRUPT
        assert time.thread_time() - began < 0.2


@EITHER
@given(picture=st.binary(max_size=400) | st.binary(max_size=200).map(lambda data: b"\xff\xd8\xff" + data))
@settings(max_examples=150, deadline=None)
def test_bytes_are_no_picture(which: str, picture: bytes) -> None:
    assert said(which, picture) is CheckReason.CORRUPT


@EITHER
@given(cut=st.floats(0.02, 0.95))
@settings(max_examples=60, deadline=None)
def test_a_picture_that_is_cut_off_is_told(which: str, cut: float) -> None:
    jpeg = drawn()
    assert said(which, jpeg[: int(len(jpeg) * cut)]) is CheckReason.CORRUPT


@EITHER
@given(
    form=st.sampled_from(["JPEG", "PNG"]),
    flips=st.lists(st.tuples(st.floats(0, 0.999), st.integers(1, 255)), min_size=1, max_size=8),
)
@settings(max_examples=250, deadline=None)
def test_a_broken_picture_is_a_picture_or_a_reason(
    which: str, form: str, flips: list[tuple[float, int]]
) -> None:
    picture = bytearray(drawn(form=form, exif=_lying()))
    for place, flip in flips:
        picture[int(place * len(picture))] ^= flip
    before = _most_memory()
    found = said(which, bytes(picture))
    assert found in (CheckReason.CORRUPT, CheckReason.TOO_MANY_PIXELS) or isinstance(found, tuple)
    assert _most_memory() - before < 200, "6000 x 6000 pixels of a registered photo, and no more"


def _most_memory() -> float:
    """Megabytes that this process had at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
