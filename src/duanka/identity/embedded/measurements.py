"""Engine measurements as plain numbers, so that liveness can be tested without it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class FaceMeasurements:
    """Measurements of one picture. Without a face everything but `luminance` is 0.

    `faces`: number of relevant faces; `box`: x, y, width, height in pixels; `luminance` (0 to 255) and `sharpness` of
    the face; `eyes`, `mouth`: opening relative to width; `yaw`: degrees, positive to the person's own left.
    """

    faces: int
    luminance: float
    box: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    sharpness: float = 0.0
    eyes: float = 0.0
    mouth: float = 0.0
    yaw: float = 0.0
    found: Any = None  # the detector's row, used to align the face
    mesh: Any = None  # 468 points of the face: x, y in pixels of the picture, and depth


@dataclass(frozen=True)
class PlanarityScores:
    """Whether the second picture may show a moved photograph of the first, 0 to 1.

    `plane`: share of the face's points that moved like points of one plane. `eyes`, `mouth`: similarity of these
    parts once the planes are aligned (of the eyes, the lower). `bent`: share of the tracked points that moved
    like points of one smooth sheet, such as paper round a roll.
    """

    plane: float
    eyes: float
    mouth: float
    bent: float
