"""Safe decoding of untrusted pictures: the size is checked before decompression."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageOps

from duanka.domain.identity import CheckReason

Picture = np.ndarray[Any, np.dtype[Any]]  # uint8: rows, columns, channels blue green red

_MAX_FRAME_PIXELS, _MAX_REFERENCE_PIXELS = 1920, 6000  # limits of the longer side in pixels
_MIN_PIXELS = 2
_PALETTE_MODES = ("1", "P", "PA")
_ANALYSED_PIXELS = 640  # longer side in pixels to which pictures are scaled
_MAX_SCANS = 20  # scans in a JPEG: a progressive one has about ten; 400 kB of empty scans take a minute


class Unreadable(Exception):
    """A picture that cannot be used; `reason` says why."""

    def __init__(self, reason: CheckReason) -> None:
        super().__init__(reason.value)
        self.reason = reason


def frame(jpeg: bytes) -> Picture:
    """Decode a camera picture, scaled to at most 640 pixels. Raises Unreadable."""
    _seen(jpeg, ("JPEG",), _MAX_FRAME_PIXELS)
    return _smaller(_unpacked(jpeg))


def reference(photo: bytes) -> Picture:
    """Decode a registered photo (JPEG, PNG), upright, at most 640 pixels. Raises Unreadable."""
    _seen(photo, ("JPEG", "PNG"), _MAX_REFERENCE_PIXELS)
    try:
        with _opened(photo, ("JPEG", "PNG")) as image:
            # palette images cannot be scaled
            whole = image.convert("RGB") if image.mode in _PALETTE_MODES else image
            whole.thumbnail((_ANALYSED_PIXELS, _ANALYSED_PIXELS))  # before any full-size copy is made
            upright = ImageOps.exif_transpose(whole).convert("RGB")
    except Exception:  # decoders raise anything on untrusted bytes
        raise Unreadable(CheckReason.CORRUPT) from None
    if min(upright.size) < _MIN_PIXELS:
        raise Unreadable(CheckReason.CORRUPT)
    return np.ascontiguousarray(np.asarray(upright)[:, :, ::-1])


def _seen(picture: bytes, formats: tuple[str, ...], most: int) -> None:
    """Check scans and size before decoding, which could take a gigabyte or a minute."""
    if picture.startswith(b"\xff\xd8") and picture.count(b"\xff\xda") > _MAX_SCANS:
        raise Unreadable(CheckReason.CORRUPT)
    try:
        with _opened(picture, formats) as image:
            width, height = image.size
    except Image.DecompressionBombError:
        raise Unreadable(CheckReason.TOO_MANY_PIXELS) from None
    except Exception:  # decoders raise anything on untrusted bytes
        raise Unreadable(CheckReason.CORRUPT) from None
    if max(width, height) > most:
        raise Unreadable(CheckReason.TOO_MANY_PIXELS)


@contextlib.contextmanager
def _opened(picture: bytes, formats: tuple[str, ...]) -> Iterator[Image.Image]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about sizes and broken metadata: checked here
        with Image.open(io.BytesIO(picture), formats=formats) as image:
            yield image


def _unpacked(jpeg: bytes) -> Picture:
    try:
        found = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        found = None
    if found is None or min(found.shape[:2]) < _MIN_PIXELS:
        raise Unreadable(CheckReason.CORRUPT)
    return found


def _smaller(picture: Picture) -> Picture:
    longer = max(picture.shape[:2])
    if longer <= _ANALYSED_PIXELS:
        return picture
    scale = _ANALYSED_PIXELS / longer
    size = (max(2, round(picture.shape[1] * scale)), max(2, round(picture.shape[0] * scale)))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
