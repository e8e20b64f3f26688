"""Checks of online verification: face checker and registered photos."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from random import SystemRandom

from duanka.bootstrap.doctor.examination import Finding, Installation, fault, ok, warning
from duanka.domain.sealing import derived
from duanka.identity import reference_photos
from duanka.identity.embedded.checker import EmbeddedChecker
from duanka.identity.embedded.weights import WEIGHTS, missing, weights
from duanka.identity.reference_photos import HttpTimeouts
from duanka.identity.vendor import vendor_of

PATIENCE = HttpTimeouts(connect=2.0, read=3.0, whole=4.0)
_UNKNOWN_CARD = "00000"  # a well-formed number that no card has
_FILES_READ = 1000  # file names read from a folder of photos


def faces(found: Installation) -> Iterator[Finding]:
    """Check the face checker: local software and weights, or the vendor's answer."""
    own = found.settings
    if not own.face:
        yield ok("not set up (DUANKA_FACE): holders verify at the counter alone")
    elif own.face == EmbeddedChecker.name:
        if why := missing():
            yield fault(why)
            return
        for name in WEIGHTS:
            weights(name)  # WeightsMissing names the next step
        yield ok(f"embedded: {len(WEIGHTS)} models, as measured; {own.face_workers} worker(s)")
    else:
        yield from _vendor(found, own.face)


def _vendor(found: Installation, address: str) -> Iterator[Finding]:
    key = found.settings.face_key
    secret = found.settings.known_secret
    if secret is None:
        yield warning(
            f"{address} was not asked: there is no secret here to hide order ids with",
            "set DUANKA_SECRET_FILE",
        )
        return
    vendor = vendor_of(
        address, key.get_secret_value() if key else None, derived(secret, "face vendor"), PATIENCE
    )
    try:
        steps = vendor.challenge(SystemRandom())
    except Exception as error:
        yield fault(
            _error_text(error),
            "holders are sent to the counter meanwhile; see DUANKA_FACE and DUANKA_FACE_KEY",
        )
        return
    yield ok(f"{vendor.name} answers: a challenge of {len(steps)} steps")


def photos(found: Installation) -> Iterator[Finding]:
    """Check that registered photos can be fetched."""
    own = found.settings
    if not own.reference_photos:
        text = "not set up (DUANKA_REFERENCE_PHOTOS)"
        yield (
            fault(f"{text}, and DUANKA_FACE needs it", "name the folder or address") if own.face else ok(text)
        )
        return
    key = own.reference_photos_key
    store = reference_photos.photos_of(
        own.reference_photos, key.get_secret_value() if key else None, PATIENCE
    )
    try:
        store.fetch(_UNKNOWN_CARD)
    except Exception as error:
        yield fault(_error_text(error), "see DUANKA_REFERENCE_PHOTOS and DUANKA_REFERENCE_PHOTOS_KEY")
        return
    if "://" in own.reference_photos:
        yield ok("the store answers")
        return
    yield _in_folder(Path(own.reference_photos))


def _in_folder(folder: Path) -> Finding:
    with os.scandir(folder) as names:  # the folder may hold millions of files
        first = [one.name for one in islice(names, _FILES_READ)]
    usable = sum(map(reference_photos.is_photo_name, first))
    if not usable:
        return warning(f"{folder} holds no photo named CARD.jpg, CARD.jpeg or CARD.png", "put them there")
    more = "at least " if len(first) == _FILES_READ else ""
    return ok(f"{folder}: {more}{usable:,} photo(s)")


def _error_text(error: Exception) -> str:
    return str(error) or type(error).__name__
